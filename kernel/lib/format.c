/*
 * The formatter: one pass over the format, a `struct spec` parsed for each %, and an output that
 * counts every character and stores those that fit. Numbers are made from the right in a small
 * array; 64 bits in octal with a prefix are 23 characters.
 */
#include <stdbool.h>
#include <stdint.h>

#include "lib/format.h"
#include "lib/string.h"

struct output {
	char *buffer;
	size_t size;
	size_t length; /* characters asked for, stored or not */
};

enum length_modifier { LENGTH_INT, LENGTH_CHAR, LENGTH_SHORT, LENGTH_LONG };

struct spec {
	bool left, zero, plus, space, alternate;
	bool has_precision;
	unsigned width;
	unsigned precision;
	enum length_modifier length;
	char conversion;
};

/* A width read from a format or an argument is cut here, so that sums of it cannot overflow. */
#define WIDTH_MAX 65535U

static void put(struct output *out, char c)
{
	if (out->length < out->size)
		out->buffer[out->length] = c;
	out->length++;
}

static void put_repeated(struct output *out, char c, size_t count)
{
	while (count-- > 0)
		put(out, c);
}

static void put_bytes(struct output *out, const char *bytes, size_t count)
{
	for (size_t i = 0; i < count; i++)
		put(out, bytes[i]);
}

static void put_padded(struct output *out, const struct spec *spec, const char *bytes, size_t count)
{
	size_t pad = spec->width > count ? spec->width - count : 0;

	if (!spec->left)
		put_repeated(out, ' ', pad);
	put_bytes(out, bytes, count);
	if (spec->left)
		put_repeated(out, ' ', pad);
}

/* Sign or radix prefix, zeros, digits, and padding around the three. */
static void put_number(struct output *out, const struct spec *spec, uint64_t value, unsigned base,
		       const char *prefix)
{
	const char *digit = spec->conversion == 'X' ? "0123456789ABCDEF" : "0123456789abcdef";
	char digits[24];
	size_t count = 0, zeros = 0, prefix_length = strlen(prefix), pad = 0;

	for (; value != 0; value /= base)
		digits[sizeof(digits) - ++count] = digit[value % base];
	if (spec->has_precision)
		zeros = spec->precision > count ? spec->precision - count : 0;
	else if (count == 0)
		zeros = 1;
	if (spec->width > prefix_length + zeros + count)
		pad = spec->width - prefix_length - zeros - count;
	if (spec->zero && !spec->left && !spec->has_precision) {
		zeros += pad;
		pad = 0;
	}
	if (!spec->left)
		put_repeated(out, ' ', pad);
	put_bytes(out, prefix, prefix_length);
	put_repeated(out, '0', zeros);
	put_bytes(out, digits + sizeof(digits) - count, count);
	if (spec->left)
		put_repeated(out, ' ', pad);
}

static void put_signed(struct output *out, const struct spec *spec, int64_t value)
{
	const char *sign = value < 0 ? "-" : spec->plus ? "+" : spec->space ? " " : "";

	put_number(out, spec, value < 0 ? -(uint64_t)value : (uint64_t)value, 10, sign);
}

static void put_unsigned(struct output *out, const struct spec *spec, uint64_t value)
{
	switch (spec->conversion) {
	case 'o':
		put_number(out, spec, value, 8, spec->alternate && value != 0 ? "0" : "");
		break;
	case 'x':
		put_number(out, spec, value, 16, spec->alternate && value != 0 ? "0x" : "");
		break;
	case 'X':
		put_number(out, spec, value, 16, spec->alternate && value != 0 ? "0X" : "");
		break;
	default:
		put_number(out, spec, value, 10, "");
	}
}

static void put_text(struct output *out, const struct spec *spec, const char *text)
{
	if (text == NULL)
		text = "(null)";
	put_padded(out, spec, text,
		   spec->has_precision ? strnlen(text, spec->precision) : strlen(text));
}

static void put_pointer(struct output *out, const struct spec *spec, const void *pointer)
{
	struct spec digits = *spec;

	digits.has_precision = true;
	digits.precision = 16;
	put_number(out, &digits, (uintptr_t)pointer, 16, "0x");
}

static const char *parse_flags(const char *p, struct spec *spec)
{
	for (;; p++) {
		switch (*p) {
		case '-':
			spec->left = true;
			break;
		case '0':
			spec->zero = true;
			break;
		case '+':
			spec->plus = true;
			break;
		case ' ':
			spec->space = true;
			break;
		case '#':
			spec->alternate = true;
			break;
		default:
			return p;
		}
	}
}

