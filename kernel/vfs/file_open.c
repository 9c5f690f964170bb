/*
 * open(2): from a name and flags to an open file.
 *
 * Without O_CREAT it is a lookup and then open_inode(). With it the walk stops before the last
 * component: what is there is opened, a symlink there is walked on from, and what is not there is
 * made under the directory's mutex. A file made here is opened whatever its mode says.
 */
#include "abi/errno.h"
#include "core/assert.h"
#include "lib/format.h"
#include "lib/string.h"
#include "vfs/file.h"
#include "vfs/notify.h"
#include "vfs/vfs_internal.h"

#define OPEN_ONLY_FLAGS (O_CREAT | O_EXCL | O_NOCTTY | O_TRUNC | O_CLOEXEC)

static bool wants_write(int flags)
{
	return (flags & O_ACCMODE) != O_RDONLY || (flags & O_TRUNC) != 0;
}

static int access_mask(int flags)
{
	static const int by_mode[] = { R_OK, W_OK, R_OK | W_OK, R_OK | W_OK };

	return by_mode[flags & O_ACCMODE] | ((flags & O_TRUNC) != 0 ? W_OK : 0);
}

static int check_kind(const struct path *path, const struct inode *inode, int flags)
{
	uint32_t mode = inode->mode;

	if ((flags & O_DIRECTORY) != 0 && !S_ISDIR(mode))
		return -ENOTDIR;
	if (S_ISLNK(mode))
		return -ELOOP;
	if (S_ISDIR(mode) && (wants_write(flags) || (flags & O_CREAT) != 0))
		return -EISDIR;
	if ((S_ISCHR(mode) || S_ISBLK(mode)) && (path->mount->flags & MS_NODEV) != 0)
		return -EACCES;
	if (S_ISREG(mode) && wants_write(flags))
		return mount_check_write(path->mount);
	return 0;
}

static int check_access(const struct path *path, struct inode *inode, int flags,
			const struct vfs_cred *cred)
{
	int error = inode_permission(inode, access_mask(flags), cred);

	if (error == 0)
		error = check_kind(path, inode, flags);
	if (error == 0 && (flags & O_NOATIME) != 0 && !cred_is_owner(cred, inode))
		error = -EPERM;
	return error;
}

/* The inode's own part of opening: operations of its type, its file system's open. */
static int call_open(struct file *f)
{
	struct inode *inode = f->inode;
	uint32_t mode = inode->mode;

	if (inode->file_ops != NULL)
		f->ops = inode->file_ops;
	if (inode->ops->open != NULL)
		return inode->ops->open(inode, f);
	if (S_ISREG(mode) || S_ISDIR(mode) || inode->file_ops != NULL)
		return 0;
	return file_open_special(inode, f);
}

static int open_inode(const struct path *path, int flags, const struct vfs_cred *cred,
		      bool created, struct file **out)
{
	struct inode *inode = path_inode(path);
	struct file *f;
	int error = 0;

	if ((flags & O_PATH) != 0) {
		if ((flags & O_DIRECTORY) != 0 && !S_ISDIR(inode->mode))
			return -ENOTDIR;
		return file_create_at(path, flags & (O_PATH | O_DIRECTORY | O_NOFOLLOW), cred, out);
	}
	if (!created) {
		if (S_ISLNK(inode->mode))
			return check_kind(path, inode, flags);
		error = check_access(path, inode, flags, cred);
		if (error != 0)
			return error;
	}
	error = file_create_at(path, flags, cred, &f);
	if (error != 0)
		return error;
	if (S_ISREG(inode->mode) && wants_write(flags)) {
		error = inode_get_write(inode);
		f->holds_write = error == 0;
	}
	if (error == 0)
		error = call_open(f);
	if (error != 0) {
		static const struct file_ops failed_ops = { .name = "none" };

		f->ops = &failed_ops;	/* no release() for what did not open */
		file_put(f);
		return error;
	}
	if ((flags & O_TRUNC) != 0 && S_ISREG(inode->mode) && !created)
		error = inode_truncate(inode, 0, cred);
	if (error != 0) {
		file_put(f);
		return error;
	}
	if ((flags & O_TRUNC) != 0 && S_ISREG(inode->mode))
		notify_dentry(path->dentry, IN_MODIFY);
	f->flags &= ~(uint32_t)OPEN_ONLY_FLAGS;
	notify_dentry(path->dentry, IN_OPEN);
	*out = f;
	return 0;
}

int file_open_path(const struct path *path, int flags, const struct vfs_cred *cred,
		   struct file **out)
{
	return open_inode(path, flags & ~(O_CREAT | O_EXCL), cred, false, out);
}

/* ---- O_CREAT --------------------------------------------------------------------------------- */

static void notify_created(struct inode *dir, const struct dentry *child)
{
	char name[NAME_MAX_BYTES + 1];

	if (atomic32_load(&notify_watch_count) == 0)
		return;
	(void)dentry_copy_name(child, name, sizeof(name));
	notify_child(dir, name, IN_CREATE, 0);
}

/* Makes w->last in w->path; *child is what is there now, made or found. */
static int make_file(struct walk *w, uint32_t mode, struct dentry **child, bool *created)
{
	struct inode *dir = w->path.dentry->inode;
	int error;

	mutex_lock(&dir->mutex);
	error = dentry_lookup_child(w->path.dentry, w->last, w->last_length, child);
	if (error != 0)
		goto unlock;
	if ((*child)->inode == NULL) {
		error = mount_check_write(w->path.mount);
		if (error == 0)
			error = may_create(&w->path, w->cred);
		if (error == 0)
			error = create_locked(&w->path, *child, S_IFREG | (mode & 07777), 0,
					      w->cred);
		if (error != 0)
			dentry_put(*child);
		else
			*created = true;
	}
unlock:
	mutex_unlock(&dir->mutex);
	if (error == 0 && *created)
		notify_created(dir, *child);
	return error;
}

