/*
 * lab_latency.c - `tine lab latency`: how long things take, from the flight recorder of a run under
 * --icount, where a nanosecond is an instruction and two runs are alike; and what recording costs.
 *
 * A forked child's first dispatch stands beside all other dispatches. The report's machine, a
 * periodic tick, is looked at the same way: without its log, and with a line at each switch that
 * takes longer than a tick.
 */
#include "lab.h"

#include "text.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define THREADS_MAX	4096
#define BUCKETS		10
#define SLICE_NS	3000000ull
#define SECONDS		600
/* Behind a line that takes two ticks little is done in each, and waiting is slow to emulate. */
#define FORKS		" forks"
#define SHORT_FORKS	" forks 2000000"

enum row {
	FORK, SWITCH_CHILD, SWITCH, TIMER_CHILD, TIMER, SLICE_CHILD, SLICE, STEP, WAKE,
	INTERRUPT_THREAD, LATE, HANDLER, ROWS,
};

static const char *const titles[ROWS] = {
	[FORK] = "fork to child's IRETQ",
	[SWITCH_CHILD] = "switch to IRETQ: child",
	[SWITCH] = "switch to IRETQ: others",
	[TIMER_CHILD] = "IRETQ to timer: child",
	[TIMER] = "IRETQ to timer: others",
	[SLICE_CHILD] = "IRETQ to end: child",
	[SLICE] = "IRETQ to end: others",
	[STEP] = "IRETQ to first trap",
	[WAKE] = "wake-up to switched in",
	[INTERRUPT_THREAD] = "interrupt, wake, IRETQ",
	[LATE] = "timer: late by",
	[HANDLER] = "interrupt: entry to exit",
};

static const char *const bounds[BUCKETS] = {
	"64", "256", "1K", "4K", "16K", "64K", "256K", "1M", "4M", "more",
};

struct histogram {
	uint64_t *values;
	size_t count, room;
};

/* Times are 0 when there is none. */
struct thread {
	uint64_t forked, dispatched, returned, last_return, woken, irq;
	bool is_first, timer_seen;	/* of this dispatch */
	bool stepped;
};

static struct histogram rows[ROWS];
static struct thread threads[THREADS_MAX];

static void add(enum row row, uint64_t value)
{
	struct histogram *h = &rows[row];

	if (h->count == h->room) {
		h->room = h->room ? 2 * h->room : 256;
		h->values = realloc(h->values, h->room * sizeof(*h->values));
		if (!h->values)
			die(STATUS_FAILED, "out of memory: give the host more, and try again");
	}
	h->values[h->count++] = value;
}

/* --- the trace -------------------------------------------------------------------------------- */

/* What the interrupt that is being served began with; 0: none is. */
static struct { uint64_t since; bool is_tick, user; } irq;
/* A slice that ended in this thread, if the next thing is a switch. */
static struct { struct thread *thread; uint64_t ns; } ending;

static struct thread *thread_at(const char *line, const char *key)
{
	uint64_t id;

	return lab_number(line, key, &id) && id < THREADS_MAX ? &threads[id] : NULL;
}

static void take_switch(const char *line, uint64_t now)
{
	struct thread *t = thread_at(line, " to=");

	if (ending.thread && strstr(line, "state=runnable"))
		add(ending.thread->is_first ? SLICE_CHILD : SLICE, ending.ns);
	ending.thread = NULL;
	if (!t)
		return;
	if (t->woken)
		add(WAKE, now - t->woken);
	t->dispatched = now;
	t->woken = t->returned = 0;
	t->is_first = t->forked != 0;
	t->timer_seen = false;
}

static void take_return(struct thread *t, uint64_t now)
{
	ending.thread = NULL;
	if (!t->returned && t->dispatched) {
		add(t->forked ? SWITCH_CHILD : SWITCH, now - t->dispatched);
		if (t->forked)
			add(FORK, now - t->forked);
		if (t->irq)
			add(INTERRUPT_THREAD, now - t->irq);
		t->returned = now;
		t->forked = t->irq = 0;
	}
	t->last_return = now;
}

