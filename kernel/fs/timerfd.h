/*
 * timerfd: expirations of a timer as a file.
 */
#pragma once

#include "abi/time.h"
#include "core/types.h"

struct file;

/* timerfd_create(2): CLOCK_REALTIME, MONOTONIC, BOOTTIME and their alarms. -EINVAL, -ENOMEM. */
must_check int timerfd_create_file(int clock, int flags, struct file **out);
/* timerfd_settime(2): *old (may be NULL) gets what was set. -EINVAL: not a timerfd, bad times. */
must_check int timerfd_set(struct file *file, int flags, const struct abi_itimerspec *value,
			   struct abi_itimerspec *old);
must_check int timerfd_get(struct file *file, struct abi_itimerspec *out);
/* The wall clock was set: TFD_TIMER_CANCEL_ON_SET and absolute CLOCK_REALTIME timers. */
void timerfd_clock_was_set(void);
void timerfd_init(void);
