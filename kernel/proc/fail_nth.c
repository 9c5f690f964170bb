/*
 * Counts the current task's fail points down.
 */
#include "proc/fail_nth.h"

#include "core/fail_point.h"

#ifdef TINE_DEBUG

/* Kernel threads have no FPU state and no task. */
static uint64_t *current_counter(void)
{
	return thread_current()->arch.fpu != NULL ? &task_current()->fail_nth : NULL;
}

void fail_nth_init(void)
{
	fail_point_set_counter(current_counter);
}

#else

void fail_nth_init(void) {}

#endif
