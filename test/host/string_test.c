/*
 * Do our memory and string functions agree with the C library's?
 *
 * They are compiled into this file under other names, so that the C library and the sanitiser keep
 * theirs.
 *
 * links: lib/string_bounded.c
 */
#define memcpy tine_memcpy
#define memmove tine_memmove
#define memset tine_memset
#define memcmp tine_memcmp
#define memchr tine_memchr
#define strlen tine_strlen
#define strnlen tine_strnlen
#define strcmp tine_strcmp
#define strncmp tine_strncmp
#define strchr tine_strchr
#define strrchr tine_strrchr
#define strstr tine_strstr
#include "../../kernel/lib/memory.c"
#include "../../kernel/lib/string.c"
#undef memcpy
#undef memmove
#undef memset
#undef memcmp
#undef memchr
#undef strlen
#undef strnlen
#undef strcmp
#undef strncmp
#undef strchr
#undef strrchr
#undef strstr
#include <string.h>

#include "host_test.h"

#define SIZE 200

static void fill(unsigned char *bytes)
{
	for (int i = 0; i < SIZE; i++)
		bytes[i] = (unsigned char)host_test_below(3);
}

static int sign(int x)
{
	return (x > 0) - (x < 0);
}

TEST(memory_copies)
{
	unsigned char ours[SIZE], theirs[SIZE];

	for (int round = 0; round < 50000; round++) {
		size_t to = host_test_below(SIZE), from = host_test_below(SIZE);
		size_t size = host_test_below(SIZE - (to > from ? to : from) + 1);

		fill(ours);
		memcpy(theirs, ours, SIZE);
		CHECK(tine_memmove(ours + to, ours + from, size) == ours + to);
		memmove(theirs + to, theirs + from, size);
		CHECK(memcmp(ours, theirs, SIZE) == 0);
		if (to + size <= from || from + size <= to) {
			tine_memcpy(ours + to, ours + from, size);
			memmove(theirs + to, theirs + from, size);
			CHECK(memcmp(ours, theirs, SIZE) == 0);
		}
		tine_memset(ours + to, (int)from, size);
		memset(theirs + to, (int)from, size);
		CHECK(memcmp(ours, theirs, SIZE) == 0);
	}
}

TEST(memory_compares)
{
	unsigned char a[SIZE], b[SIZE];

	for (int round = 0; round < 50000; round++) {
		size_t size = host_test_below(SIZE + 1);

		fill(a);
		memcpy(b, a, SIZE);
		b[host_test_below(SIZE)] = (unsigned char)host_test_below(256);
		CHECK_EQUAL(sign(tine_memcmp(a, b, size)), sign(memcmp(a, b, size)));
		CHECK(tine_memchr(a, 2, size) == memchr(a, 2, size));
	}
}

TEST(strings_agree)
{
	char a[12], b[6];

	for (int round = 0; round < 50000; round++) {
		size_t size = host_test_below(sizeof(a)), la = host_test_below(sizeof(a));
		size_t lb = host_test_below(sizeof(b));

		for (size_t i = 0; i < la; i++)
			a[i] =
			    (char)('a' + host_test_below(2) + (host_test_below(9) == 0 ? 100 : 0));
		for (size_t i = 0; i < lb; i++)
			b[i] = (char)('a' + host_test_below(2));
		a[la] = b[lb] = '\0';
		CHECK_EQUAL(tine_strlen(a), strlen(a));
		CHECK_EQUAL(tine_strnlen(a, size), strnlen(a, size));
		CHECK_EQUAL(sign(tine_strcmp(a, b)), sign(strcmp(a, b)));
		CHECK_EQUAL(sign(tine_strncmp(a, b, size)), sign(strncmp(a, b, size)));
		CHECK(tine_strchr(a, 'b') == strchr(a, 'b'));
		CHECK(tine_strchr(a, 0) == strchr(a, 0));
		CHECK(tine_strrchr(a, 'a') == strrchr(a, 'a'));
		CHECK(tine_strrchr(a, 0) == strrchr(a, 0));
		CHECK(tine_strstr(a, b) == strstr(a, b));
	}
}

TEST(bounded_copies)
{
	char buffer[8] = "zzzzzzz";

	CHECK_EQUAL(strlcpy(buffer, "abc", 0), 3);
	CHECK_STRING(buffer, "zzzzzzz");
	CHECK_EQUAL(strlcpy(buffer, "abc", sizeof(buffer)), 3);
	CHECK_STRING(buffer, "abc");
	CHECK_EQUAL(strlcat(buffer, "defg", sizeof(buffer)), 7);
	CHECK_STRING(buffer, "abcdefg");
	CHECK_EQUAL(strlcat(buffer, "h", sizeof(buffer)), 8);
	CHECK_STRING(buffer, "abcdefg");
	CHECK_EQUAL(strlcpy(buffer, "0123456789", 4), 10);
	CHECK_STRING(buffer, "012");
	CHECK_EQUAL(strlcat(buffer, "xy", 2), 4);
}
