/*
 * Making and removing names: mknod, mkdir, symlink, link, unlink, rmdir.
 *
 * Each is: walk to the directory, take its mutex, look the name up again under it, check who may,
 * let the file system do it. The order of checks is Linux's, so that programs see its errors. A
 * victim's mutex is taken after its directory's; rename is in path_rename.c.
 */
#include "abi/errno.h"
#include "core/assert.h"
#include "lib/string.h"
#include "vfs/notify.h"
#include "vfs/vfs_internal.h"

int may_create(const struct path *dir, const struct vfs_cred *cred)
{
	return inode_permission(dir->dentry->inode, W_OK | X_OK, cred);
}

/* In a sticky directory only the owners of the entry and of the directory remove it. */
static bool is_protected_by_sticky(const struct inode *dir, const struct inode *inode,
				   const struct vfs_cred *cred)
{
	return (dir->mode & S_ISVTX) != 0 && inode->uid != cred->uid && dir->uid != cred->uid &&
	       !cred->cap_fowner;
}

int may_delete(const struct path *dir, struct dentry *victim, bool is_dir,
	       const struct vfs_cred *cred)
{
	const struct inode *inode = load_acquire(&victim->inode);
	int error;

	if (inode == NULL)
		return -ENOENT;
	error = inode_permission(dir->dentry->inode, W_OK | X_OK, cred);
	if (error != 0)
		return error;
	if (is_protected_by_sticky(dir->dentry->inode, inode, cred))
		return -EPERM;
	if (is_dir && !S_ISDIR(inode->mode))
		return -ENOTDIR;
	if (!is_dir && S_ISDIR(inode->mode))
		return -EISDIR;
	return victim->mount_count > 0 ? -EBUSY : 0;
}

/* ---- creating -------------------------------------------------------------------------------- */

struct new_entry {
	struct path_last last;
	struct dentry *dentry;		/* negative, counted; the directory's mutex is held */
	struct inode *dir;
};

/*
 * Everything until the file system is asked. On success new_entry_end() must follow, which lets the
 * directory's mutex go; that depends on the result, which the analysis cannot follow.
 */
static int new_entry_begin(const struct path_context *ctx, const char *name, bool is_dir,
			   struct new_entry *e) NO_LOCK_ANALYSIS
{
	int error = path_lookup_parent(ctx, name, 0, &e->last);

	if (error != 0)
		return error;
	e->dir = e->last.parent.dentry->inode;
	if (e->last.type != LAST_NORM) {
		path_last_put(&e->last);
		return -EEXIST;
	}
	mutex_lock(&e->dir->mutex);
	error = dentry_lookup_child(e->last.parent.dentry, e->last.name, e->last.length,
				    &e->dentry);
	if (error != 0)
		goto unlock;
	if (e->dentry->inode != NULL)
		error = -EEXIST;
	else if (e->last.trailing_slash && !is_dir)
		error = -ENOENT;
	if (error == 0)
		error = mount_check_write(e->last.parent.mount);
	if (error == 0)
		error = may_create(&e->last.parent, ctx->cred);
	if (error == 0)
		return 0;
	dentry_put(e->dentry);
unlock:
	mutex_unlock(&e->dir->mutex);
	path_last_put(&e->last);
	return error;
}

static int new_entry_end(struct new_entry *e, int error, uint32_t event) NO_LOCK_ANALYSIS
{
	mutex_unlock(&e->dir->mutex);
	if (error == 0)
		notify_child(e->dir, e->last.name, event, 0);
	dentry_put(e->dentry);
	path_last_put(&e->last);
	return error;
}

int create_locked(const struct path *dir, struct dentry *dentry, uint32_t mode, uint64_t rdev,
		  const struct vfs_cred *cred)
{
	struct inode *inode = dir->dentry->inode;

	if ((S_ISCHR(mode) || S_ISBLK(mode)) && !cred->cap_mknod && !(S_ISCHR(mode) && rdev == 0))
		return -EPERM;
	if (inode->ops->create == NULL)
		return S_ISREG(mode) ? -EACCES : -EPERM;
	return inode->ops->create(inode, dentry, mode, rdev, cred);
}

