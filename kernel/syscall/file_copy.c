/*
 * From file to file: sendfile, copy_file_range, splice, tee, vmsplice. All go through a page of the
 * kernel's: what is moved is what read(2) and write(2) would have moved.
 */
#include "abi/errno.h"
#include "abi/fcntl.h"
#include "abi/signal.h"
#include "abi/uio.h"
#include "core/user_copy.h"
#include "fs/pipe.h"
#include "lib/bits.h"
#include "mem/slab.h"
#include "proc/task.h"
#include "syscall/syscalls.h"
#include "syscall/user_iovec.h"
#include "vfs/file.h"
#include "vfs/poll.h"

#define CHUNK (16 * 1024UL)
#define SPLICE_MAX (64 * 1024UL)	/* at most a pipe of the usual size a call */

/* One end of a copy: at a position of the call's own, or the file's. */
struct end {
	struct fd_ref ref;
	loff_t pos;
	bool own_pos;
	bool nonblocking;
};

static ssize_t end_read(struct end *e, void *buffer, size_t n)
{
	struct iobuf io;

	iobuf_init_kernel(&io, buffer, n);
	io.nonblocking = e->nonblocking;
	return e->own_pos ? file_read(e->ref.file, &io, &e->pos) : file_read_here(e->ref.file, &io);
}

static ssize_t end_write(struct end *e, void *buffer, size_t n)
{
	struct iobuf io;

	iobuf_init_kernel(&io, buffer, n);
	io.nonblocking = e->nonblocking;
	return e->own_pos ? file_write(e->ref.file, &io, &e->pos)
			  : file_write_here(e->ref.file, &io);
}

/* What was read and could not be written goes back, where the source can seek. */
static void end_unread(struct end *e, size_t n)
{
	loff_t at;

	if (n == 0)
		return;
	if (e->own_pos) {
		e->pos -= (loff_t)n;
	} else if (!e->ref.file->ops->stream) {
		at = file_seek(e->ref.file, -(loff_t)n, SEEK_CUR);
		(void)at;
	}
}

/* Moves up to `count` bytes; short at the end of the source, or when either would block. */
static long copy_loop(struct end *from, struct end *to, size_t count)
{
	char *buffer = kmalloc(CHUNK);
	ssize_t got = 0, put = 0;
	size_t done = 0;

	if (buffer == NULL)
		return -ENOMEM;
	while (done < count) {
		size_t want = count - done < CHUNK ? count - done : CHUNK;

		got = end_read(from, buffer, want);
		if (got <= 0)
			break;
		put = end_write(to, buffer, (size_t)got);
		if (put < got)
			end_unread(from, (size_t)(got - (put > 0 ? put : 0)));
		if (put > 0)
			done += (size_t)put;
		if (put < got || (size_t)got < want)
			break;
	}
	kfree(buffer);
	if (done > 0)
		return (long)done;
	if (put == -EPIPE)
		(void)signal_send_task(task_current(), SIGPIPE, NULL);
	return got < 0 ? got : put;
}

/* Opens both ends; `out` first so that errors come in Linux's order. */
static int ends_get(struct end *from, uint64_t from_fd, struct end *to, uint64_t to_fd)
{
	if (!fd_get((int)from_fd, &from->ref))
		return -EBADF;
	if (!fd_get((int)to_fd, &to->ref)) {
		fd_put(&from->ref);
		return -EBADF;
	}
	if (from->ref.file->readable && to->ref.file->writable)
		return 0;
	fd_put(&from->ref);
	fd_put(&to->ref);
	return -EBADF;
}

static void ends_put(struct end *from, struct end *to)
{
	fd_put(&from->ref);
	fd_put(&to->ref);
}

/* A position argument: read before, written back after. */
static int pos_get(struct end *e, uint64_t address)
{
	if (address == 0)
		return 0;
	e->own_pos = true;
	if (copy_from_user(&e->pos, user_addr(address), sizeof(e->pos)) != 0)
		return -EFAULT;
	return e->pos < 0 ? -EINVAL : 0;
}

static long pos_put(const struct end *e, uint64_t address, long result)
{
	if (address != 0 && copy_to_user(user_addr(address), &e->pos, sizeof(e->pos)) != 0)
		return -EFAULT;
	return result;
}

long sys_sendfile(uint64_t to_fd, uint64_t from_fd, uint64_t offset, uint64_t count)
{
	struct end from = { .own_pos = false }, to = { .own_pos = false };
	long result = pos_get(&from, offset);

	if (result != 0)
		return result;
	result = ends_get(&from, from_fd, &to, to_fd);
	if (result != 0)
		return pos_put(&from, offset, result);
	if (from.ref.file->ops->stream && offset != 0)
		result = -ESPIPE;
	else if (from.ref.file->ops->stream || (to.ref.file->flags & O_APPEND))
		result = -EINVAL;
	else
		result = copy_loop(&from, &to, count < MAX_RW_COUNT ? count : MAX_RW_COUNT);
	ends_put(&from, &to);
	/* Linux writes the position back also after a failure. */
	return pos_put(&from, offset, result);
}

static int copy_range_check(struct end *from, struct end *to, uint64_t count)
{
	const struct inode *in = from->ref.file->inode, *out = to->ref.file->inode;
	uint64_t a = (uint64_t)(from->own_pos ? from->pos : from->ref.file->pos);
	uint64_t b = (uint64_t)(to->own_pos ? to->pos : to->ref.file->pos);

	if (S_ISDIR(in->mode) || S_ISDIR(out->mode))
		return -EISDIR;
	if (!S_ISREG(in->mode) || !S_ISREG(out->mode))
		return -EINVAL;
	if (to->ref.file->flags & O_APPEND)
		return -EBADF;
	if (a + count < a || b + count < b)
		return -EOVERFLOW;
	if (in == out && a < b + count && b < a + count)
		return -EINVAL;
	return 0;
}

