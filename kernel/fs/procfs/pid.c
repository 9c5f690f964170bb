/*
 * /proc/PID and /proc/PID/task/TID: the table, links and small files. status.c and maps.c have the
 * long ones.
 */
#include "abi/capability.h"
#include "abi/errno.h"
#include "fs/procfs/procfs.h"
#include "lib/format.h"
#include "lib/number.h"
#include "lib/string.h"
#include "mem/slab.h"
#include "proc/cred_change.h"
#include "proc/job.h"
#include "proc/signal.h"
#include "proc/task_access.h"
#include "vfs/dentry.h"
#include "vfs/file.h"
#include "vfs/mount.h"

/* --- memory of the subject as text ------------------------------------------------------------ */

static void put_range(struct text *out, struct space *space, uint64_t at, uint64_t end)
{
	char piece[256];

	while (at < end) {
		size_t want = end - at < sizeof(piece) ? (size_t)(end - at) : sizeof(piece);
		size_t got = space_read(space, at, piece, want);

		text_put(out, piece, got);
		if (got < want)
			break;
		at += got;
	}
}

/* Of the space that the subject has now. */
static int show_cmdline(struct text *out, const struct proc_subject *s)
{
	struct space *space = proc_subject_space(s);

	if (space == NULL)
		return proc_subject_exists(s);
	put_range(out, space, space->arg_start, space->arg_end);
	space_put(space);
	return 0;
}

static int show_environ(struct text *out, const struct proc_subject *s)
{
	struct space *space = proc_subject_held_space(s);

	if (space == NULL)
		return 0;
	put_range(out, space, space->env_start, space->env_end);
	space_put(space);
	return 0;
}

/* The vector is no part of the memory: it is there as long as the space is held. */
static int show_auxv(struct text *out, const struct proc_subject *s)
{
	const struct space *space = s->space;

	if (space != NULL)
		text_put(out, space->auxv, space->auxv_words * sizeof(space->auxv[0]));
	return 0;
}

/* --- small files ------------------------------------------------------------------------------ */

/* Runs fn with the subject's process and task; -ESRCH when they are gone. */
static int with_task(struct text *out, const struct proc_subject *s,
		     void (*fn)(struct text *out, struct process *p, struct task *t))
{
	struct process *p;
	struct task *t;

	if (!proc_subject_get(s, &p, &t))
		return -ESRCH;
	if (t != NULL)
		fn(out, p, t);
	proc_subject_put(p, t);
	return t != NULL ? 0 : -ESRCH;
}

static void put_comm(struct text *out, struct process *p, struct task *t)
{
	text_printf(out, "%s\n", t->thread.name);
}

static int show_comm(struct text *out, const struct proc_subject *s)
{
	return with_task(out, s, put_comm);
}

static ssize_t write_comm(const struct proc_subject *s, char *text, size_t n)
{
	struct process *p;
	struct task *t;

	if (!proc_subject_get(s, &p, &t))
		return -ESRCH;
	if (n > 0 && text[n - 1] == '\n')
		text[n - 1] = '\0';
	if (t != NULL && p == process_current())
		strlcpy(t->thread.name, text, sizeof(t->thread.name));
	if (t != NULL)
		task_trace_name(t);
	proc_subject_put(p, t);
	return p == process_current() ? (ssize_t)n : -EINVAL;
}

static const char *const limit_names[RLIM_NLIMITS][2] = {
	{ "Max cpu time", "seconds" }, { "Max file size", "bytes" }, { "Max data size", "bytes" },
	{ "Max stack size", "bytes" }, { "Max core file size", "bytes" },
	{ "Max resident set", "bytes" }, { "Max processes", "processes" },
	{ "Max open files", "files" }, { "Max locked memory", "bytes" },
	{ "Max address space", "bytes" }, { "Max file locks", "locks" },
	{ "Max pending signals", "signals" }, { "Max msgqueue size", "bytes" },
	{ "Max nice priority", "" }, { "Max realtime priority", "" },
	{ "Max realtime timeout", "us" },
};

static void put_limit(struct text *out, uint64_t value)
{
	if (value == RLIM_INFINITY)
		text_printf(out, "%-20s ", "unlimited");
	else
		text_printf(out, "%-20llu ", (unsigned long long)value);
}

static void put_limits(struct text *out, struct process *p, struct task *t)
{
	text_printf(out, "%-25s %-20s %-20s %-10s\n", "Limit", "Soft Limit", "Hard Limit",
		    "Units");
	for (int i = 0; i < RLIM_NLIMITS; i++) {
		text_printf(out, "%-25s ", limit_names[i][0]);
		put_limit(out, p->limits[i].rlim_cur);
		put_limit(out, p->limits[i].rlim_max);
		text_printf(out, "%-10s\n", limit_names[i][1]);
	}
}

