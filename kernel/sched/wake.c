/*
 * Wake-ups: from SLEEPING to RUNNABLE, on which processor, and who must be told.
 *
 * States and locks: `state` goes RUNNABLE -> SLEEPING by the thread itself, SLEEPING -> RUNNABLE by
 * a waker, both under thread->lock; when the sleeper may still be on its way out (on_cpu), the
 * waker also holds its run queue's lock, under which sched_switch() reads the state. So either the
 * sleeper sees RUNNABLE and does not leave, or it has left and the waker queues it.
 *
 * A wake-up of a thread that does not sleep leaves a token (`woken`), which makes its coming sleep
 * return at once: what happens between "I shall wait" and the sleep is not lost.
 *
 * The caller keeps the thread alive: by a reference, or by a lock that the thread needs before it
 * can go (a wait queue's, a timer's).
 *
 * Placement: the processor it ran on if idle, else an idle one that it may use, else the one it
 * ran on (a new thread: the one with the least load). An idle processor is claimed by clearing its
 * bit, so two wakers do not choose the same.
 */
#include "core/schedule_point.h"
#include "core/trace.h"
#include "sched/sched_internal.h"
#include "sched/wait.h"

atomic32_t sched_idle_mask, sched_online_mask;

static bool claim_idle(uint32_t cpu)
{
	cpu_mask_t bit = cpu_bit(cpu);

	return (atomic32_load(&sched_idle_mask) & bit) != 0 &&
	       (atomic32_and(&sched_idle_mask, ~bit) & bit) != 0;
}

/* An idle processor of the mask, claimed; CPU_MAX when there is none. */
static uint32_t claim_idle_of(cpu_mask_t mask)
{
	cpu_mask_t idle = atomic32_load(&sched_idle_mask) & mask;

	while (idle != 0) {
		uint32_t cpu = (uint32_t)__builtin_ctz(idle);

		if (claim_idle(cpu))
			return cpu;
		idle &= idle - 1;
	}
	return CPU_MAX;
}

/* The processor with the least to do, of those it may use; a real-time thread takes one that runs
 * none. */
static uint32_t least_loaded(const struct thread *t)
{
	cpu_mask_t mask = t->affinity & atomic32_load(&sched_online_mask);
	uint64_t least = UINT64_MAX;
	uint32_t best = cpu_id();

	for (; mask != 0; mask &= mask - 1) {
		uint32_t cpu = (uint32_t)__builtin_ctz(mask);
		uint64_t load = read_once(runqueue_of(cpu)->load);

		if (load < least) {
			least = load;
			best = cpu;
		}
	}
	return best;
}

static uint32_t place(struct thread *t, bool is_new)
{
	bool previous_allowed = (t->affinity & cpu_bit(t->cpu)) != 0;
	uint32_t cpu;

	if (previous_allowed && claim_idle(t->cpu))
		return t->cpu;
	cpu = claim_idle_of(t->affinity);
	if (cpu != CPU_MAX)
		return cpu;
	/* A new thread has no caches anywhere, and one that preempts takes the weakest victim. */
	return previous_allowed && !is_new && !thread_is_rt(t) ? t->cpu : least_loaded(t);
}

enum kick runqueue_announce(struct runqueue *rq, struct thread *t, uint64_t now)
{
	bool takes_over = runqueue_preempts(rq, t, now);

	if (rq->cpu == cpu_id()) {
		if (takes_over)
			cpu_self()->need_resched |= RESCHED_PREEMPT;
		else
			slice_ensure_armed(rq, now);
		return KICK_NONE;
	}
	/* A busy processor without a slice runs its thread for ever: it must begin one. */
	if (rq->kicked || (!takes_over && rq->slice_armed_ns != TIME_NEVER))
		return KICK_NONE;
	rq->kicked = true;
	return KICK_IPI;
}

void wake_idle_helper(cpu_mask_t affinity)
{
	uint32_t cpu;

	/* Pairs with the one in sched_idle_loop(): this queue's length was written before the mask
	 * is read, there the mask before the lengths are. One of the two sees the other. */
	full_barrier();
	schedule_point();
	if (likely((atomic32_load(&sched_idle_mask) & affinity) == 0))
		return;
	cpu = claim_idle_of(affinity);
	if (cpu == CPU_MAX)
		return;
	if (cpu == cpu_id())
		cpu_self()->need_resched |= RESCHED_PREEMPT;
	else
		ipi_reschedule(cpu);
}

