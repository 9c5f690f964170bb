/*
 * The only way to user memory. Each returns 0 or -EFAULT; may sleep (a page fault), except the
 * _nofault forms, which fail with -EFAULT instead of faulting a page in. With preemption off all
 * forms are that: under a spin lock, let go of it, touch the page, and try again.
 */
#pragma once

#include "abi/errno.h"
#include "core/types.h"

/* True when [addr, addr+n) lies in the user half. */
static inline bool user_range_ok(user_addr_t addr, size_t n)
{
	return n <= USER_END && addr.value <= USER_END - n;
}

/* Say how many bytes were NOT copied (short reads and writes need it). */
must_check size_t copy_from_user_partial(void *dst, user_addr_t src, size_t n);
must_check size_t copy_to_user_partial(user_addr_t dst, const void *src, size_t n);

must_check static inline int copy_from_user(void *dst, user_addr_t src, size_t n)
{
	return copy_from_user_partial(dst, src, n) == 0 ? 0 : -EFAULT;
}

must_check static inline int copy_to_user(user_addr_t dst, const void *src, size_t n)
{
	return copy_to_user_partial(dst, src, n) == 0 ? 0 : -EFAULT;
}

must_check int clear_user(user_addr_t dst, size_t n);
/* Copies a string with its NUL: length without NUL, -EFAULT, or -ENAMETOOLONG when `max` bytes
 * held no NUL. */
must_check ssize_t copy_string_from_user(char *dst, user_addr_t src, size_t max);

must_check int copy_from_user_nofault(void *dst, user_addr_t src, size_t n);
must_check int copy_to_user_nofault(user_addr_t dst, const void *src, size_t n);

must_check int user_load32_nofault(user_addr_t addr, uint32_t *out);
must_check int user_load32(user_addr_t addr, uint32_t *out);
must_check int user_store32(user_addr_t addr, uint32_t value);
must_check int user_store16(user_addr_t addr, uint16_t value);
/* *addr == old ? *addr = value; *seen gets what was there. Faults the page in. */
must_check int user_compare_exchange32(user_addr_t addr, uint32_t old, uint32_t value,
				       uint32_t *seen);
must_check int user_compare_exchange32_nofault(user_addr_t addr, uint32_t old, uint32_t value,
					       uint32_t *seen);