static int show_limits(struct text *out, const struct proc_subject *s)
{
	return with_task(out, s, put_limits);
}

static void put_oom_adj(struct text *out, struct process *p, struct task *t)
{
	text_printf(out, "%d\n", p->oom_score_adj);
}

static int show_oom_score_adj(struct text *out, const struct proc_subject *s)
{
	return with_task(out, s, put_oom_adj);
}

static ssize_t write_oom_score_adj(const struct proc_subject *s, char *text, size_t n)
{
	struct process *p;
	struct task *t;
	int64_t value;
	size_t length = n > 0 && text[n - 1] == '\n' ? n - 1 : n;

	if (number_parse_signed(text, length, 10, &value) != 0 || value < -1000 || value > 1000)
		return -EINVAL;
	if (!proc_subject_get(s, &p, &t))
		return -ESRCH;
	if (value < p->oom_score_adj && !capable(CAP_SYS_RESOURCE)) {
		proc_subject_put(p, t);
		return -EACCES;
	}
	p->oom_score_adj = (int)value;
	proc_subject_put(p, t);
	return (ssize_t)n;
}

static void put_oom_score(struct text *out, struct process *p, struct task *t)
{
	text_printf(out, "0\n");
}

static int show_oom_score(struct text *out, const struct proc_subject *s)
{
	return with_task(out, s, put_oom_score);
}

static void put_io(struct text *out, struct process *p, struct task *t)
{
	text_printf(out,
		    "rchar: %llu\nwchar: %llu\nsyscr: 0\nsyscw: 0\nread_bytes: 0\n"
		    "write_bytes: 0\ncancelled_write_bytes: 0\n",
		    (unsigned long long)t->io_read_bytes, (unsigned long long)t->io_write_bytes);
}

static int show_io(struct text *out, const struct proc_subject *s)
{
	return with_task(out, s, put_io);
}

static void put_wchan(struct text *out, struct process *p, struct task *t)
{
	text_putc(out, '0');
}

static int show_wchan(struct text *out, const struct proc_subject *s)
{
	return with_task(out, s, put_wchan);
}

static void put_cgroup(struct text *out, struct process *p, struct task *t)
{
	text_printf(out, "0::/\n");
}

static int show_cgroup(struct text *out, const struct proc_subject *s)
{
	return with_task(out, s, put_cgroup);
}

static int show_id_map(struct text *out, const struct proc_subject *s)
{
	text_printf(out, "%10u %10u %10u\n", 0, 0, ~0u);
	return 0;
}

static void put_loginuid(struct text *out, struct process *p, struct task *t)
{
	text_printf(out, "%u", ~0u);
}

static int show_loginuid(struct text *out, const struct proc_subject *s)
{
	return with_task(out, s, put_loginuid);
}

static void put_personality(struct text *out, struct process *p, struct task *t)
{
	text_printf(out, "%08llx\n", (unsigned long long)p->personality);
}

static int show_personality(struct text *out, const struct proc_subject *s)
{
	return with_task(out, s, put_personality);
}

static void put_syscall(struct text *out, struct process *p, struct task *t)
{
	text_printf(out, "%lld\n", (long long)t->syscall_nr);
}

static int show_syscall(struct text *out, const struct proc_subject *s)
{
	return with_task(out, s, put_syscall);
}

/* Design chapter 5: what the scheduler promises, per thread. */
static void put_headway(struct text *out, struct process *p, struct task *t)
{
	const struct headway *h = &t->thread.headway;

	text_printf(out,
		    "dispatches %llu\nuser_returns %llu\nstalls %llu\ndeferrals %llu\n"
		    "longest_wait_ns %llu\n",
		    (unsigned long long)h->dispatches, (unsigned long long)t->thread.user_entered,
		    (unsigned long long)h->stalls, (unsigned long long)h->deferrals,
		    (unsigned long long)h->longest_wait_ns);
}

static int show_headway(struct text *out, const struct proc_subject *s)
{
	return with_task(out, s, put_headway);
}

static void put_schedstat(struct text *out, struct process *p, struct task *t)
{
	text_printf(out, "%llu 0 %llu\n",
		    (unsigned long long)sched_thread_run_ns(&t->thread),
		    (unsigned long long)t->thread.headway.dispatches);
}

static int show_schedstat(struct text *out, const struct proc_subject *s)
{
	return with_task(out, s, put_schedstat);
}

/* Looks at each process in turn: text cannot be written under the tree's lock. */
static void put_children(struct text *out, struct process *p, struct task *t)
{
	struct process *child;
	uint32_t pid = 1;

	while ((child = process_next(pid)) != NULL) {
		pid = child->pid + 1;
		if (process_parent_pid(child) == p->pid)
			text_printf(out, "%u ", child->pid);
		process_put(child);
	}
}

