/*
 * From a name to a path.
 *
 * Problem. A lookup meets directories, mounts, "..", symlinks inside symlinks and links that jump
 * (procfs), while others rename and unmount; a program chooses all of it.
 *
 * Idea. struct walk is a position and a stack of texts still to be walked: the name, and inside it
 * the targets of the symlinks met so far. A component is taken off the top text; a symlink pushes
 * its target. No recursion, and at most SYMLINK_MAX links a lookup. The walk can stop before the
 * last component (walk_to_last) for those who create or remove it.
 *
 * Each step holds a reference to where it stands (mount and dentry), so what is stood on cannot go.
 * A step down asks the name cache under the lock of one hash chain; only a miss takes the
 * directory's mutex and asks the file system. Search permission is checked on each directory left.
 *
 * Scoped lookups (RESOLVE_BENEATH, RESOLVE_IN_ROOT) make the base the ceiling of "..". A rename of
 * a directory at the same time could carry the walk out of it: then, having gone up, they fail with
 * -EAGAIN as on Linux.
 */
#include "abi/errno.h"
#include "core/assert.h"
#include "lib/string.h"
#include "mem/slab.h"
#include "vfs/vfs_internal.h"

#define LOOKUP_SCOPED (LOOKUP_BENEATH | LOOKUP_IN_ROOT)

atomic64_t rename_count;

/* ---- the walk's state ------------------------------------------------------------------------ */

static inline void walk_move(struct walk *w, const struct path *to)
{
	struct path old = w->path;

	path_get(to);
	w->path = *to;
	path_put(&old);
}

/* "/" at the beginning of the name or of a link. With RESOLVE_IN_ROOT any descriptor may be the
 * root, also one without a path. */
static int walk_to_root(struct walk *w)
{
	const struct inode *root = path_inode(w->root);

	if ((w->flags & LOOKUP_BENEATH) != 0)
		return -EXDEV;
	if ((w->flags & LOOKUP_NO_XDEV) != 0 && w->path.mount != NULL &&
	    w->path.mount != w->root->mount)
		return -EXDEV;
	if (root == NULL || !S_ISDIR(root->mode))
		return -ENOTDIR;
	walk_move(w, w->root);
	return 0;
}

int walk_init(struct walk *w, const struct path_context *ctx, const char *name,
	      unsigned int flags)
{
	int error = 0;

	w->ctx = ctx;
	w->cred = ctx->cred;
	w->path = (struct path){ NULL, NULL };
	w->root = (flags & LOOKUP_SCOPED) != 0 ? ctx->base : ctx->root;
	w->flags = flags;
	w->links = 0;
	w->depth = 0;
	w->texts[0] = (struct walk_text){ NULL, name };
	w->last = NULL;
	w->trailing_slash = false;
	if ((flags & LOOKUP_SCOPED) != 0)
		w->rename_count = atomic64_load_acquire(&rename_count);
	if (name[0] == '\0' && (flags & LOOKUP_EMPTY) == 0)
		return -ENOENT;
	if (name[0] == '/')
		error = walk_to_root(w);
	else
		walk_move(w, ctx->base);
	return error;
}

void walk_fini(struct walk *w)
{
	for (;; w->depth--) {
		if (unlikely(w->texts[w->depth].owned != NULL))
			kfree(w->texts[w->depth].owned);
		if (w->depth == 0)
			break;
	}
	path_put(&w->path);
}

/* ---- steps ----------------------------------------------------------------------------------- */

int walk_child(struct walk *w, const char *name, size_t length, struct dentry **out)
{
	if (length > NAME_MAX_BYTES)
		return -ENAMETOOLONG;
	if ((w->flags & LOOKUP_CACHED) == 0)
		return dentry_lookup(w->path.dentry, name, length, out);
	*out = dentry_find_child(w->path.dentry, name, length);
	return *out != NULL ? 0 : -EAGAIN;
}

int walk_enter(struct walk *w, struct dentry *child)
{
	struct dentry *old = w->path.dentry;
	struct mount *from = w->path.mount;

	w->path.dentry = child;
	dentry_put(old);
	if (child->mount_count == 0)
		return 0;
	/* Only compared, never followed, after the walk has left it. */
	path_follow_mounts(&w->path);
	return (w->flags & LOOKUP_NO_XDEV) != 0 && w->path.mount != from ? -EXDEV : 0;
}

