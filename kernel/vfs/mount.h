/*
 * Mounts: which file system is seen at which path. One namespace; a tree under one lock.
 */
#pragma once

#include "abi/mount.h"
#include "core/atomic.h"
#include "lib/hlist.h"
#include "lib/list.h"

struct dentry;
struct path;
struct path_context;
struct super;

struct mount {
	struct refcount references;
	struct super *super;			/* counted */
	char *source;				/* [I] what mount(2) was told; NULL: nothing */
	struct dentry *root;			/* counted: what of the file system is seen */
	struct mount *parent;			/* counted; NULL for the first root */
	struct dentry *mountpoint;		/* counted */
	struct list_head child_node, children, all_node;
	uint32_t flags;				/* MS_RDONLY, MS_NOSUID, MS_NODEV, MS_NOEXEC ... */
	uint32_t id;
	struct hlist_node hash_node;		/* by (parent, mountpoint) */
	bool attached;				/* part of the tree */
	bool expiring;				/* MNT_EXPIRE asked once */
	const struct mount *copied_from;	/* while a recursive bind is built */
};

struct fs_type {
	const char *name;
	bool needs_device;			/* for /proc/filesystems: not "nodev" */
	/* A new or shared instance with its root; source and options as mount(2) gave them. */
	int (*mount)(const struct fs_type *type, const char *source, const char *options,
		     uint32_t flags, struct super **out);
	/*
	 * Instead, for one whose options name directories: looked up as the mounting program would.
	 */
	int (*mount_in)(const struct fs_type *type, const struct path_context *ctx,
			const char *options, uint32_t flags, struct super **out);
	struct list_head node;
};

void fs_type_register(struct fs_type *type);
must_check int vfs_mount(const struct path_context *ctx, const char *source, const char *target,
			 const char *type, uint32_t flags, const char *options);
must_check int vfs_umount(const struct path_context *ctx, const char *target, int flags);
must_check int vfs_pivot_root(const struct path_context *ctx, const char *new_root,
			      const char *put_old, struct path *root_out);
/* Boot: the first root (tmpfs). */
must_check int vfs_mount_root(const char *type, struct path *out);
/* Kernel-internal mount nobody sees (pipefs, sockfs): counted. */
must_check int vfs_mount_internal(const char *type, struct mount **out);
/* One line a mount for /proc/mounts and mountinfo. */
void mount_for_each(void (*fn)(void *arg, const struct mount *mount), void *arg);
static inline void mount_get(struct mount *m) { refcount_get(&m->references); }
void mount_put_last(struct mount *mount);	/* mount_put's last step: the count is 0 */
static inline void mount_put(struct mount *m)
{
	if (unlikely(refcount_put(&m->references)))
		mount_put_last(m);
}
void vfs_init(void);

/* Every registered type for /proc/filesystems. */
void fs_type_for_each(void (*fn)(void *arg, const struct fs_type *type), void *arg);
/* -EROFS when nothing may be changed through this mount. */
must_check int mount_check_write(const struct mount *mount);
/* The mount on `dentry` of `parent`, counted; NULL. Never sleeps. */
must_check struct mount *mount_find(struct mount *parent, struct dentry *dentry);
/* One step up when *p is the root of its mount: false at the top. */
must_check bool mount_step_up(struct path *p);
/* The internal mount of files without a name; path_name() knows it. */
extern struct mount *anonymous_mount;
/* Mounts an instance the caller has (its reference moves) on a directory of the tree. */
must_check int vfs_mount_super(struct super *super, const struct path *target, uint32_t flags);
int vfs_sync_all(void);
