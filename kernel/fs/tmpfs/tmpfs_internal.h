/*
 * What the files of tmpfs/ share.
 */
#pragma once

#include "core/spinlock.h"
#include "fs/tmpfs/tmpfs.h"
#include "lib/list.h"
#include "lib/rbtree.h"
#include "vfs/dentry.h"
#include "vfs/file.h"
#include "vfs/inode.h"

struct tmpfs_super {
	struct super super;
	struct spinlock lock;
	uint64_t max_pages, max_inodes;		/* lock; 0: no limit */
	uint64_t used_pages, used_inodes;	/* lock */
	uint32_t mode, uid, gid;		/* [I] of the root, for /proc/mounts */
};

/* A name in a directory: found by name, listed by cookie. Under the directory's mutex. */
struct tmpfs_entry {
	struct rb_node name_node, cookie_node;
	uint64_t cookie;
	struct inode *inode;			/* counted */
	uint32_t hash;
	uint32_t length;
	char name[];
};

struct tmpfs_dir {
	struct rb_root names, cookies;
	uint64_t next_cookie;
	uint64_t count;
};

struct tmpfs_inode {
	struct inode inode;
	union {
		struct object object;		/* regular file */
		struct tmpfs_dir dir;
		char *target;			/* symlink */
	};
	struct list_head xattrs;		/* inode.mutex */
	size_t xattr_bytes;
	uint32_t seals;				/* inode.mutex; F_SEAL_* */
	bool sealable;
};

static inline struct tmpfs_inode *tmpfs_inode_of(struct inode *inode)
{
	return container_of(inode, struct tmpfs_inode, inode);
}

static inline struct tmpfs_super *tmpfs_super_of(struct super *super)
{
	return container_of(super, struct tmpfs_super, super);
}

extern const struct inode_ops tmpfs_dir_inode_ops, tmpfs_file_inode_ops, tmpfs_link_inode_ops,
	tmpfs_special_inode_ops;
extern const struct file_ops tmpfs_dir_file_ops, tmpfs_file_ops;
extern const struct object_ops tmpfs_object_ops;
extern struct slab_cache *tmpfs_inode_cache;

/* super.c: a new inode with count 1, nlink 1 (2 for directories); -ENOSPC, -ENOMEM. */
must_check int tmpfs_inode_create(struct super *super, const struct inode *dir, uint32_t mode,
				  uint64_t rdev, const struct vfs_cred *cred, struct inode **out);
void tmpfs_evict(struct inode *inode);
void tmpfs_inode_free(struct tmpfs_inode *ti);
must_check int tmpfs_charge(struct super *super, size_t pages);
void tmpfs_uncharge(struct super *super, size_t pages);

/* dir.c: every entry goes, of the directories below too; only when nobody uses the tree. */
void tmpfs_dir_clear(struct tmpfs_dir *dir);

/* xattr.c */
int tmpfs_getxattr(struct inode *inode, const char *name, void *buf, size_t n, size_t *out);
int tmpfs_setxattr(struct inode *inode, const char *name, const void *buf, size_t n, int flags);
int tmpfs_listxattr(struct inode *inode, char *buf, size_t n, size_t *out);
int tmpfs_removexattr(struct inode *inode, const char *name);
void tmpfs_xattrs_free(struct tmpfs_inode *ti);

/* file.c */
int tmpfs_getattr(struct inode *inode);
int tmpfs_setattr(struct inode *inode, const struct inode_attr *attr);
void memfd_init(void);
