/*
 * lab_livelock.c - `tine lab livelock`: the report's failure on purpose, its causes, the cure.
 *
 * A line at each switch, at the speed of a serial line, takes longer than a tick; the next tick is
 * then pending at each IRETQ, and with headway=off it takes the processor back at once. The
 * report's hypotheses are tried one by one: each experiment changes one thing.
 *
 * All machines count instructions, a nanosecond each: what they do is the same on any host and
 * under any load, and such an emulator has neither pipeline nor caches (C).
 */
#include "lab.h"

#include "text.h"

#include <stdio.h>
#include <string.h>

/* A tick of 5 ms against a line of about 110 bytes at 115200 baud, 9.5 ms. */
#define LOAD	"timer=pit hz=200 sched=rr log=sync baud=115200"
/* The program is the first process: another before it that forks would be stuck already. */
#define PROGRAM	"init=/bin/lab-report -- 1 1 1 1"
/* The parent has reaped the child and ended with 0; without its first process a kernel stops. */
#define DONE	"init has exited with status 0"
/* Either ends a machine that is stuck; one that is not ends by itself. */
#define STUCK	"dispatched 40 times"
#define NAMED	"; thread 2 at 0x10000018, "
/* Of the host, against a machine that does neither. */
#define SECONDS	300

/* What a machine did with the program. */
struct outcome {
	bool finished;
	uint64_t child_barren, parent_barren;	/* dispatches in vain, in a row */
	uint64_t child;				/* thread id */
	unsigned int named;			/* by the monitor: the child, at 0x10000018 */
	unsigned int dispatches, beyond;	/* of the child at 0x10000018, and elsewhere */
	uint64_t stalls, deferrals;		/* told at the end of the two threads */
	uint64_t time_us;			/* of its last line */
};

/* The child is the first thread that is dispatched at fork's return with result 0. */
static void note_switch(struct outcome *o, const char *line, const struct lab_switch *s)
{
	uint64_t rax;

	if (!o->child && s->rip == 0x10000018 && lab_number(line, "RAX=", &rax) && rax == 0)
		o->child = s->to;
	if (!o->child || s->to != o->child)
		return;
	if (s->rip == 0x10000018)
		o->dispatches++;
	else
		o->beyond++;
}

static void note_line(struct outcome *o, const char *line)
{
	struct lab_switch s;
	uint64_t n, thread, time_us = lab_time_us(line);

	if (time_us)
		o->time_us = time_us;
	if (lab_parse_switch(line, &s) && s.is_report)
		note_switch(o, line, &s);
	if (strstr(line, "(lab-report) ends: ") && lab_number(line, "dispatches, ", &n))
		o->stalls += n;
	if (strstr(line, "(lab-report) ends: ") && lab_number(line, "stalls, ", &n))
		o->deferrals += n;
	if (strstr(line, "headway: no_headway: ") && lab_number(line, "; thread ", &thread) &&
	    thread == o->child && strstr(line, " at 0x10000018,"))
		o->named++;
	if (!strstr(line, "(lab-report) RIP=") || !lab_number(line, "dispatched ", &n) ||
	    !lab_number(line, "headway: thread ", &thread))
		return;
	if (o->child && thread == o->child)
		o->child_barren = n;
	else
		o->parent_barren = n;
}

static struct outcome with(const char *words, const char *until)
{
	const struct lab_machine machine = {
		.words = text_format("%s " PROGRAM, words),
		.seconds = SECONDS, .icount = true, .until = until,
	};
	struct lab_result r;
	struct outcome o = { 0 };
	char *text, *line;

	lab_run(&machine, &r);
	o.finished = strstr(r.log, DONE) != NULL;
	text = r.log;
	while ((line = lab_line(&text)))
		note_line(&o, line);
	return o;
}

static bool is_stuck(const struct outcome *o)
{
	return !o->finished && o->child_barren >= 10;
}

/* Until the monitor names the child, the second thread: the parent is stuck as well. */
static void show_failure(void)
{
	const struct outcome o = with(LOAD " headway=off", NAMED);

	lab_say("the failure, in %.2f s of virtual time: " LOAD " headway=off",
		(double)o.time_us / 1e6);
	lab_check(is_stuck(&o), "the kernel says: child dispatched %llu times in a row, 0 user "
		  "instructions retired", (unsigned long long)o.child_barren);
	lab_check(o.dispatches >= 20 && !o.beyond, "the log has %u dispatches of it, all at "
		  "RIP=0x10000018", o.dispatches);
	lab_check(o.named != 0, "the monitor names the child: no_headway, thread %llu at "
		  "0x10000018", (unsigned long long)o.child);
	lab_check(is_stuck(&o), "C is wrong: an emulator that counts instructions has no pipeline "
		  "and no caches");
	lab_check(o.parent_barren >= 10, "D is wrong: the parent, an ordinary process by now, is "
		  "stuck as well (%llu in a row)", (unsigned long long)o.parent_barren);
}

static void show_causes(bool quick)
{
	struct outcome o;

	o = with("timer=pit hz=1000 sched=rr tlb=pge headway=off log=info", STUCK);
	lab_check(o.finished && !o.child_barren, "A is wrong: stuck without the report's TLB "
		  "flush; with it, 1000 Hz, no line: both finish");
	o = with("timer=pit hz=10 sched=rr log=sync baud=115200 headway=off", STUCK);
	lab_check(o.finished && !o.child_barren,
		  "B: the same line, a slower tick (100 ms): both finish");
	o = with("timer=pit hz=200 sched=rr log=sync headway=off", STUCK);
	lab_check(o.finished && !o.child_barren,
		  "B: the same tick, a faster line: both finish");
	if (quick)
		return;
	o = with("timer=pit hz=200 sched=rr log=sync baud=115200 tlb=pge headway=off", STUCK);
	lab_check(is_stuck(&o), "B and not A: with the flush the line is what it takes: stuck");
}

static void show_cure(void)
{
	const struct outcome o = with(LOAD, STUCK);

	lab_say("the cure: " LOAD);
	lab_check(o.finished, "both finish, in %.2f s of virtual time", (double)o.time_us / 1e6);
	lab_check(o.stalls + o.deferrals > 0, "expiries with nothing retired: %llu "
		  "refused at the return, %llu put off in the kernel", (unsigned long long)o.stalls,
		  (unsigned long long)o.deferrals);
}

int lab_livelock(int argc, char **argv)
{
	const bool quick = lab_is_quick(argc, argv);

	show_failure();
	lab_say("why");
	show_causes(quick);
	show_cure();
	return lab_verdict("A tick was pending wherever interrupts came on again: a switch with "
			   "its log took longer\nthan a tick (B). It is not the flush (A), not the "
			   "pipeline (C), not what a forked process is (D).");
}
