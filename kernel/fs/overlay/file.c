/*
 * Open files of an overlay: each stands before an open file of the real inode, which does the work.
 *
 * An open for writing copies up first, so only a file opened for reading can see its real inode
 * change under it: the first read after the copy-up opens the upper one, beside the lower one,
 * which stays until the file is closed. Each of the two is set once; reading needs no lock.
 */
#include "fs/overlay/overlay_internal.h"
#include "vm/space.h"

struct ovl_file {
	struct file *first;		/* [I] counted: what was real at open */
	struct file *upper;		/* counted; set once, when the copy-up came later */
	struct mutex mutex;		/* setting it; seeking on the real file */
};

/* Flags that fcntl(F_SETFL) changes are passed on at each use. */
#define PASSED_FLAGS (O_APPEND | O_NONBLOCK | O_NOATIME)

static int open_real(struct file *file, int flags, struct file **out)
{
	struct ovl_inode *oi = ovl_inode_of(file->inode);
	struct dentry *real = ovl_real(oi);
	struct path path = { ovl_real_mount(oi, real), real };

	return file_open_path(&path, flags & ~(O_CREAT | O_EXCL | O_TRUNC | O_NOCTTY | O_DIRECT |
					       O_NOFOLLOW), &vfs_cred_kernel, out);
}

static int open_upper(struct file *file, struct ovl_file *of, struct file **out)
{
	int error = 0;

	mutex_lock(&of->mutex);
	if (of->upper == NULL) {
		struct file *upper;

		error = open_real(file, (int)file->flags, &upper);
		if (error == 0)
			store_release(&of->upper, upper);
	}
	*out = of->upper;
	mutex_unlock(&of->mutex);
	return error;
}

/* The real file, valid as long as this one is open. */
static int get_real(struct file *file, struct file **out)
{
	struct ovl_file *of = file->private;
	struct dentry *real = ovl_real(ovl_inode_of(file->inode));
	uint32_t flags;

	*out = of->first;
	if (of->first->path.dentry != real) {
		*out = load_acquire(&of->upper);
		if (*out == NULL) {
			int error = open_upper(file, of, out);

			if (error != 0)
				return error;
		}
	}
	flags = read_once(file->flags) & PASSED_FLAGS;
	if (((*out)->flags & PASSED_FLAGS) != flags)
		write_once((*out)->flags, ((*out)->flags & ~(uint32_t)PASSED_FLAGS) | flags);
	return 0;
}

static ssize_t ovl_read(struct file *file, struct iobuf *to, loff_t *pos)
{
	struct file *real;
	int error = get_real(file, &real);

	return error != 0 ? error : file_read(real, to, pos);
}

static ssize_t ovl_write(struct file *file, struct iobuf *from, loff_t *pos)
{
	struct inode *inode = file->inode;
	struct file *real;
	ssize_t n;
	int error = get_real(file, &real);

	if (error != 0)
		return error;
	n = file_write(real, from, pos);
	if (n > 0) {
		write_once(inode->size, inode_size(real->inode));
		if ((inode->mode & (S_ISUID | S_ISGID)) != 0)
			inode->mode = real->inode->mode;
	}
	return n;
}

static loff_t ovl_seek(struct file *file, loff_t offset, int whence)
{
	struct ovl_file *of = file->private;
	struct file *real;
	loff_t result;
	int error = get_real(file, &real);

	if (error != 0)
		return error;
	if (whence != SEEK_DATA && whence != SEEK_HOLE)
		return file_seek_generic(file, offset, whence, inode_size(real->inode));
	mutex_lock(&of->mutex);
	result = file_seek(real, offset, whence);
	mutex_unlock(&of->mutex);
	if (result >= 0)
		file->pos = result;
	return result;
}

/* The real inode's pages are mapped, under the overlay file's name. */
static int ovl_mmap(struct file *file, struct area *area)
{
	struct file *real;
	int error = get_real(file, &real);

	if (error != 0)
		return error;
	area->file = file;
	file_get(file);
	error = file_map(real, area);
	if (error != 0) {
		area->file = NULL;
		file_put(file);
	}
	return error;
}

static int ovl_fsync(struct file *file, bool data_only)
{
	struct file *real;
	int error = get_real(file, &real);

	return error != 0 ? error : file_fsync(real, data_only);
}

static long ovl_ioctl(struct file *file, unsigned int command, uint64_t arg)
{
	struct file *real;
	int error = get_real(file, &real);

	if (error != 0)
		return error;
	return real->ops->ioctl != NULL ? real->ops->ioctl(real, command, arg) : -ENOTTY;
}

static int ovl_flush(struct file *file)
{
	struct file *real;
	int error = get_real(file, &real);

	return error == 0 && real->ops->flush != NULL ? real->ops->flush(real) : error;
}

static void ovl_release(struct file *file)
{
	struct ovl_file *of = file->private;

	if (of->upper != NULL)
		file_put(of->upper);
	file_put(of->first);
	kfree(of);
}

const struct file_ops ovl_file_ops = {
	.name = "overlay",
	.read = ovl_read,
	.write = ovl_write,
	.seek = ovl_seek,
	.mmap = ovl_mmap,
	.fsync = ovl_fsync,
	.ioctl = ovl_ioctl,
	.flush = ovl_flush,
	.release = ovl_release,
};

static int open_regular(struct inode *inode, struct file *file)
{
	bool writes = file->writable || (file->flags & O_TRUNC) != 0;
	struct ovl_file *of;
	int error = 0;

	if (writes)
		error = ovl_copy_up(ovl_inode_of(inode), (file->flags & O_TRUNC) == 0);
	if (error != 0)
		return error;
	of = kzalloc(sizeof(*of));
	if (of == NULL)
		return -ENOMEM;
	mutex_init(&of->mutex);
	error = open_real(file, (int)file->flags, &of->first);
	if (error != 0) {
		kfree(of);
		return error;
	}
	file->ops = &ovl_file_ops;
	file->private = of;
	return 0;
}

static int ovl_open(struct inode *inode, struct file *file)
{
	return S_ISREG(inode->mode) ? open_regular(inode, file) : file_open_special(inode, file);
}

static int ovl_fallocate(struct inode *inode, int mode, uint64_t offset, uint64_t bytes)
{
	struct ovl_inode *oi = ovl_inode_of(inode);
	struct inode *real;
	int error = ovl_copy_up(oi, true);

	if (error != 0)
		return error;
	real = ovl_upper(oi)->inode;
	if (real->ops->fallocate == NULL)
		return -EOPNOTSUPP;
	mutex_lock(&real->mutex);
	error = real->ops->fallocate(real, mode, offset, bytes);
	mutex_unlock(&real->mutex);
	return error != 0 ? error : ovl_getattr(inode);
}

const struct inode_ops ovl_file_inode_ops = {
	.open = ovl_open,
	.getattr = ovl_getattr,
	.setattr = ovl_setattr,
	.getxattr = ovl_getxattr,
	.setxattr = ovl_setxattr,
	.listxattr = ovl_listxattr,
	.removexattr = ovl_removexattr,
	.fallocate = ovl_fallocate,
	.evict = ovl_evict,
};
