/*
 * mount(2), umount2(2), pivot_root(2) on the tree that mount.c keeps.
 *
 * One namespace: propagation flags are accepted and have nothing to propagate to. All changes are
 * made under mount_mutex; a mountpoint is checked and covered under its inode's mutex, so that it
 * is not removed meanwhile.
 */
#include "abi/errno.h"
#include "core/assert.h"
#include "lib/string.h"
#include "vfs/mount_internal.h"

#define MS_PROPAGATION (MS_SHARED | MS_PRIVATE | MS_SLAVE | MS_UNBINDABLE)
#define SUPER_FLAGS (MS_RDONLY | MS_SYNCHRONOUS | MS_MANDLOCK | MS_DIRSYNC | MS_LAZYTIME)

static bool is_mount_root(const struct path *p)
{
	return p->dentry == p->mount->root;
}

static bool is_dir(const struct dentry *d)
{
	return S_ISDIR(d->inode->mode);
}

/* Puts m (reference moves on success) on `at`, or on what was mounted there meanwhile. */
static int cover(struct mount *m, const struct path *at)
{
	struct path top = *at;
	struct inode *inode;
	int error = 0;

	path_get(&top);
	path_follow_mounts(&top);
	inode = path_inode(&top);
	mutex_lock(&inode->mutex);
	if (!top.mount->attached || top.dentry->dead || top.dentry->deleted)
		error = -ENOENT;
	else if (is_dir(top.dentry) != is_dir(m->root))
		error = -ENOTDIR;
	else
		mount_attach(m, &top);
	mutex_unlock(&inode->mutex);
	path_put(&top);
	return error;
}

/* ---- the kinds of mount(2) ------------------------------------------------------------------- */

static int mount_new(const struct path_context *ctx, const struct path *target,
		     const char *source, const char *type, uint32_t flags, const char *options)
{
	struct mount *m;
	int error = mount_instance(ctx, type, source, options, flags, &m);

	if (error != 0)
		return error;
	mutex_lock(&mount_mutex);
	error = cover(m, target);
	mutex_unlock(&mount_mutex);
	if (error != 0)
		mount_put(m);
	return error;
}

int vfs_mount_super(struct super *super, const struct path *target, uint32_t flags)
{
	struct mount *m;
	int error;

	super_prepare(super);
	m = mount_create(super, super->root, super->type->name, flags & MOUNT_FLAGS);
	super_put(super);
	if (m == NULL)
		return -ENOMEM;
	mutex_lock(&mount_mutex);
	error = cover(m, target);
	mutex_unlock(&mount_mutex);
	if (error != 0)
		mount_put(m);
	return error;
}

/* Takes a copy that could not be finished apart again. It hangs in no tree. */
static void drop_copy(struct mount *copy)
{
	mount_detach_tree(copy);
}

/* The mount of the copy that stands for `original`, which is in a part copied before. */
static struct mount *copy_of(struct mount *copy, const struct mount *original)
{
	for (struct mount *m = copy; m != NULL; m = mount_next_below(m, copy)) {
		if (m->copied_from == original)
			return m;
	}
	return NULL;
}

/* MS_BIND|MS_REC: the mounts below source->dentry, parents before children. mount_mutex held. */
static int copy_children(struct mount *copy, const struct path *source)
{
	struct mount *top = source->mount;

	for (struct mount *m = mount_next_below(top, top); m != NULL;
	     m = mount_next_below(m, top)) {
		struct mount *parent = copy_of(copy, m->parent), *twin;

		if (parent == NULL ||
		    (m->parent == top && !dentry_is_below(m->mountpoint, source->dentry)))
			continue;
		twin = mount_create(m->super, m->root, m->source, m->flags);
		if (twin == NULL)
			return -ENOMEM;
		twin->copied_from = m;
		mount_attach(twin, &(struct path){ parent, m->mountpoint });
	}
	return 0;
}

static void forget_origins(struct mount *copy)
{
	for (struct mount *m = copy; m != NULL; m = mount_next_below(m, copy))
		m->copied_from = NULL;
}

