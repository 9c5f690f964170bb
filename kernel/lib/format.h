/*
 * printf-style formatting into a bounded buffer.
 *
 * Conversions: %d %i %u %x %X %o %c %s %p %% with the lengths hh h l ll z t j, a width and a
 * precision (digits or `*`), and the flags `-` (left), `0` (zeros), `+`, space and `#`. %p prints
 * 0x and 16 digits. There is no floating point and no %n. A NULL %s prints (null); a precision
 * bounds how far a %s is read, so it need not be terminated. An unknown conversion is copied as it
 * stands.
 *
 * The result is always terminated when size > 0. The return value is the length that was needed: >=
 * size says that the text was cut. No locks, no allocation, about 100 bytes of stack: fit for
 * interrupt handlers and panics.
 */
#pragma once

#include <stdarg.h>
#include <stddef.h>

__attribute__((format(printf, 3, 4))) size_t format_string(char *buffer, size_t size,
							    const char *format, ...);

__attribute__((format(printf, 3, 0))) size_t format_string_v(char *buffer, size_t size,
							      const char *format, va_list args);

/*
 * The length that was stored rather than the one needed: for appending to a buffer piece by piece
 * (`length += format_stored(buffer + length, size - length, ...)`), which then simply stops at its
 * end.
 */
__attribute__((format(printf, 3, 4))) size_t format_stored(char *buffer, size_t size,
							    const char *format, ...);
