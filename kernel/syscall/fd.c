/*
 * Descriptors: dup, fcntl, ioctl, flock.
 */
#include "abi/errno.h"
#include "abi/fcntl.h"
#include "abi/ioctl.h"
#include "abi/signal.h"
#include "core/user_copy.h"
#include "fs/pipe.h"
#include "fs/tmpfs/tmpfs.h"
#include "proc/task.h"
#include "syscall/syscalls.h"
#include "vfs/file.h"
#include "vfs/lock.h"

#define SETTABLE_FLAGS (O_APPEND | O_NONBLOCK | FASYNC | O_DIRECT | O_NOATIME)

static long dup_from(uint64_t fd, uint64_t from, bool close_on_exec)
{
	struct fd_ref ref;
	struct file *file;

	if (!fd_get_any((int)fd, &ref))
		return -EBADF;
	file = ref.file;
	file_get(file);
	fd_put(&ref);
	if ((int)from < 0 || (uint32_t)from >= process_limit(RLIMIT_NOFILE)) {
		file_put(file);
		return -EINVAL;
	}
	int reserved = fd_reserve((int)from, close_on_exec);

	if (reserved < 0) {
		file_put(file);
		return reserved;
	}
	fd_install(reserved, file);
	return reserved;
}

long sys_dup(uint64_t fd)
{
	return dup_from(fd, 0, false);
}

long sys_dup2(uint64_t from, uint64_t to)
{
	struct fd_ref ref;

	if ((int)from == (int)to) {
		if (!fd_get_any((int)from, &ref))
			return -EBADF;
		fd_put(&ref);
		return (int)to;
	}
	return fd_dup_to((int)from, (int)to, false);
}

long sys_dup3(uint64_t from, uint64_t to, uint64_t flags)
{
	if ((flags & ~(uint64_t)O_CLOEXEC) != 0 || (int)from == (int)to)
		return -EINVAL;
	return fd_dup_to((int)from, (int)to, (flags & O_CLOEXEC) != 0);
}

/* --- fcntl ------------------------------------------------------------------------------------ */

static long set_flags(struct file *file, uint64_t arg)
{
	uint32_t keep = file->flags & ~(uint32_t)SETTABLE_FLAGS;

	if ((arg & O_NOATIME) && !cred_is_owner(&cred_current()->vfs, file->inode))
		return -EPERM;
	write_once(file->flags, keep | ((uint32_t)arg & SETTABLE_FLAGS));
	return 0;
}

/*
 * close(2) drops the process's locks on the file; one set while another thread closed the
 * descriptor came after that and would be left to nobody. 0 or -EBADF.
 */
static int drop_lock_if_closed(int fd, struct file *file)
{
	struct fdtable *table = task_current()->fdtable;
	struct file *now = fdtable_get_file(table, fd);

	if (now != NULL)
		file_put(now);
	if (now == file)
		return 0;
	file_drop_posix_locks(file, table);
	return -EBADF;
}

static long record_lock(int fd, struct file *file, unsigned int command, uint64_t arg)
{
	bool ofd = command == F_OFD_GETLK || command == F_OFD_SETLK || command == F_OFD_SETLKW;
	struct lock_request request = {
		.owner = ofd ? (const void *)file : (const void *)task_current()->fdtable,
		.pid = ofd ? -1 : (int32_t)process_current()->pid,
		.ofd = ofd,
		.wait = command == F_SETLKW || command == F_OFD_SETLKW,
	};
	struct abi_flock lock;
	int error = copy_from_user(&lock, user_addr(arg), sizeof(lock));

	if (error != 0)
		return error;
	if (ofd && lock.l_pid != 0)
		return -EINVAL;
	if (command != F_GETLK && command != F_OFD_GETLK) {
		error = file_set_lock(file, &lock, &request);
		if (error == 0 && !ofd && lock.l_type != F_UNLCK)
			error = drop_lock_if_closed(fd, file);
		return error;
	}
	error = file_get_lock(file, &lock, &request);
	return error != 0 ? error : copy_to_user(user_addr(arg), &lock, sizeof(lock));
}

static long get_owner_ex(struct file *file, uint64_t arg)
{
	struct abi_f_owner_ex owner = { .type = F_OWNER_PID, .pid = file->owner_pid };

	if (file->owner_pid < 0)
		owner = (struct abi_f_owner_ex){ .type = F_OWNER_PGRP, .pid = -file->owner_pid };
	return copy_to_user(user_addr(arg), &owner, sizeof(owner));
}

static long set_owner_ex(struct file *file, uint64_t arg)
{
	struct abi_f_owner_ex owner;
	int error = copy_from_user(&owner, user_addr(arg), sizeof(owner));

	if (error != 0)
		return error;
	if (owner.type < F_OWNER_TID || owner.type > F_OWNER_PGRP)
		return -EINVAL;
	file->owner_pid = owner.type == F_OWNER_PGRP ? -owner.pid : owner.pid;
	return 0;
}

