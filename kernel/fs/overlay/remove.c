/*
 * Removing and renaming entries. What a lower layer shows under a name that goes is covered by a
 * whiteout, made in the work directory and put in place by a rename, so that the lower thing does
 * not show for a moment.
 */
#include "fs/overlay/overlay_internal.h"

/* A whiteout in the work directory. */
static int make_whiteout(struct ovl_super *os, char *name, size_t n)
{
	struct path_context work = ovl_context(&os->work, &vfs_cred_kernel);

	ovl_work_name(os, name, n);
	return vfs_create(&work, name, S_IFCHR, 0);
}

/* Puts a whiteout at `name`, in the place of the upper file that may be there. */
static int cover_file(struct ovl_inode *od, const char *name)
{
	struct ovl_super *os = ovl_super_of(&od->inode);
	struct path upper = ovl_upper_path(od);
	struct path_context ctx = ovl_context(&upper, &vfs_cred_kernel);
	struct path_context work = ovl_context(&os->work, &vfs_cred_kernel);
	char temporary[32];
	int error = make_whiteout(os, temporary, sizeof(temporary));

	if (error != 0)
		return error;
	error = vfs_rename(&work, temporary, &ctx, name, 0);
	if (error != 0)
		(void)!vfs_unlink(&work, temporary);
	return error;
}

/* The same for an upper directory, empty by now: it changes places with the whiteout and goes. */
static int cover_directory(struct ovl_inode *od, const char *name)
{
	struct ovl_super *os = ovl_super_of(&od->inode);
	struct path upper = ovl_upper_path(od);
	struct path_context ctx = ovl_context(&upper, &vfs_cred_kernel);
	struct path_context work = ovl_context(&os->work, &vfs_cred_kernel);
	char temporary[32];
	int error = make_whiteout(os, temporary, sizeof(temporary));

	if (error != 0)
		return error;
	error = vfs_rename(&work, temporary, &ctx, name, RENAME_EXCHANGE);
	if (error != 0)
		(void)!vfs_unlink(&work, temporary);
	else
		error = vfs_rmdir(&work, temporary);
	return error;
}

/* Whether the name itself is in dir's upper: an inode with an upper may have it under another. */
static int upper_has(struct ovl_inode *od, const char *name)
{
	struct dentry *d;
	int error = dentry_lookup(ovl_upper(od), name, strlen(name), &d), result;

	if (error != 0)
		return error;
	result = d->inode != NULL && !ovl_is_whiteout(d->inode) ? 1 : 0;
	dentry_put(d);
	return result;
}

/* After one of its names went: a file that is only a lower one had no other for us. */
static void lose_name(struct ovl_inode *oi)
{
	struct dentry *upper = ovl_upper(oi);

	if (upper == NULL || S_ISDIR(oi->inode.mode) || upper->inode->nlink == 0)
		oi->unlinked = true;
	oi->inode.nlink = oi->unlinked ? 0 : upper->inode->nlink;
	inode_touch_ctime(&oi->inode);
}

static int remove_file(struct ovl_inode *od, const char *name)
{
	struct path upper = ovl_upper_path(od);
	struct path_context ctx = ovl_context(&upper, &vfs_cred_kernel);
	int shows = ovl_shows_lower(od, name);

	if (shows < 0)
		return shows;
	return shows > 0 ? cover_file(od, name) : vfs_unlink(&ctx, name);
}

int ovl_unlink(struct inode *dir, struct dentry *dentry)
{
	struct ovl_inode *od = ovl_inode_of(dir);
	int error = ovl_copy_up(od, true);

	if (error == 0)
		error = remove_file(od, dentry->name);
	if (error != 0)
		return error;
	lose_name(ovl_inode_of(dentry->inode));
	(void)ovl_getattr(dir);
	return 0;
}

static int remove_directory(struct ovl_inode *od, struct ovl_inode *oi, const char *name)
{
	struct path upper = ovl_upper_path(od);
	struct path_context ctx = ovl_context(&upper, &vfs_cred_kernel);
	int shows = ovl_shows_lower(od, name), error = 0;

	if (shows < 0)
		return shows;
	if (ovl_upper(oi) == NULL)
		return cover_file(od, name);
	error = ovl_clear_whiteouts(oi);
	if (error != 0)
		return error;
	return shows > 0 ? cover_directory(od, name) : vfs_rmdir(&ctx, name);
}

int ovl_rmdir(struct inode *dir, struct dentry *dentry)
{
	struct ovl_inode *od = ovl_inode_of(dir), *oi = ovl_inode_of(dentry->inode);
	int error = ovl_check_empty(oi);

	if (error == 0)
		error = ovl_copy_up(od, true);
	if (error == 0)
		error = remove_directory(od, oi, dentry->name);
	if (error != 0)
		return error;
	lose_name(oi);
	(void)ovl_getattr(dir);
	return 0;
}

/* ---- rename ---------------------------------------------------------------------------------- */

struct ovl_rename {
	struct ovl_inode *from_dir, *to_dir, *old, *new;	/* new NULL: nothing there */
	const char *from, *to;
	unsigned int flags;
	int from_shows, to_shows;	/* what a lower layer would show under the names */
};

