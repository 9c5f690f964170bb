/*
 * tmpfs files, links and special inodes; memfd and its seals.
 *
 * The pages of a file are its object's, without a store behind them: reading, writing and mapping
 * are the generic ones. Sizes and seals change under the inode's mutex, so a write that was allowed
 * is over before a seal is there.
 */
#include "abi/errno.h"
#include "abi/mman.h"
#include "core/assert.h"
#include "fs/tmpfs/tmpfs_internal.h"
#include "lib/format.h"
#include "lib/string.h"
#include "mem/slab.h"
#include "proc/cred.h"
#include "sched/thread.h"
#include "vfs/mount.h"
#include "vm/space.h"

#define SEALS_WRITE (F_SEAL_WRITE | F_SEAL_FUTURE_WRITE)
#define SEALS_ALL (F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | SEALS_WRITE)

/* ---- the object ------------------------------------------------------------------------------ */

static struct tmpfs_inode *inode_of_object(struct object *object)
{
	return container_of(object, struct tmpfs_inode, object);
}

static int object_charge(struct object *object, size_t pages)
{
	return tmpfs_charge(inode_of_object(object)->inode.super, pages);
}

static void object_uncharge(struct object *object, size_t pages)
{
	tmpfs_uncharge(inode_of_object(object)->inode.super, pages);
}

static void object_destroy(struct object *object)
{
	tmpfs_inode_free(inode_of_object(object));
}

const struct object_ops tmpfs_object_ops = {
	.charge = object_charge,
	.uncharge = object_uncharge,
	.destroy = object_destroy,
};

/* ---- attributes ------------------------------------------------------------------------------ */

/* The count may be old by the time the program sees it anyway: no lock. */
int tmpfs_getattr(struct inode *inode) NO_LOCK_ANALYSIS
{
	if (inode->object != NULL)
		inode->blocks_512 = read_once(inode->object->page_count) * (PAGE_SIZE / 512);
	return 0;
}

static int check_resize(const struct tmpfs_inode *ti, uint64_t size)
{
	uint64_t now = ti->object.size_bytes;

	if ((size < now && (ti->seals & F_SEAL_SHRINK) != 0) ||
	    (size > now && (ti->seals & F_SEAL_GROW) != 0))
		return -EPERM;
	return 0;
}

int tmpfs_setattr(struct inode *inode, const struct inode_attr *attr)
{
	if ((attr->valid & ATTR_SIZE) != 0) {
		struct tmpfs_inode *ti = tmpfs_inode_of(inode);
		int error = check_resize(ti, attr->size);

		if (error != 0)
			return error;
		object_truncate(&ti->object, attr->size);
	}
	inode_copy_attr(inode, attr);
	return 0;
}

/* ---- reading, writing, mapping --------------------------------------------------------------- */

static ssize_t tmpfs_write(struct file *file, struct iobuf *from, loff_t *pos)
{
	struct inode *inode = file->inode;
	struct tmpfs_inode *ti = tmpfs_inode_of(inode);
	ssize_t n;

	if (from->left == 0)
		return 0;
	mutex_lock(&inode->mutex);
	if ((ti->seals & SEALS_WRITE) != 0)
		n = -EPERM;
	else if ((ti->seals & F_SEAL_GROW) != 0 &&
		 ((file->flags & O_APPEND) != 0 ||
		  from->left > ti->object.size_bytes ||
		  (uint64_t)*pos > ti->object.size_bytes - from->left))
		n = -EPERM;
	else
		n = page_cache_write_locked(file, from, pos);
	mutex_unlock(&inode->mutex);
	return n;
}

static int tmpfs_mmap(struct file *file, struct area *area)
{
	struct tmpfs_inode *ti = tmpfs_inode_of(file->inode);

	if ((ti->seals & SEALS_WRITE) != 0 && (area->flags & AREA_SHARED) != 0) {
		if ((area->flags & AREA_WRITE) != 0)
			return -EPERM;
		area->flags &= ~AREA_MAY_WRITE;
	}
	area->object = &ti->object;
	object_get(area->object);
	inode_touch_atime(file->inode);
	return 0;
}

