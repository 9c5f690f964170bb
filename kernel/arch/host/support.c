/*
 * What stands in for the log and the panic on the host.
 */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "arch/arch_down.h"
#include "arch/host/host.h"
#include "core/assert.h"
#include "core/finding.h"
#include "core/klog.h"

#define STAND_IN __attribute__((weak))	/* a test that links core/klog.c has the real one */

STAND_IN enum log_level log_level = LOG_WARN;
void (*host_fail_hook)(const char *message);

STAND_IN void klog(enum log_level level, const char *format, ...)
{
	va_list args;

	if (level > log_level)
		return;
	va_start(args, format);
	fputs("# log: ", stderr);
	vfprintf(stderr, format, args);
	fputc('\n', stderr);
	va_end(args);
}

STAND_IN void klog_wake_drainer(void) { }

/* Under an explored schedule a wait says nothing. */
void finding_report(enum finding_kind kind, uint32_t thread, uint64_t pc, const char *cause,
		    uint64_t evidence0, uint64_t evidence1)
{
}

/* A processor that halts at a spin lock is one that spins: the explorer sees no difference. */
void arch_spin_halt(const uint32_t *word, uint32_t value) { host_pause(); }
void arch_spin_wake(uint32_t cpu) { }

static noreturn_fn void fail(const char *before, const char *format, va_list args)
{
	char message[256];
	int n = snprintf(message, sizeof(message), "%s", before);

	vsnprintf(message + n, sizeof(message) - (size_t)n, format, args);
	if (host_fail_hook != NULL)
		host_fail_hook(message);
	fprintf(stderr, "# %s\n", message);
	abort();
}

void host_fail(const char *format, ...)
{
	va_list args;

	va_start(args, format);
	fail("", format, args);
}

void panic(const char *format, ...)
{
	va_list args;

	va_start(args, format);
	fail("panic: ", format, args);
}
