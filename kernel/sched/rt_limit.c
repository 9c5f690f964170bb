/*
 * The share that real-time threads leave to others. A SCHED_FIFO thread that spins would keep its
 * processor for ever: the shell to end it from, and every promise of headway, with it.
 *
 * Each processor counts the time for which real-time threads ran while others waited. Once that is
 * `runtime` within a period, the others go first for the rest of the period; with nobody waiting
 * nothing is counted and nobody is held back. A period begins with the first time that is counted
 * after the last one's end. What was had beyond the runtime (a slice is not cut short) is taken off
 * the next period. sched(7), "Limiting the CPU usage of real-time and deadline processes".
 *
 * So a thread that may run waits for real-time ones less than two periods and a slice of theirs.
 * That the time is up is noticed at the end of a slice, which is armed while anybody waits.
 *
 * Locking: the counts under the run queue's lock; the limits are read as they are.
 */
#include "abi/errno.h"
#include "sched/sched_internal.h"

static uint64_t period_ns = NSEC_PER_SEC;			/* [a] */
static uint64_t runtime_ns = 950 * NSEC_PER_MSEC;		/* [a] UINT64_MAX: no limit */

/* A new period begins at `now` when the last one is over. */
static void roll(struct runqueue *rq, uint64_t now)
{
	uint64_t period = read_once(period_ns), runtime = read_once(runtime_ns);
	uint64_t past = now - rq->rt_period_start_ns;

	if (past < period)
		return;
	rq->rt_used_ns = past < 2 * period && rq->rt_used_ns > runtime ?
			 rq->rt_used_ns - runtime : 0;
	rq->rt_period_start_ns = now;
}

void rt_limit_charge(struct runqueue *rq, uint64_t delta, uint64_t now)
{
	assert_held(&rq->lock);
	if (rq->fair_load == 0)
		return;
	roll(rq, now - delta);
	rq->rt_used_ns += delta;
}

bool rt_limit_reached(struct runqueue *rq, uint64_t now)
{
	assert_held(&rq->lock);
	roll(rq, now);
	return rq->rt_used_ns >= read_once(runtime_ns);
}

void sched_rt_limit_get(uint64_t *period, uint64_t *runtime)
{
	*period = read_once(period_ns);
	*runtime = read_once(runtime_ns);
}

int sched_rt_limit_set(uint64_t period, uint64_t runtime)
{
	if (period == 0 || (runtime != UINT64_MAX && runtime > period))
		return -EINVAL;
	write_once(period_ns, period);
	write_once(runtime_ns, runtime);
	return 0;
}
