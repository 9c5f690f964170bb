/*
 * The fallback for a failed LIB_ASSERT: stop at once, where a debugger or the fault handler shows
 * the place. The kernel's own definition, which prints the expression first, is strong and takes
 * this one's place.
 */
#include "lib/assert.h"

__attribute__((weak)) _Noreturn void lib_assert_failed(const char *expression, const char *file,
						       int line)
{
	(void)expression;
	(void)file;
	(void)line;
	__builtin_trap();
}
