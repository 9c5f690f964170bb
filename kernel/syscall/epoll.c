/*
 * epoll over fs/epoll.
 */
#include "fs/epoll/epoll.h"

#include "abi/errno.h"
#include "abi/fcntl.h"
#include "proc/task.h"
#include "syscall/args.h"
#include "syscall/syscalls.h"

long sys_epoll_create1(uint64_t flags)
{
	struct file *file;
	int error;

	if (((int)flags & ~EPOLL_CLOEXEC) != 0)
		return -EINVAL;
	error = epoll_create_file(&file);
	return error != 0 ? error : fd_add(file, (flags & EPOLL_CLOEXEC) != 0);
}

long sys_epoll_create(uint64_t size)
{
	return (int)size <= 0 ? -EINVAL : sys_epoll_create1(0);
}

long sys_epoll_ctl(uint64_t epfd, uint64_t operation, uint64_t fd, uint64_t user_event)
{
	struct abi_epoll_event event = { 0 };
	struct fd_ref epoll, target;
	long result;

	if ((int)operation != EPOLL_CTL_DEL &&
	    copy_from_user(&event, user_addr(user_event), sizeof(event)) != 0)
		return -EFAULT;
	if (!fd_get((int)epfd, &epoll))
		return -EBADF;
	if (fd_get((int)fd, &target)) {
		result = epoll_control(epoll.file, (int)operation, (int)fd, target.file, &event);
		fd_put(&target);
	} else {
		result = -EBADF;
	}
	fd_put(&epoll);
	return result;
}

static long wait_on(struct file *epoll, uint64_t events, int max, uint64_t deadline)
{
	if (max <= 0 || max > (int)(INT32_MAX / sizeof(struct abi_epoll_event)))
		return -EINVAL;
	if (!user_range_ok(user_addr(events), (size_t)max * sizeof(struct abi_epoll_event)))
		return -EFAULT;
	return epoll_wait_events(epoll, user_addr(events), max, deadline);
}

static long wait_until(uint64_t epfd, uint64_t events, uint64_t max, uint64_t deadline)
{
	struct fd_ref ref;
	long result;

	if (!fd_get((int)epfd, &ref))
		return -EBADF;
	result = wait_on(ref.file, events, (int)max, deadline);
	fd_put(&ref);
	return result == -ERESTARTSYS ? -EINTR : result;
}

static uint64_t milliseconds_deadline(int ms)
{
	if (ms < 0)
		return TIME_NEVER;
	return ms == 0 ? 0 : deadline_after((uint64_t)ms * NSEC_PER_MSEC);
}

long sys_epoll_wait(uint64_t epfd, uint64_t events, uint64_t max, uint64_t timeout_ms)
{
	return wait_until(epfd, events, max, milliseconds_deadline((int)timeout_ms));
}

static long wait_with_mask(uint64_t epfd, uint64_t events, uint64_t max, uint64_t deadline,
			   uint64_t user_mask, uint64_t bytes)
{
	uint64_t mask;
	long result;

	if (user_mask == 0)
		return wait_until(epfd, events, max, deadline);
	result = sigmask_get(user_mask, bytes, &mask);
	if (result != 0)
		return result;
	signal_use_mask(mask);
	result = wait_until(epfd, events, max, deadline);
	signal_restore_mask(result == -EINTR);
	return result;
}

long sys_epoll_pwait(uint64_t epfd, uint64_t events, uint64_t max, uint64_t timeout_ms,
		     uint64_t mask, uint64_t mask_bytes)
{
	return wait_with_mask(epfd, events, max, milliseconds_deadline((int)timeout_ms), mask,
			      mask_bytes);
}

long sys_epoll_pwait2(uint64_t epfd, uint64_t events, uint64_t max, uint64_t user_timeout,
		      uint64_t mask, uint64_t mask_bytes)
{
	uint64_t ns, deadline = TIME_NEVER;

	if (user_timeout != 0) {
		int error = timespec_get(user_timeout, &ns);

		if (error != 0)
			return error;
		deadline = ns == 0 ? 0 : deadline_after(ns);
	}
	return wait_with_mask(epfd, events, max, deadline, mask, mask_bytes);
}
