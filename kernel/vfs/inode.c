/*
 * Inodes: life, attributes, who may.
 *
 * The small attributes (mode, owner, times, link count) change under inode->lock; reading one of
 * them needs no lock. A change that a program asks for goes through inode_setattr(), which checks
 * the rules of chmod(2), chown(2) and utimensat(2) under the inode's mutex and then lets the file
 * system do it. A file's size changes under the mutex.
 */
#include "abi/errno.h"
#include "core/assert.h"
#include "core/clock.h"
#include "lib/string.h"
#include "vfs/lock.h"
#include "vfs/notify.h"
#include "vfs/vfs_internal.h"

#define RELATIME_SECONDS (24 * 60 * 60)

const struct vfs_cred vfs_cred_kernel = {
	.cap_dac_override = true, .cap_dac_read_search = true, .cap_fowner = true,
	.cap_fsetid = true, .cap_chown = true, .cap_mknod = true, .cap_sys_admin = true,
	.cap_linux_immutable = true, .cap_sys_resource = true,
};

/* ---- life ------------------------------------------------------------------------------------ */

void inode_init(struct inode *inode, struct super *super, uint32_t mode)
{
	memset(inode, 0, sizeof(*inode));
	refcount_init(&inode->references);
	mutex_init(&inode->mutex);
	spin_init(&inode->lock, RANK_INODE);
	inode->super = super;
	inode->mode = mode;
	inode->nlink = 1;
	inode->atime = inode_now();
	inode->mtime = inode->ctime = inode->btime = inode->atime;
}

void inode_put(struct inode *inode)
{
	if (!refcount_put(&inode->references))
		return;
	ASSERT(inode->pipe == NULL && inode->watches == NULL);
	inode_free_locks(inode);
	if (inode->ops->evict != NULL)
		inode->ops->evict(inode);
}

void inode_init_owner(struct inode *inode, const struct inode *dir, uint32_t mode,
		      const struct vfs_cred *cred)
{
	inode->uid = cred->uid;
	inode->gid = cred->gid;
	if (dir != NULL && (dir->mode & S_ISGID) != 0) {
		inode->gid = dir->gid;
		if (S_ISDIR(mode))
			mode |= S_ISGID;
		else if ((mode & (S_ISGID | S_IXGRP)) == (S_ISGID | S_IXGRP) &&
			 !cred->cap_fsetid && !cred_is_in_group(cred, dir->gid))
			mode &= ~(uint32_t)S_ISGID;
	}
	inode->mode = mode;
}

void inode_link_count_add(struct inode *inode, int delta)
{
	spin_lock(&inode->lock);
	inode->nlink += (uint32_t)delta;
	spin_unlock(&inode->lock);
}

uint64_t inode_size(const struct inode *inode)
{
	return inode->object != NULL ? read_once(inode->object->size_bytes)
				     : read_once(inode->size);
}

/* ---- who may --------------------------------------------------------------------------------- */

bool cred_is_in_group(const struct vfs_cred *cred, uint32_t gid)
{
	if (cred->gid == gid)
		return true;
	for (uint32_t i = 0; i < cred->group_count; i++) {
		if (cred->groups[i] == gid)
			return true;
	}
	return false;
}

bool cred_is_owner(const struct vfs_cred *cred, const struct inode *inode)
{
	return cred->uid == inode->uid || cred->cap_fowner;
}

static uint32_t mode_for(const struct inode *inode, uint32_t mode, const struct vfs_cred *cred)
{
	if (cred->uid == inode->uid)
		return mode >> 6;
	/* The groups are looked through only when they can make a difference. */
	if (((mode >> 3) & 7) != (mode & 7) && cred_is_in_group(cred, inode->gid))
		return mode >> 3;
	return mode;
}

int inode_permission_of_mode(const struct inode *inode, int mask, const struct vfs_cred *cred)
{
	uint32_t mode = read_once(inode->mode);

	if (((uint32_t)mask & ~mode_for(inode, mode, cred) & 7) == 0)
		return 0;
	if (cred->cap_dac_override &&
	    (S_ISDIR(mode) || (mask & X_OK) == 0 || (mode & 0111) != 0))
		return 0;
	if (cred->cap_dac_read_search &&
	    ((mask & W_OK) == 0 && (S_ISDIR(mode) || (mask & X_OK) == 0)))
		return 0;
	return -EACCES;
}

int inode_permission_slow(struct inode *inode, int mask, const struct vfs_cred *cred)
{
	if (inode->ops->permission != NULL)
		return inode->ops->permission(inode, mask, cred);
	return inode_permission_of_mode(inode, mask, cred);
}

static int check_owner_change(const struct inode *inode, const struct inode_attr *attr,
			      const struct vfs_cred *cred)
{
	bool own = cred->uid == inode->uid;

	if (cred->cap_chown)
		return 0;
	if ((attr->valid & ATTR_UID) != 0 && !(own && attr->uid == inode->uid))
		return -EPERM;
	if ((attr->valid & ATTR_GID) != 0 &&
	    !(own && (attr->gid == inode->gid || cred_is_in_group(cred, attr->gid))))
		return -EPERM;
	return 0;
}

