/*
 * Is a number parsed exactly, and everything else refused?
 *
 * links: lib/number.c lib/words.c
 */
#include <string.h>

#include "abi/errno.h"
#include "host_test.h"
#include "lib/number.h"
#include "lib/words.h"

static void number(const char *text, unsigned base, int error, uint64_t value)
{
	uint64_t parsed = 12345;

	if (!CHECK_EQUAL(number_parse(text, strlen(text), base, &parsed), error) ||
	    !CHECK_EQUAL(parsed, error == 0 ? value : 12345))
		host_test_strings(text, "", __FILE__, __LINE__, "the text");
}

TEST(number_unsigned)
{
	number("0", 10, 0, 0);
	number("18446744073709551615", 10, 0, UINT64_MAX);
	number("18446744073709551616", 10, -ERANGE, 0);
	number("99999999999999999999999", 10, -ERANGE, 0);
	number("9999999999999999999999x", 10, -EINVAL, 0);
	number("", 10, -EINVAL, 0);
	number(" 1", 10, -EINVAL, 0);
	number("1 ", 10, -EINVAL, 0);
	number("-1", 10, -EINVAL, 0);
	number("+1", 10, -EINVAL, 0);
	number("12a", 10, -EINVAL, 0);
	number("755", 8, 0, 0755);
	number("758", 8, -EINVAL, 0);
	number("0x1F", 0, 0, 31);
	number("0x1f", 16, 0, 31);
	number("1f", 16, 0, 31);
	number("0x", 0, -EINVAL, 0);
	number("0x", 16, -EINVAL, 0);
	number("010", 0, 0, 8);
	number("08", 0, -EINVAL, 0);
	number("0", 0, 0, 0);
	number("ffffffffffffffff", 16, 0, UINT64_MAX);
	number("10000000000000000", 16, -ERANGE, 0);
}

TEST(number_signed)
{
	int64_t value = 7;

	CHECK_EQUAL(number_parse_signed("-9223372036854775808", 20, 10, &value), 0);
	CHECK_EQUAL(value, INT64_MIN);
	CHECK_EQUAL(number_parse_signed("9223372036854775807", 19, 10, &value), 0);
	CHECK_EQUAL(value, INT64_MAX);
	CHECK_EQUAL(number_parse_signed("9223372036854775808", 19, 10, &value), -ERANGE);
	CHECK_EQUAL(number_parse_signed("-9223372036854775809", 20, 10, &value), -ERANGE);
	CHECK_EQUAL(number_parse_signed("-", 1, 10, &value), -EINVAL);
	CHECK_EQUAL(number_parse_signed("--1", 3, 10, &value), -EINVAL);
	CHECK_EQUAL(number_parse_signed("-0x10", 5, 0, &value), 0);
	CHECK_EQUAL(value, -16);
}

static void size(const char *text, int error, uint64_t value)
{
	uint64_t parsed = 0;

	CHECK_EQUAL(number_parse_size(text, strlen(text), &parsed), error);
	CHECK_EQUAL(parsed, value);
}

TEST(number_sizes)
{
	size("512M", 0, 512ULL << 20);
	size("4k", 0, 4096);
	size("0x10G", 0, 16ULL << 30);
	size("2T", 0, 2ULL << 40);
	size("77", 0, 77);
	size("", -EINVAL, 0);
	size("M", -EINVAL, 0);
	size("1MM", -EINVAL, 0);
	size("16777216T", -ERANGE, 0);
	size("16777215T", 0, 16777215ULL << 40);
}

static void words(const char *text, const char *const *expected)
{
	char buffer[100];
	struct words words;
	struct word word;

	words_init(&words, text, strlen(text), buffer, sizeof(buffer));
	while (words_next(&words, &word)) {
		CHECK_STRING(word.name, *expected++);
		CHECK_STRING(word.value, *expected++);
	}
	CHECK_STRING(*expected, "END");
}

TEST(words_split)
{
	words("", (const char *const[]){"END"});
	words(" \t\n ", (const char *const[]){"END"});
	words("quiet log=debug  hz=10\n",
	      (const char *const[]){"quiet", NULL, "log", "debug", "hz", "10", "END"});
	words("init=\"/bin/a b\" \"x y\"=1 a=b=c",
	      (const char *const[]){"init", "/bin/a b", "x y", "1", "a", "b=c", "END"});
	words("a= =b", (const char *const[]){"a", "", "", "b", "END"});
	words("x=\"a=b c", (const char *const[]){"x", "a=b c", "END"});
	words("log=debug -- sh -c",
	      (const char *const[]){"log", "debug", "--", NULL, "sh", NULL, "-c", NULL, "END"});
}

TEST(words_fit_a_buffer_of_the_text_and_one)
{
	static const char text[] = "a bb=c d e=\"f g\" h";

	for (size_t room = 0; room <= sizeof(text); room++) {
		char buffer[sizeof(text) + 1];
		struct words words;
		struct word word;
		unsigned count = 0;

		memset(buffer, '~', sizeof(buffer));
		words_init(&words, text, sizeof(text) - 1, buffer, room);
		while (words_next(&words, &word))
			count++;
		CHECK_EQUAL(buffer[room], '~');
		CHECK(room < sizeof(text) || count == 5);
	}
}
