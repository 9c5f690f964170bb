/*
 * Open files: their life, and the calls on them that check before they ask the operations.
 *
 * A file holds its path (mount and dentry) and its inode. Files without a name (pipes, sockets,
 * eventfd) have a dentry of their own on an internal mount, so that /proc/self/fd/N leads
 * somewhere; those without even an inode of their own share one.
 *
 * The last file_put() releases: epoll and locks forget the file, the operations clean up, then the
 * references go. It may sleep.
 */
#include "vfs/file.h"

#include "abi/dirent.h"
#include "abi/errno.h"
#include "abi/poll.h"
#include "core/assert.h"
#include "core/fail_point.h"
#include "lib/format.h"
#include "lib/string.h"
#include "mem/slab.h"
#include "sched/thread.h"
#include "vfs/lock.h"
#include "vfs/mount_internal.h"
#include "vfs/notify.h"
#include "vfs/poll.h"
#include "vm/space.h"

static struct slab_cache *file_cache, *anonymous_cache;
static atomic64_t open_files, next_anonymous_number;
static const struct vfs_cred *(*cred_hook_get)(const struct vfs_cred *cred);
static void (*cred_hook_put)(const struct vfs_cred *cred);
static int (*special_open[16])(struct inode *inode, struct file *file);

void (*file_epoll_release)(struct file *file);

static const struct file_ops no_ops = { .name = "none" };

/* ---- files without a name -------------------------------------------------------------------- */

static void anonymous_evict(struct inode *inode)
{
	slab_free(anonymous_cache, inode);
}

static int anonymous_setattr(struct inode *inode, const struct inode_attr *attr)
{
	inode_copy_attr(inode, attr);
	return 0;
}

static const struct inode_ops anonymous_inode_ops = {
	.setattr = anonymous_setattr,
	.evict = anonymous_evict,
};

static void anonymous_destroy(struct super *super)
{
	panic("the anonymous file system is gone: %p", (void *)super);
}

static const struct super_ops anonymous_super_ops = { .destroy = anonymous_destroy };
static struct super anonymous_super;

struct inode *inode_create_anonymous(uint32_t mode)
{
	struct inode *inode = slab_allocate(anonymous_cache);

	if (inode == NULL)
		return NULL;
	inode_init(inode, &anonymous_super, mode);
	inode->ops = &anonymous_inode_ops;
	inode->number = atomic64_add(&next_anonymous_number, 1);
	return inode;
}

bool inode_is_anonymous(const struct inode *inode)
{
	return inode->super == &anonymous_super;
}

/* ---- life ------------------------------------------------------------------------------------ */

static struct file *file_allocate(int flags)
{
	struct file *f;

	if (fail_point("file") || (f = slab_allocate_zeroed(file_cache)) == NULL)
		return NULL;
	refcount_init(&f->references);
	mutex_init(&f->pos_mutex);
	f->flags = (uint32_t)flags;
	f->readable = (flags & O_PATH) == 0 && ((flags + 1) & 1) != 0;
	f->writable = (flags & O_PATH) == 0 && ((flags + 1) & 2) != 0;
	f->ops = &no_ops;
	atomic64_add(&open_files, 1);
	return f;
}

static void file_set_cred(struct file *f, const struct vfs_cred *cred)
{
	/* The kernel's own is nobody's to count. */
	if (cred_hook_get != NULL && cred != NULL && cred != &vfs_cred_kernel)
		f->cred = cred_hook_get(cred);
}

int file_create_at(const struct path *path, int flags, const struct vfs_cred *cred,
		   struct file **out)
{
	struct file *f = file_allocate(flags);

	if (f == NULL)
		return -ENFILE;
	f->path = *path;
	path_get(path);
	f->inode = path_inode(path);
	inode_get(f->inode);
	file_set_cred(f, cred);
	*out = f;
	return 0;
}

/* The file goes: what it held, in the order in which it was got, backwards. */
static void file_free(struct file *f)
{
	if (f->holds_write)
		inode_put_write(f->inode);
	if (f->denies_write)
		inode_allow_write(f->inode);
	if (f->cred != NULL)
		cred_hook_put(f->cred);
	if (f->inode != NULL)
		inode_put(f->inode);
	path_put(&f->path);
	slab_free(file_cache, f);
	(void)atomic64_sub_acq_rel(&open_files, 1);
}