static int mount_bind(const struct path_context *ctx, const struct path *target,
		      const char *source_name, uint32_t flags)
{
	struct path source;
	struct mount *copy;
	int error = path_lookup(ctx, source_name, LOOKUP_FOLLOW, &source);

	if (error != 0)
		return error;
	mutex_lock(&mount_mutex);
	error = source.mount == anonymous_mount || !source.mount->attached ? -EINVAL : 0;
	copy = error == 0 ? mount_create(source.mount->super, source.dentry, source.mount->source,
					 source.mount->flags)
			  : NULL;
	if (error == 0 && copy == NULL)
		error = -ENOMEM;
	if (error != 0)
		goto unlock;
	copy->copied_from = source.mount;
	/* Built apart from the tree, then put in its place with all that hangs on it. */
	mount_attach(copy, NULL);
	if ((flags & MS_REC) != 0)
		error = copy_children(copy, &source);
	forget_origins(copy);
	if (error == 0)
		error = mount_graft(copy, target, is_dir(source.dentry));
	if (error != 0)
		drop_copy(copy);
unlock:
	mutex_unlock(&mount_mutex);
	path_put(&source);
	return error;
}

/* An attached mount without parent becomes a child of `at`. */
int mount_graft(struct mount *m, const struct path *at, bool dir)
{
	struct path top = *at;
	struct inode *inode;
	int error = 0;

	path_get(&top);
	path_follow_mounts(&top);
	inode = path_inode(&top);
	mutex_lock(&inode->mutex);
	if (!top.mount->attached || top.dentry->dead || top.dentry->deleted)
		error = -ENOENT;
	else if (is_dir(top.dentry) != dir)
		error = -ENOTDIR;
	else
		mount_set_parent(m, &top);
	mutex_unlock(&inode->mutex);
	path_put(&top);
	return error;
}

static bool is_mount_below(const struct mount *m, const struct mount *top)
{
	for (; m != NULL; m = m->parent) {
		if (m == top)
			return true;
	}
	return false;
}

static int mount_move(const struct path_context *ctx, const struct path *target,
		      const char *source_name)
{
	struct path source, old;
	int error = path_lookup(ctx, source_name, LOOKUP_FOLLOW, &source);

	if (error != 0)
		return error;
	mutex_lock(&mount_mutex);
	if (!is_mount_root(&source) || !source.mount->attached || source.mount->parent == NULL)
		error = -EINVAL;
	else if (is_dir(source.dentry) != is_dir(target->dentry))
		error = -EINVAL;
	else if (is_mount_below(target->mount, source.mount))
		error = -ELOOP;
	if (error == 0) {
		mount_clear_parent(source.mount, &old);
		error = mount_graft(source.mount, target, is_dir(source.dentry));
		if (error != 0)
			mount_set_parent(source.mount, &old);
		path_put(&old);
	}
	mutex_unlock(&mount_mutex);
	path_put(&source);
	return error;
}

static int mount_remount(const struct path *target, uint32_t flags, const char *options)
{
	struct super *super = target->mount->super;
	int error = 0;

	if (!is_mount_root(target))
		return -EINVAL;
	mutex_lock(&mount_mutex);
	if ((flags & MS_BIND) == 0) {
		if (super->ops->remount != NULL)
			error = super->ops->remount(super, flags & SUPER_FLAGS, options);
		if (error == 0)
			super->read_only = (flags & MS_RDONLY) != 0;
	}
	if (error == 0)
		write_once(target->mount->flags, flags & MOUNT_FLAGS);
	mutex_unlock(&mount_mutex);
	return error;
}

int vfs_mount(const struct path_context *ctx, const char *source, const char *target,
	      const char *type, uint32_t flags, const char *options)
{
	struct path path;
	int error;

	if ((flags & MS_MGC_MSK) == MS_MGC_VAL)
		flags &= ~MS_MGC_MSK;
	error = path_lookup(ctx, target, LOOKUP_FOLLOW, &path);
	if (error != 0)
		return error;
	if (!ctx->cred->cap_sys_admin)
		error = -EPERM;
	else if ((flags & MS_REMOUNT) != 0)
		error = mount_remount(&path, flags, options != NULL ? options : "");
	else if ((flags & MS_BIND) != 0)
		error = source != NULL ? mount_bind(ctx, &path, source, flags) : -EINVAL;
	else if ((flags & MS_PROPAGATION) != 0)
		error = is_mount_root(&path) ? 0 : -EINVAL;
	else if ((flags & MS_MOVE) != 0)
		error = source != NULL ? mount_move(ctx, &path, source) : -EINVAL;
	else
		error = type != NULL ? mount_new(ctx, &path, source, type, flags,
						 options != NULL ? options : "") : -EINVAL;
	path_put(&path);
	return error;
}

