/*
 * Panic: stop the other processors, write the log out, the message, the stack, and end the machine.
 *
 * The output is made for a program to read: "panic: MESSAGE", then a line "[<ffffffff........>]"
 * for each return address, which the launcher turns into names. Nothing here takes a lock, and a
 * second panic (of this CPU while printing) ends at once.
 */
#include "core/panic.h"

#include <stdarg.h>

#include "arch/arch_down.h"
#include "core/atomic.h"
#include "core/klog.h"
#include "core/trace.h"
#include "lib/assert.h"
#include "lib/format.h"
#include "lib/string.h"

#define STACK_MAX 32
#define TRACE_LAST 64u

static atomic32_t panic_owner;		/* CPU number + 1 of the first to panic */

static const char *details;
static void (*note)(char *text, size_t size);

void panic_set_details(const char *text) { details = text; }
void panic_set_note(void (*ask)(char *text, size_t size)) { note = ask; }

bool panic_is_under_way(void) { return atomic32_load(&panic_owner) != 0; }

static void claim_or_stop(void)
{
	uint32_t self = cpu_id() + 1;

	if (atomic32_compare_exchange(&panic_owner, 0, self))
		return;
	if (atomic32_load(&panic_owner) == self)
		arch_panic_end();
	arch_stop_this_cpu();
}

static void print(const char *format, ...) __attribute__((format(printf, 1, 2)));
static void print(const char *format, ...)
{
	char line[256];
	va_list args;
	size_t n;

	va_start(args, format);
	n = format_string_v(line, sizeof(line), format, args);
	va_end(args);
	klog_raw(line, n < sizeof(line) ? n : sizeof(line) - 1);
}

/* For the launcher's decoder: the same numbers as in /proc/tine/trace_data. */
static void print_record(void *arg, const struct trace_record *r)
{
	print("trace: %llx %x %x %x", (unsigned long long)r->cycles, r->thread, r->id, r->cpu);
	for (unsigned int i = 0; i < TRACE_ARGS; i++)
		print(" %llx", (unsigned long long)r->args[i]);
	print("\n");
}

static void print_trace(void)
{
	uint64_t base, mult;

	if (!trace_has_rings())
		return;
	arch_cycles_scale(&base, &mult);
	print("trace scale: %llx %llx\n", (unsigned long long)base, (unsigned long long)mult);
	trace_for_each_last(TRACE_LAST, print_record, NULL);
}

static void print_note(void)
{
	static char text[128];

	if (note == NULL)
		return;
	note(text, sizeof(text));
	klog_raw(text, strlen(text));
}

static noreturn_fn void panic_go(uint64_t pc, uint64_t frame_pointer, const char *format,
				 va_list args)
{
	static char message[512];
	uint64_t pcs[STACK_MAX];
	size_t n;

	arch_irq_disable();
	claim_or_stop();
	trace_off();
	for (uint32_t cpu = 0; cpu < cpu_count; cpu++)
		if (cpu != cpu_id() && cpus[cpu].online)
			arch_ipi_send(cpu, IPI_STOP);
	klog_enter_panic();
	klog_flush();
	n = format_string_v(message, sizeof(message), format, args);
	klog_raw("panic: ", 7);
	klog_raw(message, n < sizeof(message) ? n : sizeof(message) - 1);
	print(" (CPU %u)\n", cpu_id());
	if (pc != 0)
		print("[<%016llx>]\n", (unsigned long long)pc);
	n = arch_backtrace(frame_pointer, pcs, STACK_MAX);
	for (size_t i = 0; i < n; i++)
		print("[<%016llx>]\n", (unsigned long long)pcs[i]);
	if (details != NULL)
		klog_raw(details, strlen(details));
	print_note();
	print_trace();
	arch_panic_end();
}

void panic(const char *format, ...)
{
	va_list args;

	va_start(args, format);
	panic_go(0, arch_frame_pointer(), format, args);
}

void panic_at(uint64_t pc, uint64_t frame_pointer, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	panic_go(pc, frame_pointer, format, args);
}

/* lib/ has its own assertion, with this hook. */
void lib_assert_failed(const char *expression, const char *file, int line)
{
	panic("%s:%d: LIB_ASSERT(%s)", file, line, expression);
}
