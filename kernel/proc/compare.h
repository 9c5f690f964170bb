/*
 * compare=fork, for the lab: at each fork's commit, both sides' registers, roots and entries are
 * lines of the log.
 */
#pragma once

#include "arch/arch_up.h"
#include "proc/task.h"

void compare_init(void);		/* reads the command line */
extern bool compares_forks;		/* [I] */
void compare_sides(struct task *child, const struct trap_frame *frame);
/* The child is linked and has not run; `frame` is the parent's, without the result. */
static inline void compare_fork(struct task *child, const struct trap_frame *frame)
{
	if (unlikely(compares_forks) && child->thread.space != thread_current()->space)
		compare_sides(child, frame);
}
