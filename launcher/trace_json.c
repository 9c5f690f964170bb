/*
 * trace_json.c - a trace as a timeline in the Trace Event Format, which Perfetto and Chrome read.
 *
 * Two kinds of tracks. A processor's shows who runs there and, inside, its interrupts. A thread's
 * shows in its upper row where it is (running, runnable, blocked) or, while it is in a system call
 * or a fault, that span with the states below it: spans of one track must nest, so a state is cut
 * where a call begins or ends. Wake-ups and forks are arrows from the waker to the moment when the
 * woken thread runs.
 *
 * What was open when the trace began is shown from its first event on; what is open at its end,
 * up to there.
 */
#include "trace.h"

#include "text.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#define DEPTH_MAX	8

/* Numbers no process has. */
#define PROCESSORS	5000000u
#define KERNEL		5000001u

enum state { STATE_UNKNOWN, STATE_RUNNING, STATE_RUNNABLE, STATE_BLOCKED };

struct span {
	uint64_t begin_ns;
	const struct trace_record *record;
};

struct timeline {
	enum state state;
	uint64_t since_ns;
	uint64_t reason;	/* the place where it blocks */
	uint64_t flow;		/* an arrow that ends when it runs; 0: none */
	bool flow_is_fork;
	int depth;
	struct span spans[DEPTH_MAX];
};

struct processor {
	uint32_t thread;	/* 0: idle */
	uint64_t since_ns;
	int depth;		/* of interrupts */
	struct span interrupts[DEPTH_MAX];
};

struct writer {
	struct trace *trace;
	FILE *out;
	bool begun;
	uint64_t flows;
	uint64_t now_ns;
	struct processor processors[TRACE_CPUS_MAX];
};

struct track {
	uint32_t process, thread;
};

/* --- JSON ------------------------------------------------------------------------------- */

/* Names are the guest's: nothing in them may end a string, or the page that holds it. */
static void put_string(FILE *out, const char *text)
{
	putc('"', out);
	for (; *text; text++) {
		const unsigned char c = (unsigned char)*text;

		if (c < ' ' || c >= 127 || strchr("\"\\<>&'", c))
			fprintf(out, "\\u%04x", c);
		else
			putc(c, out);
	}
	putc('"', out);
}

/* {"name":NAME,"ph":PHASE,"pid":..,"tid":..,"ts":.. and what follows up to the closing brace. */
static void begin_event(struct writer *w, const char *name, const char *phase, struct track track,
			uint64_t ns)
{
	fputs(w->begun ? ",\n" : "\n", w->out);
	w->begun = true;
	fputs("{\"name\":", w->out);
	put_string(w->out, name);
	fprintf(w->out, ",\"ph\":\"%s\",\"pid\":%u,\"tid\":%u,\"ts\":%" PRIu64 ".%03u", phase,
		track.process, track.thread, ns / 1000, (unsigned int)(ns % 1000));
}

static void end_event(struct writer *w) { putc('}', w->out); }

static void begin_span(struct writer *w, const char *kind, const char *name, struct track track,
		       uint64_t from_ns, uint64_t to_ns)
{
	const uint64_t duration = to_ns > from_ns ? to_ns - from_ns : 0;

	begin_event(w, name, "X", track, from_ns);
	fprintf(w->out, ",\"dur\":%" PRIu64 ".%03u,\"cat\":\"%s\"", duration / 1000,
		(unsigned int)(duration % 1000), kind);
}

static void put_argument(struct writer *w, bool first, const char *name, const char *value)
{
	fprintf(w->out, "%s\"%s\":", first ? ",\"args\":{" : ",", name);
	put_string(w->out, value);
}

static void put_arguments_end(struct writer *w) { putc('}', w->out); }

static const char *hex(uint64_t value)
{
	static char text[4][24];
	static unsigned int next;
	char *to = text[next++ % 4];

	snprintf(to, sizeof(text[0]), "%#" PRIx64, value);
	return to;
}

/* --- tracks ----------------------------------------------------------------------------- */

static struct timeline *timeline_of(struct writer *w, uint32_t id)
{
	struct trace_thread *thread = trace_thread(w->trace, id);