/* Directories with lower parts stay where these are found. */
static bool is_movable(const struct ovl_inode *oi)
{
	return !S_ISDIR(oi->inode.mode) || oi->lower_count == 0;
}

static int rename_prepare(struct ovl_rename *r)
{
	int error;

	if (!is_movable(r->old) || ((r->flags & RENAME_EXCHANGE) != 0 && !is_movable(r->new)))
		return -EXDEV;
	error = ovl_copy_up(r->from_dir, true);
	if (error == 0)
		error = ovl_copy_up(r->to_dir, true);
	if (error == 0)
		error = ovl_copy_up(r->old, true);
	if (error == 0 && (r->flags & RENAME_EXCHANGE) != 0)
		error = ovl_copy_up(r->new, true);
	if (error == 0 && r->new != NULL && (r->flags & RENAME_EXCHANGE) == 0 &&
	    S_ISDIR(r->new->inode.mode)) {
		error = ovl_check_empty(r->new);
		if (error == 0 && ovl_upper(r->new) != NULL)
			error = ovl_clear_whiteouts(r->new);
	}
	if (error != 0)
		return error;
	r->from_shows = ovl_shows_lower(r->from_dir, r->from);
	r->to_shows = ovl_shows_lower(r->to_dir, r->to);
	return r->from_shows < 0 ? r->from_shows : r->to_shows < 0 ? r->to_shows : 0;
}

/* A directory that comes to stand over something lower must not be merged with it. */
static int make_opaque_for(struct ovl_inode *oi, int shows)
{
	struct path upper = ovl_upper_path(oi);

	return S_ISDIR(oi->inode.mode) && shows > 0 ? ovl_set_opaque(&upper) : 0;
}

/* The upper layer's rename. A whiteout in the way of a directory changes places with it. */
static int rename_upper(struct ovl_rename *r)
{
	struct path from_path = ovl_upper_path(r->from_dir), to_path = ovl_upper_path(r->to_dir);
	struct path_context from = ovl_context(&from_path, &vfs_cred_kernel);
	struct path_context to = ovl_context(&to_path, &vfs_cred_kernel);
	int whiteout = ovl_has_whiteout(r->to_dir, r->to), error;
	bool exchange = whiteout > 0 && S_ISDIR(r->old->inode.mode);

	if (whiteout < 0)
		return whiteout;
	if ((r->flags & RENAME_EXCHANGE) != 0)
		return vfs_rename(&from, r->from, &to, r->to, RENAME_EXCHANGE);
	if (!exchange)
		return vfs_rename(&from, r->from, &to, r->to,
				  r->from_shows > 0 ? RENAME_WHITEOUT : 0);
	error = vfs_rename(&from, r->from, &to, r->to, RENAME_EXCHANGE);
	/* The whiteout is at the old name now: right there, or of no use. */
	if (error == 0 && r->from_shows == 0)
		error = vfs_unlink(&from, r->from);
	return error;
}

/* Where the inode is from now on. The name was allocated before. */
static void set_place(struct ovl_inode *oi, struct ovl_inode *parent, char *name)
{
	struct ovl_super *os = ovl_super_of(&oi->inode);
	struct ovl_inode *old_parent;
	char *old_name;

	mutex_lock(&os->copy_mutex);
	old_parent = oi->parent;
	old_name = oi->name;
	inode_get(&parent->inode);
	oi->parent = parent;
	oi->name = name;
	mutex_unlock(&os->copy_mutex);
	inode_put(&old_parent->inode);
	kfree(old_name);
}

static void rename_commit(struct ovl_rename *r, char *old_name, char *new_name)
{
	set_place(r->old, r->to_dir, old_name);
	if (new_name != NULL)
		set_place(r->new, r->from_dir, new_name);
	else if (r->new != NULL)
		lose_name(r->new);
	(void)ovl_getattr(&r->old->inode);
	(void)ovl_getattr(&r->from_dir->inode);
	(void)ovl_getattr(&r->to_dir->inode);
}

int ovl_rename(struct inode *from_dir, struct dentry *from, struct inode *to_dir,
	       struct dentry *to, unsigned int flags)
{
	struct ovl_rename r = {
		.from_dir = ovl_inode_of(from_dir), .to_dir = ovl_inode_of(to_dir),
		.old = ovl_inode_of(from->inode),
		.new = to->inode != NULL ? ovl_inode_of(to->inode) : NULL,
		.from = from->name, .to = to->name, .flags = flags,
	};
	bool exchange = (flags & RENAME_EXCHANGE) != 0;
	char *old_name, *new_name = NULL;
	int error;

	if ((flags & RENAME_WHITEOUT) != 0)
		return -EINVAL;
	old_name = kstrdup(r.to);
	if (exchange)
		new_name = kstrdup(r.from);
	error = old_name == NULL || (exchange && new_name == NULL) ? -ENOMEM : rename_prepare(&r);
	if (error == 0)
		error = make_opaque_for(r.old, r.to_shows);
	if (error == 0 && exchange)
		error = make_opaque_for(r.new, r.from_shows);
	if (error == 0)
		error = upper_has(r.from_dir, r.from) == 1 ? rename_upper(&r) : -ESTALE;
	if (error != 0) {
		kfree(old_name);
		kfree(new_name);
		return error;
	}
	rename_commit(&r, old_name, new_name);
	return 0;
}
