/*
 * Places where a failure can be made to happen: fail_point("page_alloc") is false, unless the
 * failure sweep asked the Nth call of the current thread to fail (/proc/self/fail-nth; debug
 * builds).
 */
#pragma once

#include "core/types.h"

#ifdef TINE_DEBUG
bool fail_point(const char *name);
/* Registered from above: where the current thread counts down to its failure; NULL for none. */
void fail_point_set_counter(uint64_t *(*counter)(void));
#else
static inline bool fail_point(const char *name) { (void)name; return false; }
#endif
