/*
 * Harness for tests that run on the host: the kernel's own source files, linked with a test, under
 * the address and undefined-behaviour sanitisers.
 *
 * A test file opens with a comment whose first line is the question that it answers and which names
 * the kernel files it needs, in one or more lines ` * links: lib/x.c core/y.c` (and helpers beside
 * it: ` * helpers: y.c`); test/host/build.mk reads them, so a new file needs no edit elsewhere.
 * Each TEST() is one line of TAP. A failed CHECK is reported with its place, and the test goes on.
 */
#pragma once

#include <setjmp.h>
#include <stdbool.h>
#include <stdint.h>

typedef void (*host_test_fn)(void);

void host_test_register(const char *name, host_test_fn run);
bool host_test_check(bool passed, const char *file, int line, const char *expression);
bool host_test_equal(long long a, long long b, const char *file, int line, const char *expression);
bool host_test_strings(const char *a, const char *b, const char *file, int line,
		       const char *expression);

/* Reproducible: the same sequence in every run. */
uint64_t host_test_random(void);
static inline uint64_t host_test_below(uint64_t limit)
{
	return host_test_random() % limit;
}

#define TEST(name)                                                                               \
	static void test_##name(void);                                                           \
	__attribute__((constructor)) static void register_##name(void)                           \
	{                                                                                        \
		host_test_register(#name, test_##name);                                          \
	}                                                                                        \
	static void test_##name(void)

#define CHECK(condition) host_test_check(!!(condition), __FILE__, __LINE__, #condition)
#define CHECK_EQUAL(a, b)                                                                        \
	host_test_equal((long long)(a), (long long)(b), __FILE__, __LINE__, #a " == " #b)
#define CHECK_STRING(a, b) host_test_strings(a, b, __FILE__, __LINE__, #a " == " #b)

/*
 * The statement must fail an assertion of the kernel's. It runs no further than that, so it must
 * own nothing that leaks.
 */
extern jmp_buf *host_test_assertion;
#define CHECK_ASSERTS(statement)                                                                 \
	do {                                                                                     \
		jmp_buf asserted_;                                                               \
		host_test_assertion = &asserted_;                                                \
		if (setjmp(asserted_) == 0) {                                                    \
			statement;                                                               \
			host_test_check(false, __FILE__, __LINE__, "asserts: " #statement);      \
		}                                                                                \
		host_test_assertion = NULL;                                                      \
	} while (0)