int walk_up(struct walk *w)
{
	for (;;) {
		if (path_equal(&w->path, w->root))
			return (w->flags & LOOKUP_BENEATH) != 0 ? -EXDEV : 0;
		if (w->path.dentry != w->path.mount->root)
			break;
		if (!mount_step_up(&w->path))
			return 0;
		if ((w->flags & LOOKUP_NO_XDEV) != 0)
			return -EXDEV;
	}
	if ((w->flags & LOOKUP_SCOPED) != 0 &&
	    w->rename_count != atomic64_load_acquire(&rename_count))
		return -EAGAIN;
	return walk_enter(w, dentry_get_parent(w->path.dentry));
}

/* A link that leads to a path by itself: /proc/self/fd/3. */
static int follow_magic(struct walk *w, struct inode *link)
{
	struct path to;
	int error;

	if ((w->flags & LOOKUP_NO_MAGIC) != 0)
		return -ELOOP;
	if ((w->flags & LOOKUP_SCOPED) != 0)
		return -EXDEV;
	error = link->ops->follow(link, &to);
	if (error != 0)
		return error;
	if ((w->flags & LOOKUP_NO_XDEV) != 0 && to.mount != w->path.mount) {
		path_put(&to);
		return -EXDEV;
	}
	path_put(&w->path);
	w->path = to;
	return 0;
}

static bool text_has_more(const struct walk *w)
{
	return w->texts[w->depth].rest[0] != '\0';
}

static int push_text(struct walk *w, char *target)
{
	/* An exhausted text is replaced, so the stack is no deeper than the nesting. */
	if (!text_has_more(w)) {
		kfree(w->texts[w->depth].owned);
	} else {
		ASSERT(w->depth < SYMLINK_MAX);
		w->depth++;
	}
	w->texts[w->depth] = (struct walk_text){ target, target };
	return target[0] == '/' ? walk_to_root(w) : 0;
}

uint64_t vfs_protected_symlinks = 1;

/*
 * Protected symlinks: one at the end of a name, in a sticky directory that anybody writes, is
 * followed only by its owner or when the directory's owner made it.
 */
bool walk_may_follow(const struct walk *w, const struct inode *link)
{
	const struct inode *dir = w->path.dentry->inode;

	return vfs_protected_symlinks == 0 ||
	       (dir->mode & (S_ISVTX | S_IWOTH)) != (S_ISVTX | S_IWOTH) ||
	       link->uid == w->cred->uid || link->uid == dir->uid;
}

int walk_push_link(struct walk *w, struct dentry *link)
{
	struct inode *inode = link->inode;
	char *target;
	int error;

	if (w->links++ >= SYMLINK_MAX || (w->flags & LOOKUP_NO_SYMLINKS) != 0 ||
	    (w->path.mount->flags & MS_NOSYMFOLLOW) != 0)
		return -ELOOP;
	inode_touch_atime(inode);
	if (inode->ops->follow != NULL)
		return follow_magic(w, inode);
	if (inode->ops->readlink == NULL)
		return -EINVAL;
	error = inode->ops->readlink(inode, &target);
	if (error != 0)
		return error;
	if (target[0] == '\0') {
		kfree(target);
		return -ENOENT;
	}
	return push_text(w, target);
}

/* ---- components ------------------------------------------------------------------------------ */

/* Pops finished texts; false when nothing is left anywhere. Leading slashes are skipped. */
static bool next_text(struct walk *w)
{
	for (;;) {
		struct walk_text *text = &w->texts[w->depth];

		while (*text->rest == '/')
			text->rest++;
		if (*text->rest != '\0')
			return true;
		if (w->depth == 0)
			return false;
		kfree(text->owned);
		text->owned = NULL;
		w->depth--;
	}
}

/* Whether what follows the component just taken, in all texts, is slashes at most. */
static bool is_last(const struct walk *w, bool *slash)
{
	for (unsigned int i = w->depth;; i--) {
		const char *s = w->texts[i].rest;

		if (*s == '/')
			*slash = true;
		while (*s == '/')
			s++;
		if (*s != '\0')
			return false;
		if (i == 0)
			return true;
	}
}

static const char *take_component(struct walk *w, size_t *length)
{
	struct walk_text *text = &w->texts[w->depth];
	const char *start = text->rest;

	while (*text->rest != '\0' && *text->rest != '/')
		text->rest++;
	*length = (size_t)(text->rest - start);
	return start;
}

static enum last_type component_type(const char *name, size_t length)
{
	if (name[0] != '.' || length > 2)
		return LAST_NORM;
	if (length == 1)
		return LAST_DOT;
	return name[1] == '.' ? LAST_DOTDOT : LAST_NORM;
}