static const char *parse_count(const char *p, unsigned *count)
{
	for (; *p >= '0' && *p <= '9'; p++) {
		*count = *count * 10 + (unsigned)(*p - '0');
		if (*count > WIDTH_MAX)
			*count = WIDTH_MAX;
	}
	return p;
}

static const char *parse_length(const char *p, struct spec *spec)
{
	for (;; p++) {
		switch (*p) {
		case 'h':
			spec->length = spec->length == LENGTH_SHORT ? LENGTH_CHAR : LENGTH_SHORT;
			break;
		case 'l': /* long and long long are the same width wherever this kernel is built */
		case 'z':
		case 't':
		case 'j':
			spec->length = LENGTH_LONG;
			break;
		default:
			return p;
		}
	}
}

/* va_list may be an array type, whose address changes type as a parameter: hence the wrapper. */
struct arguments {
	va_list list;
};

static const char *parse_spec(const char *p, struct spec *spec, struct arguments *args)
{
	memset(spec, 0, sizeof(*spec));
	p = parse_flags(p, spec);
	if (*p == '*') {
		int width = va_arg(args->list, int);

		p++;
		spec->left |= width < 0;
		spec->width = width < 0 ? -(unsigned)width : (unsigned)width;
		if (spec->width > WIDTH_MAX)
			spec->width = WIDTH_MAX;
	} else {
		p = parse_count(p, &spec->width);
	}
	if (*p == '.') {
		spec->has_precision = true;
		if (*++p == '*') {
			int precision = va_arg(args->list, int);

			p++;
			spec->has_precision = precision >= 0;
			spec->precision = precision < 0 ? 0 : (unsigned)precision;
			if (spec->precision > WIDTH_MAX)
				spec->precision = WIDTH_MAX;
		} else {
			p = parse_count(p, &spec->precision);
		}
	}
	p = parse_length(p, spec);
	spec->conversion = *p;
	return *p == '\0' ? p : p + 1;
}

static int64_t take_signed(const struct spec *spec, struct arguments *args)
{
	if (spec->length == LENGTH_LONG)
		return va_arg(args->list, long);

	int value = va_arg(args->list, int);

	return spec->length == LENGTH_CHAR    ? (signed char)value
	       : spec->length == LENGTH_SHORT ? (short)value
					      : value;
}

static uint64_t take_unsigned(const struct spec *spec, struct arguments *args)
{
	if (spec->length == LENGTH_LONG)
		return va_arg(args->list, unsigned long);

	unsigned value = va_arg(args->list, unsigned);

	return spec->length == LENGTH_CHAR    ? (unsigned char)value
	       : spec->length == LENGTH_SHORT ? (unsigned short)value
					      : value;
}

/* False for a conversion that we do not have. */
static bool put_conversion(struct output *out, const struct spec *spec, struct arguments *args)
{
	char c;

	switch (spec->conversion) {
	case 'd':
	case 'i':
		put_signed(out, spec, take_signed(spec, args));
		return true;
	case 'u':
	case 'x':
	case 'X':
	case 'o':
		put_unsigned(out, spec, take_unsigned(spec, args));
		return true;
	case 'c':
		c = (char)va_arg(args->list, int);
		put_padded(out, spec, &c, 1);
		return true;
	case 's':
		put_text(out, spec, va_arg(args->list, const char *));
		return true;
	case 'p':
		put_pointer(out, spec, va_arg(args->list, const void *));
		return true;
	case '%':
		put(out, '%');
		return true;
	default:
		return false;
	}
}

size_t format_string_v(char *buffer, size_t size, const char *format, va_list list)
{
	struct output out = {.buffer = buffer, .size = size};
	struct arguments args;

	va_copy(args.list, list);
	for (const char *p = format; *p != '\0';) {
		const char *start = p;
		struct spec spec;

		if (*p != '%') {
			put(&out, *p++);
			continue;
		}
		p = parse_spec(p + 1, &spec, &args);
		if (!put_conversion(&out, &spec, &args))
			put_bytes(&out, start, (size_t)(p - start));
	}
	va_end(args.list);
	if (size > 0)
		buffer[out.length < size ? out.length : size - 1] = '\0';
	return out.length;
}

size_t format_string(char *buffer, size_t size, const char *format, ...)
{
	va_list args;
	size_t length;

	va_start(args, format);
	length = format_string_v(buffer, size, format, args);
	va_end(args);
	return length;
}

size_t format_stored(char *buffer, size_t size, const char *format, ...)
{
	va_list args;
	size_t length;

	va_start(args, format);
	length = format_string_v(buffer, size, format, args);
	va_end(args);
	if (size == 0)
		return 0;
	return length < size ? length : size - 1;
}
