/*
 * rename: the one operation on two directories.
 *
 * Locking order. Two different directories: the file system's rename_mutex first, so that the tree
 * above them stands still and at most one such rename runs; then the ancestor's mutex before the
 * descendant's, any order when neither is above the other. A replaced inode's mutex comes last.
 * With the tree still, a directory cannot be moved below itself: `from` above the target directory
 * is refused.
 */
#include "abi/errno.h"
#include "core/assert.h"
#include "lib/string.h"
#include "mem/slab.h"
#include "vfs/notify.h"
#include "vfs/vfs_internal.h"

struct rename {
	const struct vfs_cred *cred;
	unsigned int flags;
	struct path_last from, to;		/* parents and names */
	struct dentry *old, *new;		/* counted, looked up under the mutexes */
	bool two_dirs;
};

/* One mutex or three, by what the names say: not for the analysis, nor is the way back. */
static void lock_directories(struct rename *r) NO_LOCK_ANALYSIS
{
	struct dentry *a = r->from.parent.dentry, *b = r->to.parent.dentry;

	r->two_dirs = a->inode != b->inode;
	if (!r->two_dirs) {
		mutex_lock(&a->inode->mutex);
		return;
	}
	mutex_lock(&r->from.parent.mount->super->rename_mutex);
	if (dentry_is_below(a, b)) {
		mutex_lock(&b->inode->mutex);
		mutex_lock(&a->inode->mutex);
	} else {
		mutex_lock(&a->inode->mutex);
		mutex_lock(&b->inode->mutex);
	}
}

static void unlock_directories(struct rename *r) NO_LOCK_ANALYSIS
{
	mutex_unlock(&r->from.parent.dentry->inode->mutex);
	if (!r->two_dirs)
		return;
	mutex_unlock(&r->to.parent.dentry->inode->mutex);
	mutex_unlock(&r->from.parent.mount->super->rename_mutex);
}

static int check_names(const struct rename *r)
{
	if (r->from.parent.mount != r->to.parent.mount)
		return -EXDEV;
	if (r->from.type != LAST_NORM)
		return -EBUSY;
	if (r->to.type != LAST_NORM)
		return (r->flags & RENAME_NOREPLACE) != 0 ? -EEXIST : -EBUSY;
	return mount_check_write(r->from.parent.mount);
}

/* Existence, kinds and loops: what needs no permission. */
static int check_entries(const struct rename *r)
{
	bool is_dir;

	if (r->old->inode == NULL)
		return -ENOENT;
	if ((r->flags & RENAME_NOREPLACE) != 0 && r->new->inode != NULL)
		return -EEXIST;
	if ((r->flags & RENAME_EXCHANGE) != 0 && r->new->inode == NULL)
		return -ENOENT;
	is_dir = S_ISDIR(r->old->inode->mode);
	if (!is_dir && r->from.trailing_slash)
		return -ENOTDIR;
	if ((r->flags & RENAME_EXCHANGE) == 0) {
		if (!is_dir && r->to.trailing_slash)
			return -ENOTDIR;
	} else if (!S_ISDIR(r->new->inode->mode) && r->to.trailing_slash) {
		return -ENOTDIR;
	}
	if (dentry_is_below(r->to.parent.dentry, r->old))
		return -EINVAL;
	if (dentry_is_below(r->from.parent.dentry, r->new))
		return (r->flags & RENAME_EXCHANGE) != 0 ? -EINVAL : -ENOTEMPTY;
	return 0;
}

/* A directory that changes its parent is itself written: its "..". */
static int may_move(const struct rename *r, struct dentry *d)
{
	if (!r->two_dirs || !S_ISDIR(d->inode->mode))
		return 0;
	return inode_permission(d->inode, W_OK, r->cred);
}

static int check_permissions(const struct rename *r)
{
	bool is_dir = S_ISDIR(r->old->inode->mode);
	bool exchange = (r->flags & RENAME_EXCHANGE) != 0;
	int error = may_delete(&r->from.parent, r->old, is_dir, r->cred);

	if (error != 0)
		return error;
	if (r->new->inode == NULL)
		error = may_create(&r->to.parent, r->cred);
	else
		error = may_delete(&r->to.parent, r->new,
				   exchange ? S_ISDIR(r->new->inode->mode) : is_dir, r->cred);
	if (error == 0)
		error = may_move(r, r->old);
	if (error == 0 && exchange)
		error = may_move(r, r->new);
	return error;
}

/*
 * The file system's part, with the replaced inode's mutex held if there is one (a condition that
 * the analysis does not follow); then the names' in the cache.
 */