static int show_children(struct text *out, const struct proc_subject *s)
{
	int error = with_task(out, s, put_children);

	return error == -ESRCH ? 0 : error;	/* one that is gone has no children */
}

/* --- links ------------------------------------------------------------------------------------ */

static int follow_fs(const struct proc_subject *s, bool root, struct path *out)
{
	struct fs_state *fs;
	struct process *p;
	struct task *t;

	if (!proc_subject_get(s, &p, &t))
		return -ENOENT;
	fs = t != NULL ? task_get_fs(t) : NULL;
	proc_subject_put(p, t);
	if (fs == NULL)
		return -ENOENT;
	fs_state_get_path(fs, root ? &fs->root : &fs->cwd, out);
	fs_state_put(fs);
	return 0;
}

int proc_subject_hold_root(struct proc_subject *s)
{
	return follow_fs(s, true, &s->root) == 0 ? 0 : -EINVAL;
}

static int follow_cwd(const struct proc_subject *s, struct path *out)
{
	return follow_fs(s, false, out);
}

static int follow_root(const struct proc_subject *s, struct path *out)
{
	return follow_fs(s, true, out);
}

static int follow_exe(const struct proc_subject *s, struct path *out)
{
	struct space *space = proc_subject_space(s);
	struct file *file;

	if (space == NULL)
		return -ENOENT;
	rwlock_read_lock(&space->lock);
	file = space->exe_file;
	if (file != NULL) {
		*out = file->path;
		path_get(out);
	}
	rwlock_read_unlock(&space->lock);
	space_put(space);
	return file != NULL ? 0 : -ENOENT;
}

/* --- descriptors ------------------------------------------------------------------------------ */

static struct file *subject_file(const struct proc_subject *s)
{
	struct fdtable *table = proc_subject_fdtable(s);
	struct file *file;

	if (table == NULL)
		return NULL;
	file = fdtable_get_file(table, s->fd);
	fdtable_put(table);
	return file;
}

static int follow_fd(const struct proc_subject *s, struct path *out)
{
	struct file *file = subject_file(s);

	if (file == NULL)
		return -ENOENT;
	*out = file->path;
	path_get(out);
	file_put(file);
	return 0;
}

static bool find_fd(struct proc_subject *subject, const char *name, size_t length)
{
	struct file *file;
	uint32_t fd;

	if (!proc_parse_id(name, length, &fd))
		return false;
	subject->fd = (int)fd;
	file = subject_file(subject);
	if (file == NULL)
		return false;
	file_put(file);
	return true;
}

static int64_t next_fd(const struct proc_subject *dir, uint64_t from)
{
	struct fdtable *table = from <= INT32_MAX ? proc_subject_fdtable(dir) : NULL;
	int fd;

	if (table == NULL)
		return -1;
	fd = fdtable_next_fd(table, (int)from);
	fdtable_put(table);
	return fd;
}

static int show_fdinfo(struct text *out, const struct proc_subject *s)
{
	struct fdtable *table = proc_subject_fdtable(s);
	struct file *file = table != NULL ? fdtable_get_file(table, s->fd) : NULL;
	uint32_t flags;

	if (file == NULL) {
		if (table != NULL)
			fdtable_put(table);
		return -ENOENT;
	}
	flags = file->flags | (fdtable_fd_close_on_exec(table, s->fd) ? 02000000u : 0);
	text_printf(out, "pos:\t%lld\nflags:\t0%o\nmnt_id:\t%u\nino:\t%llu\n",
		    (long long)file->pos, flags, file->path.mount->id,
		    (unsigned long long)file->inode->number);
	file_put(file);
	fdtable_put(table);
	return 0;
}

static const struct proc_entry fd_entry = {
	.mode = S_IFLNK | 0700, .follow = follow_fd, .needs_access = true,
};
static const struct proc_dynamic fd_dynamic = { find_fd, next_fd, &fd_entry, NULL };
static const struct proc_entry fdinfo_entry = {
	.mode = S_IFREG | 0444, .show = show_fdinfo, .needs_access = true,
};
static const struct proc_dynamic fdinfo_dynamic = { find_fd, next_fd, &fdinfo_entry, NULL };

/* --- tasks of the process --------------------------------------------------------------------- */

static bool find_task(struct proc_subject *subject, const char *name, size_t length)
{
	struct task *t;
	uint32_t tid;
	bool found;

	if (!proc_parse_id(name, length, &tid))
		return false;
	t = task_lookup(tid);
	if (t == NULL)
		return false;
	found = t->process->pid == subject->pid;
	task_put(t);
	subject->tid = tid;
	return found;
}

