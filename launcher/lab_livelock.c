/*
 * lab_livelock.c - `tine lab livelock`: the report's failure on purpose, its causes apart, the cure.
 *
 * A line at each switch, at the speed of a serial line, takes longer than a tick; the next tick is
 * then pending at each IRETQ, and with headway=off it takes the processor back at once. The
 * report's hypotheses are tried one by one: each experiment changes one thing.
 */
#include "lab.h"

#include "text.h"

#include <stdio.h>
#include <string.h>

/* A tick of 5 ms against a line of about 110 bytes at 115200 baud, 9.5 ms. */
#define LOAD	"timer=pit hz=200 sched=rr log=sync baud=115200"
#define PROGRAM	"/bin/lab-report 1 1 1 1"
#define SECONDS	20

/* What a machine did with the program. */
struct outcome {
	bool finished;
	uint64_t child_barren, parent_barren;	/* the kernel's count of dispatches in vain, in a row */
	uint64_t child_at;			/* where */
	unsigned int dispatches;		/* of the child at 0x10000018, as the log has them */
	uint64_t stalls;			/* told at the end of the two threads */
	double seconds;
};

static void note_line(struct outcome *o, const char *line)
{
	struct lab_switch s;
	uint64_t n, rip;

	if (lab_parse_switch(line, &s) && s.rip == 0x10000018)
		o->dispatches++;
	if (strstr(line, "(lab-report) ends: ") && lab_number(line, "dispatches, ", &n))
		o->stalls += n;
	if (!strstr(line, "(lab-report) RIP=") || !lab_number(line, "dispatched ", &n) ||
	    !lab_number(line, "RIP=", &rip))
		return;
	if (rip == 0x10000018) {
		o->child_barren = n;
		o->child_at = rip;
	} else {
		o->parent_barren = n;
	}
}

static struct outcome attempt(const struct lab_machine *machine)
{
	struct lab_result r;
	struct outcome o = { 0 };
	char *text, *line;

	lab_run(machine, &r);
	text = text_format("%s", r.log);
	while ((line = lab_line(&text)))
		note_line(&o, line);
	o.finished = r.status == 0 && strstr(r.out, "parent: done, child reaped");
	o.seconds = r.seconds;
	return o;
}

static struct outcome with(const char *words, const char *until, bool icount)
{
	const struct lab_machine machine = {
		.words = words, .command = PROGRAM, .seconds = SECONDS, .until = until,
		.icount = icount,
	};

	return attempt(&machine);
}

static bool is_stuck(const struct outcome *o)
{
	return !o->finished && o->child_barren >= 20;
}

static void show_failure(void)
{
	/* The parent's line comes with the child's: they take turns. */
	const struct outcome o = with(LOAD " headway=off", "dispatched 40 times", false);

	lab_say("the failure: " LOAD " headway=off");
	lab_check(is_stuck(&o), "the child at RIP %#llx: dispatched %llu times in a row, 0 "
		  "instructions retired", (unsigned long long)o.child_at,
		  (unsigned long long)o.child_barren);
	lab_check(o.dispatches >= 20, "the log has %u dispatches of it there, and none beyond",
		  o.dispatches);
	lab_check(o.parent_barren >= 20, "D is wrong: the parent, an ordinary process by now, is "
		  "stuck as well (%llu in a row)", (unsigned long long)o.parent_barren);
}

static void show_causes(bool quick)
{
	struct outcome o;

	o = with("timer=pit hz=1000 sched=rr tlb=pge headway=off log=info", NULL, false);
	lab_check(o.finished && !o.child_barren, "A is wrong: the report's TLB flush at each switch, "
		  "1000 Hz, no log: both finish");
	o = with("timer=pit hz=10 sched=rr log=sync baud=115200 headway=off", NULL, false);
	lab_check(o.finished && !o.child_barren,
		  "B: the same line, a slower tick (100 ms): both finish");
	o = with("timer=pit hz=200 sched=rr log=sync headway=off", NULL, false);
	lab_check(o.finished && !o.child_barren,
		  "B: the same tick, a faster line: both finish");
	if (quick)
		return;
	o = with("timer=pit hz=200 sched=rr log=sync baud=115200 tlb=pge headway=off",
		 "dispatched 40 times", false);
	lab_check(is_stuck(&o), "B and not A: with the flush the line is what it takes: stuck");
	o = with(LOAD " headway=off", "dispatched 40 times", true);
	lab_check(is_stuck(&o), "C is wrong: counting instructions, without pipeline or caches: "
		  "stuck (%llu in a row)", (unsigned long long)o.child_barren);
}

static void show_cure(void)
{
	const struct outcome o = with(LOAD, NULL, false);

	lab_say("the cure: " LOAD);
	lab_check(o.finished, "both finish, in %.1f s", o.seconds);
	lab_check(o.stalls > 0, "%llu expiries came before an instruction had retired and were "
		  "refused", (unsigned long long)o.stalls);
}

int lab_livelock(int argc, char **argv)
{
	const bool quick = lab_is_quick(argc, argv);

	show_failure();
	lab_say("why: one thing changed at a time");
	show_causes(quick);
	show_cure();
	return lab_verdict("The tick was pending at each IRETQ because a switch, its log included, "
			   "took longer than a tick (B).\nNot the flush (A), not the processor's "
			   "pipeline (C), not what a forked process is (D).");
}
