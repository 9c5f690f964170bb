/*
 * Descriptors that tell of events: eventfd, timerfd, signalfd, pidfd, memfd.
 */
#include "abi/errno.h"
#include "abi/eventfd.h"
#include "abi/fcntl.h"
#include "abi/mman.h"
#include "fs/eventfd.h"
#include "fs/timerfd.h"
#include "fs/tmpfs/tmpfs.h"
#include "mem/slab.h"
#include "proc/pidfd.h"
#include "proc/signalfd.h"
#include "proc/task_access.h"
#include "syscall/args.h"
#include "syscall/syscalls.h"
#include "syscall/user_path.h"

static long add_file(int error, struct file *file, bool close_on_exec)
{
	return error != 0 ? error : fd_add(file, close_on_exec);
}

/* --- eventfd, timerfd ------------------------------------------------------------------------- */

long sys_eventfd2(uint64_t initial, uint64_t flags)
{
	struct file *file = NULL;
	int error;

	if (((int)flags & ~(EFD_SEMAPHORE | EFD_CLOEXEC | EFD_NONBLOCK)) != 0)
		return -EINVAL;
	error = eventfd_create_file((uint32_t)initial, (int)flags & ~EFD_CLOEXEC, &file);
	return add_file(error, file, (flags & EFD_CLOEXEC) != 0);
}

long sys_eventfd(uint64_t initial) { return sys_eventfd2(initial, 0); }

long sys_timerfd_create(uint64_t clock, uint64_t flags)
{
	struct file *file = NULL;
	int error;

	if (((int)flags & ~(TFD_CLOEXEC | TFD_NONBLOCK)) != 0)
		return -EINVAL;
	error = timerfd_create_file((int)clock, (int)flags & ~TFD_CLOEXEC, &file);
	return add_file(error, file, (flags & TFD_CLOEXEC) != 0);
}

long sys_timerfd_settime(uint64_t fd, uint64_t flags, uint64_t user_new, uint64_t user_old)
{
	struct abi_itimerspec fresh, old;
	struct fd_ref ref;
	int error;

	if (copy_from_user(&fresh, user_addr(user_new), sizeof(fresh)) != 0)
		return -EFAULT;
	if (((int)flags & ~(TFD_TIMER_ABSTIME | TFD_TIMER_CANCEL_ON_SET)) != 0)
		return -EINVAL;
	if (!fd_get((int)fd, &ref))
		return -EBADF;
	error = timerfd_set(ref.file, (int)flags, &fresh, &old);
	fd_put(&ref);
	if (error == 0 && user_old != 0)
		error = copy_to_user(user_addr(user_old), &old, sizeof(old));
	return error;
}

long sys_timerfd_gettime(uint64_t fd, uint64_t user_out)
{
	struct abi_itimerspec out;
	struct fd_ref ref;
	int error;

	if (!fd_get((int)fd, &ref))
		return -EBADF;
	error = timerfd_get(ref.file, &out);
	fd_put(&ref);
	return error != 0 ? error : copy_to_user(user_addr(user_out), &out, sizeof(out));
}

/* --- signalfd --------------------------------------------------------------------------------- */

long sys_signalfd4(uint64_t fd, uint64_t user_mask, uint64_t bytes, uint64_t flags)
{
	struct file *file = NULL;
	struct fd_ref ref;
	uint64_t mask;
	int error;

	if (((int)flags & ~(SFD_CLOEXEC | SFD_NONBLOCK)) != 0)
		return -EINVAL;
	error = sigmask_get(user_mask, bytes, &mask);
	if (error != 0)
		return error;
	if ((int)fd == -1) {
		error = signalfd_create_file(mask, (int)flags & ~SFD_CLOEXEC, &file);
		return add_file(error, file, (flags & SFD_CLOEXEC) != 0);
	}
	if (!fd_get((int)fd, &ref))
		return -EBADF;
	error = signalfd_set_mask(ref.file, mask);
	fd_put(&ref);
	return error != 0 ? error : (int)fd;
}

long sys_signalfd(uint64_t fd, uint64_t mask, uint64_t bytes)
{
	return sys_signalfd4(fd, mask, bytes, 0);
}

/* --- memfd, pidfd ----------------------------------------------------------------------------- */

long sys_memfd_create(uint64_t user_name, uint64_t flags)
{
	struct file *file = NULL;
	char *name;
	int error;

	if (((uint32_t)flags & ~(uint32_t)(MFD_CLOEXEC | MFD_ALLOW_SEALING)) != 0)
		return -EINVAL;
	error = user_string_get(user_name, NAME_MAX - 5, &name);
	if (error != 0)
		return error == -ENAMETOOLONG ? -EINVAL : error;
	error = memfd_create_file(name, (unsigned int)flags, &file);
	kfree(name);
	return add_file(error, file, (flags & MFD_CLOEXEC) != 0);
}

long sys_pidfd_open(uint64_t pid, uint64_t flags)
{
	struct file *file = NULL;
	struct process *p;
	struct task *task;
	int error;

	if (((uint32_t)flags & ~(uint32_t)O_NONBLOCK) != 0 || (int)pid <= 0)
		return -EINVAL;
	p = process_lookup((uint32_t)pid);
	if (p == NULL) {
		task = task_lookup((uint32_t)pid);	/* a thread that leads no process */
		if (task != NULL)
			task_put(task);
		return task != NULL ? -EINVAL : -ESRCH;
	}
	error = pidfd_create_file(p, (int)flags, &file);
	process_put(p);
	return add_file(error, file, true);
}

long sys_pidfd_getfd(uint64_t pidfd, uint64_t fd, uint64_t flags)
{
	struct fdtable *table = NULL;
	struct file *file = NULL;
	struct process *p;
	struct task *task;
	struct fd_ref ref;

	if (flags != 0)
		return -EINVAL;
	if (!fd_get((int)pidfd, &ref))
		return -EBADF;
	p = pidfd_process(ref.file);
	fd_put(&ref);
	if (p == NULL)
		return -EBADF;
	task = p->state == PROCESS_RUNNING ? process_next_task(p, p->pid) : NULL;
	process_put(p);
	if (task == NULL)
		return -ESRCH;
	if (!task_may_access(task)) {
		task_put(task);
		return -EPERM;
	}
	table = task_get_fdtable(task);
	if (table != NULL) {
		file = fdtable_get_file(table, (int)fd);
		fdtable_put(table);
	}
	task_put(task);
	if (table == NULL)
		return -ESRCH;
	return file != NULL ? fd_add(file, true) : -EBADF;
}