	if (!thread->timeline)
		thread->timeline = calloc(1, sizeof(struct timeline));
	if (!thread->timeline)
		die(STATUS_FAILED, "out of memory");
	return thread->timeline;
}

static struct track track_of(struct writer *w, uint32_t id)
{
	const struct trace_thread *thread = trace_thread(w->trace, id);

	return (struct track){ thread->process ? thread->process : KERNEL, id };
}

static struct track processor_track(uint32_t cpu) { return (struct track){ PROCESSORS, cpu }; }

/* Ends the stretch in one state; the next begins now. */
static void cut_state(struct writer *w, uint32_t id, enum state next)
{
	static const char *const names[] = { "", "running", "runnable", "blocked" };
	struct timeline *t = timeline_of(w, id);

	if (t->state != STATE_UNKNOWN && w->now_ns > t->since_ns) {
		begin_span(w, names[t->state], names[t->state], track_of(w, id), t->since_ns,
			   w->now_ns);
		if (t->state == STATE_BLOCKED && t->reason) {
			const char *place = trace_symbol(w->trace, t->reason);

			put_argument(w, true, "in", place ? place : hex(t->reason));
			put_arguments_end(w);
		}
		end_event(w);
	}
	t->state = next;
	t->since_ns = w->now_ns;
}

static void open_span(struct writer *w, const struct trace_record *r)
{
	struct timeline *t = timeline_of(w, r->thread);

	if (r->thread == 0 || t->depth == DEPTH_MAX)
		return;
	cut_state(w, r->thread, t->state == STATE_UNKNOWN ? STATE_RUNNING : t->state);
	t->spans[t->depth++] = (struct span){ w->now_ns, r };
}

static void put_call(struct writer *w, const struct span *span, const struct trace_record *end,
		     struct track track)
{
	static const char *const names[] = { "a", "b", "c", "d", "e" };
	const struct trace_record *r = span->record;

	begin_span(w, "syscall", trace_syscall_name(r->args[0]), track, span->begin_ns, w->now_ns);
	for (int i = 0; i < 5; i++)
		put_argument(w, i == 0, names[i], hex(r->args[i + 1]));
	if (end) {
		char result[24];

		snprintf(result, sizeof(result), "%" PRId64, (int64_t)end->args[1]);
		put_argument(w, false, "result", result);
	}
	put_arguments_end(w);
	end_event(w);
}

static void put_fault(struct writer *w, const struct span *span, struct track track)
{
	const struct trace_record *r = span->record;
	const char *place = trace_symbol(w->trace, r->args[2]);

	begin_span(w, "fault", r->args[1] & 16 ? "fetch fault" :
		   r->args[1] & 2 ? "write fault" : "read fault", track, span->begin_ns,
		   w->now_ns);
	put_argument(w, true, "address", hex(r->args[0]));
	put_argument(w, false, "error", hex(r->args[1]));
	put_argument(w, false, "pc", place ? place : hex(r->args[2]));
	put_arguments_end(w);
	end_event(w);
}

/* Ends the innermost span of the thread. */
static void close_span(struct writer *w, uint32_t id, const struct trace_record *end)
{
	struct timeline *t = timeline_of(w, id);
	const struct span *span;

	if (t->depth == 0)
		return;
	cut_state(w, id, t->state);
	span = &t->spans[--t->depth];
	if (span->record->id == TRACE_SYSCALL_ENTER)
		put_call(w, span, end, track_of(w, id));
	else
		put_fault(w, span, track_of(w, id));
}

static void close_spans(struct writer *w, uint32_t id)
{
	while (timeline_of(w, id)->depth)
		close_span(w, id, NULL);
}

/* Who ran on the processor until now. */
static void close_run(struct writer *w, uint32_t cpu)
{
	const struct processor *p = &w->processors[cpu];
	const struct trace_thread *thread = trace_thread(w->trace, p->thread);
	char number[16];

	if (p->thread == 0 || p->since_ns == 0)
		return;
	begin_span(w, "run", thread->name[0] ? thread->name : "?", processor_track(cpu),
		   p->since_ns, w->now_ns);
	snprintf(number, sizeof(number), "%u", p->thread);
	put_argument(w, true, "thread", number);
	put_arguments_end(w);
	end_event(w);
}

