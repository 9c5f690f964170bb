/*
 * Making entries: always in the upper layer, in the directory's own upper part.
 *
 * Where a whiteout holds the name, the new thing is made in the work directory and takes the
 * whiteout's place by a rename; a directory by an exchange, opaque, since what is below does not
 * belong to it.
 */
#include "fs/overlay/overlay_internal.h"

/* What makes the entry; the same calls for the upper directory and for the work directory. */
struct new_entry {
	uint32_t mode;
	uint64_t rdev;
	const char *target;		/* symlinks */
	const struct vfs_cred *cred;	/* the asker's: owner of what is made */
};

static int make(const struct path_context *ctx, const char *name, const struct new_entry *e)
{
	switch (e->mode & S_IFMT) {
	case S_IFDIR:
		return vfs_mkdir(ctx, name, e->mode);
	case S_IFLNK:
		return vfs_symlink(ctx, name, e->target);
	}
	return vfs_create(ctx, name, e->mode, e->rdev);
}

/* The kernel's rights with the asker's name, so that what is made belongs to the asker. */
static struct vfs_cred maker(const struct vfs_cred *cred)
{
	struct vfs_cred as = vfs_cred_kernel;

	as.uid = cred->uid;
	as.gid = cred->gid;
	return as;
}

static int set_owner(const struct path *path, uint32_t mode, uint32_t uid, uint32_t gid)
{
	struct inode *inode = path_inode(path);
	struct inode_attr attr = { .valid = ATTR_UID | ATTR_GID | ATTR_MODE,
				   .mode = mode, .uid = uid, .gid = gid };
	int error;

	mutex_lock(&inode->mutex);
	error = inode->ops->setattr(inode, &attr);
	mutex_unlock(&inode->mutex);
	return error;
}

/* In the work directory, with the owner and group that the directory of its place would give. */
static int make_in_work(struct inode *dir, const struct path_context *work, const char *name,
			const struct new_entry *e, struct path *out)
{
	uint32_t gid = (dir->mode & S_ISGID) != 0 ? dir->gid : e->cred->gid;
	uint32_t mode = e->mode;
	int error = make(work, name, e);

	if (error == 0)
		error = path_lookup(work, name, 0, out);
	if (error != 0)
		return error;
	if (S_ISDIR(mode) && (dir->mode & S_ISGID) != 0)
		mode |= S_ISGID;
	if (S_ISLNK(mode))
		mode = S_IFLNK | 0777;
	error = set_owner(out, mode, e->cred->uid, gid);
	if (error == 0 && S_ISDIR(mode))
		error = ovl_set_opaque(out);
	if (error != 0)
		path_put(out);
	return error;
}

static int make_over_whiteout(struct inode *dir, const char *name, const struct new_entry *e)
{
	struct ovl_super *os = ovl_super_of(dir);
	struct path upper = ovl_upper_path(ovl_inode_of(dir)), made;
	struct path_context ctx = ovl_context(&upper, &vfs_cred_kernel);
	struct path_context work = ovl_context(&os->work, &vfs_cred_kernel);
	char temporary[32];
	int error;

	ovl_work_name(os, temporary, sizeof(temporary));
	error = make_in_work(dir, &work, temporary, e, &made);
	if (error == 0) {
		path_put(&made);
		error = vfs_rename(&work, temporary, &ctx, name,
				   S_ISDIR(e->mode) ? RENAME_EXCHANGE : 0);
	}
	/* Left there: the new thing after a failure, the whiteout after an exchange. */
	if (error != 0 && S_ISDIR(e->mode))
		(void)!vfs_rmdir(&work, temporary);
	else if (error != 0 || S_ISDIR(e->mode))
		(void)!vfs_unlink(&work, temporary);
	return error;
}

static int add_entry(struct inode *dir, struct dentry *dentry, const struct new_entry *e)
{
	struct ovl_inode *od = ovl_inode_of(dir);
	struct vfs_cred as = maker(e->cred);
	struct path upper;
	struct path_context ctx;
	struct inode *inode;
	int error = ovl_copy_up(od, true), whiteout;

	if (error != 0)
		return error;
	whiteout = ovl_has_whiteout(od, dentry->name);
	if (whiteout < 0)
		return whiteout;
	upper = ovl_upper_path(od);
	ctx = ovl_context(&upper, &as);
	if (whiteout > 0)
		error = make_over_whiteout(dir, dentry->name, e);
	else
		error = make(&ctx, dentry->name, e);
	if (error == 0)
		error = ovl_inode_for_upper(dir, dentry->name, &inode);
	if (error != 0)
		return error;
	(void)ovl_getattr(dir);
	dentry_instantiate(dentry, inode);
	return 0;
}