/* Where we stand must be a directory that may be searched. */
static int check_directory(const struct walk *w)
{
	struct inode *dir = path_inode(&w->path);

	if (dir == NULL)
		return w->path.dentry == NULL ? -ENOTDIR : -ENOENT;
	if (!S_ISDIR(dir->mode))
		return -ENOTDIR;
	return inode_permission(dir, X_OK, w->cred);
}

/* A component with something behind it: it must lead to a directory. */
static int walk_middle(struct walk *w, const char *name, size_t length, enum last_type type)
{
	struct dentry *child;
	int error;

	if (type == LAST_DOT)
		return 0;
	if (type == LAST_DOTDOT)
		return walk_up(w);
	error = walk_child(w, name, length, &child);
	if (error != 0)
		return error;
	if (load_acquire(&child->inode) == NULL) {
		dentry_put(child);
		return -ENOENT;
	}
	if (unlikely(S_ISLNK(child->inode->mode)) && child->mount_count == 0) {
		error = walk_push_link(w, child);
		dentry_put(child);
		return error;
	}
	return walk_enter(w, child);
}

int walk_to_last(struct walk *w)
{
	w->trailing_slash = false;
	while (next_text(w)) {
		const char *name;
		size_t length;
		enum last_type type;
		int error = check_directory(w);

		if (error != 0)
			return error;
		name = take_component(w, &length);
		type = component_type(name, length);
		w->trailing_slash = false;
		if (is_last(w, &w->trailing_slash)) {
			w->last = name;
			w->last_length = length;
			w->last_type = type;
			return 0;
		}
		error = walk_middle(w, name, length, type);
		if (error != 0)
			return error;
	}
	/* "/", "", or a magic link's end: we stand on it. */
	w->last = NULL;
	w->last_length = 0;
	w->last_type = LAST_ROOT;
	return 0;
}

/* An ordinary name at the end; *again when it was a link, whose text is to be walked. */
static int walk_last_name(struct walk *w, bool *again)
{
	bool follow = (w->flags & LOOKUP_FOLLOW) != 0 || w->trailing_slash;
	struct dentry *child;
	int error = walk_child(w, w->last, w->last_length, &child);

	if (error != 0)
		return error;
	if (load_acquire(&child->inode) == NULL) {
		dentry_put(child);
		return -ENOENT;
	}
	if (S_ISLNK(child->inode->mode) && follow && child->mount_count == 0) {
		if (w->trailing_slash)
			w->flags |= LOOKUP_FOLLOW | LOOKUP_DIRECTORY;
		*again = true;
		error = walk_may_follow(w, child->inode) ? walk_push_link(w, child) : -EACCES;
		dentry_put(child);
		return error;
	}
	return walk_enter(w, child);
}

int walk_last(struct walk *w)
{
	int error;

	for (;;) {
		bool again = false;

		if (w->last_type == LAST_DOTDOT)
			error = walk_up(w);
		else
			error = w->last_type == LAST_NORM ? walk_last_name(w, &again) : 0;
		if (error != 0)
			return error;
		if (!again)
			break;
		error = walk_to_last(w);
		if (error != 0)
			return error;
	}
	if ((w->trailing_slash || (w->flags & LOOKUP_DIRECTORY) != 0) &&
	    !S_ISDIR(path_inode(&w->path)->mode))
		return -ENOTDIR;
	return 0;
}

/* ---- the two questions ----------------------------------------------------------------------- */

int path_lookup(const struct path_context *ctx, const char *name, unsigned int flags,
		struct path *out)
{
	struct walk w;
	int error = walk_init(&w, ctx, name, flags);

	if (error == 0)
		error = walk_to_last(&w);
	if (error == 0)
		error = walk_last(&w);
	if (error == 0) {
		*out = w.path;
		w.path = (struct path){ NULL, NULL };
	}
	walk_fini(&w);
	return error;
}

int path_lookup_parent(const struct path_context *ctx, const char *name, unsigned int flags,
		       struct path_last *out)
{
	struct walk w;
	int error = walk_init(&w, ctx, name, flags);

	if (error == 0)
		error = walk_to_last(&w);
	if (error == 0 && w.last_length > NAME_MAX_BYTES)
		error = -ENAMETOOLONG;
	if (error == 0) {
		if (w.last != NULL)
			memcpy(out->name, w.last, w.last_length);
		out->name[w.last_length] = '\0';
		out->length = w.last_length;
		out->type = w.last_type;
		out->trailing_slash = w.trailing_slash;
		out->parent = w.path;
		w.path = (struct path){ NULL, NULL };
	}
	walk_fini(&w);
	return error;
}