/* --- arrows and points ------------------------------------------------------------------ */

static void put_arrow(struct writer *w, const char *phase, bool fork, uint64_t number,
		      struct track track)
{
	begin_event(w, fork ? "fork" : "wake-up", phase, track, w->now_ns);
	fprintf(w->out, ",\"id\":%" PRIu64 ",\"cat\":\"%s\"%s", number, fork ? "fork" : "wake",
		*phase == 'f' ? ",\"bp\":\"e\"" : "");
	end_event(w);
}

static void take_wake(struct writer *w, const struct trace_record *r)
{
	const bool in_interrupt = w->processors[r->cpu].depth > 0;
	const uint32_t woken = (uint32_t)r->args[0];
	struct timeline *t = timeline_of(w, woken);

	cut_state(w, woken, STATE_RUNNABLE);
	t->flow = ++w->flows;
	t->flow_is_fork = r->args[2] && !in_interrupt;
	put_arrow(w, "s", t->flow_is_fork, t->flow, in_interrupt || r->thread == 0 ?
		  processor_track(r->cpu) : track_of(w, r->thread));
}

static void put_point(struct writer *w, const struct trace_record *r, struct track track)
{
	char *line = NULL;
	size_t length;
	FILE *text = open_memstream(&line, &length);
	char *at;

	if (!text)
		die(STATUS_FAILED, "out of memory");
	trace_print(w->trace, r, text);
	fclose(text);
	line[strcspn(line, "\n")] = '\0';
	begin_event(w, trace_event_name(r->id), "i", track, w->now_ns);
	fputs(",\"s\":\"t\"", w->out);
	/* What follows the event's name. */
	at = strstr(line, trace_event_name(r->id));
	put_argument(w, true, "text", at ? at : line);
	put_arguments_end(w);
	end_event(w);
	free(line);
}

/* --- events ----------------------------------------------------------------------------- */

static void take_switch(struct writer *w, const struct trace_record *r)
{
	struct processor *p = &w->processors[r->cpu];
	const uint32_t from = (uint32_t)r->args[0], to = (uint32_t)r->args[1];

	if (p->since_ns == 0)
		p->thread = from;
	close_run(w, r->cpu);
	p->thread = to;
	p->since_ns = w->now_ns;
	if (from != 0) {
		/* 1: runnable, 2: sleeping, 3: dead; core/trace_format.h has the order. */
		cut_state(w, from, r->args[2] == 1 ? STATE_RUNNABLE : r->args[2] == 2 ?
			  STATE_BLOCKED : STATE_UNKNOWN);
		if (r->args[2] == 3)
			close_spans(w, from);
	}
	if (to != 0) {
		struct timeline *t = timeline_of(w, to);

		cut_state(w, to, STATE_RUNNING);
		if (t->flow)
			put_arrow(w, "f", t->flow_is_fork, t->flow, track_of(w, to));
		t->flow = 0;
	}
}

static void take_interrupt(struct writer *w, const struct trace_record *r)
{
	struct processor *p = &w->processors[r->cpu];
	const struct span *span;
	const char *place;

	if (r->id == TRACE_IRQ_ENTER) {
		if (p->depth < DEPTH_MAX)
			p->interrupts[p->depth++] = (struct span){ w->now_ns, r };
		return;
	}
	if (p->depth == 0)
		return;
	span = &p->interrupts[--p->depth];
	place = trace_symbol(w->trace, span->record->args[1]);
	begin_span(w, "interrupt", trace_vector_name(span->record->args[0]),
		   processor_track(r->cpu), span->begin_ns, w->now_ns);
	put_argument(w, true, "at", place ? place : hex(span->record->args[1]));
	put_argument(w, false, "mode", span->record->args[2] ? "user" : "kernel");
	put_arguments_end(w);
	end_event(w);
}