/*
 * At the last component: 0 when w->path is what is to be opened; *again when a link was pushed.
 */
static int create_last(struct walk *w, int flags, uint32_t mode, bool *created, bool *again)
{
	struct dentry *child;
	int error;

	if (w->last_type != LAST_NORM)
		return (flags & O_EXCL) != 0 ? -EEXIST : walk_last(w);
	if (w->trailing_slash)
		return -EISDIR;
	error = walk_child(w, w->last, w->last_length, &child);
	if (error != 0)
		return error;
	if (load_acquire(&child->inode) == NULL) {
		dentry_put(child);
		error = make_file(w, mode, &child, created);
		if (error != 0)
			return error;
	}
	if (!*created && (flags & O_EXCL) != 0) {
		dentry_put(child);
		return -EEXIST;
	}
	if (S_ISLNK(child->inode->mode) && (flags & O_NOFOLLOW) == 0 && child->mount_count == 0) {
		*again = true;
		error = walk_may_follow(w, child->inode) ? walk_push_link(w, child) : -EACCES;
		dentry_put(child);
		return error;
	}
	return walk_enter(w, child);
}

static int open_create(const struct path_context *ctx, const char *name, int flags,
		       uint32_t mode, unsigned int lookup_flags, struct file **out)
{
	struct walk w;
	bool created = false, again;
	int error = walk_init(&w, ctx, name, lookup_flags);

	do {
		again = false;
		if (error == 0)
			error = walk_to_last(&w);
		if (error == 0)
			error = create_last(&w, flags, mode, &created, &again);
	} while (error == 0 && again);
	if (error == 0)
		error = open_inode(&w.path, created ? flags & ~O_TRUNC : flags, ctx->cred, created,
				   out);
	walk_fini(&w);
	return error;
}

/* ---- O_TMPFILE ------------------------------------------------------------------------------- */

static int make_tmpfile(const struct path *dir, int flags, uint32_t mode,
			const struct vfs_cred *cred, struct path *out)
{
	struct inode *parent = path_inode(dir), *inode;
	struct dentry *dentry;
	char name[32];
	int error = mount_check_write(dir->mount);

	if (error == 0)
		error = inode_permission(parent, W_OK | X_OK, cred);
	if (error == 0 && parent->ops->tmpfile == NULL)
		error = -EOPNOTSUPP;
	if (error != 0)
		return error;
	mutex_lock(&parent->mutex);
	error = parent->ops->tmpfile(parent, S_IFREG | (mode & 07777), cred, &inode);
	mutex_unlock(&parent->mutex);
	if (error != 0)
		return error;
	inode->linkable = (flags & O_EXCL) == 0;
	format_string(name, sizeof(name), "#%lu", (unsigned long)inode->number);
	dentry = dentry_create_unhashed(dir->dentry, name);
	if (dentry == NULL) {
		inode_put(inode);
		return -ENOMEM;
	}
	dentry->inode = inode;
	dentry->deleted = true;
	mount_get(dir->mount);
	*out = (struct path){ dir->mount, dentry };
	return 0;
}

static int open_tmpfile(const struct path_context *ctx, const char *name, int flags,
			uint32_t mode, unsigned int lookup_flags, struct file **out)
{
	struct path dir, path;
	int error;

	if ((flags & O_ACCMODE) == O_RDONLY)
		return -EINVAL;
	error = path_lookup(ctx, name, lookup_flags | LOOKUP_FOLLOW | LOOKUP_DIRECTORY, &dir);
	if (error != 0)
		return error;
	error = make_tmpfile(&dir, flags, mode, ctx->cred, &path);
	path_put(&dir);
	if (error != 0)
		return error;
	error = open_inode(&path, flags & ~(O_DIRECTORY | O_TRUNC | O_CREAT), ctx->cred, true, out);
	path_put(&path);
	return error;
}

/* ---- the call -------------------------------------------------------------------------------- */

int file_open_lookup(const struct path_context *ctx, const char *name, int flags, uint32_t mode,
		     unsigned int lookup_flags, struct file **out)
{
	struct path path;
	int error;

	flags |= O_LARGEFILE;
	if ((flags & O_PATH) != 0)
		flags &= O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC;
	else if ((flags & O_TMPFILE) == O_TMPFILE)
		return open_tmpfile(ctx, name, flags, mode, lookup_flags, out);
	else if ((flags & O_CREAT) != 0)
		return open_create(ctx, name, flags, mode, lookup_flags, out);
	if ((flags & O_NOFOLLOW) == 0)
		lookup_flags |= LOOKUP_FOLLOW;
	if ((flags & O_DIRECTORY) != 0)
		lookup_flags |= LOOKUP_DIRECTORY;
	error = path_lookup(ctx, name, lookup_flags, &path);
	if (error != 0)
		return error;
	error = open_inode(&path, flags, ctx->cred, false, out);
	path_put(&path);
	return error;
}

int file_open(const struct path_context *ctx, const char *name, int flags, uint32_t mode,
	      struct file **out)
{
	return file_open_lookup(ctx, name, flags, mode, 0, out);
}
