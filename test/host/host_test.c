/*
 * The runner: TAP on standard output, exit status 1 if a test failed. An argument selects the tests
 * whose name contains it; status 2 if none does.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "host_test.h"
#include "lib/assert.h"

#define TESTS_MAX 256

static struct {
	const char *name;
	host_test_fn run;
} tests[TESTS_MAX];
static unsigned test_count;
static unsigned failed_checks; /* of the running test */
static uint64_t random_state = 0x9e3779b97f4a7c15ULL;

jmp_buf *host_test_assertion;

void host_test_register(const char *name, host_test_fn run)
{
	if (test_count == TESTS_MAX)
		abort();
	tests[test_count].name = name;
	tests[test_count++].run = run;
}

uint64_t host_test_random(void)
{
	random_state ^= random_state << 13;
	random_state ^= random_state >> 7;
	random_state ^= random_state << 17;
	return random_state;
}

/* Ten reports say as much as ten thousand. */
static bool is_reported(void)
{
	return failed_checks++ < 10;
}

bool host_test_check(bool passed, const char *file, int line, const char *expression)
{
	if (!passed && is_reported())
		printf("# %s:%d: failed: %s\n", file, line, expression);
	return passed;
}

bool host_test_equal(long long a, long long b, const char *file, int line, const char *expression)
{
	if (a != b && is_reported())
		printf("# %s:%d: failed: %s: %lld (%#llx) and %lld (%#llx)\n", file, line,
		       expression, a, a, b, b);
	return a == b;
}

bool host_test_strings(const char *a, const char *b, const char *file, int line,
		       const char *expression)
{
	bool same = a != NULL && b != NULL ? strcmp(a, b) == 0 : a == b;

	if (!same && is_reported())
		printf("# %s:%d: failed: %s: \"%s\" and \"%s\"\n", file, line, expression,
		       a != NULL ? a : "(null)", b != NULL ? b : "(null)");
	return same;
}

_Noreturn void lib_assert_failed(const char *expression, const char *file, int line)
{
	if (host_test_assertion != NULL)
		longjmp(*host_test_assertion, 1);
	printf("# %s:%d: assertion failed: %s\nBail out!\n", file, line, expression);
	fflush(stdout);
	abort();
}

int main(int argc, char **argv)
{
	unsigned number = 0, failed_tests = 0;

	setvbuf(stdout, NULL, _IOLBF, 0);
	for (unsigned i = 0; i < test_count; i++) {
		if (argc > 1 && strstr(tests[i].name, argv[1]) == NULL)
			continue;
		failed_checks = 0;
		tests[i].run();
		failed_tests += failed_checks != 0;
		printf("%s %u - %s\n", failed_checks ? "not ok" : "ok", ++number, tests[i].name);
	}
	printf("1..%u\n", number);
	if (number == 0) {
		printf("Bail out! no test has a name with %s\n", argc > 1 ? argv[1] : "");
		fflush(stdout);
		_exit(2);
	}
	return failed_tests != 0;
}
