/*
 * step=fork, for the lab: each forked child starts with the trap flag set, and its debug exceptions
 * are lines in the log instead of signals: every instruction it retires is seen.
 */
#pragma once

#include "arch/arch_down.h"
#include "arch/arch_up.h"

void step_init(void);			/* reads the command line */
extern bool steps_children;		/* [I] */
/* A child's planted frame. */
static inline void step_child(struct trap_frame *planted)
{
	if (unlikely(steps_children))
		frame_set_single_step(planted, true);
}
/* True when the exception was a step's, and is told. */
bool step_take(const struct trap_frame *frame, const struct exception *e);
