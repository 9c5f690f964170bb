/*
 * Overlay inodes: made at lookup, from what the layers have; attributes are copies of the real
 * inode's, refreshed when asked.
 *
 * The inode number is that of the lower origin, before and after copy-up (an attribute of the upper
 * file remembers it); what is only in the upper layer gets its own there with a high bit set, so
 * that the two ranges do not meet.
 */
#include "fs/overlay/overlay_internal.h"

#include "vfs/lock.h"

#define UPPER_NUMBER_BIT (1ULL << 62)

struct slab_cache *ovl_inode_cache;

uint64_t ovl_inode_number(const struct dentry *upper, const struct dentry *lower)
{
	uint64_t origin;
	size_t n;

	if (lower != NULL && (upper == NULL || S_ISDIR(upper->inode->mode)))
		return lower->inode->number;
	if (upper->inode->ops->getxattr != NULL &&
	    inode_getxattr(upper->inode, OVL_ORIGIN, &origin, sizeof(origin), &n,
			   &vfs_cred_kernel) == 0 && n == sizeof(origin))
		return origin;
	return upper->inode->number | UPPER_NUMBER_BIT;
}

/* ---- life ------------------------------------------------------------------------------------ */

static void set_operations(struct inode *inode)
{
	if (S_ISDIR(inode->mode)) {
		inode->ops = &ovl_dir_inode_ops;
		inode->file_ops = &ovl_dir_file_ops;
	} else if (S_ISLNK(inode->mode)) {
		inode->ops = &ovl_link_inode_ops;
	} else {
		inode->ops = &ovl_file_inode_ops;
	}
}

/* The real inode's attributes become the overlay's. */
static int refresh(struct ovl_inode *oi)
{
	struct inode *inode = &oi->inode, *real = ovl_real(oi)->inode;
	struct abi_stat st;
	int error = inode_stat(real, &st);

	if (error != 0)
		return error;
	spin_lock(&inode->lock);
	inode->mode = st.st_mode;
	inode->uid = st.st_uid;
	inode->gid = st.st_gid;
	/* The links of a merged directory are nobody's: 1, "unknown", as Linux says. */
	inode->nlink = oi->unlinked ? 0 : (uint32_t)st.st_nlink;
	if (S_ISDIR(st.st_mode) && oi->lower_count > 0 && !oi->unlinked)
		inode->nlink = 1;
	inode->rdev = st.st_rdev;
	inode->size = (uint64_t)st.st_size;
	inode->blocks_512 = (uint64_t)st.st_blocks;
	inode->atime = (struct abi_timespec){ (int64_t)st.st_atime_sec, (int64_t)st.st_atime_nsec };
	inode->mtime = (struct abi_timespec){ (int64_t)st.st_mtime_sec, (int64_t)st.st_mtime_nsec };
	inode->ctime = (struct abi_timespec){ (int64_t)st.st_ctime_sec, (int64_t)st.st_ctime_nsec };
	spin_unlock(&inode->lock);
	return 0;
}

static void hold_layers(struct ovl_inode *oi, struct dentry *upper, struct dentry *const *lower,
			const uint8_t *layers, size_t lower_count)
{
	oi->upper = upper;
	if (upper != NULL)
		dentry_get(upper);
	for (size_t i = 0; i < lower_count; i++) {
		oi->lower[i] = lower[i];
		oi->lower_layer[i] = layers[i];
		dentry_get(lower[i]);
	}
	oi->lower_count = lower_count;
}

static void ovl_inode_free(struct ovl_inode *oi)
{
	struct ovl_super *os = ovl_super_of(&oi->inode);

	spin_lock(&os->inodes_lock);
	list_remove(&oi->super_node);
	spin_unlock(&os->inodes_lock);
	if (oi->upper != NULL)
		dentry_put(oi->upper);
	for (size_t i = 0; i < oi->lower_count; i++)
		dentry_put(oi->lower[i]);
	kfree(oi->name);
	slab_free(ovl_inode_cache, oi);
}

/* A loop over the parents that go with it, not recursion: directories may be deep. */
void ovl_evict(struct inode *inode)
{
	struct ovl_inode *oi = ovl_inode_of(inode);

	while (oi != NULL) {
		struct ovl_inode *parent = oi->parent;

		inode_free_locks(&oi->inode);
		ovl_inode_free(oi);
		oi = parent != NULL && refcount_put(&parent->inode.references) ? parent : NULL;
	}
}

int ovl_inode_create(struct super *super, struct ovl_inode *parent, const char *name,
		     struct dentry *upper, struct dentry *const *lower, const uint8_t *layers,
		     size_t lower_count, struct inode **out)
{
	struct dentry *real = upper != NULL ? upper : lower[0];
	struct ovl_inode *oi = slab_allocate_zeroed(ovl_inode_cache);
	int error;

	if (oi == NULL)
		return -ENOMEM;
	inode_init(&oi->inode, super, real->inode->mode);
	list_init(&oi->super_node);
	oi->name = kstrdup(name);
	if (oi->name == NULL) {
		slab_free(ovl_inode_cache, oi);
		return -ENOMEM;
	}
	hold_layers(oi, upper, lower, layers, lower_count);
	oi->parent = parent;
	if (parent != NULL)
		inode_get(&parent->inode);
	oi->inode.number = ovl_inode_number(upper, lower_count > 0 ? lower[0] : NULL);
	set_operations(&oi->inode);
	error = refresh(oi);
	if (error != 0) {
		inode_put(&oi->inode);
		return error;
	}
	*out = &oi->inode;
	return 0;
}

