/*
 * lab_tlb.c - `tine lab tlb`: the ways to change page tables, timed by the kernel at its start
 * (tlb=measure), and a program that runs under each.
 */
#include "lab.h"

#include "text.h"

#include <stdio.h>
#include <string.h>

static const char *const methods[] = { "cr3", "pge", "invpcid", "pcid" };

#define METHODS (sizeof(methods) / sizeof(methods[0]))

/* What the log says of a method: its line behind the name, or NULL. */
static const char *find_method(const char *log, const char *method)
{
	const char *key = text_format("tlb=measure: %s: ", method), *at = strstr(log, key);

	return at ? at + strlen(key) : NULL;
}

/* How many methods the machine has; *cr3, *pge: the cheapest load. */
static unsigned int show_methods(const char *where, const char *log, uint64_t *cr3, uint64_t *pge)
{
	unsigned int has = 0;

	*cr3 = *pge = 0;
	for (size_t i = 0; i < METHODS; i++) {
		uint64_t load = 0, touch = 0, instrument = 0;
		const char *line = find_method(log, methods[i]);
		const char *lacks = line ? strstr(line, "has no ") : NULL;

		if (lacks && lacks < strchrnul(line, '\n')) {
			lab_check(true, "%s: %-7s not there: the processor has no %.*s", where,
				  methods[i], (int)strcspn(lacks + 7, "\n"), lacks + 7);
			continue;
		}
		if (line) {
			lab_number(line, "load ", &load);
			lab_number(line, "touch ", &touch);
			lab_number(line, "instrument ", &instrument);
		}
		lab_check(load > instrument, "%s: %-7s %6llu cycles to load, then "
			  "%6llu for a word of each of 64 pages (instrument: %llu)", where,
			  methods[i], (unsigned long long)load,
			  (unsigned long long)touch, (unsigned long long)instrument);
		has += load > 0;
		if (i == 0)
			*cr3 = load;
		if (i == 1)
			*pge = load;
	}
	return has;
}

static void run_method(const char *method)
{
	const struct lab_machine machine = {
		.words = text_format("timer=pit hz=100 sched=rr log=info tlb=%s", method),
		.command = "/bin/lab-report 1 1", .seconds = 60,
	};
	struct lab_result r;

	lab_run(&machine, &r);
	lab_check(r.status == 0 && strstr(r.out, "parent: done, child reaped") &&
			  strstr(r.log, text_format("] tlb=%s", method)) != NULL,
		  "QEMU: fork's both sides finish with tlb=%s", method);
}

int lab_tlb(int argc, char **argv)
{
	const bool quick = lab_is_quick(argc, argv);
	const struct lab_machine machine = {
		.words = "log=info tlb=measure", .command = "/bin/true", .seconds = 120,
	};
	struct lab_result r;
	uint64_t cr3, pge;
	unsigned int has;

	lab_run(&machine, &r);
	has = show_methods("QEMU", r.log, &cr3, &pge);
	lab_check(has >= 2 && r.status == 0, "QEMU: the processor's methods are timed");
	lab_check(pge > cr3, "QEMU: toggling PGE costs more than loading CR3 alone");
	run_method("cr3");
	run_method("pge");
	if (!quick) {
		lab_run_bochs(&machine, &r);
		has = show_methods("Bochs", r.log, &cr3, &pge);
		lab_check(has == METHODS && r.status == 0, "Bochs: all four are timed");
	}
	return lab_verdict("Each method that a processor has was timed, the cheapest of 256 "
			   "rounds. Cycles are the\nemulator's time stamps: in QEMU the host's "
			   "time, in Bochs the count of instructions.");
}
