/*
 * Inodes: one file of a file system, whatever its names.
 *
 * A file system allocates its own struct that embeds one and fills `ops`. Counted: dentries and
 * open files hold references; the last put calls ops->evict when nlink is 0 or the inode is not
 * kept. `mutex` serialises changes of a directory's entries and of a file's size; `lock` guards
 * the small attributes.
 */
#pragma once

#include "abi/fcntl.h"
#include "abi/stat.h"
#include "abi/time.h"
#include "core/atomic.h"
#include "sched/mutex.h"
#include "vm/object.h"

struct dentry;
struct file;
struct inode;
struct mount;
struct path;
struct fs_type;
struct file_ops;
struct iobuf;
struct file_lock_list;
struct super;

/* Who asks: credentials as the file layer needs them; proc/cred.h embeds one. */
struct vfs_cred {
	uint32_t uid, gid;			/* fsuid, fsgid */
	uint32_t group_count;
	const uint32_t *groups;
	bool cap_dac_override, cap_dac_read_search, cap_fowner, cap_fsetid, cap_chown, cap_mknod,
	     cap_sys_admin, cap_linux_immutable, cap_sys_resource;
};

extern const struct vfs_cred vfs_cred_kernel;	/* root with everything allowed: boot */

struct inode_attr {				/* what setattr changes */
	uint32_t valid;
#define ATTR_MODE	(1u << 0)
#define ATTR_UID	(1u << 1)
#define ATTR_GID	(1u << 2)
#define ATTR_SIZE	(1u << 3)
#define ATTR_ATIME	(1u << 4)
#define ATTR_MTIME	(1u << 5)
#define ATTR_CTIME	(1u << 6)
#define ATTR_TOUCH	(1u << 7)	/* both times are now: write permission is enough */
	uint32_t mode, uid, gid;
	uint64_t size;
	struct abi_timespec atime, mtime, ctime;
};

struct inode_ops {
	/* Directories. `dir` is write-locked by its mutex; `dentry` is negative and hashed by the
	 * caller on success through dentry_instantiate() in the operation. */
	/* 0 also when absent: the dentry stays negative. */
	int (*lookup)(struct inode *dir, struct dentry *dentry);
	int (*create)(struct inode *dir, struct dentry *dentry, uint32_t mode, uint64_t rdev,
		      const struct vfs_cred *cred);	/* regular, device, fifo, socket by mode */
	int (*mkdir)(struct inode *dir, struct dentry *dentry, uint32_t mode,
		     const struct vfs_cred *cred);
	int (*symlink)(struct inode *dir, struct dentry *dentry, const char *target,
		       const struct vfs_cred *cred);
	int (*link)(struct inode *dir, struct dentry *dentry, struct inode *target);
	int (*unlink)(struct inode *dir, struct dentry *dentry);
	int (*rmdir)(struct inode *dir, struct dentry *dentry);
	int (*rename)(struct inode *from_dir, struct dentry *from, struct inode *to_dir,
		      struct dentry *to, unsigned int flags);	/* RENAME_* */
	int (*tmpfile)(struct inode *dir, uint32_t mode, const struct vfs_cred *cred,
		       struct inode **out);
	/* Symlinks: the target as a NUL-terminated string allocated by kmalloc. */
	int (*readlink)(struct inode *inode, char **out);
	/* Magic links of procfs: jumps straight to a path (counted). NULL: ordinary link. */
	int (*follow)(struct inode *inode, struct path *out);
	/* Attributes. NULL getattr: from the fields below. */
	int (*getattr)(struct inode *inode);		/* refreshes the fields */
	int (*setattr)(struct inode *inode, const struct inode_attr *attr);
	/* NULL: by mode. */
	int (*permission)(struct inode *inode, int mask, const struct vfs_cred *cred);
	/* Whether a cached dentry may still be used (9p, proc). NULL: always. */
	bool (*revalidate)(struct dentry *dentry);
	/* May replace file->ops and set file->private. */
	int (*open)(struct inode *inode, struct file *file);
	int (*getxattr)(struct inode *inode, const char *name, void *buf, size_t n, size_t *out);
	int (*setxattr)(struct inode *inode, const char *name, const void *buf, size_t n,
			int flags);
	int (*listxattr)(struct inode *inode, char *buf, size_t n, size_t *out);
	int (*removexattr)(struct inode *inode, const char *name);
	int (*fallocate)(struct inode *inode, int mode, uint64_t offset, uint64_t bytes);
	void (*evict)(struct inode *inode);		/* last reference: free it */
};

struct inode {
	const struct inode_ops *ops;		/* [I] */
	const struct file_ops *file_ops;	/* [I] for open files of it */
	struct super *super;			/* [I] */
	struct refcount references;
	uint64_t number;			/* [I] */
	struct mutex mutex;
	struct spinlock lock;
	uint32_t mode, uid, gid, nlink;		/* lock */
	uint64_t rdev;				/* [I] */
	struct abi_timespec atime, mtime, ctime, btime;
	struct object *object;			/* [I] page cache of a regular file, and its size */
	uint64_t size;				/* of what has no object: links, directories */
	uint64_t blocks_512;
	struct file_lock_list *locks;		/* flock and fcntl locks, vfs/lock.c */
	void *pipe;				/* a FIFO's pipe while open */
	void *socket;				/* an AF_UNIX address */
	void *watches;				/* inotify */
	atomic32_t writers;			/* open for writing; ETXTBSY: deny_write > 0 */
	atomic32_t deny_write;
	bool linkable;				/* O_TMPFILE: may be given its first name */
	void *private;
};