int ovl_create(struct inode *dir, struct dentry *dentry, uint32_t mode, uint64_t rdev,
	       const struct vfs_cred *cred)
{
	struct new_entry e = { .mode = mode, .rdev = rdev, .cred = cred };

	/* A whiteout made by a program would be one of ours. */
	if (S_ISCHR(mode) && rdev == 0)
		return -EPERM;
	return add_entry(dir, dentry, &e);
}

int ovl_mkdir(struct inode *dir, struct dentry *dentry, uint32_t mode, const struct vfs_cred *cred)
{
	struct new_entry e = { .mode = mode, .cred = cred };

	return add_entry(dir, dentry, &e);
}

int ovl_symlink(struct inode *dir, struct dentry *dentry, const char *target,
		const struct vfs_cred *cred)
{
	struct new_entry e = { .mode = S_IFLNK | 0777, .target = target, .cred = cred };

	return add_entry(dir, dentry, &e);
}

/* The existing upper file gets one more name in the upper layer. */
static int link_upper(struct ovl_inode *od, struct ovl_inode *oi, const char *name)
{
	struct ovl_super *os = ovl_super_of(&od->inode);
	struct path upper = ovl_upper_path(od), file = ovl_upper_path(oi);
	struct path_context to = ovl_context(&upper, &vfs_cred_kernel);
	struct path_context from = ovl_context(&file, &vfs_cred_kernel);
	struct path_context work = ovl_context(&os->work, &vfs_cred_kernel);
	int whiteout = ovl_has_whiteout(od, name), error;
	char temporary[32];

	if (whiteout < 0)
		return whiteout;
	if (whiteout == 0)
		return vfs_link(&from, "", LOOKUP_EMPTY, &to, name);
	ovl_work_name(os, temporary, sizeof(temporary));
	error = vfs_link(&from, "", LOOKUP_EMPTY, &work, temporary);
	if (error != 0)
		return error;
	error = vfs_rename(&work, temporary, &to, name, 0);
	if (error != 0)
		(void)!vfs_unlink(&work, temporary);
	return error;
}

int ovl_link(struct inode *dir, struct dentry *dentry, struct inode *target)
{
	struct ovl_inode *od = ovl_inode_of(dir), *oi = ovl_inode_of(target);
	int error = ovl_copy_up(oi, true);

	if (error == 0)
		error = ovl_copy_up(od, true);
	if (error == 0) {
		ovl_upper(oi)->inode->linkable |= target->linkable;
		error = link_upper(od, oi, dentry->name);
	}
	if (error != 0)
		return error;
	oi->unlinked = false;
	ovl_inode_share(oi);
	(void)ovl_getattr(target);
	(void)ovl_getattr(dir);
	inode_get(target);
	dentry_instantiate(dentry, target);
	return 0;
}

int ovl_tmpfile(struct inode *dir, uint32_t mode, const struct vfs_cred *cred,
		struct inode **out)
{
	struct ovl_inode *od = ovl_inode_of(dir);
	uint32_t gid = (dir->mode & S_ISGID) != 0 ? dir->gid : cred->gid;
	struct path upper;
	struct path_context ctx;
	struct file *file;
	int error = ovl_copy_up(od, true);

	if (error != 0)
		return error;
	upper = ovl_upper_path(od);
	/* An open file counts its credentials, so not with a maker's, which nobody counts. */
	ctx = ovl_context(&upper, &vfs_cred_kernel);
	error = file_open(&ctx, ".", O_TMPFILE | O_RDWR, mode & 07777, &file);
	if (error != 0)
		return error;
	error = set_owner(&file->path, mode, cred->uid, gid);
	if (error == 0)
		error = ovl_inode_create(dir->super, od, "", file->path.dentry, NULL, NULL, 0, out);
	file_put(file);
	return error;
}
