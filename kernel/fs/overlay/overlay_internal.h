/*
 * What the files of overlay/ share. super.c holds the theory.
 */
#pragma once

#include "abi/errno.h"
#include "core/assert.h"
#include "fs/overlay/overlay.h"
#include "lib/list.h"
#include "lib/string.h"
#include "mem/slab.h"
#include "vfs/dentry.h"
#include "vfs/file.h"
#include "vfs/inode.h"
#include "vfs/mount.h"

#define OVL_LOWER_MAX 16
#define OVL_STACK_MAX 2			/* overlays on overlays, as Linux */
#define OVL_XATTR_PREFIX "trusted.overlay."
#define OVL_OPAQUE OVL_XATTR_PREFIX "opaque"
#define OVL_ORIGIN OVL_XATTR_PREFIX "origin"	/* 8 bytes: the inode number before copy-up */

struct ovl_super {
	struct super super;
	struct path upper, work;		/* counted; mount NULL: read-only */
	struct path lower[OVL_LOWER_MAX];	/* counted; top one first */
	size_t lower_count;
	atomic64_t next_work_name;
	struct mutex copy_mutex;		/* copy-ups, one at a time */
	char *lower_text, *upper_text, *work_text;	/* for /proc/mounts */
	struct spinlock inodes_lock;
	struct list_head inodes;		/* inodes_lock: whose upper has several names */
};

/*
 * An overlay inode: what stands for it in the layers. upper is set once, by copy-up, under the
 * super's copy_mutex, and read without a lock; the rest is as it was made.
 */
struct ovl_inode {
	struct inode inode;
	struct dentry *upper;			/* counted; NULL: not in the upper layer */
	struct dentry *lower[OVL_LOWER_MAX];	/* counted; a directory's parts, or one file */
	uint8_t lower_layer[OVL_LOWER_MAX];	/* which layer each is of */
	size_t lower_count;
	bool unlinked;				/* no name leads here any more */
	/* Where it is, for a copy-up that begins at the inode. copy_mutex. */
	struct ovl_inode *parent;		/* counted; NULL for the root */
	char *name;
	struct list_head super_node;		/* super->inodes */
};

static inline struct ovl_inode *ovl_inode_of(struct inode *inode)
{
	return container_of(inode, struct ovl_inode, inode);
}

static inline struct ovl_super *ovl_super_of(const struct inode *inode)
{
	return container_of(inode->super, struct ovl_super, super);
}

static inline struct dentry *ovl_upper(const struct ovl_inode *oi)
{
	return load_acquire(&oi->upper);
}

/* The dentry that content and attributes come from. */
static inline struct dentry *ovl_real(const struct ovl_inode *oi)
{
	struct dentry *upper = ovl_upper(oi);

	return upper != NULL ? upper : oi->lower[0];
}

static inline struct mount *ovl_real_mount(const struct ovl_inode *oi, const struct dentry *real)
{
	const struct ovl_super *os = ovl_super_of(&oi->inode);

	return real == ovl_upper(oi) ? os->upper.mount : os->lower[oi->lower_layer[0]].mount;
}

static inline struct path ovl_upper_path(const struct ovl_inode *oi)
{
	return (struct path){ ovl_super_of(&oi->inode)->upper.mount, ovl_upper(oi) };
}

/* The file layer's operations on names in one real directory, with the kernel's credentials. */
static inline struct path_context ovl_context(const struct path *dir, const struct vfs_cred *cred)
{
	return (struct path_context){ .root = dir, .base = dir, .cred = cred };
}

extern const struct inode_ops ovl_dir_inode_ops, ovl_file_inode_ops, ovl_link_inode_ops;
extern const struct file_ops ovl_file_ops, ovl_dir_file_ops;
extern struct slab_cache *ovl_inode_cache;

/* inode.c */
must_check int ovl_inode_create(struct super *super, struct ovl_inode *parent, const char *name,
				struct dentry *upper, struct dentry *const *lower,
				const uint8_t *layers, size_t lower_count, struct inode **out);
void ovl_evict(struct inode *inode);
int ovl_getattr(struct inode *inode);
int ovl_setattr(struct inode *inode, const struct inode_attr *attr);
int ovl_getxattr(struct inode *inode, const char *name, void *buf, size_t n, size_t *out);
int ovl_setxattr(struct inode *inode, const char *name, const void *buf, size_t n, int flags);
int ovl_listxattr(struct inode *inode, char *buf, size_t n, size_t *out);
int ovl_removexattr(struct inode *inode, const char *name);
/* Makes the overlay's inode for a name whose upper has just been made; *out counted. */
must_check int ovl_inode_for_upper(struct inode *dir, const char *name, struct inode **out);
/* The same with the upper dentry at hand. */
must_check int ovl_inode_of_upper(struct inode *dir, const char *name, struct dentry *upper,
				  struct inode **out);
/* The inode is to be found for each of its upper file's names. */
void ovl_inode_share(struct ovl_inode *oi);
uint64_t ovl_inode_number(const struct dentry *upper, const struct dentry *lower);

/* lookup.c */
int ovl_lookup(struct inode *dir, struct dentry *dentry);
bool ovl_is_whiteout(const struct inode *inode);
bool ovl_is_opaque(struct inode *inode);
/* Whether `name` shows through from below dir's upper: 1, 0, -errno. */
must_check int ovl_shows_lower(struct ovl_inode *dir, const char *name);
/* Whether dir's upper has a whiteout of that name: 1, 0, -errno. */
must_check int ovl_has_whiteout(struct ovl_inode *dir, const char *name);

/* copy_up.c: 0 when the inode has an upper. `with_data` false: it is truncated anyway. */
must_check int ovl_copy_up(struct ovl_inode *oi, bool with_data);
/* A name nobody else uses in the work directory. */
void ovl_work_name(struct ovl_super *os, char *buf, size_t n);
must_check int ovl_set_opaque(const struct path *dir);

/* readdir.c */
struct ovl_listing;
/* 0 when the merged directory is empty; -ENOTEMPTY. */
must_check int ovl_check_empty(struct ovl_inode *dir);
/* Removes the whiteouts of a directory that shows nothing: before its upper is removed. */
must_check int ovl_clear_whiteouts(struct ovl_inode *dir);

/* dir.c */
int ovl_create(struct inode *dir, struct dentry *dentry, uint32_t mode, uint64_t rdev,
	       const struct vfs_cred *cred);
int ovl_mkdir(struct inode *dir, struct dentry *dentry, uint32_t mode, const struct vfs_cred *cred);
int ovl_symlink(struct inode *dir, struct dentry *dentry, const char *target,
		const struct vfs_cred *cred);
int ovl_link(struct inode *dir, struct dentry *dentry, struct inode *target);
int ovl_tmpfile(struct inode *dir, uint32_t mode, const struct vfs_cred *cred,
		struct inode **out);

/* remove.c */
int ovl_unlink(struct inode *dir, struct dentry *dentry);
int ovl_rmdir(struct inode *dir, struct dentry *dentry);
int ovl_rename(struct inode *from_dir, struct dentry *from, struct inode *to_dir,
	       struct dentry *to, unsigned int flags);
