/*
 * read, write and their positioned and vectored forms; lseek, fsync.
 */
#include "abi/errno.h"
#include "abi/fcntl.h"
#include "abi/resource.h"
#include "abi/signal.h"
#include "proc/task.h"
#include "syscall/syscalls.h"
#include "syscall/user_iovec.h"
#include "vfs/file.h"
#include "vfs/inode.h"
#include "vfs/mount.h"

/* A writer to a pipe or socket without readers gets SIGPIPE too. */
static inline ssize_t account(ssize_t done, bool write)
{
	if (likely(done > 0)) {
		if (write)
			task_current()->io_write_bytes += (uint64_t)done;
		else
			task_current()->io_read_bytes += (uint64_t)done;
	} else if (write && done == -EPIPE) {
		(void)signal_send_task(task_current(), SIGPIPE, NULL);
	}
	return done;
}

/*
 * RLIMIT_FSIZE: a write to a regular file stops there; one that begins there gets SIGXFSZ and
 * -EFBIG.
 */
static int limit_write(const struct file *file, struct iobuf *io, loff_t pos)
{
	uint64_t limit, at = (uint64_t)pos;

	/* Pipes and sockets do not ask: what belongs to the process is looked at for nothing. */
	if (file->ops->stream)
		return 0;
	limit = process_limit(RLIMIT_FSIZE);
	if (likely(limit == RLIM_INFINITY) || !S_ISREG(file->inode->mode))
		return 0;
	if (read_once(file->flags) & O_APPEND)
		at = inode_size(file->inode);
	if (at >= limit && io->left > 0) {
		(void)signal_send_task(task_current(), SIGXFSZ, NULL);
		return -EFBIG;
	}
	if (io->left > limit - at)
		io->left = limit - at;
	return 0;
}

static ssize_t write_here(struct file *file, struct iobuf *io)
{
	int error = limit_write(file, io, file->pos);

	return error != 0 ? error : file_write_here(file, io);
}

static long transfer(uint64_t fd, struct iobuf *io, bool write)
{
	struct fd_ref ref;
	ssize_t done;

	if (!fd_get((int)fd, &ref))
		return -EBADF;
	done = write ? write_here(ref.file, io) : file_read_here(ref.file, io);
	fd_put(&ref);
	return account(done, write);
}

static int init_user(struct iobuf *io, uint64_t buffer, uint64_t count)
{
	if (!user_range_ok(user_addr(buffer), count))
		return -EFAULT;
	iobuf_init_user(io, user_addr(buffer), count < MAX_RW_COUNT ? count : MAX_RW_COUNT);
	return 0;
}

/* The descriptor is looked at before the buffer: -EBADF wins over -EFAULT. */
static int init_for(const struct file *file, bool write, struct iobuf *io, uint64_t buffer,
		    uint64_t count)
{
	return (write ? file->writable : file->readable) ? init_user(io, buffer, count) : -EBADF;
}

static long transfer_buffer(uint64_t fd, uint64_t buffer, uint64_t count, bool write)
{
	struct fd_ref ref;
	struct iobuf io;
	ssize_t done;

	if (!fd_get((int)fd, &ref))
		return -EBADF;
	done = init_for(ref.file, write, &io, buffer, count);
	if (done == 0)
		done = write ? write_here(ref.file, &io) : file_read_here(ref.file, &io);
	fd_put(&ref);
	return account(done, write);
}

long sys_read(uint64_t fd, uint64_t buffer, uint64_t count)
{
	return transfer_buffer(fd, buffer, count, false);
}

long sys_write(uint64_t fd, uint64_t buffer, uint64_t count)
{
	return transfer_buffer(fd, buffer, count, true);
}

static long transfer_vector(uint64_t fd, uint64_t iov, uint64_t count, bool write)
{
	struct user_iovec v;
	struct fd_ref ref;
	long done;

	if (!fd_get((int)fd, &ref))
		return -EBADF;
	fd_put(&ref);
	done = user_iovec_get(&v, iov, count);
	if (done != 0)
		return done;
	done = transfer(fd, &v.io, write);
	user_iovec_put(&v);
	return done;
}

long sys_readv(uint64_t fd, uint64_t iov, uint64_t count)
{
	return transfer_vector(fd, iov, count, false);
}

long sys_writev(uint64_t fd, uint64_t iov, uint64_t count)
{
	return transfer_vector(fd, iov, count, true);
}

/* --- at a position ---------------------------------------------------------------------------- */

static inline ssize_t move_at(struct file *file, struct iobuf *io, loff_t pos, bool write)
{
	int error = write ? limit_write(file, io, pos) : 0;

	if (error != 0)
		return error;
	return write ? file_write(file, io, &pos) : file_read(file, io, &pos);
}

static ssize_t transfer_at(uint64_t fd, struct iobuf *io, int64_t offset, bool write)
{
	struct fd_ref ref;
	ssize_t done;

	if (!fd_get((int)fd, &ref))
		return -EBADF;
	done = ref.file->ops->stream ? -ESPIPE : move_at(ref.file, io, offset, write);
	fd_put(&ref);
	return account(done, write);
}

static long transfer_buffer_at(uint64_t fd, uint64_t buffer, uint64_t count, int64_t offset,
			       bool write)
{
	struct fd_ref ref;
	struct iobuf io;
	ssize_t done = -ESPIPE;

	if (offset < 0)
		return -EINVAL;
	if (!fd_get((int)fd, &ref))
		return -EBADF;
	if (!ref.file->ops->stream)
		done = init_for(ref.file, write, &io, buffer, count);
	if (done == 0)
		done = move_at(ref.file, &io, offset, write);
	fd_put(&ref);
	return account(done, write);
}

