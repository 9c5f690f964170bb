/*
 * Runs the in-kernel suites: KTAP version 1 (docs.kernel.org/dev-tools/ktap.html) on the log.
 */
#include "boot/selftest.h"

#include "core/cmdline.h"
#include "core/klog.h"
#include "core/shutdown.h"
#include "lib/format.h"
#include "lib/string.h"

extern const struct selftest_suite selftest_suites[], selftest_suites_end[];

static unsigned int failures_in_case;

static void say(const char *format, ...) __attribute__((format(printf, 1, 2)));
static void say(const char *format, ...)
{
	char line[256];
	va_list args;
	size_t n;

	va_start(args, format);
	n = format_string_v(line, sizeof(line), format, args);
	va_end(args);
	klog_raw(line, n < sizeof(line) ? n : sizeof(line) - 1);
}

void selftest_check(bool ok, const char *expression, const char *file, int line)
{
	if (ok)
		return;
	failures_in_case++;
	say("    # %s:%d: %s\n", file, line, expression);
}

static bool run_suite(const struct selftest_suite *suite)
{
	unsigned int count = 0, failed = 0;

	while (suite->cases[count].name != NULL)
		count++;
	say("    KTAP version 1\n    # Subtest: %s\n    1..%u\n", suite->name, count);
	for (unsigned int i = 0; i < count; i++) {
		failures_in_case = 0;
		suite->cases[i].run();
		failed += failures_in_case != 0;
		say("    %sok %u %s\n", failures_in_case != 0 ? "not " : "", i + 1,
		    suite->cases[i].name);
	}
	return failed == 0;
}

void selftest_run_if_asked(void)
{
	const char *wanted = cmdline_get("selftest");
	unsigned int number = 0, failed = 0;

	if (wanted == NULL)
		return;
	say("KTAP version 1\n");
	for (const struct selftest_suite *s = selftest_suites; s < selftest_suites_end; s++) {
		bool ok;

		if (*wanted != '\0' && strcmp(wanted, s->name) != 0)
			continue;
		ok = run_suite(s);
		failed += !ok;
		say("%sok %u %s\n", ok ? "" : "not ", ++number, s->name);
	}
	say("1..%u\n", number);
	if (number == 0)
		cmdline_reject("selftest", wanted, "a suite's name");
	if (cmdline_flag("selftest_go"))
		return;
	shutdown_power_off(failed != 0 || number == 0);
}
