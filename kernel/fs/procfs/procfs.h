/*
 * procfs: what the kernel tells about itself and its processes, as files.
 *
 * The tree is a table (struct proc_entry). An entry under /proc/PID is shown for a subject: the
 * process or task that the path named. Inodes are made when looked up and hold the entry and the
 * subject's ids, never a process: a name of a dead one is simply not found again.
 */
#pragma once

#include "proc/task.h"
#include "vfs/inode.h"
#include "vfs/text_file.h"

struct proc_subject {
	uint32_t pid, tid;		/* 0: not below /proc/PID; tid: the task shown */
	int fd;				/* below fd/ and fdinfo/ */
	uint64_t start_ns;		/* of the process: another one with this pid differs */
	struct space *space;		/* of an open file that is of one (of_space), held; NULL */
	struct path root;		/* the same, counted (of_root) */
};

struct proc_entry;

/* Names that are not in the table: processes, tasks, descriptors. */
struct proc_dynamic {
	/* Parses `name` into *subject; false: no such thing. */
	bool (*find)(struct proc_subject *subject, const char *name, size_t length);
	/* The first id >= from, -1: none. */
	int64_t (*next)(const struct proc_subject *dir, uint64_t from);
	const struct proc_entry *entry;	/* what each of them is */
	const char *prefix;		/* of the names in a listing, before the id */
};

struct proc_entry {
	const char *name;
	uint32_t mode;			/* S_IFDIR, S_IFREG, S_IFLNK and permissions */
	int (*show)(struct text *out, const struct proc_subject *subject);
	ssize_t (*write)(const struct proc_subject *subject, char *text, size_t n);
	int (*link)(const struct proc_subject *subject, char **out);	/* kmalloc'ed target */
	int (*follow)(const struct proc_subject *subject, struct path *out);	/* magic link */
	const struct file_ops *file_ops;	/* instead of show and write */
	int (*open)(const struct proc_subject *subject, struct file *file);	/* with file_ops */
	const struct proc_entry *children;	/* ends with name NULL */
	const struct proc_dynamic *dynamic;
	bool needs_access;		/* only for those who may trace the process */
	bool of_space;			/* its open file is of one space */
	bool of_root;			/* and of the root that the task had then */
};

struct proc_inode {
	struct inode inode;
	const struct proc_entry *entry;
	struct proc_subject subject;
};

static inline struct proc_inode *proc_inode_of(const struct inode *inode)
{
	return (struct proc_inode *)inode;
}

extern const struct proc_entry proc_root_entry;			/* root.c */
extern const struct proc_entry proc_pid_entry, proc_tid_entry;	/* pid.c */
extern const struct proc_entry proc_sys_children[];		/* sys.c */
extern const struct file_ops proc_fail_nth_file_ops;		/* fail_nth.c */
extern const struct file_ops proc_trace_data_file_ops;		/* trace.c */
extern const struct file_ops proc_mem_file_ops;			/* maps.c */
must_check int proc_mem_open(const struct proc_subject *subject, struct file *file);

/* The subject's process and task, counted; false: gone. */
bool proc_subject_get(const struct proc_subject *s, struct process **p, struct task **t);
void proc_subject_put(struct process *p, struct task *t);
/* The subject's address space, counted; NULL: a kernel thread or gone. */
struct space *proc_subject_space(const struct proc_subject *s);
/*
 * For files that are of one address space: the one that the subject had at the open, when the right
 * to it was checked; a program executed later is another, with rights of its own. Fills s->space:
 * held, its memory is not kept; NULL: a kernel thread or gone.
 */
must_check int proc_subject_hold_space(struct proc_subject *s);
/* Fills s->root, counted; -EINVAL: the task is gone, or a zombie. */
must_check int proc_subject_hold_root(struct proc_subject *s);
/* That space, counted, if its memory is there still; NULL. */
struct space *proc_subject_held_space(const struct proc_subject *s);
/* The subject's descriptor table, counted; NULL. */
struct fdtable *proc_subject_fdtable(const struct proc_subject *s);
/* May the current task look into the subject (PTRACE_MODE_READ)? 0, -EACCES, -ESRCH. */
must_check int proc_subject_access(const struct proc_subject *s);
/* Is the subject there, if only as a zombie? 0, -ESRCH. */
must_check int proc_subject_exists(const struct proc_subject *s);
/* Parses a decimal name without leading zeros into *id. */
bool proc_parse_id(const char *name, size_t length, uint32_t *id);

/* Used by several files of the folder. */
void proc_trace_init(void);
int proc_show_trace(struct text *out, const struct proc_subject *s);
ssize_t proc_write_trace(const struct proc_subject *s, char *text, size_t n);
int proc_show_mounts(struct text *out, const struct proc_subject *s);
int proc_show_mountinfo(struct text *out, const struct proc_subject *s);
int proc_show_mountstats(struct text *out, const struct proc_subject *s);
int proc_show_status(struct text *out, const struct proc_subject *s);
int proc_show_stat(struct text *out, const struct proc_subject *s);
/* A set of processors as a list of ranges, and in hexadecimal digits; with a newline. */
void proc_put_cpu_list(struct text *out, cpu_mask_t set);
void proc_put_cpu_mask(struct text *out, cpu_mask_t set);
int proc_show_statm(struct text *out, const struct proc_subject *s);
int proc_show_maps(struct text *out, const struct proc_subject *s);
int proc_show_smaps(struct text *out, const struct proc_subject *s);
int proc_show_smaps_rollup(struct text *out, const struct proc_subject *s);
struct fs_type;
/* A file system whose tree is the table of `entry`: sysfs is one too. */
must_check int proc_mount_tree(const struct fs_type *type, const struct proc_entry *entry,
			       uint32_t magic, struct super **out);
void procfs_init(void);