void inode_init(struct inode *inode, struct super *super, uint32_t mode);
static inline void inode_get(struct inode *i) { refcount_get(&i->references); }
void inode_put(struct inode *inode);
uint64_t inode_size(const struct inode *inode);
must_check int inode_permission_slow(struct inode *inode, int mask, const struct vfs_cred *cred);
/* What the mode alone says: for a file system's own permission(). */
must_check int inode_permission_of_mode(const struct inode *inode, int mask,
					const struct vfs_cred *cred);
/* 0 or -EACCES: mask of R=4 W=2 X=1. */
must_check static inline int inode_permission(struct inode *inode, int mask,
					      const struct vfs_cred *cred)
{
	/* The owner may, by the mode: needs no more questions. */
	if (likely(inode->ops->permission == NULL && cred->uid == inode->uid &&
		   ((uint32_t)mask & ~(read_once(inode->mode) >> 6) & 7) == 0))
		return 0;
	return inode_permission_slow(inode, mask, cred);
}

must_check int inode_setattr(struct inode *inode, struct inode_attr *attr,
			     const struct vfs_cred *cred);	/* checks who may, then ops */
int inode_stat(struct inode *inode, struct abi_stat *out);	/* asks getattr first: its error */
void inode_touch_mtime(struct inode *inode);		/* mtime and ctime now */
void inode_touch_ctime(struct inode *inode);
void inode_touch_atime(struct inode *inode);		/* relatime */

struct super_ops {
	int (*statfs)(struct super *super, struct abi_statfs *out);
	int (*sync)(struct super *super);
	void (*destroy)(struct super *super);		/* last reference; frees it */
	/* MS_REMOUNT: new options and MS_RDONLY; NULL: only the read-only flag changes. */
	int (*remount)(struct super *super, uint32_t flags, const char *options);
	/* Options for /proc/mounts, each with a comma before it (",size=4k"); bytes written. */
	size_t (*show_options)(struct super *super, char *buf, size_t n);
};

struct super {					/* one mounted file system instance */
	const struct super_ops *ops;
	const struct fs_type *type;
	struct refcount references;
	uint64_t device;			/* st_dev */
	uint32_t magic;
	uint32_t name_max;
	bool read_only;
	struct dentry *root;			/* counted */
	struct mutex rename_mutex;		/* one rename between directories at a time */
	uint32_t stack_depth;			/* overlays below this one and itself */
	bool prepared;				/* what is above was set up: super_prepare() */
	void *private;
};

/* Fills what a new instance needs: count 1, a device number of its own, name_max 255. */
void super_init(struct super *super, const struct fs_type *type, const struct super_ops *ops,
		uint32_t magic);
/* Sets up what an instance that did not come from super_init() lacks; at its first mount. */
void super_prepare(struct super *super);
uint64_t super_allocate_device(void);			/* the next anonymous st_dev */
static inline void super_get(struct super *s) { refcount_get(&s->references); }
/* The last one drops the cached names, puts the root and calls destroy. */
void super_put(struct super *super);
must_check int super_statfs(struct super *super, struct abi_statfs *out);

/* Owner, group and mode of a new inode in `dir`: set-group-id directories pass their group on. */
void inode_init_owner(struct inode *inode, const struct inode *dir, uint32_t mode,
		      const struct vfs_cred *cred);
struct abi_timespec inode_now(void);			/* wall time, for time stamps */
/* Takes the values of attr->valid over into the fields (size excepted); for setattr operations. */
void inode_copy_attr(struct inode *inode, const struct inode_attr *attr);
void inode_link_count_add(struct inode *inode, int delta);
bool cred_is_in_group(const struct vfs_cred *cred, uint32_t gid);
bool cred_is_owner(const struct vfs_cred *cred, const struct inode *inode); /* or CAP_FOWNER */

/* Writers and deniers exclude each other: 0 or -ETXTBSY. */
must_check int inode_get_write(struct inode *inode);
void inode_put_write(struct inode *inode);
must_check int inode_deny_write(struct inode *inode);	/* exec of it */
void inode_allow_write(struct inode *inode);
/* Before a write or truncation by one without CAP_FSETID: set-id bits go. dir mutex rules apply. */
must_check int inode_remove_privileges(struct inode *inode, const struct vfs_cred *cred);
/* truncate(2), ftruncate(2) on a path or file that the caller may write. Takes the mutex. */
must_check int inode_truncate(struct inode *inode, uint64_t size, const struct vfs_cred *cred);

/* Extended attributes with Linux's rules for user., trusted., security. and system. names. */
must_check int inode_getxattr(struct inode *inode, const char *name, void *buf, size_t n,
			      size_t *out, const struct vfs_cred *cred);
must_check int inode_setxattr(struct inode *inode, const char *name, const void *buf, size_t n,
			      int flags, const struct vfs_cred *cred);
must_check int inode_listxattr(struct inode *inode, char *buf, size_t n, size_t *out,
			       const struct vfs_cred *cred);
must_check int inode_removexattr(struct inode *inode, const char *name,
				 const struct vfs_cred *cred);
