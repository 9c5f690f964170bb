/*
 * Headway (design chapter 5): no thread is switched out by the end of its slice before it has
 * retired an instruction of its own since it was switched in.
 *
 * What the door out to user mode calls. user_return() does, with interrupts off, in this order:
 *
 *	if (sched_need_resched() &&
 *	    headway_may_switch(thread, frame_pc(frame), frame_sum(frame), true))
 *		sched_switch(), and look again (signals too)
 *	sched_slice_begin();
 *	headway_user_return(thread, frame_pc(frame));
 *
 * so the slice begins after all that the switch cost, and the place the thread returns to is known
 * when the next interrupt arrives. The argument is in switch.c.
 */
#pragma once

#include "sched/runqueue.h"

/* The current thread goes back to user mode, to `pc`. The last thing before the way out. */
static inline void headway_user_return(struct thread *thread, uint64_t pc)
{
	thread->user_pc = pc;
	thread->user_entered++;
}

/*
 * The slice of the current thread has ended, and it was interrupted at `pc`, with registers of the
 * sum `sum`: may it be switched out? False counts a stall and keeps its place. Interrupts off.
 */
bool headway_slice_may_switch(struct thread *thread, uint64_t pc, uint64_t sum, bool from_user);

/* The kernel gave the current thread other registers (a signal's frame): they tell nothing. */
static inline void headway_registers_changed(struct thread *thread)
{
	thread->kept_pc = UINT64_MAX;
}

/*
 * need_resched is set: may sched_switch() be called? False when the slice's end is the only reason
 * and headway refuses; need_resched is then clear and the thread gets a new slice.
 */
static inline bool headway_may_switch(struct thread *thread, uint64_t pc, uint64_t sum,
				      bool from_user)
{
	return (cpu_self()->need_resched & RESCHED_PREEMPT) != 0 ||
	       headway_slice_may_switch(thread, pc, sum, from_user);
}
