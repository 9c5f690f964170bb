/*
 * lab_tlb.c - `tine lab tlb`: the ways to change page tables, timed by the kernel at its start
 * (tlb=measure), and a program under each (user/lab/spaces.c), which says itself what it found.
 */
#include "lab.h"

#include "text.h"

#include <stdio.h>
#include <string.h>

static const char *const methods[] = { "cr3", "pge", "invpcid", "pcid" };

#define SAID	"spaces: "
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
			  "%6llu for a word in 64 pages (instrument: %llu)", where,
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

/* `run` is lab_run or lab_run_bochs; what the program says is in the output, or in the log. */
static void run_program(const char *where, const char *method,
			void (*run)(const struct lab_machine *, struct lab_result *))
{
	const struct lab_machine machine = {
		.words = text_format("timer=pit hz=100 sched=rr log=info tlb=%s", method),
		.command = "/bin/lab-spaces", .seconds = 120,
	};
	uint64_t right = 0, cases = 0;
	const char *verdict, *said;
	struct lab_result r;

	run(&machine, &r);
	said = strstr(r.log, SAID) ? r.log : r.out;
	for (verdict = said; (verdict = strstr(verdict, SAID)); verdict += strlen(SAID))
		if (sscanf(verdict, SAID "%lu of %lu right", &right, &cases) == 2)
			break;
	lab_check(r.status == 0 && verdict && cases > 0 && right == cases &&
			  !strstr(said, ": WRONG") &&
			  strstr(r.log, text_format("] tlb=%s", method)) != NULL,
		  "%s: tlb=%-7s fork, copies, mmap, mprotect: the program says %lu of %lu right",
		  where, method, right, cases);
	if (!verdict || right != cases)
		lab_show_failure(&r, said);
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
	run_program("QEMU", "cr3", lab_run);
	run_program("QEMU", "pge", lab_run);
	if (!quick) {
		lab_run_bochs(&machine, &r);
		has = show_methods("Bochs", r.log, &cr3, &pge);
		lab_check(has == METHODS && r.status == 0, "Bochs: all four are timed");
		for (size_t i = 0; i < METHODS; i++)
			run_program("Bochs", methods[i], lab_run_bochs);
	}
	return lab_verdict("Each method that a processor has was timed, the cheapest of 256 "
			   "rounds, and a program ran\nunder it. Cycles are the emulator's time "
			   "stamps: in QEMU the host's time, in Bochs the count of\ninstructions.");
}
