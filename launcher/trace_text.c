/*
 * trace_text.c - trace records as text: one line an event, with names for calls, signals, places.
 *
 *	seconds.ns cpuN thread(name) event argument=value ...
 *
 * The table of events is kernel/core/trace_events.def; the types there choose the printers here.
 */
#include "trace.h"

#include <string.h>
#include <unistd.h>

enum type {
	TYPE_number, TYPE_hex, TYPE_thread, TYPE_syscall, TYPE_result, TYPE_state, TYPE_kernel,
	TYPE_mode, TYPE_fault, TYPE_vector, TYPE_ipi, TYPE_chars, TYPE_signal, TYPE_finding,
	TYPE_evidence,		/* as the kind in the first argument says */
};

struct argument {
	enum type type;
	const char *name;
};

struct event {
	const char *name;
	struct argument args[TRACE_ARGS];
	uint8_t count;
};

static const struct event events[TRACE_COUNT] = {
#define TRACE_EVENT1(id, name, ta, a, doc) [TRACE_##id] = { #name, { { TYPE_##ta, #a } }, 1 },
#define TRACE_EVENT2(id, name, ta, a, tb, b, doc)                                                 \
	[TRACE_##id] = { #name, { { TYPE_##ta, #a }, { TYPE_##tb, #b } }, 2 },
#define TRACE_EVENT3(id, name, ta, a, tb, b, tc, c, doc)                                          \
	[TRACE_##id] = { #name, { { TYPE_##ta, #a }, { TYPE_##tb, #b }, { TYPE_##tc, #c } }, 3 },
#define TRACE_EVENT4(id, name, ta, a, tb, b, tc, c, td, d, doc)                                   \
	[TRACE_##id] = { #name, { { TYPE_##ta, #a }, { TYPE_##tb, #b }, { TYPE_##tc, #c },        \
			{ TYPE_##td, #d } }, 4 },
#define TRACE_EVENT5(id, name, ta, a, tb, b, tc, c, td, d, te, e, doc)                            \
	[TRACE_##id] = { #name, { { TYPE_##ta, #a }, { TYPE_##tb, #b }, { TYPE_##tc, #c },        \
			{ TYPE_##td, #d }, { TYPE_##te, #e } }, 5 },
#define TRACE_EVENT6(id, name, ta, a, tb, b, tc, c, td, d, te, e, tf, f, doc)                     \
	[TRACE_##id] = { #name, { { TYPE_##ta, #a }, { TYPE_##tb, #b }, { TYPE_##tc, #c },        \
			{ TYPE_##td, #d }, { TYPE_##te, #e }, { TYPE_##tf, #f } }, 6 },
#include "../kernel/core/trace_events.def"
};

static const char *const syscall_names[] = {
#include "syscall_names.inc"
};

/* By enum finding_kind. */
static const struct {
	const char *name;
	struct argument evidence[2];
} findings[] = {
#define FINDING(id, name, ta, a, tb, b) { #name, { { TYPE_##ta, #a }, { TYPE_##tb, #b } } },
#include "../kernel/core/finding_kinds.def"
};
#define FINDINGS (sizeof(findings) / sizeof(findings[0]))

const char *trace_event_name(uint16_t id) { return id < TRACE_COUNT ? events[id].name : NULL; }

const char *trace_syscall_name(uint64_t number)
{
	static char text[32];

	if (number < sizeof(syscall_names) / sizeof(syscall_names[0]) && syscall_names[number])
		return syscall_names[number];
	snprintf(text, sizeof(text), "%s%llu", number & TRACE_I386 ? "int80_" : "call_",
		 (unsigned long long)(number & ~TRACE_I386));
	return text;
}

const char *trace_signal_name(uint64_t number)
{
	const char *name = number < 65 ? sigabbrev_np((int)number) : NULL;
	static char text[32];

	snprintf(text, sizeof(text), name ? "SIG%s" : "signal_%s", name ? name : "");
	if (!name)
		snprintf(text, sizeof(text), "signal_%llu", (unsigned long long)number);
	return text;
}

const char *trace_vector_name(uint64_t vector)
{
	static char text[32];

	switch (vector) {
	case 0xef:
		return "timer";
	case 0xf0:
		return "reschedule";
	case 0xf1:
		return "call";
	case 0xff:
		return "spurious";
	}
	snprintf(text, sizeof(text), "device_%#llx", (unsigned long long)vector);
	return text;
}

/* The table of symbols is searched from end to end: few places occur, but often. */
const char *trace_symbol(const struct trace *trace, uint64_t address)
{
	static struct { uint64_t address; const char *name; } known[1024];
	const size_t at = address * 0x9e3779b97f4a7c15u >> 54;
	const char *name;
	uint64_t offset;

	if (!trace->symbols || address < 1ull << 63)
		return NULL;
	if (known[at].address != address) {
		known[at].address = address;
		known[at].name = NULL;
		if (symbols_find(trace->symbols, address, &name, &offset))
			known[at].name = name;
	}
	return known[at].name;
}

static void print_chars(uint64_t word, FILE *out)
{
	for (int i = 0; i < 8; i++) {
		const char c = (char)(word >> 8 * i);

		if (c == '\0')
			break;
		putc(c > ' ' && c < 127 ? c : '_', out);
	}
}

/* The page fault's error code: who, what for, and whether a page was there. */
static void print_fault(uint64_t error, FILE *out)
{
	fprintf(out, "%s-%s-%s", error & 4 ? "user" : "kernel",
		error & 16 ? "fetch" : error & 2 ? "write" : "read",
		error & 1 ? "protected" : "absent");
}

static const char *word_of(const char *const words[], size_t count, uint64_t value)
{
	return value < count ? words[value] : "?";
}

static void print_thread(struct trace *trace, uint32_t id, FILE *out)
{
	const struct trace_thread *thread = trace_thread(trace, id);

	if (id == 0)
		fputs("idle", out);
	else if (thread->process)
		fprintf(out, "%u(%s)", id, thread->name);
	else
		fprintf(out, "k%x(%s)", id & 0x7fffffff, thread->name);
}

static void print_value(struct trace *trace, enum type type, uint64_t value, FILE *out)
{
	static const char *const states[] = { "new", "runnable", "sleeping", "dead" };
	static const char *const modes[] = { "uninterruptible", "interruptible", "killable" };
	static const char *const kinds[] = { "reschedule", "call", "stop" };
	const char *symbol;

	switch (type) {
	case TYPE_number:
		fprintf(out, "%llu", (unsigned long long)value);
		break;
	case TYPE_thread:
		print_thread(trace, (uint32_t)value, out);
		break;
	case TYPE_syscall:
		fputs(trace_syscall_name(value), out);
		break;
	case TYPE_result:
		if ((int64_t)value < 0 && (int64_t)value >= -4096)
			fprintf(out, "%lld", (long long)value);
		else
			fprintf(out, "%#llx", (unsigned long long)value);
		break;
	case TYPE_state:
		fputs(word_of(states, 4, value), out);
		break;
	case TYPE_mode:
		fputs(word_of(modes, 3, value), out);
		break;
	case TYPE_ipi:
		fputs(word_of(kinds, 3, value), out);
		break;
	case TYPE_vector:
		fputs(trace_vector_name(value), out);
		break;
	case TYPE_signal:
		fputs(trace_signal_name(value), out);
		break;
	case TYPE_fault:
		print_fault(value, out);
		break;
	case TYPE_finding:
		fputs(value < FINDINGS ? findings[value].name : "?", out);
		break;
	case TYPE_chars:
		print_chars(value, out);
		break;
	case TYPE_kernel:
	case TYPE_hex:
	case TYPE_evidence:
		symbol = trace_symbol(trace, value);
		if (symbol)
			fputs(symbol, out);
		else
			fprintf(out, "%#llx", (unsigned long long)value);
		break;
	}
}

/* How the i-th argument is shown: a finding's evidence, by its kind. */
static struct argument argument_of(const struct trace_record *record, int i)
{
	const struct argument *plain = &events[record->id].args[i];

	if (plain->type != TYPE_evidence || record->args[0] >= FINDINGS)
		return *plain;
	return findings[record->args[0]].evidence[plain[-1].type == TYPE_evidence];
}

void trace_print(struct trace *trace, const struct trace_record *record, FILE *out)
{
	const struct event *event = &events[record->id];
	const uint64_t ns = trace_ns(trace, record->cycles);

	trace_learn(trace, record);
	fprintf(out, "%5llu.%09llu cpu%u ", (unsigned long long)(ns / 1000000000),
		(unsigned long long)(ns % 1000000000), record->cpu);
	print_thread(trace, record->thread, out);
	fprintf(out, " %s", event->name);
	for (int i = 0; i < event->count; i++) {
		const struct argument argument = argument_of(record, i);

		/* The second half of a name follows the first. */
		if (i == 0 || argument.type != TYPE_chars ||
		    event->args[i - 1].type != TYPE_chars)
			fprintf(out, " %s=", argument.name);
		else if (!(record->args[i - 1] >> 56))
			continue;
		print_value(trace, argument.type, record->args[i], out);
	}
	putc('\n', out);
}

void trace_print_all(struct trace *trace, FILE *out)
{
	/* Names first: a thread's may be told after its first events. */
	for (uint64_t i = 0; i < trace->count; i++)
		trace_learn(trace, trace->records[i]);
	fprintf(out, "# %llu events, %llu lost before them\n", (unsigned long long)trace->count,
		(unsigned long long)trace->lost);
	for (uint64_t i = 0; i < trace->count; i++)
		trace_print(trace, trace->records[i], out);
}
