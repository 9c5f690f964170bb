/*
 * Timers of a process: setitimer(2), alarm(2), timer_create(2), RLIMIT_CPU.
 */
#pragma once

#include "abi/signal.h"
#include "abi/time.h"
#include "proc/clock.h"
#include "proc/task.h"

/* which: ITIMER_*. Values in ns; value 0 disarms. old_* get what was left. -EINVAL, -ENOMEM. */
must_check int itimer_set(int which, uint64_t value_ns, uint64_t interval_ns,
			  uint64_t *old_value_ns, uint64_t *old_interval_ns);
must_check int itimer_get(int which, uint64_t *value_ns, uint64_t *interval_ns);
/* The soft RLIMIT_CPU of the current process changed. */
must_check int itimer_limit_changed(void);

/* POSIX timers of the current process: ids or -errno (-EINVAL, -EAGAIN, -ENOMEM). */
must_check long posix_timer_create(int clock, const struct abi_sigevent *event);
must_check int posix_timer_set(int id, int flags, uint64_t value_ns, uint64_t interval_ns,
			       uint64_t *old_value_ns, uint64_t *old_interval_ns);
must_check int posix_timer_get(int id, uint64_t *value_ns, uint64_t *interval_ns);
must_check int posix_timer_overrun(int id);
must_check int posix_timer_delete(int id);
