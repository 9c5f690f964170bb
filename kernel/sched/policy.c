/*
 * Policies: weights by niceness, SCHED_FIFO and SCHED_RR, BATCH, IDLE, affinity; changes to threads
 * that sleep, wait or run.
 *
 * One step of niceness is a factor of 1.25 in weight: about a tenth of a processor between two
 * threads. A change locks the thread, then its run queue, takes it off, changes it, puts it back.
 */
#include "abi/errno.h"
#include "sched/sched_internal.h"

/* round(1024 * 1.25^-nice) */
static const uint32_t nice_weights[NICE_MAX - NICE_MIN + 1] = {
	88818, 71054, 56843, 45475, 36380, 29104, 23283, 18626, 14901, 11921,
	9537, 7629, 6104, 4883, 3906, 3125, 2500, 2000, 1600, 1280,
	1024, 819, 655, 524, 419, 336, 268, 215, 172, 137,
	110, 88, 70, 56, 45, 36, 29, 23, 18, 15,
};

#define IDLE_POLICY_WEIGHT 3u

void thread_set_weight(struct thread *t, uint8_t policy, int nice)
{
	t->policy = policy;
	t->nice = (int8_t)nice;
	t->is_listed = policy_is_rt(policy) || sched_is_round_robin;
	t->weight = policy == SCHED_IDLE ? IDLE_POLICY_WEIGHT : nice_weights[nice - NICE_MIN];
	t->inverse_weight = ((uint64_t)NICE_0_WEIGHT << 32) / t->weight;
	t->request_virtual_ns = (SCHED_SLICE_NS * t->inverse_weight) >> 32;
}

/* The analysis cannot name the lock of a queue that a call returns; so also below. */
struct runqueue *thread_lock_runqueue(struct thread *t) NO_LOCK_ANALYSIS
{
	for (;;) {
		struct runqueue *rq = runqueue_of(read_once(t->cpu));

		spin_lock(&rq->lock);
		/* The balancer moves waiting threads under both queues' locks. */
		if (likely(t->cpu == rq->cpu))
			return rq;
		spin_unlock(&rq->lock);
	}
}

/* The processor of rq is to look at its queue again. */
static void reconsider(struct runqueue *rq)
{
	if (rq->cpu == cpu_id())
		cpu_self()->need_resched |= RESCHED_PREEMPT;
	else
		ipi_reschedule(rq->cpu);
}

static void change_policy(struct thread *t, uint8_t policy, int nice, uint8_t rt_priority)
	NO_LOCK_ANALYSIS
{
	struct runqueue *rq = thread_lock_runqueue(t);
	bool waits = t->on_queue, runs = rq->current == t;
	uint64_t now = clock_ns();

	if (waits)
		runqueue_remove(rq, t);
	if (runs) {
		runqueue_charge(rq, now);
		runqueue_leave_current(rq);
	}
	t->rt_priority = rt_priority;
	thread_set_weight(t, policy, nice);
	if (waits)
		runqueue_add(rq, t, now);
	if (runs)
		runqueue_rejoin_current(rq);
	if (waits || runs)
		reconsider(rq);
	spin_unlock(&rq->lock);
}

void sched_set_nice(struct thread *thread, int nice)
{
	irq_state_t irq;

	nice = nice < NICE_MIN ? NICE_MIN : nice > NICE_MAX ? NICE_MAX : nice;
	irq = spin_lock_irqsave(&thread->lock);
	change_policy(thread, thread->policy, nice, thread->rt_priority);
	spin_unlock_irqrestore(&thread->lock, irq);
}

void sched_set_policy(struct thread *thread, int policy, int rt_priority)
{
	irq_state_t irq;

	if (!policy_is_rt((uint8_t)policy))
		rt_priority = 0;
	ASSERT(rt_priority >= 0 && rt_priority <= RT_PRIORITY_MAX);
	irq = spin_lock_irqsave(&thread->lock);
	change_policy(thread, (uint8_t)policy, thread->nice, (uint8_t)rt_priority);
	spin_unlock_irqrestore(&thread->lock, irq);
}

/*
 * A waiting thread moves now; a running one when its processor looks (sched_switch pushes what may
 * not stay); one that sleeps or is between two processors is placed by the new mask anyway.
 */
static void move_if_needed(struct thread *t) NO_LOCK_ANALYSIS
{
	struct runqueue *rq = thread_lock_runqueue(t);

	if ((t->affinity & cpu_bit(rq->cpu)) != 0) {
		bool waits = t->on_queue;

		spin_unlock(&rq->lock);
		if (waits)
			wake_idle_helper(t->affinity);
	} else if (t->on_queue) {
		runqueue_remove(rq, t);
		spin_unlock(&rq->lock);
		wake_enqueue(t);
	} else {
		if (rq->current == t)
			reconsider(rq);
		spin_unlock(&rq->lock);
	}
}

int sched_set_affinity(struct thread *thread, cpu_mask_t mask)
{
	irq_state_t irq;

	mask &= atomic32_load(&sched_online_mask);
	if (mask == 0)
		return -EINVAL;
	/* The end of the irqsave section switches if the current thread must leave. */
	preempt_disable();
	irq = spin_lock_irqsave(&thread->lock);
	thread->affinity = mask;
	move_if_needed(thread);
	spin_unlock_irqrestore(&thread->lock, irq);
	preempt_enable();
	return 0;
}