long sys_copy_file_range(uint64_t from_fd, uint64_t from_pos, uint64_t to_fd, uint64_t to_pos,
			 uint64_t count, uint64_t flags)
{
	struct end from = { .own_pos = false }, to = { .own_pos = false };
	long result = ends_get(&from, from_fd, &to, to_fd);

	if (result != 0)
		return result;
	result = flags != 0 ? -EINVAL : pos_get(&from, from_pos);
	if (result == 0)
		result = pos_get(&to, to_pos);
	if (result == 0)
		result = copy_range_check(&from, &to, count);
	if (result == 0)
		result = copy_loop(&from, &to, count < MAX_RW_COUNT ? count : MAX_RW_COUNT);
	ends_put(&from, &to);
	if (result >= 0)
		result = pos_put(&from, from_pos, result);
	return result >= 0 ? pos_put(&to, to_pos, result) : result;
}

/* --- pipes ------------------------------------------------------------------------------------ */

#define SPLICE_FLAGS 15u

/* A position may be given for the end that is no pipe. */
static int splice_check(const struct end *from, const struct end *to)
{
	bool in = file_is_pipe(from->ref.file), out = file_is_pipe(to->ref.file);

	if (!in && !out)
		return -EINVAL;
	if ((in && from->own_pos) || (out && to->own_pos))
		return -ESPIPE;
	if (in && out && from->ref.file->inode == to->ref.file->inode)
		return -EINVAL;
	if (!out && (to->ref.file->flags & O_APPEND))
		return -EINVAL;
	return 0;
}

long sys_splice(uint64_t from_fd, uint64_t from_pos, uint64_t to_fd, uint64_t to_pos,
		uint64_t count, uint64_t flags)
{
	struct end from = { .nonblocking = (flags & SPLICE_F_NONBLOCK) != 0 };
	struct end to = { .nonblocking = (flags & SPLICE_F_NONBLOCK) != 0 };
	long result;

	if (count == 0)
		return 0;
	if ((flags & ~(uint64_t)SPLICE_FLAGS) != 0)
		return -EINVAL;
	result = ends_get(&from, from_fd, &to, to_fd);
	if (result != 0)
		return result;
	result = pos_get(&from, from_pos);
	if (result == 0)
		result = pos_get(&to, to_pos);
	if (result == 0)
		result = splice_check(&from, &to);
	if (result == 0)
		result = copy_loop(&from, &to, count < SPLICE_MAX ? count : SPLICE_MAX);
	ends_put(&from, &to);
	if (result >= 0)
		result = pos_put(&from, from_pos, result);
	return result >= 0 ? pos_put(&to, to_pos, result) : result;
}

/* What one read would give goes to the other pipe and stays. */
static ssize_t tee_once(struct end *from, struct end *to, size_t count)
{
	char *buffer = kmalloc(CHUNK);
	struct iobuf io;
	ssize_t n;

	if (buffer == NULL)
		return -ENOMEM;
	iobuf_init_kernel(&io, buffer, count < CHUNK ? count : CHUNK);
	n = pipe_peek(from->ref.file, &io);
	if (n > 0)
		n = end_write(to, buffer, (size_t)n);
	kfree(buffer);
	return n;
}

/* Waits for bytes as poll(2) does, so that the pipe's reader is not disturbed. */
static int wait_readable(struct file *file)
{
	struct poll_session session;
	int error = 0;

	poll_session_init(&session);
	while (poll_session_ask(&session, file, POLLIN) == 0 && error == 0)
		error = poll_session_wait(&session, TIME_NEVER);
	poll_session_fini(&session);
	return error;
}

long sys_tee(uint64_t from_fd, uint64_t to_fd, uint64_t count, uint64_t flags)
{
	struct end from = { .own_pos = false };
	struct end to = { .nonblocking = (flags & SPLICE_F_NONBLOCK) != 0 };
	long result;

	if ((flags & ~(uint64_t)SPLICE_FLAGS) != 0)
		return -EINVAL;
	if (count == 0)
		return 0;
	result = ends_get(&from, from_fd, &to, to_fd);
	if (result != 0)
		return result;
	if (!file_is_pipe(from.ref.file) || !file_is_pipe(to.ref.file) ||
	    from.ref.file->inode == to.ref.file->inode)
		result = -EINVAL;
	while (result == 0) {
		result = tee_once(&from, &to, count);
		if (result != -EAGAIN || to.nonblocking)
			break;
		result = wait_readable(from.ref.file);
	}
	ends_put(&from, &to);
	return result;
}

long sys_vmsplice(uint64_t fd, uint64_t iov, uint64_t count, uint64_t flags)
{
	struct user_iovec v;
	struct fd_ref ref;
	long result;

	if ((flags & ~(uint64_t)SPLICE_FLAGS) != 0)
		return -EINVAL;
	if (!fd_get((int)fd, &ref))
		return -EBADF;
	result = user_iovec_get(&v, iov, count);
	if (result == 0) {
		v.io.nonblocking = (flags & SPLICE_F_NONBLOCK) != 0;
		if (v.io.left > 0 && !file_is_pipe(ref.file))
			result = -EBADF;
		else if (v.io.left > 0)
			result = ref.file->writable ? file_write_here(ref.file, &v.io)
						    : file_read_here(ref.file, &v.io);
		user_iovec_put(&v);
	}
	fd_put(&ref);
	return result;
}
