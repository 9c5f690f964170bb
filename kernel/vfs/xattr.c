/*
 * Extended attributes: who may, by the prefix of the name (xattr(7)); the file system keeps them.
 */
#include "abi/errno.h"
#include "lib/string.h"
#include "vfs/notify.h"
#include "vfs/vfs_internal.h"

static bool has_prefix(const char *name, const char *prefix)
{
	size_t n = strlen(prefix);

	return strncmp(name, prefix, n) == 0 && name[n] != '\0';
}

static int check_user(struct inode *inode, bool write, const struct vfs_cred *cred)
{
	if (!S_ISREG(inode->mode) && !S_ISDIR(inode->mode))
		return write ? -EPERM : -ENODATA;
	if (write && S_ISDIR(inode->mode) && (inode->mode & S_ISVTX) != 0 &&
	    !cred_is_owner(cred, inode))
		return -EPERM;
	return inode_permission(inode, write ? W_OK : R_OK, cred);
}

static int check_name(struct inode *inode, const char *name, bool write,
		      const struct vfs_cred *cred)
{
	size_t length = strnlen(name, XATTR_NAME_MAX + 1);

	if (length == 0 || length > XATTR_NAME_MAX)
		return -ERANGE;
	if (has_prefix(name, "user."))
		return check_user(inode, write, cred);
	if (has_prefix(name, "trusted.")) {
		if (cred->cap_sys_admin)
			return 0;
		return write ? -EPERM : -ENODATA;
	}
	if (has_prefix(name, "security."))
		return write && !cred->cap_sys_admin ? -EPERM : 0;
	return -EOPNOTSUPP;
}

int inode_getxattr(struct inode *inode, const char *name, void *buf, size_t n, size_t *out,
		   const struct vfs_cred *cred)
{
	int error = check_name(inode, name, false, cred);

	if (error != 0)
		return error;
	if (inode->ops->getxattr == NULL)
		return -EOPNOTSUPP;
	mutex_lock(&inode->mutex);
	error = inode->ops->getxattr(inode, name, buf, n, out);
	mutex_unlock(&inode->mutex);
	return error;
}

int inode_setxattr(struct inode *inode, const char *name, const void *buf, size_t n, int flags,
		   const struct vfs_cred *cred)
{
	int error = check_name(inode, name, true, cred);

	if (error != 0)
		return error;
	if (n > XATTR_SIZE_MAX)
		return -E2BIG;
	if (inode->ops->setxattr == NULL)
		return -EOPNOTSUPP;
	mutex_lock(&inode->mutex);
	error = inode->ops->setxattr(inode, name, buf, n, flags);
	if (error == 0)
		inode_touch_ctime(inode);
	mutex_unlock(&inode->mutex);
	return error;
}

/* Takes the names out of a list that the asker may not know of. */
static size_t hide_trusted(char *list, size_t n)
{
	size_t kept = 0;

	for (size_t at = 0; at < n;) {
		size_t length = strlen(list + at) + 1;

		if (!has_prefix(list + at, "trusted.")) {
			memmove(list + kept, list + at, length);
			kept += length;
		}
		at += length;
	}
	return kept;
}

int inode_listxattr(struct inode *inode, char *buf, size_t n, size_t *out,
		    const struct vfs_cred *cred)
{
	int error;

	*out = 0;
	if (inode->ops->listxattr == NULL)
		return 0;
	mutex_lock(&inode->mutex);
	error = inode->ops->listxattr(inode, buf, n, out);
	mutex_unlock(&inode->mutex);
	if (error == 0 && n > 0 && !cred->cap_sys_admin)
		*out = hide_trusted(buf, *out);
	return error;
}

int inode_removexattr(struct inode *inode, const char *name, const struct vfs_cred *cred)
{
	int error = check_name(inode, name, true, cred);

	if (error != 0)
		return error;
	if (inode->ops->removexattr == NULL)
		return -EOPNOTSUPP;
	mutex_lock(&inode->mutex);
	error = inode->ops->removexattr(inode, name);
	if (error == 0)
		inode_touch_ctime(inode);
	mutex_unlock(&inode->mutex);
	return error;
}

int vfs_setxattr(const struct path *path, const char *name, const void *buf, size_t n, int flags,
		 const struct vfs_cred *cred)
{
	int error = mount_check_write(path->mount);

	if (error == 0)
		error = inode_setxattr(path_inode(path), name, buf, n, flags, cred);
	if (error == 0)
		notify_dentry(path->dentry, IN_ATTRIB);
	return error;
}

int vfs_removexattr(const struct path *path, const char *name, const struct vfs_cred *cred)
{
	int error = mount_check_write(path->mount);

	if (error == 0)
		error = inode_removexattr(path_inode(path), name, cred);
	if (error == 0)
		notify_dentry(path->dentry, IN_ATTRIB);
	return error;
}
