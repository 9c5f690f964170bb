/*
 * ASSERT: our own bugs, debug builds. VERIFY: always. panic: where going on would corrupt.
 * A user's mistake is never asserted: it gets errno.
 */
#pragma once

#include "core/types.h"

void panic(const char *format, ...) noreturn_fn __attribute__((format(printf, 1, 2)));

#define VERIFY(cond)                                                                              \
	do {                                                                                      \
		if (unlikely(!(cond)))                                                            \
			panic("%s:%d: %s: VERIFY(%s)", __FILE__, __LINE__, __func__, #cond);      \
	} while (0)

#ifdef TINE_DEBUG
#define CONFIG_DEBUG 1
#define ASSERT(cond)                                                                              \
	do {                                                                                      \
		if (unlikely(!(cond)))                                                            \
			panic("%s:%d: %s: ASSERT(%s)", __FILE__, __LINE__, __func__, #cond);      \
	} while (0)
#else
#define CONFIG_DEBUG 0
#define ASSERT(cond) ((void)sizeof(cond))
#endif

#define UNREACHABLE() panic("%s:%d: unreachable", __FILE__, __LINE__)