static int rename_commit(struct rename *r) NO_LOCK_ANALYSIS
{

	struct inode *from_dir = r->from.parent.dentry->inode;
	struct inode *to_dir = r->to.parent.dentry->inode;
	struct inode *victim = (r->flags & RENAME_EXCHANGE) == 0 ? r->new->inode : NULL;
	char *name = NULL;
	int error = dentry_prepare_move(r->new, &name);

	if (error != 0)
		return error;
	if (victim != NULL)
		mutex_lock(&victim->mutex);
	if (victim != NULL && r->new->mount_count > 0)
		error = -EBUSY;
	else
		error = from_dir->ops->rename(from_dir, r->old, to_dir, r->new, r->flags);
	if (error == 0 && victim != NULL && S_ISDIR(victim->mode))
		r->new->dead = true;
	if (victim != NULL)
		mutex_unlock(&victim->mutex);
	if (error != 0) {
		kfree(name);
		return error;
	}
	if (S_ISDIR(r->old->inode->mode) || (victim == NULL && r->new->inode != NULL))
		(void)atomic64_add(&rename_count, 1);
	if ((r->flags & RENAME_EXCHANGE) != 0) {
		kfree(name);
		dentry_exchange(r->old, r->new);
		return 0;
	}
	dentry_move(r->old, r->new, name);
	if (r->new->dead)
		dentry_drop_children(r->new);
	return 0;
}

static int rename_locked(struct rename *r)
{
	int error = check_entries(r);

	if (error != 0)
		return error;
	/* Two names of one file: nothing to do, says POSIX. */
	if (r->old->inode == r->new->inode)
		return 0;
	error = check_permissions(r);
	if (error == 0 && r->from.parent.dentry->inode->ops->rename == NULL)
		error = -EPERM;
	return error != 0 ? error : rename_commit(r);
}

static void notify_rename(const struct rename *r, struct inode *replaced)
{
	uint32_t is_dir = S_ISDIR(r->old->inode->mode) ? IN_ISDIR : 0;
	uint32_t cookie = notify_next_cookie();

	notify_child(r->from.parent.dentry->inode, r->from.name, IN_MOVED_FROM | is_dir, cookie);
	notify_child(r->to.parent.dentry->inode, r->to.name, IN_MOVED_TO | is_dir, cookie);
	notify_inode(r->old->inode, IN_MOVE_SELF);
	if (replaced == NULL)
		return;
	if ((r->flags & RENAME_EXCHANGE) == 0) {
		notify_inode(replaced, replaced->nlink == 0 ? IN_DELETE_SELF : IN_ATTRIB);
		return;
	}
	is_dir = S_ISDIR(replaced->mode) ? IN_ISDIR : 0;
	cookie = notify_next_cookie();
	notify_child(r->to.parent.dentry->inode, r->to.name, IN_MOVED_FROM | is_dir, cookie);
	notify_child(r->from.parent.dentry->inode, r->from.name, IN_MOVED_TO | is_dir, cookie);
	notify_inode(replaced, IN_MOVE_SELF);
}

/* From the mutexes on: both entries looked up, renamed, reported. */
static int rename_entries(struct rename *r)
{
	bool moved = false;
	int error;

	lock_directories(r);
	error = dentry_lookup_child(r->from.parent.dentry, r->from.name, r->from.length, &r->old);
	if (error != 0)
		goto unlock;
	error = dentry_lookup_child(r->to.parent.dentry, r->to.name, r->to.length, &r->new);
	if (error != 0)
		goto put_old;
	error = rename_locked(r);
	moved = error == 0 && r->old->inode != r->new->inode;
	unlock_directories(r);
	if (moved && atomic32_load(&notify_watch_count) != 0)
		notify_rename(r, r->new->inode);
	dentry_put(r->new);
	dentry_put(r->old);
	return error;
put_old:
	dentry_put(r->old);
unlock:
	unlock_directories(r);
	return error;
}

int vfs_rename(const struct path_context *from, const char *old, const struct path_context *to,
	       const char *name, unsigned int flags)
{
	struct rename r = { .cred = to->cred, .flags = flags };
	int error;

	if ((flags & ~(unsigned int)(RENAME_NOREPLACE | RENAME_EXCHANGE | RENAME_WHITEOUT)) != 0 ||
	    ((flags & RENAME_EXCHANGE) != 0 && flags != RENAME_EXCHANGE))
		return -EINVAL;
	if ((flags & RENAME_WHITEOUT) != 0 && !to->cred->cap_mknod)
		return -EPERM;
	error = path_lookup_parent(from, old, 0, &r.from);
	if (error != 0)
		return error;
	error = path_lookup_parent(to, name, 0, &r.to);
	if (error == 0) {
		error = check_names(&r);
		if (error == 0)
			error = rename_entries(&r);
		path_last_put(&r.to);
	}
	path_last_put(&r.from);
	return error;
}
