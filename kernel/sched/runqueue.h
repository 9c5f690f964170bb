/*
 * The run queue of a processor. Only sched/ works on it: it stands here for sched_slice_begin(),
 * which is inline, since every return to a program passes it.
 *
 * Locking: everything in struct runqueue is under its `lock`, taken with interrupts off; fields
 * marked [r] are also read without it, as hints that a later step repeats under the lock.
 */
#pragma once

#include "sched/sched.h"

#define RT_LEVELS (RT_PRIORITY_MAX + 1)

struct runqueue {
	struct spinlock lock;
	uint32_t cpu;			/* [I] */
	struct thread *idle;		/* [I] */
	struct thread *current;		/* [r] as cpu->current, for other processors */
	struct thread *previous;	/* [r] who ran before; after the switch, a hint only */
	bool push_previous;		/* its affinity forbids this processor: it moves on */
	bool kicked;			/* an IPI is on its way; cleared when it looks */
	uint32_t queued;		/* [r] threads waiting here, without the running one */
	uint64_t load;			/* [r] weights of the waiting and the running */

	struct rb_root fair;		/* by deadline, waiting ones; fair_update() */
	uint64_t fair_load;		/* their weights */
	__int128 fair_sum;		/* their weight * (virtual_ns - fair_base) */
	uint64_t fair_base;

	uint64_t rt_used_ns;		/* rt_limit.c: real-time threads ran while others waited */
	uint64_t rt_period_start_ns;
	uint32_t rt_queued;
	uint64_t rt_levels[2];		/* bit set: rt[n] is not empty */

	uint64_t slice_armed_ns;	/* [r] what timer_set_slice() was last given */
	uint64_t next_balance_ns;
	uint64_t switches;		/* [r] */
	uint64_t idle_since_ns;
	uint64_t nice_ns;		/* niced threads ran */

	/* Last: a switch among others touches only what is above. */
	struct list_head rt[RT_LEVELS];

	/* stats.c: by samples, in the kernel; of that, by niced threads */
	uint64_t system_ns, nice_system_ns;
	uint64_t sampled_busy_ns;	/* how long this processor had been busy at the latest */
	struct sched_cpu_times told;
} cache_aligned;

PERCPU_DECLARE(struct runqueue, runqueue);

static inline struct runqueue *runqueue_of(uint32_t cpu) { return cpu_of(runqueue, cpu); }
static inline struct runqueue *runqueue_this(void) { return this_cpu(runqueue); }

/* switch.c: sched_slice_begin() where there is something to do. */
void slice_arm(void);

/*
 * user_return(), last: the slice begins if it is the first return since the switch, and its end is
 * armed when somebody waits. Interrupts off.
 */
static inline void sched_slice_begin(void)
{
	const struct runqueue *rq = runqueue_this();

	/* Unless nobody waits, none is armed and the slice has begun: the usual system call. */
	if (unlikely(read_once(rq->queued) != 0 || rq->slice_armed_ns != TIME_NEVER ||
		     thread_current()->user_entered == 0))
		slice_arm();
}
