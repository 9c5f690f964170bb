/*
 * Counts and load averages. The averages are sampled every five seconds by a timer on the boot
 * processor and decay as Unix has them: factors exp(-5/60), exp(-5/300), exp(-5/900) in 1/2048.
 */
#include "arch/arch_up.h"
#include "core/timer.h"
#include "core/trace.h"
#include "lib/bits.h"
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

/* --- where the time goes ----------------------------------------------------------------------

 * How long threads ran is known exactly, how much of it in the kernel by samples: one system call
 * and one fault of a program in TRACE_RARE_MEAN is measured, and stands for as many. The others pay
 * nothing. A long call that happens to be measured counts too much: where what it stands for is
 * more than SAMPLE_MAX_NS, the processor's column gets no more than was run since the last sample.
 */
#define SAMPLE_MAX_NS (100 * NSEC_PER_MSEC)

void kernel_sample_begin(void)
{
	struct thread *t = thread_current();

	t->sampled_ns = MAX(sched_thread_run_ns(t), 1UL);
}

static uint64_t idle_ns_locked(const struct runqueue *rq, uint64_t now) REQUIRES(&rq->lock)
{
	uint64_t ns = read_once(cpus[rq->cpu].idle_ns);

	if (rq->current->is_idle && now > rq->idle_since_ns)
		ns += now - rq->idle_since_ns;
	return ns;
}

void kernel_sample_end(void)
{
	struct thread *t = thread_current();
	uint64_t work = (sched_thread_run_ns(t) - t->sampled_ns) * TRACE_RARE_MEAN, now, busy;
	irq_state_t irq = arch_irq_save();
	struct runqueue *rq = runqueue_this();

	t->sampled_ns = 0;
	t->system_ns += work;
	spin_lock(&rq->lock);
	now = clock_ns();
	busy = now - idle_ns_locked(rq, now);
	if (work > SAMPLE_MAX_NS)
		work = MIN(work, MAX(busy - rq->sampled_busy_ns, SAMPLE_MAX_NS));
	rq->sampled_busy_ns = busy;
	rq->system_ns += work;
	if (t->nice > 0)
		rq->nice_system_ns += work;
	spin_unlock(&rq->lock);
	arch_irq_restore(irq);
}

/* The analysis cannot name the lock of a queue that a call returns. */
void sched_cpu_times_get(uint32_t cpu, struct sched_cpu_times *out) NO_LOCK_ANALYSIS
{
	struct runqueue *rq = runqueue_of(cpu);
	irq_state_t irq = spin_lock_irqsave(&rq->lock);
	struct sched_cpu_times *told = &rq->told;
	uint64_t now = clock_ns(), idle = MAX(idle_ns_locked(rq, now), told->idle_ns);
	uint64_t told_busy = told->user_ns + told->nice_ns + told->system_ns;
	/* Clocks of two processors may differ a little. */
	uint64_t busy = MAX(now > idle ? now - idle : 0, told_busy), nice = rq->nice_ns;

	if (rq->current->nice > 0 && !rq->current->is_idle && now > rq->current->exec_start_ns)
		nice += now - rq->current->exec_start_ns;
	nice -= MIN(nice, rq->nice_system_ns);
	/* A sample says that time taken for a program's was the kernel's: what was told stays. */
	told->idle_ns = idle;
	told->system_ns = CLAMP(rq->system_ns, told->system_ns,
				busy - told->user_ns - told->nice_ns);
	told->nice_ns = CLAMP(nice, told->nice_ns, busy - told->system_ns - told->user_ns);
	told->user_ns = busy - told->system_ns - told->nice_ns;
	*out = *told;
	spin_unlock_irqrestore(&rq->lock, irq);
}

void sched_charge_boot(void)
{
	irq_state_t irq = arch_irq_save();
	struct runqueue *rq = runqueue_this();
	uint64_t now;

	spin_lock(&rq->lock);
	now = clock_ns();
	if (rq->current->is_idle) {
		rq->idle_since_ns = now;
		cpu_self()->idle_ns = 0;
	}
	rq->system_ns = rq->sampled_busy_ns = now - cpu_self()->idle_ns;
	spin_unlock(&rq->lock);
	arch_irq_restore(irq);
}

/* As sched_cpu_times_get(). */
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