static int check_times_change(struct inode *inode, const struct inode_attr *attr,
			      const struct vfs_cred *cred)
{
	if ((attr->valid & (ATTR_ATIME | ATTR_MTIME)) == 0 || cred_is_owner(cred, inode))
		return 0;
	if ((attr->valid & ATTR_TOUCH) != 0)
		return inode_permission(inode, W_OK, cred);
	return -EPERM;
}

static int check_setattr(struct inode *inode, const struct inode_attr *attr,
			 const struct vfs_cred *cred)
{
	int error = check_owner_change(inode, attr, cred);

	if (error == 0 && (attr->valid & ATTR_MODE) != 0 && !cred_is_owner(cred, inode))
		error = -EPERM;
	if (error == 0)
		error = check_times_change(inode, attr, cred);
	return error;
}

/* ---- changing attributes --------------------------------------------------------------------- */

/* What of set-user-id and set-group-id a write or chown by another takes away. */
static uint32_t privileged_bits(uint32_t mode)
{
	uint32_t bits = mode & S_ISUID;

	if ((mode & (S_ISGID | S_IXGRP)) == (S_ISGID | S_IXGRP))
		bits |= S_ISGID;
	return bits;
}

static void adjust_mode(const struct inode *inode, struct inode_attr *attr,
			const struct vfs_cred *cred)
{
	uint32_t gid = (attr->valid & ATTR_GID) != 0 ? attr->gid : inode->gid;

	if ((attr->valid & ATTR_MODE) != 0) {
		attr->mode = (inode->mode & S_IFMT) | (attr->mode & 07777);
		if (!cred->cap_fsetid && !cred_is_in_group(cred, gid))
			attr->mode &= ~(uint32_t)S_ISGID;
	} else if ((attr->valid & (ATTR_UID | ATTR_GID)) != 0 && !S_ISDIR(inode->mode) &&
		   privileged_bits(inode->mode) != 0) {
		attr->mode = inode->mode & ~privileged_bits(inode->mode);
		attr->valid |= ATTR_MODE;
	}
}

int inode_setattr(struct inode *inode, struct inode_attr *attr, const struct vfs_cred *cred)
{
	int error;

	if (inode->ops->setattr == NULL)
		return -EPERM;
	mutex_lock(&inode->mutex);
	error = check_setattr(inode, attr, cred);
	if (error == 0) {
		adjust_mode(inode, attr, cred);
		attr->ctime = inode_now();
		attr->valid |= ATTR_CTIME;
		error = inode->ops->setattr(inode, attr);
	}
	mutex_unlock(&inode->mutex);
	return error;
}

void inode_copy_attr(struct inode *inode, const struct inode_attr *attr)
{
	spin_lock(&inode->lock);
	if ((attr->valid & ATTR_MODE) != 0)
		inode->mode = (inode->mode & S_IFMT) | (attr->mode & 07777);
	if ((attr->valid & ATTR_UID) != 0)
		inode->uid = attr->uid;
	if ((attr->valid & ATTR_GID) != 0)
		inode->gid = attr->gid;
	if ((attr->valid & ATTR_ATIME) != 0)
		inode->atime = attr->atime;
	if ((attr->valid & ATTR_MTIME) != 0)
		inode->mtime = attr->mtime;
	if ((attr->valid & ATTR_CTIME) != 0)
		inode->ctime = attr->ctime;
	spin_unlock(&inode->lock);
}

int inode_remove_privileges(struct inode *inode, const struct vfs_cred *cred)
{
	uint32_t bits = privileged_bits(read_once(inode->mode));
	struct inode_attr attr;

	ASSERT(mutex_is_held(&inode->mutex));
	if (likely(bits == 0) || !S_ISREG(inode->mode) || (cred != NULL && cred->cap_fsetid) ||
	    inode->ops->setattr == NULL)
		return 0;
	attr.valid = ATTR_MODE | ATTR_CTIME;
	attr.mode = inode->mode & ~bits;
	attr.ctime = inode_now();
	return inode->ops->setattr(inode, &attr);
}

int inode_truncate(struct inode *inode, uint64_t size, const struct vfs_cred *cred)
{
	struct inode_attr attr;
	int error;

	if (S_ISDIR(inode->mode))
		return -EISDIR;
	if (!S_ISREG(inode->mode) || inode->ops->setattr == NULL)
		return -EINVAL;
	if (size > INT64_MAX)
		return -EFBIG;
	attr.valid = ATTR_SIZE | ATTR_MTIME | ATTR_CTIME;
	attr.size = size;
	attr.mtime = attr.ctime = inode_now();
	mutex_lock(&inode->mutex);
	error = inode_remove_privileges(inode, cred);
	if (error == 0)
		error = inode->ops->setattr(inode, &attr);
	mutex_unlock(&inode->mutex);
	return error;
}

