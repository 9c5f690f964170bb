/*
 * lab_report.c - `tine lab report` and `tine lab step`: the report's program under its settings.
 *
 * What is asked: do parent and child go on from 0x10000018, where the report's child stayed? Each
 * line of log=sync has the address at which a thread is about to go on in user mode. Ticks are
 * taken from the flight recorder, not from the switches: one that finds the loop of two
 * instructions where the last one left it takes nothing away. Instructions are the clock: by the
 * host's, the ticks of a busy one are longer.
 */
#include "lab.h"

#include "kernel.h"
#include "text.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define FORK_RETURN	0x10000018u
#define REPORT_RSP	0x555555593ff8u
/* Rounds of counting: long enough for several ticks of 10 Hz. */
#define ROUNDS_QEMU	"/bin/lab-report" ROUNDS_20 ROUNDS_20 ROUNDS_20 ROUNDS_20
#define ROUNDS_BOCHS	"/bin/lab-report 1 1 1"
#define ROUNDS_20	" 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1"
/* Of the host, against a machine that does not end: twenty times what a host takes that is idle. */
#define SECONDS		300
#define TICKS_MAX	256
#define SETTINGS	"sched=rr log=sync fork=eager"

/* What the log says of the two. */
struct both {
	uint64_t child, parent;			/* thread ids; 0: not seen */
	bool child_at_fork;			/* first dispatched there, RSP as reported */
	uint64_t child_past, parent_past;	/* the last address seen beyond FORK_RETURN */
	unsigned int child_dispatches, parent_dispatches;
};

static int compare_u64(const void *a, const void *b)
{
	const uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return x < y ? -1 : x > y;
}

static void note_switch(struct both *both, const struct lab_switch *s)
{
	if (!both->child && s->rip == FORK_RETURN) {
		both->child = s->to;
		both->child_at_fork = s->rsp == REPORT_RSP;
	}
	if (s->to == both->child) {
		both->child_dispatches++;
		if (s->rip > FORK_RETURN)
			both->child_past = s->rip;
	} else {
		both->parent = s->to;
		both->parent_dispatches++;
		if (s->rip > FORK_RETURN)
			both->parent_past = s->rip;
	}
}

static void read_log(const char *log, struct both *both)
{
	char *text = text_format("%s", log), *line;
	struct lab_switch s;

	*both = (struct both){ 0 };
	while ((line = lab_line(&text))) {
		if (lab_parse_switch(line, &s) && s.is_report)
			note_switch(both, &s);
	}
}

/* From one tick that counts to the next, the first from the start on: the median, since an emulated
 * chip may lose one. 0: none came. */
static uint64_t tick_ns(const char *trace)
{
	char *text = text_format("%s", trace), *line;
	uint64_t now, last = 0, gaps[TICKS_MAX];
	size_t n = 0;

	while ((line = lab_line(&text)) && n < TICKS_MAX) {
		if (!strstr(line, " timer armed_ns=") || !lab_number(line, " now_ns=", &now))
			continue;
		gaps[n++] = now - last;
		last = now;
	}
	qsort(gaps, n, sizeof(*gaps), compare_u64);
	return n ? gaps[n / 2] : 0;
}

static void check_both(const struct lab_result *r, const char *said, const struct both *both)
{
	uint64_t copied = 0, shared = 0;
	const char *eager = strstr(r->log, "fork=eager: ");

	/* The last fork is the program's. */
	for (const char *next = eager; next; next = strstr(next + 1, "fork=eager: "))
		eager = next;
	if (eager) {
		lab_number(eager, "eager: ", &copied);
		lab_number(eager, "copied, ", &shared);
	}
	lab_check(eager != NULL, "fork copied %llu pages and shared %llu (the report: 16 and 2)",
		  (unsigned long long)copied, (unsigned long long)shared);
	lab_check(both->child_at_fork, "the child starts at RIP 0x10000018, RSP 0x555555593ff8");
	lab_check(both->child_past > FORK_RETURN,
		  "the child goes on: %u dispatches, last seen at %#llx", both->child_dispatches,
		  (unsigned long long)both->child_past);
	lab_check(both->parent_past > FORK_RETURN,
		  "the parent goes on: %u dispatches, last seen at %#llx", both->parent_dispatches,
		  (unsigned long long)both->parent_past);
	lab_check(strstr(said, "child: done") && strstr(said, "parent: done, child reaped"),
		  "both finish, and the parent reaps the child");
}