static loff_t seek_sparse(struct file *file, struct object *object, loff_t offset, bool data)
{
	uint64_t size = read_once(object->size_bytes), at = (uint64_t)offset, found;
	uint64_t end = (size + PAGE_SIZE - 1) >> PAGE_SHIFT;

	if (offset < 0 || at >= size)
		return -ENXIO;
	if (data)
		found = object_next_data(object, at >> PAGE_SHIFT, end);
	else
		found = object_next_hole(object, at >> PAGE_SHIFT, end);
	found = found > at >> PAGE_SHIFT ? found << PAGE_SHIFT : at;
	if (found >= size) {
		if (data)
			return -ENXIO;
		found = size;
	}
	file->pos = (loff_t)found;
	return file->pos;
}

static loff_t tmpfs_seek(struct file *file, loff_t offset, int whence)
{
	struct object *object = file->inode->object;

	if (whence == SEEK_DATA || whence == SEEK_HOLE)
		return seek_sparse(file, object, offset, whence == SEEK_DATA);
	return file_seek_generic(file, offset, whence, inode_size(file->inode));
}

/* Makes the pages of [offset,end); on failure those behind the end of file go again. */
static int allocate_range(struct object *object, uint64_t offset, uint64_t end)
{
	for (uint64_t i = offset >> PAGE_SHIFT; i <= (end - 1) >> PAGE_SHIFT; i++) {
		struct page *page;
		int error = thread_current()->pending_kill
			    ? -EINTR : object_get_page(object, i, true, &page);

		if (error != 0) {
			object_truncate(object, object->size_bytes);
			return error;
		}
		page_put(page);
	}
	return 0;
}

static int punch_hole(struct tmpfs_inode *ti, int mode, uint64_t offset, uint64_t end)
{
	if ((mode & FALLOC_FL_KEEP_SIZE) == 0)
		return -EOPNOTSUPP;
	if ((ti->seals & SEALS_WRITE) != 0)
		return -EPERM;
	object_punch(&ti->object, offset, end);
	inode_touch_mtime(&ti->inode);
	return 0;
}

static int tmpfs_fallocate(struct inode *inode, int mode, uint64_t offset, uint64_t bytes)
{
	struct tmpfs_inode *ti = tmpfs_inode_of(inode);
	uint64_t end = offset + bytes;
	bool grows = (mode & FALLOC_FL_KEEP_SIZE) == 0 && end > ti->object.size_bytes;
	uint64_t max_pages;
	int error;

	if ((mode & ~(FALLOC_FL_KEEP_SIZE | FALLOC_FL_PUNCH_HOLE)) != 0)
		return -EOPNOTSUPP;
	if ((mode & FALLOC_FL_PUNCH_HOLE) != 0)
		return punch_hole(ti, mode, offset, end);
	if (grows && (ti->seals & F_SEAL_GROW) != 0)
		return -EPERM;
	/* What never fits is refused before the instance is filled with part of it. */
	max_pages = read_once(tmpfs_super_of(inode->super)->max_pages);
	if (max_pages != 0 && ((end - 1) >> PAGE_SHIFT) - (offset >> PAGE_SHIFT) >= max_pages)
		return -ENOSPC;
	error = allocate_range(&ti->object, offset, end);
	if (error == 0 && grows)
		write_once(ti->object.size_bytes, end);
	if (error == 0)
		inode_touch_ctime(inode);
	return error;
}

const struct file_ops tmpfs_file_ops = {
	.name = "tmpfs",
	.read = page_cache_read,
	.write = tmpfs_write,
	.seek = tmpfs_seek,
	.mmap = tmpfs_mmap,
};

const struct inode_ops tmpfs_file_inode_ops = {
	.getattr = tmpfs_getattr,
	.setattr = tmpfs_setattr,
	.getxattr = tmpfs_getxattr,
	.setxattr = tmpfs_setxattr,
	.listxattr = tmpfs_listxattr,
	.removexattr = tmpfs_removexattr,
	.fallocate = tmpfs_fallocate,
	.evict = tmpfs_evict,
};

/* ---- links and special inodes ---------------------------------------------------------------- */

static int tmpfs_readlink(struct inode *inode, char **out)
{
	*out = kstrdup(tmpfs_inode_of(inode)->target);
	return *out != NULL ? 0 : -ENOMEM;
}

const struct inode_ops tmpfs_link_inode_ops = {
	.readlink = tmpfs_readlink,
	.setattr = tmpfs_setattr,
	.getxattr = tmpfs_getxattr,
	.setxattr = tmpfs_setxattr,
	.listxattr = tmpfs_listxattr,
	.removexattr = tmpfs_removexattr,
	.evict = tmpfs_evict,
};

