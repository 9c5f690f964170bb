/*
 * Paths: (mount, dentry) pairs, and the walk from a string to one.
 *
 * Nothing here knows the current process: root, cwd and credentials arrive in a path_context.
 */
#pragma once

#include "core/types.h"
#include "vfs/dentry.h"
#include "vfs/mount.h"

struct inode;
struct vfs_cred;

struct path {
	struct mount *mount;			/* counted */
	struct dentry *dentry;			/* counted */
};

/* Either may be NULL. */
static inline void path_get(const struct path *p)
{
	if (p->mount != NULL)
		mount_get(p->mount);
	if (p->dentry != NULL)
		dentry_get(p->dentry);
}

static inline void path_put(const struct path *p)
{
	if (p->dentry != NULL)
		dentry_put(p->dentry);
	if (p->mount != NULL)
		mount_put(p->mount);
}

static inline bool path_equal(const struct path *a, const struct path *b)
{
	return a->mount == b->mount && a->dentry == b->dentry;
}
/* Not counted; NULL when negative. */
static inline struct inode *path_inode(const struct path *p)
{
	return p->dentry != NULL ? load_acquire(&p->dentry->inode) : NULL;
}

struct path_context {
	const struct path *root;		/* "/" and the ceiling of ".." */
	const struct path *base;		/* where a relative path begins: cwd or a dirfd */
	const struct vfs_cred *cred;
};

#define LOOKUP_FOLLOW		(1u << 0)	/* a symlink at the end is followed */
#define LOOKUP_DIRECTORY	(1u << 1)	/* the end must be a directory */
#define LOOKUP_EMPTY		(1u << 2)	/* "" means base itself (AT_EMPTY_PATH) */
#define LOOKUP_NO_MAGIC		(1u << 3)	/* RESOLVE_NO_MAGICLINKS */
#define LOOKUP_NO_SYMLINKS	(1u << 4)
#define LOOKUP_BENEATH		(1u << 5)
#define LOOKUP_IN_ROOT		(1u << 6)
#define LOOKUP_NO_XDEV		(1u << 7)
#define LOOKUP_CACHED		(1u << 8)	/* RESOLVE_CACHED: -EAGAIN, no file system asked */


#define PATH_MAX_BYTES 4096
#define NAME_MAX_BYTES 255
#define SYMLINK_MAX 40

/* The path of an existing file, counted. -ENOENT -ENOTDIR -EACCES -ELOOP -ENAMETOOLONG -ENOMEM. */
must_check int path_lookup(const struct path_context *ctx, const char *name, unsigned int flags,
			   struct path *out);

/*
 * The parent and the last component, for create, unlink, rename: *last points into `name` copy.
 * `type`: an ordinary name, or ".", "..", "/" which callers refuse each in its way.
 */
enum last_type { LAST_NORM, LAST_DOT, LAST_DOTDOT, LAST_ROOT };
struct path_last {
	struct path parent;			/* counted */
	char name[NAME_MAX_BYTES + 1];
	size_t length;
	enum last_type type;
	bool trailing_slash;
};
must_check int path_lookup_parent(const struct path_context *ctx, const char *name,
				  unsigned int flags, struct path_last *out);
static inline void path_last_put(struct path_last *l) { path_put(&l->parent); }

/* Settings of /proc/sys/fs (proc(5)); on, as Debian has them. */
extern uint64_t vfs_protected_symlinks, vfs_protected_hardlinks;

/* Crosses mounts stacked on *p, in place. */
void path_follow_mounts(struct path *p);
/* The absolute name as seen from root, into the end of buf: pointer to its start; " (deleted)" is
 * appended for unlinked ones; NULL when it does not fit. *reachable false: outside root. */
char *path_name(const struct path *p, const struct path *root, char *buf, size_t n,
		bool *reachable);

/* The operations behind the system calls; each takes care of locks, permissions, mounts. */
must_check int vfs_create(const struct path_context *ctx, const char *name, uint32_t mode,
			  uint64_t rdev);				/* mknod */
must_check int vfs_mkdir(const struct path_context *ctx, const char *name, uint32_t mode);
must_check int vfs_symlink(const struct path_context *ctx, const char *name, const char *target);
must_check int vfs_link(const struct path_context *from, const char *old, unsigned int flags,
			const struct path_context *to, const char *name);
/* chmod, chown, utimes, truncate: -EROFS, who may, then the inode's setattr. */
struct inode_attr;
must_check int vfs_setattr(const struct path *path, struct inode_attr *attr,
			   const struct vfs_cred *cred);
must_check int vfs_truncate(const struct path *path, uint64_t size, const struct vfs_cred *cred);
must_check int vfs_setxattr(const struct path *path, const char *name, const void *buf, size_t n,
			    int flags, const struct vfs_cred *cred);
must_check int vfs_removexattr(const struct path *path, const char *name,
			       const struct vfs_cred *cred);
must_check int vfs_unlink(const struct path_context *ctx, const char *name);
must_check int vfs_rmdir(const struct path_context *ctx, const char *name);
must_check int vfs_rename(const struct path_context *from, const char *old,
			  const struct path_context *to, const char *name, unsigned int flags);
