/*
 * Findings: what keeps threads from getting on, named. The monitor (proc/monitor.c) and the places
 * that see it themselves (interrupts, locks, the timer, faults) report here; a finding goes to the
 * trace, to /proc/headway and, by the monitor, to the log. Any context, no lock, no memory.
 *
 * One cause that goes on is one finding: the same kind, thread and place counts up.
 */
#pragma once

#include "core/types.h"

enum finding_kind {
#define FINDING(id, name, ta, a, tb, b) FINDING_##id,
#include "core/finding_kinds.def"
	FINDING_KINDS,
};

struct finding {
	uint8_t kind;			/* enum finding_kind */
	uint32_t thread;		/* as in a trace; 0: none */
	uint64_t pc;			/* where it was; 0: unknown */
	uint64_t evidence[2];		/* by kind: finding_kinds.def */
	const char *cause;		/* static text */
	uint64_t count;
	uint64_t first_ns, last_ns;
};

/* `cause` stays for ever. */
void finding_report(enum finding_kind kind, uint32_t thread, uint64_t pc, const char *cause,
		    uint64_t evidence0, uint64_t evidence1);
/* Writes those that are new to the log; one caller at a time, which may sleep. */
void finding_log_new(void);
/* The index'th of those kept, oldest first; false: there are no more. */
bool finding_get(uint32_t index, struct finding *out);
const char *finding_name(uint32_t kind);
/*
 * "address=0x123000 faults=1000": the kind's two numbers, as the log, /proc/headway and a trace
 * show them: addresses in hexadecimal, counts and nanoseconds in decimal. Returns text.
 */
const char *finding_evidence(const struct finding *finding, char *text, size_t size);
