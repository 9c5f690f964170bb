/*
 * What handlers share: times and masks out of the program's memory.
 */
#pragma once

#include "abi/time.h"
#include "core/clock.h"
#include "core/user_copy.h"

/* A relative or absolute time as ns, cut at TIME_NEVER - 1; -EFAULT, -EINVAL. */
must_check int timespec_get(uint64_t user_time, uint64_t *ns);
must_check int timespec_put(uint64_t user_time, uint64_t ns);
must_check int timeval_put(uint64_t user_time, uint64_t ns);
must_check int timespec_to_ns(const struct abi_timespec *t, uint64_t *ns);
static inline struct abi_timespec ns_to_timespec(uint64_t ns)
{
	return (struct abi_timespec){ (int64_t)(ns / NSEC_PER_SEC), (int64_t)(ns % NSEC_PER_SEC) };
}
/* The absolute deadline of a sleep of `ns` from now. */
static inline uint64_t deadline_after(uint64_t ns)
{
	uint64_t now = clock_ns();

	return ns > TIME_NEVER - 1 - now ? TIME_NEVER - 1 : now + ns;
}
/* A signal mask argument: `bytes` must be 8. -EINVAL, -EFAULT. */
must_check int sigmask_get(uint64_t user_mask, uint64_t bytes, uint64_t *mask);
