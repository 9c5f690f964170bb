/*
 * Memory and string functions: those of the C library that the kernel uses, with the C library's
 * meaning, and the bounded copies that it lacks.
 *
 * Three files implement them. memory.c has the four that compilers call on their own (memcpy,
 * memmove, memset, memcmp) and memchr; they are weak, so that arch/ can supply faster ones.
 * string.c has the str* functions of C. string_bounded.c has what C does not have. On the host the
 * first two are the C library's, under the eyes of the address sanitiser, and only the third is
 * linked.
 *
 * None of these may be given a user address.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

void *memcpy(void *restrict to, const void *restrict from, size_t size);
void *memmove(void *to, const void *from, size_t size);
void *memset(void *to, int byte, size_t size);
int memcmp(const void *a, const void *b, size_t size);
void *memchr(const void *memory, int byte, size_t size);

/* As memcmp() == 0, for some ten bytes: names, where a call would cost as much. */
static inline bool bytes_equal(const char *a, const char *b, size_t n)
{
	uint64_t x, y;

	for (; n >= 8; n -= 8, a += 8, b += 8) {
		__builtin_memcpy(&x, a, 8);
		__builtin_memcpy(&y, b, 8);
		if (x != y)
			return false;
	}
	for (; n > 0; n--) {
		if (*a++ != *b++)
			return false;
	}
	return true;
}

size_t strlen(const char *string);
size_t strnlen(const char *string, size_t size);
int strcmp(const char *a, const char *b);
int strncmp(const char *a, const char *b, size_t size);
char *strchr(const char *string, int byte);
char *strrchr(const char *string, int byte);
char *strstr(const char *string, const char *part);

/*
 * Copies from into to[size], always terminated when size > 0. Returns the length of from: a result
 * >= size says that the copy was cut.
 */
size_t strlcpy(char *restrict to, const char *restrict from, size_t size);

/* Appends; returns the length it tried to make, with the same meaning as strlcpy's. */
size_t strlcat(char *restrict to, const char *restrict from, size_t size);
