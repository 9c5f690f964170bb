/*
 * Extensible structures (clone3, openat2, sched_setattr): the caller's size may be smaller or
 * larger than ours (copy_struct_from_user in Linux's documentation of extensible system calls).
 */
#pragma once

#include "core/user_copy.h"

/*
 * Zero-fills what the caller does not have; what it has more must be zero: -E2BIG. Sizes below
 * `minimum` are -EINVAL, above a page -E2BIG; -EFAULT.
 */
must_check int user_struct_get(void *to, size_t bytes, size_t minimum, user_addr_t from,
			       size_t user_bytes);