const struct inode_ops tmpfs_special_inode_ops = {
	.setattr = tmpfs_setattr,
	.getxattr = tmpfs_getxattr,
	.setxattr = tmpfs_setxattr,
	.listxattr = tmpfs_listxattr,
	.removexattr = tmpfs_removexattr,
	.evict = tmpfs_evict,
};

/* ---- memfd ----------------------------------------------------------------------------------- */

static struct mount *memfd_mount;
static struct mutex memfd_mutex;

/* The instance behind all memfds: without limits of its own, made at the first use. */
static int get_memfd_mount(struct mount **out)
{
	int error = 0;

	mutex_lock(&memfd_mutex);
	if (memfd_mount == NULL)
		error = vfs_mount_internal("ramfs", &memfd_mount);
	mutex_unlock(&memfd_mutex);
	*out = memfd_mount;
	return error;
}

static int make_memfd(struct mount *mount, struct inode *inode, const char *name,
		      struct file **out)
{
	char full[NAME_MAX_BYTES + 1];
	struct dentry *dentry;
	struct path path;
	int error;

	format_string(full, sizeof(full), "memfd:%s", name);
	dentry = dentry_create_unhashed(mount->root, full);
	if (dentry == NULL)
		return -ENOMEM;
	inode_get(inode);
	dentry->inode = inode;
	dentry->deleted = true;
	path = (struct path){ mount, dentry };
	error = file_open_path(&path, O_RDWR | O_LARGEFILE, &cred_current()->vfs, out);
	dentry_put(dentry);
	return error;
}

int memfd_create_file(const char *name, unsigned int flags, struct file **out)
{
	struct mount *mount;
	struct inode *inode;
	int error;

	if ((flags & ~(MFD_CLOEXEC | MFD_ALLOW_SEALING | MFD_NOEXEC_SEAL | MFD_EXEC)) != 0)
		return -EINVAL;
	if (strlen(name) > NAME_MAX_BYTES - (sizeof("memfd:") - 1))
		return -EINVAL;
	error = get_memfd_mount(&mount);
	if (error == 0)
		error = tmpfs_inode_create(mount->super, NULL, S_IFREG | 0777, 0,
					   &cred_current()->vfs, &inode);
	if (error != 0)
		return error;
	inode->nlink = 0;
	if ((flags & MFD_NOEXEC_SEAL) != 0)
		inode->mode &= ~0111U;
	if ((flags & (MFD_ALLOW_SEALING | MFD_NOEXEC_SEAL)) != 0)
		tmpfs_inode_of(inode)->seals = 0;
	error = make_memfd(mount, inode, name, out);
	inode_put(inode);
	return error;
}

/*
 * No mapping may write from now on: -EBUSY while one may. One that is made meanwhile is either seen
 * by the second look, or its faults see the seal.
 */
static int seal_mappings(struct object *object)
{
	if (atomic32_load(&object->mapped_writable) > 0)
		return -EBUSY;
	write_once(object->write_sealed, true);
	full_barrier();
	if (atomic32_load(&object->mapped_writable) == 0)
		return 0;
	write_once(object->write_sealed, false);
	return -EBUSY;
}

int memfd_add_seals(struct file *file, uint32_t seals)
{
	struct inode *inode = file->inode;
	struct tmpfs_inode *ti = tmpfs_inode_of(inode);
	int error = 0;

	if (inode->ops != &tmpfs_file_inode_ops || (seals & ~(uint32_t)SEALS_ALL) != 0)
		return -EINVAL;
	if (!file->writable)
		return -EPERM;
	mutex_lock(&inode->mutex);
	if ((ti->seals & F_SEAL_SEAL) != 0)
		error = -EPERM;
	else if ((seals & F_SEAL_WRITE) != 0 && (ti->seals & F_SEAL_WRITE) == 0)
		error = seal_mappings(&ti->object);
	if (error == 0)
		ti->seals |= seals;
	mutex_unlock(&inode->mutex);
	return error;
}

int memfd_get_seals(struct file *file)
{
	if (file->inode->ops != &tmpfs_file_inode_ops)
		return -EINVAL;
	return (int)read_once(tmpfs_inode_of(file->inode)->seals);
}

void memfd_init(void)
{
	mutex_init(&memfd_mutex);
}
