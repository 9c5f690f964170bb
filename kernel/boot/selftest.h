/*
 * In-kernel test suites (test/kernel), run by the word `selftest` on the command line (all) or
 * `selftest=SUITE`; output is KTAP on the log. The linker collects the suites.
 *
 *	static void test_order(void) { KTEST(a < b); }
 *	static const struct selftest_case cases[] = { { "order", test_order }, { NULL, NULL } };
 *	SELFTEST_SUITE(rbtree, cases);
 *
 * A case runs in the boot thread and may sleep. After the last suite the machine powers off with
 * status 0 if all passed, else 1; with the word `selftest_go` it goes on.
 */
#pragma once

#include "core/types.h"

struct selftest_case {
	const char *name;
	void (*run)(void);
};

struct selftest_suite {
	const char *name;
	const struct selftest_case *cases;	/* ended by a NULL name */
};

#define SELFTEST_SUITE(suite_name, suite_cases)                                                   \
	static const struct selftest_suite selftest_##suite_name                                  \
	__attribute__((used, section(".selftest_suites"))) = { #suite_name, suite_cases }

void selftest_check(bool ok, const char *expression, const char *file, int line);
/* The case fails, and goes on, when the condition is false. */
#define KTEST(condition) selftest_check((condition), #condition, __FILE__, __LINE__)

void selftest_run_if_asked(void);