static void take(struct writer *w, const struct trace_record *r)
{
	trace_learn(w->trace, r);
	switch (r->id) {
	case TRACE_CONTEXT_SWITCH:
		take_switch(w, r);
		break;
	case TRACE_WAKE:
		take_wake(w, r);
		break;
	case TRACE_SLEEP:
		timeline_of(w, (uint32_t)r->args[0])->reason = r->args[1];
		break;
	case TRACE_SYSCALL_ENTER:
	case TRACE_PAGE_FAULT:
		open_span(w, r);
		break;
	case TRACE_SYSCALL_EXIT:
	case TRACE_PAGE_FAULT_DONE:
		close_span(w, r->thread, r);
		break;
	case TRACE_USER_RETURN:
		close_spans(w, r->thread);
		break;
	case TRACE_IRQ_ENTER:
	case TRACE_IRQ_EXIT:
		take_interrupt(w, r);
		break;
	case TRACE_TIMER:
	case TRACE_IPI:
	case TRACE_IPI_SEND:
	case TRACE_SCHED_PICK:
	case TRACE_THREAD_NAME:
	case TRACE_FORK_PREPARE:
	case TRACE_THREAD_FIRST_RETURN:
		break;
	default:
		put_point(w, r, r->thread ? track_of(w, r->thread) : processor_track(r->cpu));
	}
}

/* --- the whole -------------------------------------------------------------------------- */

static void put_name(struct writer *w, const char *what, struct track track, const char *name)
{
	begin_event(w, what, "M", track, 0);
	put_argument(w, true, "name", name);
	put_arguments_end(w);
	end_event(w);
}

static void put_order(struct writer *w, uint32_t process, int order)
{
	begin_event(w, "process_sort_index", "M", (struct track){ process, 0 }, 0);
	fprintf(w->out, ",\"args\":{\"sort_index\":%d}", order);
	end_event(w);
}

static void put_names(struct writer *w)
{
	put_name(w, "process_name", processor_track(0), "Processors");
	put_order(w, PROCESSORS, -1);
	put_name(w, "process_name", (struct track){ KERNEL, 0 }, "Kernel threads");
	put_order(w, KERNEL, 1000000);
	for (uint32_t cpu = 0; cpu < w->trace->head->cpus; cpu++) {
		char name[16];

		snprintf(name, sizeof(name), "CPU %u", cpu);
		put_name(w, "thread_name", processor_track(cpu), name);
	}
	for (size_t i = 0; i < w->trace->threads_room; i++) {
		const struct trace_thread *thread = &w->trace->threads[i];

		if (!thread->timeline || thread->id == 0)
			continue;
		put_name(w, "thread_name", track_of(w, thread->id),
			 thread->name[0] ? thread->name : "?");
		if (thread->process == thread->id)
			put_name(w, "process_name", track_of(w, thread->id), thread->name);
	}
}

static void close_all(struct writer *w)
{
	for (uint32_t cpu = 0; cpu < w->trace->head->cpus; cpu++)
		close_run(w, cpu);
	for (size_t i = 0; i < w->trace->threads_room; i++) {
		const struct trace_thread thread = w->trace->threads[i];

		if (!thread.timeline || thread.id == 0)
			continue;
		cut_state(w, thread.id, ((struct timeline *)thread.timeline)->state);
		close_spans(w, thread.id);
	}
}

void trace_print_json(struct trace *trace, FILE *out)
{
	struct writer w = { .trace = trace, .out = out };

	for (uint64_t i = 0; i < trace->count; i++)
		trace_learn(trace, trace->records[i]);
	fprintf(out, "{\"displayTimeUnit\":\"ns\",\"otherData\":{\"events\":%" PRIu64
		",\"lost\":%" PRIu64 "},\n\"traceEvents\":[", trace->count, trace->lost);
	for (uint64_t i = 0; i < trace->count; i++) {
		const uint64_t ns = trace_ns(trace, trace->records[i]->cycles);

		w.now_ns = ns > w.now_ns ? ns : w.now_ns;
		take(&w, trace->records[i]);
	}
	close_all(&w);
	put_names(&w);
	fputs("\n]}\n", out);
}
