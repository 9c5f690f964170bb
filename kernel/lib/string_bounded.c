/*
 * Bounded string copies. They return the length that was wanted, so that one comparison by the
 * caller tells a cut from a fit.
 */
#include "lib/string.h"

size_t strlcpy(char *restrict to, const char *restrict from, size_t size)
{
	size_t length = strlen(from);

	if (size > 0) {
		size_t copied = length < size ? length : size - 1;

		memcpy(to, from, copied);
		to[copied] = '\0';
	}
	return length;
}

size_t strlcat(char *restrict to, const char *restrict from, size_t size)
{
	size_t have = strnlen(to, size);

	if (have == size)
		return size + strlen(from);
	return have + strlcpy(to + have, from, size - have);
}
