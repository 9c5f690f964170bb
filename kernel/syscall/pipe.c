/*
 * pipe, pipe2.
 */
#include "fs/pipe.h"

#include "abi/errno.h"
#include "abi/fcntl.h"
#include "core/user_copy.h"
#include "proc/fdtable.h"
#include "syscall/syscalls.h"

/* Both descriptors are reserved before anything is visible; then nothing fails but the copy out. */
static long install_pair(struct file *const files[2], bool close_on_exec, uint64_t to)
{
	int fds[2];
	long error;

	fds[0] = fd_reserve(0, close_on_exec);
	if (fds[0] < 0)
		return fds[0];
	fds[1] = fd_reserve(0, close_on_exec);
	if (fds[1] < 0) {
		fd_cancel(fds[0]);
		return fds[1];
	}
	error = copy_to_user(user_addr(to), fds, sizeof(fds));
	if (error != 0) {
		fd_cancel(fds[0]);
		fd_cancel(fds[1]);
		return error;
	}
	fd_install(fds[0], files[0]);
	fd_install(fds[1], files[1]);
	return 0;
}

long sys_pipe2(uint64_t to, uint64_t flags)
{
	struct file *files[2];
	long error;

	if ((flags & ~(uint64_t)(O_CLOEXEC | O_NONBLOCK | O_DIRECT)) != 0)
		return -EINVAL;
	error = pipe_create_files((int)flags & (O_NONBLOCK | O_DIRECT), &files[0], &files[1]);
	if (error != 0)
		return error;
	error = install_pair(files, (flags & O_CLOEXEC) != 0, to);
	if (error != 0) {
		file_put(files[0]);
		file_put(files[1]);
	}
	return error;
}

long sys_pipe(uint64_t to)
{
	return sys_pipe2(to, 0);
}