long sys_pread64(uint64_t fd, uint64_t buffer, uint64_t count, uint64_t offset)
{
	return transfer_buffer_at(fd, buffer, count, (int64_t)offset, false);
}

long sys_pwrite64(uint64_t fd, uint64_t buffer, uint64_t count, uint64_t offset)
{
	return transfer_buffer_at(fd, buffer, count, (int64_t)offset, true);
}

#define RWF_KNOWN (RWF_HIPRI | RWF_DSYNC | RWF_SYNC | RWF_NOWAIT | RWF_APPEND)

/* preadv2 and pwritev2; offset -1: the file's own position. */
static long transfer_vector_at(uint64_t fd, uint64_t iov, uint64_t count, int64_t offset,
			       uint64_t flags, bool write)
{
	struct user_iovec v;
	struct fd_ref ref;
	long done;

	if (!fd_get((int)fd, &ref))
		return -EBADF;
	fd_put(&ref);
	done = user_iovec_get(&v, iov, count);
	if (done != 0)
		return done;
	v.io.nonblocking = (flags & RWF_NOWAIT) != 0;
	if ((flags & ~(uint64_t)RWF_KNOWN) != 0 && v.io.left > 0)
		done = -EOPNOTSUPP;
	else if (offset == -1)
		done = transfer(fd, &v.io, write);
	else
		done = transfer_at(fd, &v.io, offset, write);
	user_iovec_put(&v);
	return done;
}

/* The low half is the whole offset on 64-bit machines. */
long sys_preadv(uint64_t fd, uint64_t iov, uint64_t count, uint64_t low, uint64_t high)
{
	return (int64_t)low < 0 ? -EINVAL
				: transfer_vector_at(fd, iov, count, (int64_t)low, 0, false);
}

long sys_pwritev(uint64_t fd, uint64_t iov, uint64_t count, uint64_t low, uint64_t high)
{
	return (int64_t)low < 0 ? -EINVAL
				: transfer_vector_at(fd, iov, count, (int64_t)low, 0, true);
}

long sys_preadv2(uint64_t fd, uint64_t iov, uint64_t count, uint64_t low, uint64_t high,
		 uint64_t flags)
{
	return (int64_t)low < -1 ? -EINVAL
				 : transfer_vector_at(fd, iov, count, (int64_t)low, flags, false);
}

long sys_pwritev2(uint64_t fd, uint64_t iov, uint64_t count, uint64_t low, uint64_t high,
		  uint64_t flags)
{
	return (int64_t)low < -1 ? -EINVAL
				 : transfer_vector_at(fd, iov, count, (int64_t)low, flags, true);
}

long sys_lseek(uint64_t fd, uint64_t offset, uint64_t whence)
{
	struct fd_ref ref;
	loff_t at;

	if (!fd_get((int)fd, &ref))
		return -EBADF;
	at = whence > SEEK_HOLE ? -EINVAL : file_seek(ref.file, (loff_t)offset, (int)whence);
	fd_put(&ref);
	return at;
}

/* --- to the store ----------------------------------------------------------------------------- */

static long sync_file(uint64_t fd, bool data_only)
{
	struct fd_ref ref;
	int error;

	if (!fd_get((int)fd, &ref))
		return -EBADF;
	error = file_fsync(ref.file, data_only);
	fd_put(&ref);
	return error;
}

long sys_fsync(uint64_t fd) { return sync_file(fd, false); }
long sys_fdatasync(uint64_t fd) { return sync_file(fd, true); }

long sys_sync(void)
{
	(void)vfs_sync_all();
	return 0;
}

long sys_syncfs(uint64_t fd)
{
	struct fd_ref ref;

	if (!fd_get((int)fd, &ref))
		return -EBADF;
	fd_put(&ref);
	return vfs_sync_all();
}

long sys_sync_file_range(uint64_t fd, uint64_t offset, uint64_t bytes, uint64_t flags)
{
	struct fd_ref ref;

	if (!fd_get((int)fd, &ref))
		return -EBADF;
	fd_put(&ref);
	if ((flags & ~7UL) != 0 || (int64_t)offset < 0 || (int64_t)(offset + bytes) < 0)
		return -EINVAL;
	return sync_file(fd, true);
}

/* Advice only: the page cache reads ahead by itself. */
long sys_readahead(uint64_t fd, uint64_t offset, uint64_t count)
{
	struct fd_ref ref;
	long error;

	if (!fd_get((int)fd, &ref))
		return -EBADF;
	if (!ref.file->readable)
		error = -EBADF;
	else
		error = ref.file->inode->object != NULL && (int64_t)count >= 0 ? 0 : -EINVAL;
	fd_put(&ref);
	return error;
}

long sys_fadvise64(uint64_t fd, uint64_t offset, uint64_t bytes, uint64_t advice)
{
	struct fd_ref ref;
	long error = 0;

	if (!fd_get((int)fd, &ref))
		return -EBADF;
	if (ref.file->ops->stream)
		error = -ESPIPE;
	else if ((int64_t)bytes < 0 || advice > POSIX_FADV_NOREUSE)
		error = -EINVAL;
	fd_put(&ref);
	return error;
}
