/*
 * Does the formatter print what the C library's prints, and never past its buffer?
 *
 * links: lib/format.c
 */
#include <limits.h>
#include <stdio.h>
#include <string.h>

#include "host_test.h"
#include "lib/format.h"

#pragma GCC diagnostic ignored "-Wformat"
#pragma GCC diagnostic ignored "-Wformat-security"
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
#pragma GCC diagnostic ignored "-Wformat-overflow"
#pragma GCC diagnostic ignored "-Wformat-truncation"

#define SAME(...)                                                                                \
	do {                                                                                     \
		char ours_[200], theirs_[200];                                                   \
		size_t length_ = format_string(ours_, sizeof(ours_), __VA_ARGS__);               \
		int expected_ = snprintf(theirs_, sizeof(theirs_), __VA_ARGS__);                 \
		CHECK_STRING(ours_, theirs_);                                                    \
		CHECK_EQUAL(length_, expected_);                                                 \
	} while (0)

TEST(format_integers)
{
	static const char *const flags[] = {"",   "-",  "0",  "+",  " ", "#",
					    "-0", "+0", "#0", "- ", "-#"};
	static const char *const counts[] = {"", "1", "7", "25", ".0", ".5", "9.3", "3.9", "30.25"};
	static const char conversions[] = "dioxXu";
	static const long values[] = {0,    1,       -1,      7,        42,      255,
				      -128, INT_MAX, INT_MIN, LONG_MAX, LONG_MIN};

	for (unsigned f = 0; f < sizeof(flags) / sizeof(*flags); f++) {
		for (unsigned c = 0; c < sizeof(counts) / sizeof(*counts); c++) {
			for (const char *conversion = conversions; *conversion; conversion++) {
				char format[32];

				/*
				 * C leaves + and space with these undefined, and # with octal to
				 * us.
				 */
				if (strchr("oxXu", *conversion) && strpbrk(flags[f], "+ "))
					continue;
				if (*conversion == 'o' && strchr(flags[f], '#'))
					continue;
				for (unsigned v = 0; v < sizeof(values) / sizeof(*values); v++) {
					sprintf(format, "<%%%s%sl%c>", flags[f], counts[c],
						*conversion);
					SAME(format, values[v]);
					sprintf(format, "<%%%s%s%c>", flags[f], counts[c],
						*conversion);
					SAME(format, (int)values[v]);
					sprintf(format, "<%%%s%shh%c>", flags[f], counts[c],
						*conversion);
					SAME(format, (int)values[v]);
				}
			}
		}
	}
}

TEST(format_text)
{
	SAME("%s|%10s|%-10s|%.2s|%5.1s|%c|%3c|%-3c|%%", "abc", "abc", "abc", "abc", "abc", 'x', 'y',
	     'z');
	SAME("%*d|%-*d|%.*s|%*d", 5, 42, 5, 42, 2, "abc", -6, 7);
	SAME("%llu %lu %zu %hu %hd", ~0ULL, ~0UL, (size_t)77, 70000, 70000);
}

TEST(format_special)
{
	char buffer[64];

	format_string(buffer, sizeof(buffer), "%p", (void *)0x1234abcd);
	CHECK_STRING(buffer, "0x000000001234abcd");
	format_string(buffer, sizeof(buffer), "%s", (char *)NULL);
	CHECK_STRING(buffer, "(null)");
	format_string(buffer, sizeof(buffer), "a%yb%");
	CHECK_STRING(buffer, "a%yb%");
	/* A precision bounds the read: no terminator is needed. */
	format_string(buffer, sizeof(buffer), "%.3s", (char[3]){'a', 'b', 'c'});
	CHECK_STRING(buffer, "abc");
}

TEST(format_is_bounded)
{
	for (size_t size = 0; size < 12; size++) {
		char buffer[16];

		memset(buffer, '~', sizeof(buffer));
		CHECK_EQUAL(format_string(buffer, size, "%s-%d", "hello", 123), 9);
		CHECK_EQUAL(buffer[size], '~');
		if (size > 0)
			CHECK_EQUAL(strlen(buffer), size - 1 < 9 ? size - 1 : 9);
		CHECK_EQUAL(format_stored(buffer, size, "%s-%d", "hello", 123),
			    size == 0 ? 0 : size - 1 < 9 ? size - 1 : 9);
	}
	CHECK_EQUAL(format_string(NULL, 0, "%999999999999d", 1), 65535);
}
