/*
 * Deferred work: a list and a kernel thread per processor.
 *
 * `queued` is cleared before the function runs, so that work queued again while it runs runs again;
 * that may be on another processor at the same time. The work may free itself.
 */
#include "core/klog.h"
#include "core/schedule_point.h"
#include "sched/sched_internal.h"
#include "sched/wait.h"
#include "sched/worker.h"

struct worker {
	struct spinlock lock;
	struct list_head works;
	struct wait_queue more;
	bool ready;			/* [a] has a thread */
};

static PERCPU(struct worker, worker);

void work_init(struct work *work, void (*run)(struct work *work))
{
	list_init(&work->node);
	work->run = run;
	work->queued = false;
}

static struct work *take(struct worker *w)
{
	irq_state_t irq = spin_lock_irqsave(&w->lock);
	struct list_head *node = list_pop_front(&w->works);

	spin_unlock_irqrestore(&w->lock, irq);
	return node == NULL ? NULL : list_entry(node, struct work, node);
}

static void worker_main(void *arg)
{
	struct worker *w = arg;

	for (;;) {
		struct work *work = NULL;

		wait_event(&w->more, (work = take(w)) != NULL);
		schedule_point();
		store_release(&work->queued, false);
		work->run(work);
	}
}

bool work_queue(struct work *work)
{
	struct worker *w;
	irq_state_t irq;

	if (__atomic_exchange_n(&work->queued, true, __ATOMIC_ACQ_REL))
		return false;
	preempt_disable();
	w = this_cpu(worker);
	if (!load_acquire(&w->ready))
		w = cpu_of(worker, 0);
	irq = spin_lock_irqsave(&w->lock);
	list_push_back(&w->works, &work->node);
	spin_unlock_irqrestore(&w->lock, irq);
	wake_up(&w->more);
	preempt_enable();
	return true;
}

static void worker_start(uint32_t cpu)
{
	struct worker *w = cpu_of(worker, cpu);
	struct thread *t;

	spin_init(&w->lock, RANK_DRIVER);
	list_init(&w->works);
	wait_queue_init(&w->more);
	t = thread_create_kernel("worker", worker_main, w);
	if (t == NULL)
		panic("worker: no memory for the thread of processor %u", cpu);
	t->affinity = cpu_bit(cpu);
	sched_start(t);
	store_release(&w->ready, true);
}

void worker_init(void)
{
	for (uint32_t cpu = 0; cpu < cpu_count; cpu++)
		worker_start(cpu);
}
