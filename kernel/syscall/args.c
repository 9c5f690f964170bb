/*
 * Times as programs give them: copied in, checked, turned into nanoseconds.
 */
#include "syscall/args.h"

#include "abi/errno.h"

int timespec_to_ns(const struct abi_timespec *t, uint64_t *ns)
{
	if (t->tv_sec < 0 || (uint64_t)t->tv_nsec >= NSEC_PER_SEC)
		return -EINVAL;
	if ((uint64_t)t->tv_sec >= TIME_NEVER / NSEC_PER_SEC / 2)
		*ns = TIME_NEVER / 2;
	else
		*ns = (uint64_t)t->tv_sec * NSEC_PER_SEC + (uint64_t)t->tv_nsec;
	return 0;
}

int timespec_get(uint64_t user_time, uint64_t *ns)
{
	struct abi_timespec t;

	if (copy_from_user(&t, user_addr(user_time), sizeof(t)) != 0)
		return -EFAULT;
	return timespec_to_ns(&t, ns);
}

int timespec_put(uint64_t user_time, uint64_t ns)
{
	struct abi_timespec t = ns_to_timespec(ns);

	return copy_to_user(user_addr(user_time), &t, sizeof(t));
}

int timeval_put(uint64_t user_time, uint64_t ns)
{
	struct abi_timeval t = { (int64_t)(ns / NSEC_PER_SEC),
				 (int64_t)(ns % NSEC_PER_SEC / NSEC_PER_USEC) };

	return copy_to_user(user_addr(user_time), &t, sizeof(t));
}

int sigmask_get(uint64_t user_mask, uint64_t bytes, uint64_t *mask)
{
	if (bytes != sizeof(*mask))
		return -EINVAL;
	return copy_from_user(mask, user_addr(user_mask), sizeof(*mask));
}