static void release(struct file *f)
{
	if (f->epoll_links != NULL)
		file_epoll_release(f);
	if (f->inode->locks != NULL)
		file_drop_file_locks(f);
	if ((f->flags & O_PATH) == 0 && f->path.mount != anonymous_mount)
		notify_dentry(f->path.dentry, f->writable ? IN_CLOSE_WRITE : IN_CLOSE_NOWRITE);
	if (f->ops->release != NULL)
		f->ops->release(f);
	file_free(f);
}

/*
 * A file whose release puts others, a socket with files in its queue, leaves them to the outermost
 * call: sockets hidden in each other's queues can be nested without limit, a kernel stack not.
 */
void file_put(struct file *f)
{
	struct thread *thread = thread_current();
	struct file *rest = NULL;

	if (!refcount_put(&f->references))
		return;
	if (thread->releasing != NULL) {
		f->next_released = *thread->releasing;
		*thread->releasing = f;
		return;
	}
	thread->releasing = &rest;
	for (;;) {
		release(f);
		f = rest;
		if (f == NULL)
			break;
		rest = f->next_released;
	}
	thread->releasing = NULL;
}

struct file *file_released_next(void)
{
	struct file **releasing = thread_current()->releasing;

	return releasing != NULL ? *releasing : NULL;
}

static int file_create_dentry(const struct file_ops *ops, void *private, int flags,
			      struct inode *inode, struct dentry *dentry, struct file **out)
{
	struct file *f = file_allocate(flags);

	if (f == NULL)
		return -ENFILE;
	f->ops = ops;
	f->private = private;
	f->inode = inode;
	f->path.mount = anonymous_mount;
	f->path.dentry = dentry;
	inode_get(inode);
	path_get(&f->path);
	*out = f;
	return 0;
}

int file_create_on_inode(const struct file_ops *ops, void *private, int flags,
			 struct inode *inode, const char *name, struct file **out)
{
	struct dentry *dentry = dentry_create_named_root(&anonymous_super, inode, name);
	int error;

	if (dentry == NULL)
		return -ENOMEM;
	error = file_create_dentry(ops, private, flags, inode, dentry, out);
	if (error != 0)
		inode_get(inode);	/* stays the caller's: the dentry puts one */
	dentry_put(dentry);
	return error;
}

void file_anonymous_name(char *buf, size_t n, const char *kind, const struct inode *inode)
{
	format_string(buf, n, "%s:[%lu]", kind, (unsigned long)inode->number);
}

int file_create_anonymous(const struct file_ops *ops, void *private, int flags,
			  uint32_t inode_mode, struct file **out)
{
	struct inode *inode;
	char name[40];
	int error;

	flags &= ~O_CLOEXEC;
	if ((inode_mode & S_IFMT) == 0)
		return file_create_dentry(ops, private, flags, anonymous_mount->root->inode,
					  anonymous_mount->root, out);
	inode = inode_create_anonymous((inode_mode & S_IFMT) | 0600);
	if (inode == NULL)
		return -ENOMEM;
	file_anonymous_name(name, sizeof(name), ops->name, inode);
	error = file_create_on_inode(ops, private, flags, inode, name, out);
	if (error != 0)
		inode_put(inode);
	return error;
}

char *file_name(struct file *f, const struct path *root, char *buf, size_t n)
{
	if (f->path.mount == anonymous_mount && f->path.dentry == anonymous_mount->root)
		return format_string(buf, n, "anon_inode:[%s]", f->ops->name) < n ? buf : NULL;
	return path_name(&f->path, root, buf, n, NULL);
}

int file_close(struct file *f, const void *lock_owner)
{
	int error = 0;

	if (f->ops->flush != NULL)
		error = f->ops->flush(f);
	if (f->inode->locks != NULL)
		file_drop_posix_locks(f, lock_owner);
	file_put(f);
	return error;
}

uint64_t file_count(void)
{
	return atomic64_load(&open_files);
}

/* ---- reading and writing --------------------------------------------------------------------- */