static void take_timer(struct thread *t, const char *line)
{
	uint64_t armed, slice, now;

	if (!lab_number(line, "armed_ns=", &armed) || !lab_number(line, "slice_ns=", &slice) ||
	    !lab_number(line, "now_ns=", &now))
		return;
	if (armed != UINT64_MAX && now >= armed)
		add(LATE, now - armed);
	if (!t || !t->returned || !irq.user)
		return;
	if (!t->timer_seen)
		add(t->is_first ? TIMER_CHILD : TIMER, irq.since - t->last_return);
	t->timer_seen = true;
	if (slice <= now) {
		ending.thread = t;
		ending.ns = irq.since - t->returned;
	}
}

static void take_event(struct thread *t, const char *event, const char *line, uint64_t now)
{
	struct thread *other;

	if (strcmp(event, "process_fork_commit") == 0 && (other = thread_at(line, "child="))) {
		*other = (struct thread){ .forked = now };
	} else if (strcmp(event, "wake") == 0 && (other = thread_at(line, " thread="))) {
		other->woken = now;
		other->irq = irq.since;
	} else if (strcmp(event, "context_switch") == 0) {
		take_switch(line, now);
	} else if (strcmp(event, "irq_enter") == 0) {
		irq.since = now;
		irq.user = strstr(line, "user=1") != NULL;
	} else if (strcmp(event, "irq_exit") == 0 && irq.since) {
		add(HANDLER, now - irq.since);
		irq.since = 0;
	} else if (strcmp(event, "timer") == 0) {
		take_timer(t, line);
	} else if (strcmp(event, "user_return") == 0 && t) {
		take_return(t, now);
	} else if (strcmp(event, "exception") == 0 && t && t->is_first && !t->stepped &&
		   strstr(line, "trap=1 ")) {
		add(STEP, now - t->last_return);
		t->stepped = true;
	}
}

static void read_trace(char *text)
{
	unsigned long long seconds, ns;
	char *line, who[64], event[64];
	unsigned int cpu;

	for (int i = 0; i < ROWS; i++)
		rows[i].count = 0;
	memset(threads, 0, sizeof(threads));
	memset(&irq, 0, sizeof(irq));
	ending.thread = NULL;
	while ((line = lab_line(&text))) {
		if (sscanf(line, " %llu.%llu cpu%u %63s %63s", &seconds, &ns, &cpu, who,
			   event) != 5)
			continue;
		take_event(who[0] >= '0' && who[0] <= '9' ? thread_at(who, "") : NULL, event, line,
			   seconds * 1000000000 + ns);
	}
}

/* --- what is shown ---------------------------------------------------------------------------- */

static int compare_u64(const void *a, const void *b)
{
	const uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return x < y ? -1 : x > y;
}

static uint64_t least(enum row row) { return rows[row].count ? rows[row].values[0] : 0; }

/* In order, from show() on. */
static uint64_t median(enum row row)
{
	return rows[row].count ? rows[row].values[rows[row].count / 2] : 0;
}

/* Puts the values in order, and counts those of each size. */
static void sort(enum row row, unsigned int *buckets)
{
	struct histogram *h = &rows[row];

	qsort(h->values, h->count, sizeof(*h->values), compare_u64);
	for (size_t i = 0; i < h->count; i++) {
		unsigned int bucket = 0;

		while (bucket < BUCKETS - 1 && h->values[i] >= 64ull << (2 * bucket))
			bucket++;
		buckets[bucket]++;
	}
}

static void show(enum row row, const unsigned int *buckets, const int *widths)
{
	const struct histogram *h = &rows[row];
	char line[200];
	int at;

	at = snprintf(line, sizeof(line), "%-26s%5zu%9llu%9llu%9llu", titles[row], h->count,
		      (unsigned long long)least(row), (unsigned long long)median(row),
		      (unsigned long long)(h->count ? h->values[h->count - 1] : 0));
	for (int i = 0; i < BUCKETS; i++)
		at += snprintf(line + at, sizeof(line) - (size_t)at, " %*s", widths[i],
			       buckets[i] ? text_format("%u", buckets[i]) : ".");
	lab_say("%s", line);
}

/* A column is as wide as what stands in it, so that the table fits 100. */
static void show_rows(const char *title, const enum row *list, size_t count)
{
	unsigned int buckets[ROWS][BUCKETS] = { 0 };
	int widths[BUCKETS], at;
	char line[200];

	for (size_t i = 0; i < count; i++)
		sort(list[i], buckets[i]);
	at = snprintf(line, sizeof(line), "%-26scount    least   median     most", title);
	for (int i = 0; i < BUCKETS; i++) {
		widths[i] = (int)strlen(bounds[i]);
		for (size_t row = 0; row < count; row++) {
			const int width = snprintf(NULL, 0, "%u", buckets[row][i]);

			widths[i] = width > widths[i] ? width : widths[i];
		}
		at += snprintf(line + at, sizeof(line) - (size_t)at, " %*s", widths[i], bounds[i]);
	}
	lab_say("%s", line);
	for (size_t i = 0; i < count; i++)
		show(list[i], buckets[i], widths);
}