static void run_at(const char *title, const char *rate, uint64_t expected_ns)
{
	const struct lab_machine machine = {
		.words = text_format("timer=pit %s " SETTINGS, rate),
		.command = ROUNDS_QEMU, .icount = true, .trace = true, .seconds = SECONDS,
	};
	struct lab_result r;
	struct both both;
	uint64_t ns;

	lab_say("%s: timer=pit %s " SETTINGS, title, rate);
	lab_run(&machine, &r);
	read_log(r.log, &both);
	check_both(&r, r.out, &both);
	lab_check(r.status == 0, "it ends with status 0 (after %.1f s)", r.seconds);
	ns = tick_ns(r.trace);
	lab_check(ns > expected_ns / 100 * 99 && ns < expected_ns / 100 * 101,
		  "a tick takes %.2f ms, %.2f Hz; expected: %.2f ms", (double)ns / 1e6,
		  ns ? 1e9 / (double)ns : 0, (double)expected_ns / 1e6);
	if (r.status != 0)
		lab_show_failure(&r, r.log);
}

static void run_in_bochs(void)
{
	const struct lab_machine machine = {
		.words = "timer=pit hz=10 " SETTINGS, .command = ROUNDS_BOCHS, .seconds = SECONDS,
	};
	struct lab_result r;
	struct both both;

	lab_say("Bochs, from the ISO: %s", machine.words);
	lab_run_bochs(&machine, &r);
	read_log(r.log, &both);
	check_both(&r, r.log, &both);
	if (r.status != 0) {
		lab_check(false, "Bochs ends by itself: status %d: %s", r.status, r.out);
		lab_show_failure(&r, r.log);
	}
}

int lab_report(int argc, char **argv)
{
	const bool quick = lab_is_quick(argc, argv);

	run_at("QEMU, 10 Hz", "hz=10", 100000000);
	if (!quick) {
		run_at("QEMU, the divisor for 10 Hz, 119318, cut to the chip's 16 bits",
		       "divisor=119318", 45074431);
		run_in_bochs();
	}
	return lab_verdict("Under the report's settings parent and child both pass 0x10000018 and "
			   "finish.\nA 16-bit divisor would have made its 10 Hz 22.19 Hz.");
}

/* --- step ------------------------------------------------------------------------------------- */

#define STEPS_MAX	64

/* The addresses at which the child's debug exceptions come, from the program's own code: after each
 * instruction but INT, whose successor's own exception tells of it. Straight code and `jmp`. */
static size_t expected_steps(uint64_t *steps)
{
	const char *program = text_format("%s/user/lab-report", output_directory());
	FILE *list = popen(text_format("objdump -d --no-show-raw-insn %s", program), "r");
	uint64_t at, target, next = FORK_RETURN;
	char line[256], name[32];
	bool counts = false;
	size_t n = 0;

	while (list && fgets(line, sizeof(line), list) && n < STEPS_MAX) {
		if (sscanf(line, " %lx: %31s %lx", &at, name, &target) < 2 || at < next)
			continue;
		/* Here is what the instruction before led to. */
		if (counts)
			steps[n++] = at;
		counts = strcmp(name, "int") != 0;
		next = strcmp(name, "jmp") == 0 ? target : at + 1;
		/* Without rounds the count ends at once: the branch is taken. */
		if (strcmp(name, "je") == 0)
			next = target;
	}
	if (list)
		pclose(list);
	return n;
}

static void check_steps(const char *where, const struct lab_result *r, const char *said)
{
	char *text = text_format("%s", r->log), *line;
	uint64_t expected[STEPS_MAX], seen[STEPS_MAX] = { 0 }, rip;
	const size_t count = expected_steps(expected);
	size_t n = 0, same = 0;

	while ((line = lab_line(&text)) && n < STEPS_MAX) {
		if (strstr(line, "step: thread ") && lab_number(line, "RIP=", &rip) &&
		    rip >= 0x10000000 && rip < 0x10001000)
			seen[n++] = rip;
	}
	while (same < n && same < count && seen[same] == expected[same])
		same++;
	lab_check(n > 0 && seen[0] == 0x1000001b,
		  "%s: the first debug exception comes after 0x10000018, at %#llx", where,
		  (unsigned long long)seen[0]);
	lab_check(count > 10 && same == count && n == count,
		  "%s: %zu debug exceptions, where the child's code says (%zu of %zu)",
		  where, n, same, count);
	lab_check(strstr(said, "child: done") != NULL, "%s: the child finishes under the flag",
		  where);
	if (same != count)
		lab_say("        differs at %zu: seen %#llx, expected %#llx", same,
			(unsigned long long)(same < n ? seen[same] : 0),
			(unsigned long long)(same < count ? expected[same] : 0));
}

int lab_step(int argc, char **argv)
{
	const struct lab_machine machine = {
		.words = "timer=pit hz=10 " SETTINGS " step=fork", .command = "/bin/lab-report",
		.seconds = SECONDS,
	};
	const bool quick = lab_is_quick(argc, argv);
	struct lab_result r;

	lab_say("%s:\n        the trap flag is set in the child, as in the report", machine.words);
	lab_run(&machine, &r);
	check_steps("QEMU", &r, r.out);
	if (!quick) {
		lab_run_bochs(&machine, &r);
		check_steps("Bochs", &r, r.log);
	}
	return lab_verdict("Every instruction of the child is followed by its debug exception; in "
			   "the report none was:\nno instruction retired there.");
}
