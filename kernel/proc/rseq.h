/*
 * rseq(2) of the current task.
 */
#pragma once

#include "proc/task.h"

long rseq_register(user_addr_t area, uint32_t bytes, int flags, uint32_t signature);
/* user_return() after a switch, for a task with an area; may fault it in. */
void rseq_return_after_switch(struct task *task, struct trap_frame *frame);