/* Runs the program; true when it ended well. `cycles`: what 1000 calls took, if it says so. */
static bool record(const char *words, const char *command, bool traces, uint64_t *cycles)
{
	const struct lab_machine machine = {
		.words = words, .icount = true, .seconds = SECONDS, .trace = traces,
		.command = command,
	};
	struct lab_result r;

	lab_run(&machine, &r);
	read_trace(r.trace);
	if (r.status != 0)
		lab_show_failure(&r, r.out);
	*cycles = 0;
	lab_number(r.out, "call: ", cycles);
	return r.status == 0;
}

static const char *program(unsigned int rounds, const char *more)
{
	return text_format("/bin/lab-latency %u%s", rounds, more);
}

static void show_plain(unsigned int rounds)
{
	static const enum row list[] = { FORK, SWITCH_CHILD, SWITCH, TIMER_CHILD, TIMER,
					 SLICE_CHILD, SLICE, WAKE, INTERRUPT_THREAD, LATE,
					 HANDLER };
	uint64_t on, off;
	bool ok = record("trace=16M", program(rounds, ""), true, &on), enough = true;

	show_rows("one-shot slices", list, sizeof(list) / sizeof(list[0]));
	for (size_t i = 0; i < sizeof(list) / sizeof(list[0]); i++)
		enough &= rows[list[i]].count >= rounds;
	lab_check(ok && enough, "it ran to its end, and each was seen %u times or more", rounds);
	lab_check(least(SLICE_CHILD) >= SLICE_NS && least(SLICE) >= SLICE_NS,
		  "no slice ended earlier than %llu after its IRETQ: a child's as another's",
		  (unsigned long long)SLICE_NS);
	ok = record("", program(1, ""), false, &off);
	lab_check(ok && on > off && off > 0, "the instrument: a null call has three events: %llu "
		  "recorded, %llu not: %llu an event", (unsigned long long)on / 1000,
		  (unsigned long long)off / 1000, (unsigned long long)(on - off) / 3000);
}

static void show_step(void)
{
	static const enum row list[] = { STEP };
	uint64_t cycles;
	const bool ok = record("trace=16M step=fork", "/bin/lab-report", true, &cycles);

	show_rows("step=fork", list, 1);
	lab_check(ok && rows[STEP].count > 0, "the child's first instruction retires: its trap "
		  "follows IRETQ");
}

static void show_ticks(unsigned int rounds)
{
	static const enum row list[] = { TIMER_CHILD, TIMER };
	uint64_t cycles, pending;
	bool ok = record("trace=16M timer=pit hz=200 sched=rr", program(rounds, FORKS),
			 true, &cycles);

	show_rows("timer=pit hz=200 sched=rr", list, 2);
	lab_check(ok && rows[TIMER].count > 0 && least(TIMER) < SLICE_NS,
		  "a periodic tick comes anywhere: %llu after an IRETQ at least",
		  (unsigned long long)least(TIMER));
	pending = median(TIMER);
	ok = record("trace=16M timer=pit hz=200 sched=rr log=sync baud=115200",
		    program(rounds, SHORT_FORKS), true, &cycles);
	show_rows("with log=sync baud=115200", list, 2);
	lab_check(ok && rows[TIMER].count > 0 && median(TIMER) < pending && median(TIMER) < 1000,
		  "a line slower than the tick: half of the ticks come within %llu of IRETQ, "
		  "before: %llu", (unsigned long long)median(TIMER), (unsigned long long)pending);
}

int lab_latency(int argc, char **argv)
{
	const unsigned int rounds = lab_is_quick(argc, argv) ? 3 : 10;

	lab_say("instructions (--icount), the recorder's own included; columns count those below; "
		"\"end\": a slice's");
	show_plain(rounds);
	show_step();
	show_ticks(rounds);
	return lab_verdict("A forked child's slice is as long as any other's. With a periodic tick "
			   "and a slow line at\neach switch the tick is pending at IRETQ.");
}
