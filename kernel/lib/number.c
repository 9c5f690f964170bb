/*
 * Number parsing. Overflow is found before it happens, by the compiler's checked arithmetic.
 */
#include "abi/errno.h"
#include "lib/number.h"

/* 255 for what is no digit in any base. */
static unsigned digit_of(char c)
{
	if (c >= '0' && c <= '9')
		return (unsigned)(c - '0');
	if (c >= 'a' && c <= 'z')
		return (unsigned)(c - 'a') + 10;
	if (c >= 'A' && c <= 'Z')
		return (unsigned)(c - 'A') + 10;
	return 255;
}

static size_t skip_prefix(const char *text, size_t length, unsigned *base)
{
	int hexadecimal = length > 2 && text[0] == '0' && (text[1] | 0x20) == 'x';

	if (hexadecimal && (*base == 0 || *base == 16)) {
		*base = 16;
		return 2;
	}
	if (*base == 0)
		*base = length > 1 && text[0] == '0' ? 8 : 10;
	return 0;
}

int number_parse(const char *text, size_t length, unsigned base, uint64_t *value)
{
	size_t at = skip_prefix(text, length, &base);
	uint64_t sum = 0;
	int error = 0;

	if (at == length)
		return -EINVAL;
	for (; at < length; at++) {
		unsigned digit = digit_of(text[at]);

		if (digit >= base)
			return -EINVAL;
		/* Go on after an overflow: a bad digit further on makes it no number at all. */
		if (__builtin_mul_overflow(sum, (uint64_t)base, &sum) ||
		    __builtin_add_overflow(sum, (uint64_t)digit, &sum))
			error = -ERANGE;
	}
	if (error == 0)
		*value = sum;
	return error;
}

int number_parse_signed(const char *text, size_t length, unsigned base, int64_t *value)
{
	int negative = length > 0 && text[0] == '-';
	uint64_t magnitude;
	int error = number_parse(text + negative, length - (size_t)negative, base, &magnitude);

	if (error != 0)
		return error;
	if (magnitude > (uint64_t)INT64_MAX + (unsigned)negative)
		return -ERANGE;
	*value = negative ? (int64_t)(0 - magnitude) : (int64_t)magnitude;
	return 0;
}

static unsigned suffix_shift(char c)
{
	switch (c) {
	case 'k':
	case 'K':
		return 10;
	case 'm':
	case 'M':
		return 20;
	case 'g':
	case 'G':
		return 30;
	case 't':
	case 'T':
		return 40;
	default:
		return 0;
	}
}

int number_parse_size(const char *text, size_t length, uint64_t *value)
{
	unsigned shift = length > 0 ? suffix_shift(text[length - 1]) : 0;
	uint64_t number;
	int error = number_parse(text, length - (shift != 0), 0, &number);

	if (error != 0)
		return error;
	if (number > UINT64_MAX >> shift)
		return -ERANGE;
	*value = number << shift;
	return 0;
}
