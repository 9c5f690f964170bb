/*
 * Assertions for lib/.
 *
 * lib/ lies under core/ and cannot use its ASSERT, so it has its own with one hook: a failed
 * assertion calls lib_assert_failed(), whose definition here is weak and traps; core/ may replace
 * it by one that panics with a stack. An assertion states what the caller promised; data from users
 * or devices is never asserted.
 */
#pragma once

_Noreturn void lib_assert_failed(const char *expression, const char *file, int line);

#define LIB_ASSERT(expression)                                                                   \
	do {                                                                                     \
		if (__builtin_expect(!(expression), 0))                                          \
			lib_assert_failed(#expression, __FILE__, __LINE__);                      \
	} while (0)
