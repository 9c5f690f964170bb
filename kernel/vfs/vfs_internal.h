/*
 * What the files of vfs/ share among themselves.
 */
#pragma once

#include "core/annotate.h"
#include "core/spinlock.h"
#include "sched/mutex.h"
#include "vfs/dentry.h"
#include "vfs/inode.h"
#include "vfs/mount.h"
#include "vfs/path.h"

extern struct spinlock mount_lock;	/* mount tree: parent, mountpoint, hash */
extern struct spinlock dentry_tree_lock;	/* names, parents, children, LRU of all dentries */
extern atomic64_t rename_count;		/* moves of directories so far: scoped lookups compare */

/*
 * A walk in progress. `path` is where we are; `rest` the text that is left of the string on top of
 * the stack of strings (the name and the symlinks met inside it).
 */
struct walk_text {
	char *owned;			/* a link's target, kfree'd; NULL for the caller's name */
	const char *rest;
};

struct walk {
	const struct path_context *ctx;
	const struct vfs_cred *cred;
	struct path path;		/* counted */
	const struct path *root;	/* ceiling of ".." and meaning of "/" */
	unsigned int flags;		/* LOOKUP_* */
	unsigned int links;		/* symlinks followed */
	unsigned int depth;		/* texts[0..depth] are in use */
	uint64_t rename_count;		/* scoped walks: when it began */
	struct walk_text texts[SYMLINK_MAX + 1];
	/* the last component, when walk_to_last() stopped before it */
	const char *last;
	size_t last_length;
	enum last_type last_type;
	bool trailing_slash;
};

/* Starts at root or base. Ended by walk_fini() in any case. */
must_check int walk_init(struct walk *w, const struct path_context *ctx, const char *name,
			 unsigned int flags);
void walk_fini(struct walk *w);
/* Walks all but the last component; w->path is its directory, w->last its name. */
must_check int walk_to_last(struct walk *w);
/* After walk_to_last(): goes to the last component, following links as asked. */
must_check int walk_last(struct walk *w);
/* The child `name` of w->path, counted, negative or not, mounts not crossed. */
must_check int walk_child(struct walk *w, const char *name, size_t length, struct dentry **out);
/* `link` is a symlink in w->path: its target becomes the text to walk. */
must_check int walk_push_link(struct walk *w, struct dentry *link);
/* Whether a link at the end of a name may be followed by this asker. */
bool walk_may_follow(const struct walk *w, const struct inode *link);
/* Where ".." leads. */
must_check int walk_up(struct walk *w);
/* Moves onto a child dentry (reference consumed) and what is mounted on it. */
must_check int walk_enter(struct walk *w, struct dentry *child);

/* vfs/dentry.c: renames. prepare may fail; the moves cannot. */
must_check int dentry_prepare_move(const struct dentry *to, char **name);
void dentry_move(struct dentry *from, struct dentry *to, char *name);
void dentry_exchange(struct dentry *a, struct dentry *b);

/* vfs/path_ops.c: may an entry be made in or removed from dir? */
must_check int may_create(const struct path *dir, const struct vfs_cred *cred);
must_check int may_delete(const struct path *dir, struct dentry *victim, bool is_dir,
			  const struct vfs_cred *cred);
/* Makes `dentry` (negative, dir's mutex held) a regular file, device, FIFO or socket. */
must_check int create_locked(const struct path *dir, struct dentry *dentry, uint32_t mode,
			     uint64_t rdev, const struct vfs_cred *cred);

struct file;
/* vfs/file.c: an open file of count 1 with its own references to what `path` leads to. */
must_check int file_create_at(const struct path *path, int flags, const struct vfs_cred *cred,
			      struct file **out);

void file_init(void);
void mount_init(void);
void lock_init(void);