/* ---- umount2(2) ------------------------------------------------------------------------------ */

/* The tree's reference and the one of the lookup are all when nobody uses it. */
static bool is_busy(const struct mount *m)
{
	return !list_is_empty(&m->children) || refcount_read(&m->references) > 2;
}

int vfs_umount(const struct path_context *ctx, const char *target, int flags)
{
	struct path path;
	int error;

	if ((flags & ~(MNT_FORCE | MNT_DETACH | MNT_EXPIRE | UMOUNT_NOFOLLOW)) != 0)
		return -EINVAL;
	error = path_lookup(ctx, target, (flags & UMOUNT_NOFOLLOW) != 0 ? 0 : LOOKUP_FOLLOW, &path);
	if (error != 0)
		return error;
	mutex_lock(&mount_mutex);
	if (!is_mount_root(&path) || !path.mount->attached)
		error = -EINVAL;
	else if (!ctx->cred->cap_sys_admin)
		error = -EPERM;
	else if (path.mount->parent == NULL)
		error = -EBUSY;
	else if ((flags & MNT_DETACH) == 0 && is_busy(path.mount))
		error = -EBUSY;
	else if ((flags & MNT_EXPIRE) != 0 && !path.mount->expiring)
		error = -EAGAIN;
	if (error == -EAGAIN)
		path.mount->expiring = true;
	if (error == 0)
		mount_detach_tree(path.mount);
	mutex_unlock(&mount_mutex);
	path_put(&path);
	return error;
}

/* ---- pivot_root(2) --------------------------------------------------------------------------- */

static int check_pivot(const struct path_context *ctx, const struct path *new_root,
		       const struct path *put_old)
{
	const struct mount *root = ctx->root->mount;

	if (new_root->mount == root || put_old->mount == root)
		return -EBUSY;
	if (!is_mount_root(new_root) || ctx->root->dentry != root->root ||
	    root->parent == NULL || new_root->mount->parent == NULL ||
	    !root->attached || !new_root->mount->attached)
		return -EINVAL;
	if (!is_mount_below(put_old->mount, new_root->mount) ||
	    !is_mount_below(new_root->mount, root))
		return -EINVAL;
	return is_dir(put_old->dentry) ? 0 : -ENOTDIR;
}

static void pivot(const struct path_context *ctx, const struct path *new_root,
		  const struct path *put_old)
{
	struct path root_at, new_at;

	mount_clear_parent(new_root->mount, &new_at);
	mount_clear_parent(ctx->root->mount, &root_at);
	mount_set_parent(new_root->mount, &root_at);
	mount_set_parent(ctx->root->mount, put_old);
	path_put(&root_at);
	path_put(&new_at);
}

int vfs_pivot_root(const struct path_context *ctx, const char *new_root, const char *put_old,
		   struct path *root_out)
{
	struct path new, old;
	int error;

	if (!ctx->cred->cap_sys_admin)
		return -EPERM;
	error = path_lookup(ctx, new_root, LOOKUP_FOLLOW | LOOKUP_DIRECTORY, &new);
	if (error != 0)
		return error;
	error = path_lookup(ctx, put_old, LOOKUP_FOLLOW | LOOKUP_DIRECTORY, &old);
	if (error == 0) {
		mutex_lock(&mount_mutex);
		error = check_pivot(ctx, &new, &old);
		if (error == 0)
			pivot(ctx, &new, &old);
		mutex_unlock(&mount_mutex);
		path_put(&old);
	}
	if (error == 0)
		*root_out = new;
	else
		path_put(&new);
	return error;
}
