/*
 * Start of the scheduler on each processor, and what a processor does with nothing to do: pull work
 * from others, else halt with no timer of ours armed.
 */
#include "core/schedule_point.h"
#include "core/timer.h"
#include "lib/string.h"
#include "sched/sched_internal.h"

static PERCPU(struct thread, idle_thread);

static void idle_thread_init(struct thread *t, uint32_t cpu)
{
	t->is_idle = true;
	memcpy(t->name, "idle", 5);
	refcount_init(&t->references);
	spin_init(&t->lock, RANK_THREAD);
	rb_node_init(&t->run_node);
	list_init(&t->rt_node);
	t->state = THREAD_RUNNABLE;
	t->on_cpu = true;
	t->cpu = cpu;
	t->affinity = cpu_bit(cpu);
	thread_set_weight(t, SCHED_OTHER, 0);
}

/* The code that runs now, on whatever stack, becomes this processor's idle thread. */
static void adopt_this_cpu(void)
{
	uint32_t cpu = cpu_id();
	struct thread *idle = cpu_of(idle_thread, cpu);

	idle_thread_init(idle, cpu);
	runqueue_init(runqueue_of(cpu), cpu, idle);
	runqueue_of(cpu)->idle_since_ns = 0;	/* one that was not started yet idled, too */
	cpu_self()->current = idle;
	atomic32_or(&sched_online_mask, cpu_bit(cpu));
}

void sched_init(void)
{
	adopt_this_cpu();
	load_init();
}

void sched_init_secondary(void)
{
	adopt_this_cpu();
}

void sched_idle_loop(void)
{
	struct runqueue *rq = runqueue_this();

	for (;;) {
		arch_irq_disable();
		/* Announced as idle, then the look at the queues; pairs with wake_idle_helper(). */
		atomic32_or(&sched_idle_mask, cpu_bit(rq->cpu));
		full_barrier();
		schedule_point();
		if (sched_need_resched() || read_once(rq->queued) != 0 || balance_pull(rq)) {
			sched_switch();
			arch_irq_enable();
			continue;
		}
		rq->slice_armed_ns = TIME_NEVER;
		timer_set_slice(TIME_NEVER);
		arch_idle();
	}
}
