/*
 * Dentries: names in a directory, cached. A dentry without inode is negative (known to be absent).
 *
 * Children hang in a hash table keyed by (parent, name). A reference to a dentry holds its parents.
 * Being in the table is itself a reference: a dentry with count 1 that is hashed is unused, stays
 * on an LRU and is dropped under memory pressure or when there are too many. One that is not hashed
 * cannot be found and dies with its last reference.
 *
 * inode is set once (negative to positive) and stays until the dentry is freed, so a reference to a
 * dentry is one to its inode. Name and parent change under the super's rename_mutex, the table's
 * lock and both directories' mutexes (vfs/dentry.c).
 */
#pragma once

#include "core/annotate.h"
#include "core/atomic.h"
#include "core/spinlock.h"
#include "lib/hlist.h"
#include "lib/list.h"

struct inode;
struct super;

struct dentry {
	struct refcount references;
	struct spinlock lock;
	struct dentry *parent;			/* counted; itself for a root; rename changes it */

	struct inode *inode;			/* counted; NULL: negative */
	struct super *super;
	char *name;				/* [under rename lock] */
	uint32_t name_hash;
	uint32_t name_length;
	struct hlist_node hash_node;
	struct list_head child_node, children;
	struct list_head lru_node;
	bool hashed;				/* false: unlinked or being created */
	uint32_t mount_count;			/* mounts on it */
	uint64_t time_ns;			/* for revalidate */
	void *private;
	bool referenced;			/* found since the LRU's hand last passed */
	bool dead;				/* a removed directory: nothing can be made in it */
	bool deleted;				/* unlinked: " (deleted)" in /proc */
	char short_name[32];
};

static inline void dentry_get(struct dentry *d) { refcount_get(&d->references); }
void dentry_put_last(struct dentry *dentry);	/* dentry_put's last step: the count is 0 */
static inline void dentry_put(struct dentry *d)
{
	if (unlikely(refcount_put(&d->references)))
		dentry_put_last(d);
}
/* Gives a negative dentry its inode (the reference moves) and makes it findable. */
void dentry_instantiate(struct dentry *dentry, struct inode *inode);
/* After unlink, rmdir: the name no longer leads here. */
void dentry_unhash(struct dentry *dentry);
/*
 * A root dentry for a file system, or for an anonymous inode (pipe, socket): takes the reference.
 */
must_check struct dentry *dentry_create_root(struct super *super, struct inode *inode);
/* The cached child or a new negative, unhashed... after dir's lookup: counted. Errors -errno.
 * dir->inode->mutex held by the caller (lookup may sleep). */
must_check int dentry_lookup_child(struct dentry *dir, const char *name, size_t length,
				   struct dentry **out);
/* As dentry_lookup_child for callers without the directory's mutex: cached, or asked under it. */
must_check int dentry_lookup(struct dentry *dir, const char *name, size_t length,
			     struct dentry **out);
/* The cached child without asking the file system: counted or NULL; never sleeps. */
must_check struct dentry *dentry_find_child(struct dentry *dir, const char *name, size_t length);
/* Forgets up to n unused ones; `patience` batches in a row without any, or all twice, end it. */
size_t dentry_shrink(size_t n, size_t patience);

/* As dentry_create_root with a name for /proc ("memfd:x"). */
must_check struct dentry *dentry_create_named_root(struct super *super, struct inode *inode,
						   const char *name);
/* A child that is not in the table: O_TMPFILE. Counted; NULL: no memory. */
must_check struct dentry *dentry_create_unhashed(struct dentry *dir, const char *name);
/* Forgets a cached name that no longer holds (revalidate said so); nothing was deleted. */
void dentry_drop(struct dentry *dentry);
/* As that, with all names below it; the caller holds a reference. */
void dentry_drop_tree(struct dentry *dentry);
/* Forgets all children of a directory that was removed (dead). */
void dentry_drop_children(struct dentry *dir);
/* Forgets all unused dentries of a file system that is going away. */
void dentry_prune_super(struct super *super);
/* The parent, counted: safe against renames. Itself for a root. */
must_check struct dentry *dentry_get_parent(struct dentry *dentry);
static inline bool dentry_is_root(const struct dentry *d) { return d->parent == d; }
/* Whether `dentry` is `ancestor` or below it. */
bool dentry_is_below(const struct dentry *dentry, const struct dentry *ancestor);
/* The name as it is now, cut to n - 1 bytes; its whole length. */
size_t dentry_copy_name(const struct dentry *dentry, char *buf, size_t n);
uint64_t dentry_cached_count(void);
void dentry_init(void);