ssize_t file_read(struct file *f, struct iobuf *to, loff_t *pos)
{
	ssize_t n;

	if (!f->readable)
		return -EBADF;
	if (f->ops->read == NULL)
		return S_ISDIR(f->inode->mode) ? -EISDIR : -EINVAL;
	if (pos != NULL && *pos < 0)
		return -EINVAL;
	n = f->ops->read(f, to, f->ops->stream ? NULL : pos);
	if (n > 0)
		notify_dentry(f->path.dentry, IN_ACCESS);
	return n;
}

ssize_t file_write(struct file *f, struct iobuf *from, loff_t *pos)
{
	ssize_t n;

	if (!f->writable)
		return -EBADF;
	if (f->ops->write == NULL)
		return -EINVAL;
	if (pos != NULL && *pos < 0)
		return -EINVAL;
	n = f->ops->write(f, from, f->ops->stream ? NULL : pos);
	if (n > 0)
		notify_dentry(f->path.dentry, IN_MODIFY);
	return n;
}

ssize_t file_read_here(struct file *f, struct iobuf *to)
{
	ssize_t n;

	if (f->ops->stream)
		return file_read(f, to, NULL);
	mutex_lock(&f->pos_mutex);
	n = file_read(f, to, &f->pos);
	mutex_unlock(&f->pos_mutex);
	return n;
}

ssize_t file_write_here(struct file *f, struct iobuf *from)
{
	ssize_t n;

	if (f->ops->stream)
		return file_write(f, from, NULL);
	mutex_lock(&f->pos_mutex);
	n = file_write(f, from, &f->pos);
	mutex_unlock(&f->pos_mutex);
	return n;
}

ssize_t file_read_kernel(struct file *f, void *buf, size_t n, loff_t offset)
{
	struct iobuf io;

	iobuf_init_kernel(&io, buf, n);
	return file_read(f, &io, &offset);
}

ssize_t file_write_kernel(struct file *f, const void *buf, size_t n, loff_t offset)
{
	struct iobuf io;

	iobuf_init_kernel(&io, (void *)buf, n);
	return file_write(f, &io, &offset);
}

loff_t file_seek_generic(struct file *f, loff_t offset, int whence, uint64_t size)
{
	loff_t base;

	switch (whence) {
	case SEEK_SET:
		base = 0;
		break;
	case SEEK_CUR:
		base = f->pos;
		break;
	case SEEK_END:
		base = (loff_t)size;
		break;
	case SEEK_DATA:
	case SEEK_HOLE:
		/* A file that does not know its holes is all data, with a hole at its end. */
		if (offset < 0 || (uint64_t)offset >= size)
			return -ENXIO;
		base = whence == SEEK_HOLE ? (loff_t)size - offset : 0;
		break;
	default:
		return -EINVAL;
	}
	if (__builtin_add_overflow(base, offset, &offset))
		return -EOVERFLOW;
	if (offset < 0)
		return -EINVAL;
	f->pos = offset;
	return offset;
}

loff_t file_seek(struct file *f, loff_t offset, int whence)
{
	loff_t result;

	if (f->ops->stream || (f->flags & O_PATH) != 0)
		return -ESPIPE;
	mutex_lock(&f->pos_mutex);
	if (f->ops->seek != NULL)
		result = f->ops->seek(f, offset, whence);
	else
		result = file_seek_generic(f, offset, whence, inode_size(f->inode));
	mutex_unlock(&f->pos_mutex);
	return result;
}

/* ---- the rest -------------------------------------------------------------------------------- */

int file_getdents(struct file *f, struct dir_context *ctx)
{
	struct inode *inode = f->inode;
	int error;

	if (f->ops->getdents == NULL || !S_ISDIR(inode->mode))
		return -ENOTDIR;
	mutex_lock(&f->pos_mutex);
	mutex_lock(&inode->mutex);
	error = inode->nlink == 0 && f->path.dentry->dead ? -ENOENT : f->ops->getdents(f, ctx);
	mutex_unlock(&inode->mutex);
	mutex_unlock(&f->pos_mutex);
	inode_touch_atime(inode);
	return error;
}

uint32_t file_poll(struct file *f, struct poll_table *table)
{
	if (f->ops->poll == NULL)
		return POLLIN | POLLOUT | POLLRDNORM | POLLWRNORM;
	return f->ops->poll(f, table);
}

