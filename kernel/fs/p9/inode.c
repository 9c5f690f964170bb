/*
 * Names: lookup, create, remove, rename, links, attributes. Directories are locked by the caller.
 */
#include "abi/errno.h"
#include "abi/fcntl.h"
#include "fs/p9/p9.h"
#include "lib/string.h"
#include "mem/slab.h"
#include "vfs/dentry.h"
#include "vfs/file.h"

/* Rsetattr's valid bits (Linux's p9_setattr flags). */
#define SETATTR_MODE		(1u << 0)
#define SETATTR_UID		(1u << 1)
#define SETATTR_GID		(1u << 2)
#define SETATTR_SIZE		(1u << 3)
#define SETATTR_ATIME		(1u << 4)
#define SETATTR_MTIME		(1u << 5)
#define SETATTR_ATIME_SET	(1u << 7)
#define SETATTR_MTIME_SET	(1u << 8)

/* After the server made or was found to have `dentry`: walks there and binds the inode. */
static int bind_name(struct inode *dir, struct dentry *dentry)
{
	struct p9_super *super = p9_super_of(dir);
	struct inode *inode;
	uint32_t fid;
	int error = p9_walk(super->client, p9_inode_of(dir)->fid, dentry->name,
			    dentry->name_length, &fid);

	if (error == 0)
		error = p9_inode_get(super, fid, &inode);
	if (error != 0)
		return error;
	dentry->time_ns = clock_ns();
	__atomic_store_n(&p9_inode_of(inode)->name, dentry, __ATOMIC_RELAXED);
	dentry_instantiate(dentry, inode);
	return 0;
}

static int p9_lookup(struct inode *dir, struct dentry *dentry)
{
	int error = bind_name(dir, dentry);

	dentry->time_ns = clock_ns();
	return error == -ENOENT ? 0 : error;
}

/*
 * With the inode's mutex, so that no write comes between the host's answer and what follows from
 * it. While somebody writes, what is known here is newer than any answer.
 */
static int p9_op_getattr(struct inode *inode)
{
	int error;

	if (!S_ISREG(inode->mode))
		return p9_inode_refresh(inode, false);
	if (!mutex_try_lock(&inode->mutex))
		return 0;
	error = p9_inode_refresh(inode, false);
	mutex_unlock(&inode->mutex);
	return error;
}

/* What the server says of its fid, it says of the one name that this was walked by. */
static bool fid_is_by_name(const struct dentry *dentry)
{
	return S_ISDIR(dentry->inode->mode) ||
	       __atomic_load_n(&p9_inode_of(dentry->inode)->name, __ATOMIC_RELAXED) == dentry;
}

static bool p9_revalidate(struct dentry *dentry)
{
	struct p9_super *super = (struct p9_super *)dentry->super;

	/* By this name the inode gets a fid that the server knows. */
	if (dentry->inode != NULL && p9_inode_has_lost_name(dentry->inode))
		return false;
	if (super->loose || clock_ns() - dentry->time_ns < P9_FRESH_NS)
		return true;
	if (dentry->inode == NULL || !fid_is_by_name(dentry) ||
	    p9_op_getattr(dentry->inode) != 0 ||
	    p9_inode_has_lost_name(dentry->inode))
		return false;
	dentry->time_ns = clock_ns();
	return true;
}

static int create_regular(struct inode *dir, struct dentry *dentry, uint32_t mode, uint32_t gid)
{
	struct p9_client *c = p9_client_of(dir);
	uint32_t fid;
	int error = p9_walk(c, p9_inode_of(dir)->fid, NULL, 0, &fid);

	if (error != 0)
		return error;
	error = p9_create(c, fid, dentry->name, dentry->name_length, O_RDWR | O_EXCL,
			  mode & ~(uint32_t)S_IFMT, gid);
	p9_clunk(c, fid);
	return error;
}

/* What creating changes in the directory: its times and links are the server's. */
static int created(struct inode *dir, struct dentry *dentry, int error)
{
	if (error == 0)
		error = bind_name(dir, dentry);
	if (error == 0)
		error = p9_inode_refresh(dir, true);
	return error;
}

static int p9_op_create(struct inode *dir, struct dentry *dentry, uint32_t mode, uint64_t rdev,
			const struct vfs_cred *cred)
{
	int error;

	if (S_ISREG(mode))
		error = create_regular(dir, dentry, mode, cred->gid);
	else
		error = p9_mknod(p9_client_of(dir), p9_inode_of(dir)->fid, dentry->name,
				 dentry->name_length, mode, rdev, cred->gid);
	return created(dir, dentry, error);
}

static int p9_op_mkdir(struct inode *dir, struct dentry *dentry, uint32_t mode,
		       const struct vfs_cred *cred)
{
	return created(dir, dentry,
		       p9_mkdir(p9_client_of(dir), p9_inode_of(dir)->fid, dentry->name,
				dentry->name_length, mode & 07777, cred->gid));
}