/* Queues it on rq, unlocks, and tells whom it concerns. */
static void enqueue_and_tell(struct runqueue *rq, struct thread *t) RELEASES(&rq->lock)
{
	uint64_t now = clock_ns();
	cpu_mask_t affinity = t->affinity;
	uint32_t cpu = rq->cpu;
	bool idle = rq->current->is_idle;
	enum kick kick;

	if (unlikely(trace_is_on()))	/* its arguments cost, too */
		trace_wake(thread_trace_id(t), cpu, t->headway.dispatches == 0);
	runqueue_add(rq, t, now);
	kick = runqueue_announce(rq, t, now);
	spin_unlock(&rq->lock);
	if (kick == KICK_IPI)
		ipi_reschedule(cpu);
	if (!idle)
		wake_idle_helper(affinity);
}

static void enqueue_placed(struct thread *t, bool is_new) REQUIRES(&t->lock)
{
	struct runqueue *rq;

	assert_held(&t->lock);
	ASSERT(!t->on_queue && t->state == THREAD_RUNNABLE);
	rq = runqueue_of(place(t, is_new));
	spin_lock(&rq->lock);
	enqueue_and_tell(rq, t);
}

void wake_enqueue(struct thread *t)
{
	enqueue_placed(t, false);
}

/* It sleeps or is about to, and its stack may be in use: only its own queue's lock tells. */
static void wake_leaving(struct thread *t) REQUIRES(&t->lock)
{
	struct runqueue *rq = runqueue_of(t->cpu);

	spin_lock(&rq->lock);
	t->state = THREAD_RUNNABLE;
	if (rq->current == t)
		spin_unlock(&rq->lock);	/* has not left: it sees RUNNABLE and stays */
	else
		enqueue_and_tell(rq, t);
}

static void wake_sleeping(struct thread *t) REQUIRES(&t->lock)
{
	ASSERT(t->state == THREAD_SLEEPING);
	if (load_acquire(&t->on_cpu)) {
		wake_leaving(t);
	} else {
		t->state = THREAD_RUNNABLE;
		wake_enqueue(t);
	}
}

bool sched_wake(struct thread *t)
{
	irq_state_t irq;
	bool slept;

	preempt_disable();
	irq = spin_lock_irqsave(&t->lock);
	slept = t->state == THREAD_SLEEPING;
	if (slept)
		wake_sleeping(t);
	else
		t->woken = true;
	spin_unlock_irqrestore(&t->lock, irq);
	/* With interrupts as they were: a switch that the wake-up asks for happens here. */
	preempt_enable();
	return slept;
}

bool signal_wakes_are_lost;		/* [I] after boot: wake=lost, choice.c */

static bool ends_by_signal(const struct thread *t, bool fatal)
{
	/* The first process hears of its children's ends by a signal: else no command would end. */
	if (unlikely(signal_wakes_are_lost) && !fatal && t->id != 1)
		return false;
	return t->wait_mode == WAIT_INTERRUPTIBLE || (t->wait_mode == WAIT_KILLABLE && fatal);
}

bool sched_wake_for_signal(struct thread *t, bool fatal)
{
	irq_state_t irq;
	bool wakes;

	preempt_disable();
	irq = spin_lock_irqsave(&t->lock);
	wakes = t->state == THREAD_SLEEPING && ends_by_signal(t, fatal);
	if (wakes)
		wake_sleeping(t);
	else if (t->state == THREAD_RUNNABLE && read_once(t->on_cpu) && t->cpu != cpu_id())
		ipi_reschedule(t->cpu);	/* one that comes on a processor later looks by itself */
	spin_unlock_irqrestore(&t->lock, irq);
	preempt_enable();
	return wakes;
}

void sched_start(struct thread *t)
{
	irq_state_t irq;

	preempt_disable();
	irq = spin_lock_irqsave(&t->lock);
	ASSERT(t->state == THREAD_NEW);
	t->state = THREAD_RUNNABLE;
	enqueue_placed(t, true);
	spin_unlock_irqrestore(&t->lock, irq);
	preempt_enable();
}