/* The overlay inode that already stands for an upper file with several names; NULL. */
static struct inode *find_by_upper(struct ovl_super *os, const struct inode *real)
{
	struct inode *found = NULL;
	struct ovl_inode *oi;

	spin_lock(&os->inodes_lock);
	list_for_each(oi, &os->inodes, super_node) {
		if (oi->upper->inode == real && refcount_try_get(&oi->inode.references)) {
			found = &oi->inode;
			break;
		}
	}
	spin_unlock(&os->inodes_lock);
	return found;
}

void ovl_inode_share(struct ovl_inode *oi)
{
	struct ovl_super *os = ovl_super_of(&oi->inode);

	spin_lock(&os->inodes_lock);
	if (list_is_empty(&oi->super_node))
		list_push_back(&os->inodes, &oi->super_node);
	spin_unlock(&os->inodes_lock);
}

int ovl_inode_of_upper(struct inode *dir, const char *name, struct dentry *upper,
		       struct inode **out)
{
	bool shared = !S_ISDIR(upper->inode->mode) && upper->inode->nlink > 1;
	int error;

	if (shared) {
		*out = find_by_upper(ovl_super_of(dir), upper->inode);
		if (*out != NULL)
			return 0;
	}
	error = ovl_inode_create(dir->super, ovl_inode_of(dir), name, upper, NULL, NULL, 0, out);
	if (error == 0 && shared)
		ovl_inode_share(ovl_inode_of(*out));
	return error;
}

int ovl_inode_for_upper(struct inode *dir, const char *name, struct inode **out)
{
	struct dentry *upper;
	int error = dentry_lookup(ovl_upper(ovl_inode_of(dir)), name, strlen(name), &upper);

	if (error != 0)
		return error;
	if (upper->inode == NULL)
		error = -ENOENT;
	else
		error = ovl_inode_of_upper(dir, name, upper, out);
	dentry_put(upper);
	return error;
}

/* ---- attributes ------------------------------------------------------------------------------ */

int ovl_getattr(struct inode *inode)
{
	return refresh(ovl_inode_of(inode));
}

int ovl_setattr(struct inode *inode, const struct inode_attr *attr)
{
	struct ovl_inode *oi = ovl_inode_of(inode);
	bool truncates = (attr->valid & ATTR_SIZE) != 0 && attr->size == 0;
	struct inode *real;
	int error = ovl_copy_up(oi, !truncates);

	if (error != 0)
		return error;
	real = ovl_upper(oi)->inode;
	mutex_lock(&real->mutex);
	error = real->ops->setattr != NULL ? real->ops->setattr(real, attr) : -EPERM;
	mutex_unlock(&real->mutex);
	return error != 0 ? error : refresh(oi);
}

static bool is_own_xattr(const char *name)
{
	return strncmp(name, OVL_XATTR_PREFIX, sizeof(OVL_XATTR_PREFIX) - 1) == 0;
}

int ovl_getxattr(struct inode *inode, const char *name, void *buf, size_t n, size_t *out)
{
	if (is_own_xattr(name))
		return -ENODATA;
	return inode_getxattr(ovl_real(ovl_inode_of(inode))->inode, name, buf, n, out,
			      &vfs_cred_kernel);
}

int ovl_setxattr(struct inode *inode, const char *name, const void *buf, size_t n, int flags)
{
	struct ovl_inode *oi = ovl_inode_of(inode);
	int error = is_own_xattr(name) ? -EPERM : ovl_copy_up(oi, true);

	if (error != 0)
		return error;
	return inode_setxattr(ovl_upper(oi)->inode, name, buf, n, flags, &vfs_cred_kernel);
}

int ovl_listxattr(struct inode *inode, char *buf, size_t n, size_t *out)
{
	int error = inode_listxattr(ovl_real(ovl_inode_of(inode))->inode, buf, n, out,
				    &vfs_cred_kernel);
	size_t kept = 0;

	if (error != 0 || n == 0)
		return error;
	for (size_t at = 0; at < *out;) {
		size_t length = strlen(buf + at) + 1;

		if (!is_own_xattr(buf + at)) {
			memmove(buf + kept, buf + at, length);
			kept += length;
		}
		at += length;
	}
	*out = kept;
	return 0;
}

int ovl_removexattr(struct inode *inode, const char *name)
{
	struct ovl_inode *oi = ovl_inode_of(inode);
	int error = is_own_xattr(name) ? -ENODATA : ovl_copy_up(oi, true);

	if (error != 0)
		return error;
	return inode_removexattr(ovl_upper(oi)->inode, name, &vfs_cred_kernel);
}

static int ovl_readlink(struct inode *inode, char **out)
{
	struct inode *real = ovl_real(ovl_inode_of(inode))->inode;

	return real->ops->readlink != NULL ? real->ops->readlink(real, out) : -EINVAL;
}

const struct inode_ops ovl_link_inode_ops = {
	.readlink = ovl_readlink,
	.getattr = ovl_getattr,
	.setattr = ovl_setattr,
	.getxattr = ovl_getxattr,
	.setxattr = ovl_setxattr,
	.listxattr = ovl_listxattr,
	.removexattr = ovl_removexattr,
	.evict = ovl_evict,
};