static int64_t next_task(const struct proc_subject *dir, uint64_t from)
{
	struct process *p = process_lookup(dir->pid);
	struct task *t = p != NULL && from <= UINT32_MAX
				 ? process_next_task(p, (uint32_t)from) : NULL;
	int64_t id = t != NULL ? (int64_t)t->thread.id : -1;

	if (t != NULL)
		task_put(t);
	if (p != NULL)
		process_put(p);
	return id;
}

static const struct proc_dynamic task_dynamic = { find_task, next_task, &proc_tid_entry, NULL };

/* --- the tables ------------------------------------------------------------------------------- */

#define R (S_IFREG | 0444)
#define OWN (S_IFREG | 0400)
#define RW (S_IFREG | 0644)

#define TASK_ENTRIES                                                                              \
	{ .name = "auxv", .mode = OWN, .show = show_auxv, .needs_access = true,                   \
	  .of_space = true },                                                                     \
	{ .name = "cgroup", .mode = R, .show = show_cgroup },                                     \
	{ .name = "children", .mode = R, .show = show_children },                                 \
	{ .name = "cmdline", .mode = R, .show = show_cmdline },                                   \
	{ .name = "comm", .mode = RW, .show = show_comm, .write = write_comm },                   \
	{ .name = "cwd", .mode = S_IFLNK | 0777, .follow = follow_cwd, .needs_access = true },    \
	{ .name = "environ", .mode = OWN, .show = show_environ, .needs_access = true,             \
	  .of_space = true },                                                                     \
	{ .name = "exe", .mode = S_IFLNK | 0777, .follow = follow_exe, .needs_access = true },    \
	{ .name = "fail-nth", .mode = S_IFREG | 0600, .file_ops = &proc_fail_nth_file_ops,        \
	  .needs_access = true },                                                                 \
	{ .name = "fd", .mode = S_IFDIR | 0500, .dynamic = &fd_dynamic, .needs_access = true },   \
	{ .name = "fdinfo", .mode = S_IFDIR | 0555, .dynamic = &fdinfo_dynamic,                   \
	  .needs_access = true },                                                                 \
	{ .name = "gid_map", .mode = RW, .show = show_id_map },                                   \
	{ .name = "headway", .mode = R, .show = show_headway },                                   \
	{ .name = "io", .mode = OWN, .show = show_io, .needs_access = true },                     \
	{ .name = "limits", .mode = R, .show = show_limits },                                     \
	{ .name = "loginuid", .mode = RW, .show = show_loginuid },                                \
	{ .name = "maps", .mode = R, .show = proc_show_maps, .needs_access = true,                \
	  .of_space = true },                                                                     \
	{ .name = "mem", .mode = S_IFREG | 0600, .file_ops = &proc_mem_file_ops,                  \
	  .open = proc_mem_open, .needs_access = true },                                          \
	{ .name = "mountinfo", .mode = R, .show = proc_show_mountinfo, .of_root = true },         \
	{ .name = "mounts", .mode = R, .show = proc_show_mounts, .of_root = true },               \
	{ .name = "oom_score", .mode = R, .show = show_oom_score },                               \
	{ .name = "oom_score_adj", .mode = RW, .show = show_oom_score_adj,                        \
	  .write = write_oom_score_adj },                                                         \
	{ .name = "personality", .mode = OWN, .show = show_personality, .needs_access = true },   \
	{ .name = "root", .mode = S_IFLNK | 0777, .follow = follow_root, .needs_access = true },  \
	{ .name = "schedstat", .mode = R, .show = show_schedstat },                               \
	{ .name = "smaps", .mode = R, .show = proc_show_smaps, .needs_access = true,              \
	  .of_space = true },                                                                     \
	{ .name = "smaps_rollup", .mode = R, .show = proc_show_smaps_rollup,                      \
	  .needs_access = true, .of_space = true },                                               \
	{ .name = "stat", .mode = R, .show = proc_show_stat },                                    \
	{ .name = "statm", .mode = R, .show = proc_show_statm },                                  \
	{ .name = "status", .mode = R, .show = proc_show_status },                                \
	{ .name = "syscall", .mode = OWN, .show = show_syscall, .needs_access = true },           \
	{ .name = "uid_map", .mode = RW, .show = show_id_map },                                   \
	{ .name = "wchan", .mode = R, .show = show_wchan }

static const struct proc_entry tid_children[] = { TASK_ENTRIES, { .name = NULL } };

static const struct proc_entry pid_children[] = {
	TASK_ENTRIES,
	{ .name = "mountstats", .mode = OWN, .show = proc_show_mountstats, .of_root = true },
	{ .name = "task", .mode = S_IFDIR | 0555, .dynamic = &task_dynamic },
	{ .name = NULL },
};

const struct proc_entry proc_pid_entry = { .mode = S_IFDIR | 0555, .children = pid_children };
const struct proc_entry proc_tid_entry = { .mode = S_IFDIR | 0555, .children = tid_children };