int file_map(struct file *f, struct area *area)
{
	int error;

	if (f->ops->mmap != NULL) {
		error = f->ops->mmap(f, area);
		if (error != 0)
			return error;
	} else {
		if (f->inode->object == NULL)
			return -ENODEV;
		area->object = f->inode->object;
		object_get(area->object);
		inode_touch_atime(f->inode);
	}
	if (area->file == NULL) {
		area->file = f;
		file_get(f);
	}
	return 0;
}

int file_fsync(struct file *f, bool data_only)
{
	if (f->ops->fsync != NULL)
		return f->ops->fsync(f, data_only);
	return S_ISREG(f->inode->mode) || S_ISDIR(f->inode->mode) ? 0 : -EINVAL;
}

int file_truncate(struct file *f, uint64_t size)
{
	int error;

	if (!f->writable || !S_ISREG(f->inode->mode))
		return -EINVAL;
	error = inode_truncate(f->inode, size, f->cred);
	if (error == 0)
		notify_dentry(f->path.dentry, IN_MODIFY);
	return error;
}

int file_fallocate(struct file *f, int mode, uint64_t offset, uint64_t bytes)
{
	struct inode *inode = f->inode;
	uint64_t end;
	int error;

	if (bytes == 0 || offset > INT64_MAX || bytes > INT64_MAX)
		return -EINVAL;
	if ((mode & ~FALLOC_FL_KNOWN) != 0)
		return -EOPNOTSUPP;
	if (!f->writable)
		return -EBADF;
	if (S_ISFIFO(inode->mode))
		return -ESPIPE;
	if (S_ISDIR(inode->mode))
		return -EISDIR;
	if (!S_ISREG(inode->mode))
		return -ENODEV;
	if (__builtin_add_overflow(offset, bytes, &end) || end > INT64_MAX)
		return -EFBIG;
	if (inode->ops->fallocate == NULL)
		return -EOPNOTSUPP;
	mutex_lock(&inode->mutex);
	error = inode->ops->fallocate(inode, mode, offset, bytes);
	mutex_unlock(&inode->mutex);
	if (error == 0)
		notify_dentry(f->path.dentry, IN_MODIFY);
	return error;
}

uint32_t mode_to_dirent_type(uint32_t mode)
{
	return (mode & S_IFMT) >> 12;
}

void file_register_special(uint32_t mode_type, int (*open)(struct inode *inode, struct file *file))
{
	special_open[(mode_type & S_IFMT) >> 12] = open;
}

int file_open_special(struct inode *inode, struct file *file)
{
	int (*open)(struct inode *inode, struct file *file) =
		special_open[(inode->mode & S_IFMT) >> 12];

	return open != NULL ? open(inode, file) : -ENXIO;
}

void file_set_cred_hooks(const struct vfs_cred *(*get)(const struct vfs_cred *cred),
			 void (*put)(const struct vfs_cred *cred))
{
	cred_hook_get = get;
	cred_hook_put = put;
}

/* ---- boot ------------------------------------------------------------------------------------ */

static void area_file_get(void *file) { file_get(file); }
static void area_file_put(void *file) { file_put(file); }

void file_init(void)
{
	static const struct fs_type anonymous_type = { .name = "anon_inodefs" };
	struct inode *inode;

	file_cache = slab_cache_create("file", sizeof(struct file), 8);
	anonymous_cache = slab_cache_create("anonymous_inode", sizeof(struct inode), 8);
	super_init(&anonymous_super, &anonymous_type, &anonymous_super_ops, ANON_INODE_FS_MAGIC);
	inode = inode_create_anonymous(S_IFREG | 0600);
	VERIFY(inode != NULL);
	/* No file type, as Linux answers fstat of an eventfd. */
	inode->mode = 0600;
	anonymous_super.root = dentry_create_named_root(&anonymous_super, inode, "anon_inode:");
	VERIFY(anonymous_super.root != NULL);
	anonymous_mount = mount_create(&anonymous_super, anonymous_super.root, NULL, 0);
	VERIFY(anonymous_mount != NULL);
	space_set_file_ops(area_file_get, area_file_put);
}
