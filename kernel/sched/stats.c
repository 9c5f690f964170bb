/*
 * Counts and load averages. The averages are sampled every five seconds by a timer on the boot
 * processor and decay as Unix has them: factors exp(-5/60), exp(-5/300), exp(-5/900) in 1/2048.
 */
#include "core/timer.h"
#include "sched/sched_internal.h"

#define LOAD_INTERVAL_NS (5 * NSEC_PER_SEC)
#define LOAD_ONE 2048u

static const uint64_t load_factor[3] = { 1884, 2014, 2037 };
static uint64_t load_average[3];	/* [a] in 1/2048 */
static struct timer load_timer;

/* Waiting and running threads; `running` gets the processors that are not idle. */
static uint64_t count_runnable(uint64_t *running)
{
	cpu_mask_t mask = atomic32_load(&sched_online_mask);
	uint64_t waiting = 0;

	*running = 0;
	for (; mask != 0; mask &= mask - 1) {
		struct runqueue *rq = runqueue_of((uint32_t)__builtin_ctz(mask));

		waiting += read_once(rq->queued);
		*running += !read_once(rq->current)->is_idle;
	}
	return waiting + *running;
}

/* That it comes every five seconds also bounds the age of clock_wall_coarse_ns(). */
static void load_sample(struct timer *timer)
{
	uint64_t running, now = count_runnable(&running) * LOAD_ONE;

	for (unsigned int i = 0; i < 3; i++) {
		uint64_t x = load_average[i] * load_factor[i] + now * (LOAD_ONE - load_factor[i]);

		if (now >= load_average[i])
			x += LOAD_ONE - 1;	/* rounds toward the count, so that it arrives */
		write_once(load_average[i], x / LOAD_ONE);
	}
	timer_arm(timer, clock_ns() + LOAD_INTERVAL_NS);
}

void load_init(void)
{
	timer_init(&load_timer, load_sample);
	timer_arm(&load_timer, clock_ns() + LOAD_INTERVAL_NS);
}

void sched_stats_get(struct sched_stats *out)
{
	cpu_mask_t mask = atomic32_load(&sched_online_mask);

	out->runnable = count_runnable(&out->running);
	out->switches = 0;
	for (; mask != 0; mask &= mask - 1)
		out->switches += read_once(runqueue_of((uint32_t)__builtin_ctz(mask))->switches);
	for (unsigned int i = 0; i < 3; i++)
		out->load[i] = read_once(load_average[i]);
}

void sched_running_on(uint32_t cpu, uint32_t *id, bool *is_rt)
{
	const struct runqueue *rq = runqueue_of(cpu);
	const struct thread *t = read_once(rq->current);

	if (t == thread_current())
		t = read_once(rq->previous);
	/* It may be freed meanwhile: its memory is the kernel's still, and this only describes. */
	*id = t != NULL ? thread_trace_id(t) : 0;
	*is_rt = t != NULL && policy_is_rt(read_once(t->policy));
}

/* The analysis cannot name the lock of a queue that a call returns. */
uint64_t sched_thread_run_ns(struct thread *t) NO_LOCK_ANALYSIS
{
	irq_state_t irq = spin_lock_irqsave(&t->lock);
	struct runqueue *rq = thread_lock_runqueue(t);
	uint64_t now = clock_ns(), run_ns = t->run_ns;

	if (rq->current == t && now > t->exec_start_ns)
		run_ns += now - t->exec_start_ns;
	spin_unlock(&rq->lock);
	spin_unlock_irqrestore(&t->lock, irq);
	return run_ns;
}
