/*
 * Inter-processor calls. RESCHEDULE makes the target consult its run queue; CALL runs a function.
 */
#pragma once

#include "core/types.h"

enum ipi_kind { IPI_RESCHEDULE, IPI_CALL, IPI_STOP };

typedef uint32_t cpu_mask_t;		/* bit n: processor n */

void ipi_reschedule(uint32_t cpu);
/* Runs fn(arg) on each CPU of the mask but this one, interrupts off there, and waits for all.
 * Must be called with interrupts on and no spin lock that a handler or an IPI target needs. */
void ipi_call_wait(cpu_mask_t mask, void (*fn)(void *arg), void *arg);
/* The architecture calls this on receipt. */
void ipi_receive(enum ipi_kind kind);
/* Implemented by sched: another processor made a thread of this CPU's queue runnable. Interrupts
 * off; sets need_resched when a switch is due. */
void sched_ipi(void);
