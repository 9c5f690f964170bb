/*
 * Strict parsing of numbers: all of the text is a number, or it is an error.
 *
 * No leading spaces, no sign where none is allowed, no trailing bytes, no wrap-around. Base 0 takes
 * the base from the text: 0x.. is hexadecimal, 0.. octal, all else decimal; base 16 accepts the 0x
 * too.
 *
 * Every function returns 0, -EINVAL (not a number; empty) or -ERANGE (a number that does not fit),
 * and leaves *value alone unless it returns 0.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

int number_parse(const char *text, size_t length, unsigned base, uint64_t *value);

/* As above, with an optional minus sign. */
int number_parse_signed(const char *text, size_t length, unsigned base, int64_t *value);

/* As number_parse in base 0, with an optional suffix K, M, G or T (powers of 1024; either case). */
int number_parse_size(const char *text, size_t length, uint64_t *value);