static long set_owner_signal(struct file *file, uint64_t signo)
{
	if ((int)signo < 0 || signo > SIGNAL_COUNT)
		return -EINVAL;
	file->owner_signal = (int32_t)signo;
	return 0;
}

/* What O_PATH descriptors allow as well. */
static bool path_command(unsigned int command)
{
	return command == F_DUPFD || command == F_DUPFD_CLOEXEC || command == F_GETFD ||
	       command == F_SETFD || command == F_GETFL;
}

static long fcntl_file(int fd, struct file *file, unsigned int command, uint64_t arg)
{
	switch (command) {
	case F_GETFL:
		return file->flags;
	case F_SETFL:
		return set_flags(file, arg);
	case F_GETLK: case F_SETLK: case F_SETLKW:
	case F_OFD_GETLK: case F_OFD_SETLK: case F_OFD_SETLKW:
		return record_lock(fd, file, command, arg);
	case F_GETOWN:
		return file->owner_pid;
	case F_SETOWN:
		if ((int)arg == INT32_MIN)
			return -EINVAL;
		file->owner_pid = (int32_t)arg;
		return 0;
	case F_GETOWN_EX:
		return get_owner_ex(file, arg);
	case F_SETOWN_EX:
		return set_owner_ex(file, arg);
	case F_GETSIG:
		return file->owner_signal;
	case F_SETSIG:
		return set_owner_signal(file, arg);
	case F_SETPIPE_SZ:
		return pipe_set_size(file, (uint32_t)arg);
	case F_GETPIPE_SZ:
		return pipe_get_size(file);
	case F_ADD_SEALS:
		return memfd_add_seals(file, (unsigned int)arg);
	case F_GET_SEALS:
		return memfd_get_seals(file);
	case F_GETLEASE:
		return F_UNLCK;
	case F_SETLEASE:
		return -EAGAIN;
	default:
		return -EINVAL;
	}
}

long sys_fcntl(uint64_t fd, uint64_t command, uint64_t arg)
{
	struct fd_ref ref;
	long result;

	if ((unsigned int)command == F_DUPFD || (unsigned int)command == F_DUPFD_CLOEXEC)
		return dup_from(fd, arg, (unsigned int)command == F_DUPFD_CLOEXEC);
	if (path_command((unsigned int)command) ? !fd_get_any((int)fd, &ref)
						: !fd_get((int)fd, &ref))
		return -EBADF;
	if ((unsigned int)command == F_GETFD)
		result = fd_close_on_exec((int)fd) ? FD_CLOEXEC : 0;
	else if ((unsigned int)command == F_SETFD)
		result = fd_set_close_on_exec((int)fd, (arg & FD_CLOEXEC) != 0);
	else
		result = fcntl_file((int)fd, ref.file, (unsigned int)command, arg);
	fd_put(&ref);
	return result;
}

/* --- ioctl ------------------------------------------------------------------------------------ */

static long set_nonblocking(struct file *file, uint64_t arg)
{
	int on;
	int error = copy_from_user(&on, user_addr(arg), sizeof(on));

	if (error != 0)
		return error;
	write_once(file->flags, on != 0 ? file->flags | O_NONBLOCK
					: file->flags & ~(uint32_t)O_NONBLOCK);
	return 0;
}

static long readable_bytes(struct file *file, uint64_t arg)
{
	int left = (int)(inode_size(file->inode) - (uint64_t)file->pos);

	return copy_to_user(user_addr(arg), &left, sizeof(left));
}

long sys_ioctl(uint64_t fd, uint64_t command, uint64_t arg)
{
	struct fd_ref ref;
	long result = -ENOTTY;

	if (!fd_get((int)fd, &ref))
		return -EBADF;
	switch ((uint32_t)command) {
	case FIOCLEX:
		result = fd_set_close_on_exec((int)fd, true);
		break;
	case FIONCLEX:
		result = fd_set_close_on_exec((int)fd, false);
		break;
	case FIONBIO:
		result = set_nonblocking(ref.file, arg);
		break;
	default:
		if (ref.file->ops->ioctl != NULL)
			result = ref.file->ops->ioctl(ref.file, (uint32_t)command, arg);
		else if ((uint32_t)command == FIONREAD && S_ISREG(ref.file->inode->mode))
			result = readable_bytes(ref.file, arg);
		break;
	}
	fd_put(&ref);
	return result == -ENOIOCTLCMD ? -ENOTTY : result;
}

/* The operation is looked at before the descriptor; mandatory locks are taken for granted. */
long sys_flock(uint64_t fd, uint64_t operation)
{
	int kind = (int)operation & ~LOCK_NB;
	struct fd_ref ref;
	long error;

	if ((kind & LOCK_MAND) != 0)
		return 0;
	if (kind != LOCK_SH && kind != LOCK_EX && kind != LOCK_UN)
		return -EINVAL;
	if (!fd_get((int)fd, &ref))
		return -EBADF;
	error = file_flock(ref.file, (int)operation);
	fd_put(&ref);
	return error;
}
