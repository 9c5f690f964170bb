/*
 * The explorer's hand in the kernel (doc/headway.md): one-shot interrupts after an exact number of
 * instructions, which the emulator's instruction counting makes of the APIC timer, and what they
 * do to the thread that they hit. A switch goes the ordinary way, through the end of the interrupt.
 *
 * Each processor has a plan of its own, armed by the thread that is pinned to it. Interrupts are
 * off where a plan is touched.
 */
#pragma once

#include "core/types.h"
#include "sched/explore_abi.h"

/* Arms this processor's plan; the first shot's count begins at once. */
void explore_arm(const struct explore_plan *plan);
/* Disarms this processor's plan and tells what it did. */
void explore_end(struct explore_result *out);
/* Sleeps until a shot with EXPLORE_CALL on this processor; 0 or -ERESTARTSYS. */
must_check int explore_await(void);
/* What is explored, "SCENARIO:KIND": a panic says it, with the places of the plan's shots. */
void explore_set_name(const char *text);
void explore_init(void);
