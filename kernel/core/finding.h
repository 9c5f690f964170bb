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
	FINDING_NO_HEADWAY,	/* slices end before an instruction of the thread retires */
	FINDING_WAITS,		/* runnable beyond the bound */
	FINDING_FAULT_LOOP,	/* the same fault at the same place, again and again */
	FINDING_IRQ_STORM,	/* a device interrupts beyond its budget: it is polled */
	FINDING_LOCK_HELD,	/* a spin lock was waited for beyond the bound */
	FINDING_IRQS_OFF,	/* the timer came late: interrupts were off, or the machine stood */
	FINDING_LOST_WAKE,	/* asleep although what it waits for is true */
	FINDING_KINDS,
};

struct finding {
	uint8_t kind;			/* enum finding_kind */
	uint32_t thread;		/* as in a trace; 0: none */
	uint64_t pc;			/* where it was; 0: unknown */
	uint64_t evidence[2];		/* by kind: finding.c says what */
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
/* What the two numbers of this kind's evidence are. */
const char *finding_evidence_name(uint32_t kind, unsigned int index);