int vfs_create(const struct path_context *ctx, const char *name, uint32_t mode, uint64_t rdev)
{
	struct new_entry e;
	int error;

	if ((mode & S_IFMT) == 0)
		mode |= S_IFREG;
	if (S_ISDIR(mode))
		return -EPERM;
	if (!S_ISREG(mode) && !S_ISCHR(mode) && !S_ISBLK(mode) && !S_ISFIFO(mode) &&
	    !S_ISSOCK(mode))
		return -EINVAL;
	if (!S_ISCHR(mode) && !S_ISBLK(mode))
		rdev = 0;
	error = new_entry_begin(ctx, name, false, &e);
	if (error != 0)
		return error;
	error = create_locked(&e.last.parent, e.dentry, mode, rdev, ctx->cred);
	return new_entry_end(&e, error, IN_CREATE);
}

int vfs_mkdir(const struct path_context *ctx, const char *name, uint32_t mode)
{
	struct new_entry e;
	int error = new_entry_begin(ctx, name, true, &e);

	if (error != 0)
		return error;
	error = -EPERM;
	if (e.dir->ops->mkdir != NULL)
		error = e.dir->ops->mkdir(e.dir, e.dentry, S_IFDIR | (mode & 01777), ctx->cred);
	return new_entry_end(&e, error, IN_CREATE | IN_ISDIR);
}

int vfs_symlink(const struct path_context *ctx, const char *name, const char *target)
{
	struct new_entry e;
	int error;

	if (target[0] == '\0')
		return -ENOENT;
	if (strnlen(target, PATH_MAX_BYTES) == PATH_MAX_BYTES)
		return -ENAMETOOLONG;
	error = new_entry_begin(ctx, name, false, &e);
	if (error != 0)
		return error;
	error = -EPERM;
	if (e.dir->ops->symlink != NULL)
		error = e.dir->ops->symlink(e.dir, e.dentry, target, ctx->cred);
	return new_entry_end(&e, error, IN_CREATE);
}

uint64_t vfs_protected_hardlinks = 1;

/* Protected hard links: others' files only when one could as well have copied or changed them. */
static bool may_link(struct inode *inode, const struct vfs_cred *cred)
{
	uint32_t mode = inode->mode;

	if (vfs_protected_hardlinks == 0 || cred_is_owner(cred, inode))
		return true;
	return S_ISREG(mode) && (mode & S_ISUID) == 0 &&
	       (mode & (S_ISGID | S_IXGRP)) != (S_ISGID | S_IXGRP) &&
	       inode_permission(inode, R_OK | W_OK, cred) == 0;
}

static int check_link(const struct path *old, const struct new_entry *e,
		      const struct vfs_cred *cred)
{
	struct inode *inode = path_inode(old);

	if (old->mount != e->last.parent.mount)
		return -EXDEV;
	if (S_ISDIR(inode->mode) || e->dir->ops->link == NULL || !may_link(inode, cred))
		return -EPERM;
	return inode->nlink == 0 && !inode->linkable ? -ENOENT : 0;
}

int vfs_link(const struct path_context *from, const char *old, unsigned int flags,
	     const struct path_context *to, const char *name)
{
	struct new_entry e;
	struct path path;
	struct inode *inode;
	int error = path_lookup(from, old, flags, &path);

	if (error != 0)
		return error;
	inode = path_inode(&path);
	error = new_entry_begin(to, name, false, &e);
	if (error != 0)
		goto put;
	error = check_link(&path, &e, to->cred);
	if (error == 0) {
		mutex_lock(&inode->mutex);
		error = e.dir->ops->link(e.dir, e.dentry, inode);
		mutex_unlock(&inode->mutex);
	}
	error = new_entry_end(&e, error, IN_CREATE);
	if (error == 0)
		notify_inode(inode, IN_ATTRIB);
put:
	path_put(&path);
	return error;
}

/* ---- removing -------------------------------------------------------------------------------- */

