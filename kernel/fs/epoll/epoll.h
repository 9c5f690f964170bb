/*
 * epoll.
 */
#pragma once

#include "abi/epoll.h"
#include "core/types.h"

struct file;

/* epoll_create1(2). */
must_check int epoll_create_file(struct file **out);
/* epoll_ctl(2) on (target, fd). -EINVAL: not an epoll, itself, bad events; -EEXIST, -ENOENT, -EPERM
 * (cannot be polled), -ELOOP (nested in a circle or too deep), -ENOMEM, -ENOSPC. */
must_check int epoll_control(struct file *epoll, int operation, int fd, struct file *target,
			     const struct abi_epoll_event *event);
/* epoll_wait(2) until an absolute time: number of events written, -ERESTARTSYS, -EFAULT, -EINVAL.
 * A deadline of 0 only looks. */
must_check int epoll_wait_events(struct file *epoll, user_addr_t events, int max,
				 uint64_t deadline_ns);
void epoll_init(void);
