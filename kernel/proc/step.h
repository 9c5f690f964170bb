/*
 * step=fork, for the lab: each forked child starts with the trap flag set, and its debug exceptions
 * are lines in the log instead of signals: every instruction it retires is seen.
 */
#pragma once

#include "arch/arch_up.h"

void step_init(void);			/* reads the command line */
/* A child's planted frame. */
void step_child(struct trap_frame *planted);
/* True when the exception was a step's, and is told. */
bool step_take(const struct trap_frame *frame, const struct exception *e);