static int unlink_locked(const struct path *dir, struct dentry *victim,
			 const struct vfs_cred *cred)
{
	struct inode *inode = dir->dentry->inode;
	int error = mount_check_write(dir->mount);

	if (error == 0)
		error = may_delete(dir, victim, false, cred);
	if (error == 0 && inode->ops->unlink == NULL)
		error = -EPERM;
	if (error != 0)
		return error;
	mutex_lock(&victim->inode->mutex);
	/* Again under its mutex: a mount is attached under that. */
	error = victim->mount_count > 0 ? -EBUSY : inode->ops->unlink(inode, victim);
	mutex_unlock(&victim->inode->mutex);
	if (error == 0)
		dentry_unhash(victim);
	return error;
}

static int rmdir_locked(const struct path *dir, struct dentry *victim, const struct vfs_cred *cred)
{
	struct inode *inode = dir->dentry->inode;
	int error = mount_check_write(dir->mount);

	if (error == 0)
		error = may_delete(dir, victim, true, cred);
	if (error == 0 && inode->ops->rmdir == NULL)
		error = -EPERM;
	if (error != 0)
		return error;
	mutex_lock(&victim->inode->mutex);
	error = victim->mount_count > 0 ? -EBUSY : inode->ops->rmdir(inode, victim);
	if (error == 0)
		victim->dead = true;
	mutex_unlock(&victim->inode->mutex);
	if (error == 0) {
		dentry_unhash(victim);
		dentry_drop_children(victim);
	}
	return error;
}

static int check_unlink_name(const struct path_last *last, const struct dentry *victim)
{
	if (!last->trailing_slash || victim->inode == NULL)
		return 0;
	return S_ISDIR(victim->inode->mode) ? -EISDIR : -ENOTDIR;
}

int vfs_unlink(const struct path_context *ctx, const char *name)
{
	struct path_last last;
	struct dentry *victim;
	struct inode *dir;
	int error = path_lookup_parent(ctx, name, 0, &last);

	if (error != 0)
		return error;
	dir = last.parent.dentry->inode;
	if (last.type != LAST_NORM) {
		error = -EISDIR;
		goto put;
	}
	mutex_lock(&dir->mutex);
	error = dentry_lookup_child(last.parent.dentry, last.name, last.length, &victim);
	if (error == 0)
		error = check_unlink_name(&last, victim);
	else
		victim = NULL;
	if (error == 0)
		error = unlink_locked(&last.parent, victim, ctx->cred);
	mutex_unlock(&dir->mutex);
	if (error == 0) {
		notify_child(dir, last.name, IN_DELETE, 0);
		notify_inode(victim->inode, victim->inode->nlink == 0 ? IN_DELETE_SELF : IN_ATTRIB);
	}
	if (victim != NULL)
		dentry_put(victim);
put:
	path_last_put(&last);
	return error;
}

static int check_rmdir_type(enum last_type type)
{
	switch (type) {
	case LAST_DOT:
		return -EINVAL;
	case LAST_DOTDOT:
		return -ENOTEMPTY;
	case LAST_ROOT:
		return -EBUSY;
	case LAST_NORM:
		break;
	}
	return 0;
}

int vfs_rmdir(const struct path_context *ctx, const char *name)
{
	struct path_last last;
	struct dentry *victim = NULL;
	struct inode *dir;
	int error = path_lookup_parent(ctx, name, 0, &last);

	if (error != 0)
		return error;
	dir = last.parent.dentry->inode;
	error = check_rmdir_type(last.type);
	if (error != 0)
		goto put;
	mutex_lock(&dir->mutex);
	error = dentry_lookup_child(last.parent.dentry, last.name, last.length, &victim);
	if (error == 0)
		error = rmdir_locked(&last.parent, victim, ctx->cred);
	else
		victim = NULL;
	mutex_unlock(&dir->mutex);
	if (error == 0) {
		notify_child(dir, last.name, IN_DELETE | IN_ISDIR, 0);
		notify_inode(victim->inode, IN_DELETE_SELF);
	}
	if (victim != NULL)
		dentry_put(victim);
put:
	path_last_put(&last);
	return error;
}
