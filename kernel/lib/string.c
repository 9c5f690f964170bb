/*
 * The str* functions of C. Byte loops: the kernel's strings are names and paths of some tens of
 * bytes, and a byte loop never reads past the terminator, which page-straddling word tricks would
 * have to argue about.
 */
#include <stdint.h>

#include "lib/string.h"

size_t strlen(const char *string)
{
	const char *end = string;

	while (*end != '\0')
		end++;
	return (size_t)(end - string);
}

size_t strnlen(const char *string, size_t size)
{
	size_t length = 0;

	while (length < size && string[length] != '\0')
		length++;
	return length;
}

int strcmp(const char *a, const char *b)
{
	while (*a != '\0' && *a == *b) {
		a++;
		b++;
	}
	return (unsigned char)*a - (unsigned char)*b;
}

int strncmp(const char *a, const char *b, size_t size)
{
	for (; size > 0; size--, a++, b++) {
		if (*a != *b)
			return (unsigned char)*a - (unsigned char)*b;
		if (*a == '\0')
			break;
	}
	return 0;
}

char *strchr(const char *string, int byte)
{
	for (;; string++) {
		if (*string == (char)byte)
			return (char *)(uintptr_t)string;
		if (*string == '\0')
			return NULL;
	}
}

char *strrchr(const char *string, int byte)
{
	const char *found = NULL;

	for (;; string++) {
		if (*string == (char)byte)
			found = string;
		if (*string == '\0')
			return (char *)(uintptr_t)found;
	}
}

char *strstr(const char *string, const char *part)
{
	size_t length = strlen(part);

	for (;; string++) {
		if (strncmp(string, part, length) == 0)
			return (char *)(uintptr_t)string;
		if (*string == '\0')
			return NULL;
	}
}