int vfs_setattr(const struct path *path, struct inode_attr *attr, const struct vfs_cred *cred)
{
	struct inode *inode = path_inode(path);
	int error = mount_check_write(path->mount);

	if (error != 0)
		return error;
	if ((attr->valid & ATTR_SIZE) != 0)
		return vfs_truncate(path, attr->size, cred);
	error = inode_setattr(inode, attr, cred);
	if (error == 0)
		notify_dentry(path->dentry, IN_ATTRIB);
	return error;
}

int vfs_truncate(const struct path *path, uint64_t size, const struct vfs_cred *cred)
{
	struct inode *inode = path_inode(path);
	int error;

	if (S_ISDIR(inode->mode))
		return -EISDIR;
	if (!S_ISREG(inode->mode))
		return -EINVAL;
	error = mount_check_write(path->mount);
	if (error == 0)
		error = inode_permission(inode, W_OK, cred);
	if (error == 0)
		error = inode_get_write(inode);
	if (error != 0)
		return error;
	error = inode_truncate(inode, size, cred);
	inode_put_write(inode);
	if (error == 0)
		notify_dentry(path->dentry, IN_MODIFY);
	return error;
}

/* ---- times ----------------------------------------------------------------------------------- */

struct abi_timespec inode_now(void)
{
	uint64_t now = clock_wall_ns();

	return (struct abi_timespec){ (int64_t)(now / NSEC_PER_SEC),
				      (int64_t)(now % NSEC_PER_SEC) };
}

void inode_touch_mtime(struct inode *inode)
{
	struct abi_timespec now = inode_now();

	spin_lock(&inode->lock);
	inode->mtime = inode->ctime = now;
	spin_unlock(&inode->lock);
}

void inode_touch_ctime(struct inode *inode)
{
	struct abi_timespec now = inode_now();

	spin_lock(&inode->lock);
	inode->ctime = now;
	spin_unlock(&inode->lock);
}

static bool is_before(const struct abi_timespec *a, const struct abi_timespec *b)
{
	return a->tv_sec != b->tv_sec ? a->tv_sec < b->tv_sec : a->tv_nsec < b->tv_nsec;
}

/* relatime: only when not newer than the last change, or a day old; for which no clock is read. */
void inode_touch_atime(struct inode *inode)
{
	const uint64_t now_seconds = clock_wall_coarse_ns() / NSEC_PER_SEC;
	const struct super *super = inode->super;
	struct abi_timespec now;

	if (super == NULL || super->read_only)
		return;
	if (is_before(&inode->mtime, &inode->atime) && is_before(&inode->ctime, &inode->atime) &&
	    (int64_t)(now_seconds - (uint64_t)inode->atime.tv_sec) < RELATIME_SECONDS)
		return;
	now = inode_now();
	spin_lock(&inode->lock);
	inode->atime = now;
	spin_unlock(&inode->lock);
}

/* ---- writers and deniers --------------------------------------------------------------------- */

static int exclude(struct inode *inode, atomic32_t *mine, const atomic32_t *other)
{
	int error = 0;

	spin_lock(&inode->lock);
	if (atomic32_load(other) > 0)
		error = -ETXTBSY;
	else
		atomic32_add(mine, 1);
	spin_unlock(&inode->lock);
	return error;
}

int inode_get_write(struct inode *inode)
{
	return exclude(inode, &inode->writers, &inode->deny_write);
}

int inode_deny_write(struct inode *inode)
{
	return exclude(inode, &inode->deny_write, &inode->writers);
}

void inode_put_write(struct inode *inode)
{
	(void)atomic32_sub_acq_rel(&inode->writers, 1);
}

void inode_allow_write(struct inode *inode)
{
	(void)atomic32_sub_acq_rel(&inode->deny_write, 1);
}

/* ---- stat ------------------------------------------------------------------------------------ */

int inode_stat(struct inode *inode, struct abi_stat *out)
{
	int error = inode->ops->getattr != NULL ? inode->ops->getattr(inode) : 0;

	if (error != 0)
		return error;
	out->pad0 = 0;
	out->unused[0] = out->unused[1] = out->unused[2] = 0;
	spin_lock(&inode->lock);
	out->st_dev = inode->super != NULL ? inode->super->device : 0;
	out->st_ino = inode->number;
	out->st_nlink = inode->nlink;
	out->st_mode = inode->mode;
	out->st_uid = inode->uid;
	out->st_gid = inode->gid;
	out->st_rdev = inode->rdev;
	out->st_size = (int64_t)inode_size(inode);
	out->st_blksize = PAGE_SIZE;
	out->st_blocks = (int64_t)inode->blocks_512;
	out->st_atime_sec = (uint64_t)inode->atime.tv_sec;
	out->st_atime_nsec = (uint64_t)inode->atime.tv_nsec;
	out->st_mtime_sec = (uint64_t)inode->mtime.tv_sec;
	out->st_mtime_nsec = (uint64_t)inode->mtime.tv_nsec;
	out->st_ctime_sec = (uint64_t)inode->ctime.tv_sec;
	out->st_ctime_nsec = (uint64_t)inode->ctime.tv_nsec;
	spin_unlock(&inode->lock);
	return 0;
}