static int p9_op_symlink(struct inode *dir, struct dentry *dentry, const char *target,
			 const struct vfs_cred *cred)
{
	return created(dir, dentry,
		       p9_symlink(p9_client_of(dir), p9_inode_of(dir)->fid, dentry->name,
				  dentry->name_length, target, cred->gid));
}

static int p9_op_link(struct inode *dir, struct dentry *dentry, struct inode *target)
{
	struct p9_inode *pi = p9_inode_of(target);
	int error;

	mutex_lock(&pi->fid_mutex);
	error = p9_link(p9_client_of(dir), p9_inode_of(dir)->fid, pi->fid, dentry->name,
			dentry->name_length);
	mutex_unlock(&pi->fid_mutex);
	error = created(dir, dentry, error);
	/* The count of links, on which it depends whether a removed name was the last. */
	return error == 0 ? p9_inode_refresh(target, true) : error;
}

static int remove_name(struct inode *dir, struct dentry *dentry, uint32_t flags)
{
	int error = p9_unlink(p9_client_of(dir), p9_inode_of(dir)->fid, dentry->name,
			      dentry->name_length, flags);

	if (error != 0)
		return error;
	p9_inode_name_removed(dentry->inode);
	return p9_inode_refresh(dir, true);
}

static int p9_op_unlink(struct inode *dir, struct dentry *dentry)
{
	return remove_name(dir, dentry, 0);
}

static int p9_op_rmdir(struct inode *dir, struct dentry *dentry)
{
	return remove_name(dir, dentry, AT_REMOVEDIR);
}

static int p9_op_rename(struct inode *from_dir, struct dentry *from, struct inode *to_dir,
			struct dentry *to, unsigned int flags)
{
	int error;

	if ((flags & ~(unsigned int)RENAME_NOREPLACE) != 0)
		return -EINVAL;
	error = p9_rename(p9_client_of(from_dir), p9_inode_of(from_dir)->fid, from->name,
			  from->name_length, p9_inode_of(to_dir)->fid, to->name, to->name_length);
	if (error != 0)
		return error;
	if (to->inode != NULL)
		p9_inode_name_removed(to->inode);
	error = p9_inode_refresh(from_dir, true);
	return error == 0 ? p9_inode_refresh(to_dir, true) : error;
}

static int p9_op_readlink(struct inode *inode, char **out)
{
	struct p9_inode *pi = p9_inode_of(inode);
	int error;

	mutex_lock(&pi->fid_mutex);
	error = p9_readlink(p9_client_of(inode), pi->fid, out);
	mutex_unlock(&pi->fid_mutex);
	return error;
}

static uint32_t setattr_valid(uint32_t valid)
{
	uint32_t v = 0;

	v |= valid & ATTR_MODE ? SETATTR_MODE : 0;
	v |= valid & ATTR_UID ? SETATTR_UID : 0;
	v |= valid & ATTR_GID ? SETATTR_GID : 0;
	v |= valid & ATTR_SIZE ? SETATTR_SIZE : 0;
	v |= valid & ATTR_ATIME ? SETATTR_ATIME | SETATTR_ATIME_SET : 0;
	v |= valid & ATTR_MTIME ? SETATTR_MTIME | SETATTR_MTIME_SET : 0;
	return v;
}

static int p9_op_setattr(struct inode *inode, const struct inode_attr *attr)
{
	struct p9_inode *pi = p9_inode_of(inode);
	struct p9_setattr s = {
		.valid = setattr_valid(attr->valid),
		.mode = attr->mode & 07777, .uid = attr->uid, .gid = attr->gid, .size = attr->size,
		.atime = { (uint64_t)attr->atime.tv_sec, (uint64_t)attr->atime.tv_nsec },
		.mtime = { (uint64_t)attr->mtime.tv_sec, (uint64_t)attr->mtime.tv_nsec },
	};
	int error = 0;

	if ((attr->valid & ATTR_SIZE) && inode->object != NULL)
		error = object_sync(&pi->object, 0, UINT64_MAX);
	if (error == 0 && s.valid != 0) {
		mutex_lock(&pi->fid_mutex);
		error = p9_setattr(p9_client_of(inode), pi->fid, &s);
		mutex_unlock(&pi->fid_mutex);
	}
	if (error != 0)
		return error;
	if ((attr->valid & ATTR_SIZE) && inode->object != NULL)
		object_truncate(&pi->object, attr->size);
	return p9_inode_refresh(inode, true);
}

const struct inode_ops p9_inode_ops = {
	.lookup = p9_lookup,
	.create = p9_op_create,
	.mkdir = p9_op_mkdir,
	.symlink = p9_op_symlink,
	.link = p9_op_link,
	.unlink = p9_op_unlink,
	.rmdir = p9_op_rmdir,
	.rename = p9_op_rename,
	.readlink = p9_op_readlink,
	.getattr = p9_op_getattr,
	.setattr = p9_op_setattr,
	.revalidate = p9_revalidate,
	.open = p9_file_open,
	.evict = p9_inode_evict,
};
