/*
 * The switch from one thread to the next, and when it may happen. Theory statement.
 *
 * Problem. A processor's `current`, its stack and its run queue must change as one; a stack must
 * not be resumed while it is still in use elsewhere; and a switch must never cost a thread its
 * turn.
 *
 * Idea. sched_switch() alone changes cpu->current, and it does so under the run queue's lock, which
 * is held across arch_context_switch(): the thread switched to lets it go, in switch_finish(). So
 * whoever holds a run queue's lock sees no switch half done, on_cpu of the thread left is clear
 * when the lock is free, and a wake-up that finds on_cpu set needs only that lock to know whether
 * the thread is gone (queue it) or has not left yet (let it stay: wake.c).
 *
 * The thread left behind by the switch is finished by the next one: a DEAD one loses the reference
 * that it held of itself (its stack is out of use only now), one whose affinity forbids this
 * processor is queued elsewhere.
 *
 * Interrupts are off from before the lock until after it; preempt_count is one (the lock) on both
 * sides. A thread's first switch ends in thread_first_switch_done() instead of in the second half
 * of sched_switch().
 *
 * Headway (design chapter 5). Reasons to switch are bits: PREEMPT (a wake-up, an IPI), YIELD and
 * SLICE (the timer). PREEMPT is answered by the policy: a thread it takes the processor from keeps
 * its deadline and gains lag, so it is soon the earliest; real-time threads leave it a share of
 * each period (rt_limit.c). SLICE is answered by headway_slice_may_switch():
 *
 *  - From user mode: allowed when the interrupted pc differs from the pc of the last return to user
 *    mode (user_pc): some instruction has retired since. If they are equal, a loop may have come
 *    round: allowed too when the sum of the registers differs from what it returned with at this pc
 *    after the last slice's end, in this dispatch or at its start (kept_*; what the kernel itself
 *    changes, a signal's frame, voids it). Else
 *    nothing may have retired (the timer was pending at the way out, as with a periodic tick and a
 *    slow switch: the design's livelock), and the expiry is refused: a stall is counted, the thread
 *    stays and gets a slice four times as long. After two refusals in one dispatch the third expiry
 *    is believed, since an instruction that jumps to itself looks the same. Emulators take
 *    interrupts between blocks of code, so a short loop is always met at its head, and would be
 *    refused twice in each dispatch without the sums. A refused expiry costs no switch, so
 *    by then the thread had the processor for 60 ms less three short handlers. That this is more
 *    than nothing is the one assumption; a machine whose way out takes that long without a switch
 *    runs nothing under any scheduler.
 *  - From kernel mode: work done in a system call or a fault is headway of its own. Allowed when
 *    the thread has been in user mode since it was switched in (then it entered the kernel from
 *    there and ran in it), or at the second expiry; the first is put off (deferral), since the
 *    timer may have been pending where the thread was resumed. When the interrupt hit a section
 *    with preemption off, the switch comes at that section's end: the kernel moved on by then.
 *
 * So each dispatch retires at least one instruction of the thread, in user mode unless the thread
 * entered the kernel, and a system call is finite; hence every dispatched thread reaches user mode
 * and goes on there. Slices begin last, in user_return(); one begun at the switch covers kernel
 * mode.
 */
#include "arch/arch_up.h"
#include "core/klog.h"
#include "core/schedule_point.h"
#include "core/timer.h"
#include "core/trace.h"
#include "lib/bits.h"
#include "sched/headway.h"
#include "sched/sched_internal.h"

static void (*space_switch)(struct thread *prev, struct thread *next);	/* [I] after boot */
static void (*switch_log)(struct thread *prev, struct thread *next);	/* [a] NULL: no log */

uint64_t sched_slice_ns = SCHED_SLICE_NS;
bool sched_is_round_robin;
bool headway_is_off;

void sched_set_space_switch(void (*hook)(struct thread *prev, struct thread *next))
{
	space_switch = hook;
}

void sched_set_switch_log(void (*hook)(struct thread *prev, struct thread *next))
{
	switch_log = hook;
}

static void slice_set(struct runqueue *rq, uint64_t deadline)
{
	if (deadline == rq->slice_armed_ns)
		return;
	rq->slice_armed_ns = deadline;
	timer_set_slice(deadline);
}

/*
 * A slice that ran out while nobody waited begins now: who forks or wakes after a long time alone
 * is not switched out for that. Interrupts off.
 */
static void slice_begin_for_others(struct runqueue *rq, uint64_t now)
{
	struct thread *t = rq->current;

	if (now >= t->slice_end_ns)
		t->slice_end_ns = now + thread_slice_ns(t);
	slice_set(rq, t->slice_end_ns);
}

/* Somebody waits: the slice timer must be on. A deadline that is armed already is early enough. */
void slice_ensure_armed(struct runqueue *rq, uint64_t now)
{
	if (rq->queued != 0 && rq->slice_armed_ns == TIME_NEVER)
		slice_begin_for_others(rq, now);
}

/* The end of every switch, in the thread that was switched to. Its stack is the current one. The
 * lock was taken by the thread before, which the analysis cannot follow. */
static void switch_finish(void) NO_LOCK_ANALYSIS
{
	struct runqueue *rq = runqueue_this();
	struct thread *previous = rq->previous;
	bool dead = previous->state == THREAD_DEAD;
	bool push = rq->push_previous;

	rq->push_previous = false;
	/* From here on another processor may run it: the last look at it, unless it is ours. */
	store_release(&previous->on_cpu, false);
	spin_unlock(&rq->lock);
	if (unlikely(dead)) {
		thread_put(previous);
	} else if (unlikely(push)) {
		spin_lock(&previous->lock);
		wake_enqueue(previous);
		spin_unlock(&previous->lock);
	}
}

void thread_first_switch_done(void)
{
	switch_finish();
}

static void note_switched_in(struct thread *t, uint64_t now)
{
	/* The waker's clock may be a little ahead of this processor's. */
	uint64_t waited = now > t->runnable_since_ns ? now - t->runnable_since_ns : 0;

	t->exec_start_ns = now;
	t->dispatched_ns = now;
	t->slice_end_ns = now + thread_slice_ns(t);
	t->user_entered = 0;
	t->refusals = 0;
	if (!t->kept_over_switch)
		headway_registers_changed(t);
	t->kept_over_switch = false;
	t->headway.dispatches++;
	if (waited > t->headway.longest_wait_ns && !t->is_idle)
		t->headway.longest_wait_ns = waited;
}

/* Moves the running thread to where its state wants it. */
static void leave(struct runqueue *rq, struct thread *prev, uint64_t now, bool to_back)
	REQUIRES(&rq->lock)
{
	if (prev->is_idle) {
		cpu_self()->idle_ns += now - rq->idle_since_ns;
	} else if (prev->state != THREAD_RUNNABLE) {
		prev->voluntary_switches++;
		runqueue_leave_current(rq);
	} else {
		prev->involuntary_switches++;
		prev->runnable_since_ns = now;
		if (likely((prev->affinity & cpu_bit(rq->cpu)) != 0)) {
			runqueue_put_current(rq, to_back);
		} else {
			runqueue_leave_current(rq);
			rq->push_previous = true;
		}
	}
}

static void idle_mask_update(struct runqueue *rq, const struct thread *prev,
			     const struct thread *next)
{
	cpu_mask_t bit = cpu_bit(rq->cpu);

	if (next->is_idle)
		atomic32_or(&sched_idle_mask, bit);
	else if (prev->is_idle && (atomic32_load(&sched_idle_mask) & bit) != 0)
		atomic32_and(&sched_idle_mask, ~bit);
}

/* Kernel threads say their names each time: they are few, and no table has them. */
static never_inline void trace_switch(const struct runqueue *rq, const struct thread *prev,
				     const struct thread *next)
{
	trace_sched_pick(thread_trace_id(next), rq->queued);
	trace_context_switch(thread_trace_id(prev), thread_trace_id(next), prev->state);
	trace_set_thread(thread_trace_id(next));
	if (next->entry != NULL && !next->is_idle)
		trace_thread_name(thread_trace_id(next), 0, trace_chars(next->name, 0),
				  trace_chars(next->name, 1));
}

/* The stacks change. Returns when this thread is switched to again, maybe on another processor. */
static void switch_to(struct runqueue *rq, struct thread *prev, struct thread *next, uint64_t now)
	RELEASES(&rq->lock) NO_LOCK_ANALYSIS
{
	rq->previous = prev;
	rq->current = next;
	write_once(rq->switches, rq->switches + 1);
	if (unlikely(prev->is_idle || next->is_idle)) {
		idle_mask_update(rq, prev, next);
		rq->idle_since_ns = now;
	}
	note_switched_in(next, now);
	slice_ensure_armed(rq, now);
	next->on_cpu = true;
	schedule_point();
	if (next->space != prev->space && space_switch != NULL)
		space_switch(prev, next);
	if (unlikely(switch_log != NULL))
		switch_log(prev, next);
	if (!next->is_idle)
		arch_set_kernel_stack(thread_stack_top(next));
	if (unlikely(trace_is_on()))
		trace_switch(rq, prev, next);
	cpu_self()->current = next;
	arch_context_switch(&prev->arch, &next->arch);
	switch_finish();
}

static struct thread *choose(struct runqueue *rq, struct thread *prev, uint32_t reasons,
			     uint64_t now) REQUIRES(&rq->lock)
{
	bool stays = !prev->is_idle && prev->state == THREAD_RUNNABLE &&
		     (prev->affinity & cpu_bit(rq->cpu)) != 0;
	bool slice_used = (reasons & RESCHED_SLICE) != 0 && prev->policy != SCHED_FIFO;
	bool to_back = slice_used || (reasons & RESCHED_YIELD) != 0;
	struct thread *next;

	runqueue_charge(rq, now);
	if (to_back && stays)
		runqueue_end_request(rq, (reasons & RESCHED_YIELD) != 0);
	next = runqueue_pick(rq, stays, to_back, now);
	if (next == NULL)
		next = rq->idle;
	if (next == prev)
		return prev;
	leave(rq, prev, now, to_back);
	if (!next->is_idle)
		runqueue_take(rq, next);
	return next;
}

static void switch_irq_off(uint32_t extra_reasons)
{
	struct cpu *cpu = cpu_self();
	struct runqueue *rq = runqueue_this();
	struct thread *prev = cpu->current, *next;
	uint32_t reasons = cpu->need_resched | extra_reasons;
	uint64_t now = clock_ns();

	ASSERT(preempt_count() == 0 && cpu->irq_depth == 0);
	cpu->need_resched = 0;
	if (unlikely((reasons & RESCHED_SLICE) != 0 && now >= rq->next_balance_ns))
		balance_push(rq, now);
	spin_lock(&rq->lock);
	rq->kicked = false;
	next = choose(rq, prev, reasons, now);
	if (next == prev) {
		prev->kept_over_switch = false;
		slice_ensure_armed(rq, now);
		if ((reasons & RESCHED_SLICE) != 0)
			prev->slice_end_ns = now + thread_slice_ns(prev);
		spin_unlock(&rq->lock);
		return;
	}
	switch_to(rq, prev, next, now);
}

void sched_switch(void)
{
	irq_state_t irq = arch_irq_save();

	switch_irq_off(0);
	arch_irq_restore(irq);
}

void sched_yield(void)
{
	irq_state_t irq = arch_irq_save();

	switch_irq_off(RESCHED_YIELD);
	arch_irq_restore(irq);
}

void sched_exit(void)
{
	struct thread *t = thread_current();

	if (unlikely(t->sampled_ns != 0))
		kernel_sample_end();
	if (t->headway.stalls + t->headway.deferrals != 0)
		log_info("headway: thread %u (%s) ends: %lu dispatches, %lu stalls, %lu deferrals",
			 t->id, t->name, t->headway.dispatches, t->headway.stalls,
			 t->headway.deferrals);
	arch_irq_disable();
	spin_lock(&t->lock);
	t->state = THREAD_DEAD;
	spin_unlock(&t->lock);
	sched_switch();
	UNREACHABLE();
}

/* --- preemption ------------------------------------------------------------------------------ */

void preempt_enable_slow(void)
{
	/* With interrupts off the caller is in a handler or about to restore them; whoever turns
	 * them on goes through the way out of an interrupt or of the kernel. */
	while (arch_irq_enabled() && preempt_count() == 0 && sched_need_resched())
		sched_switch();
}

void kernel_interrupt_return(void)
{
	while (unlikely(sched_need_resched()) && preempt_count() == 0 &&
	       headway_may_switch(thread_current(), 0, 0, false))
		sched_switch();
}

void sched_ipi(void)
{
	cpu_self()->need_resched |= RESCHED_PREEMPT;
}

/* --- slices ---------------------------------------------------------------------------------- */

#define REFUSALS_MAX 2u
#define BARREN_FIRST_LOGGED 10u
#define AT_ONCE_NS (500 * NSEC_PER_USEC)

/*
 * headway=off, the lab's: every expiry switches a user thread, as in the kernel of the report. One
 * that would have been refused or put off ends a dispatch without a user instruction. Told at 10
 * such in a row, 20, 40, ...; RIP 0 when the thread did not get as far as user mode.
 */
static void headway_watch(struct thread *t, uint64_t pc, bool moved)
{
	uint64_t tens;

	t->headway.barren = moved ? 0 : t->headway.barren + 1;
	tens = t->headway.barren / BARREN_FIRST_LOGGED;
	if (t->headway.barren == tens * BARREN_FIRST_LOGGED && is_power_of_two(tens))
		log_error("headway: thread %u (%s) RIP=%#lx: dispatched %lu times in a row, 0 user "
			  "instructions retired: the timer was pending", t->id, t->name, pc,
			  t->headway.barren);
}

/* In user mode: has anything retired since the last return? Keeps the sum for the next question. */
static bool has_moved(struct thread *t, uint64_t pc, uint64_t sum)
{
	bool moved = pc != t->user_pc || (t->kept_pc == pc && sum != t->kept_sum);

	t->kept_pc = pc;
	t->kept_sum = sum;
	return moved;
}

/*
 * For the monitor. Time proves nothing about what has retired, but who was in user mode for long
 * and is where it began has a loop whose registers repeat, and no timer pending at the return.
 */
static void note_at_once(struct thread *t, bool from_user)
{
	if (!from_user || clock_ns() - t->user_since_ns < AT_ONCE_NS)
		t->headway.at_once++;
}

bool headway_slice_may_switch(struct thread *t, uint64_t pc, uint64_t sum, bool from_user)
{
	bool moved = from_user ? has_moved(t, pc, sum) : t->user_entered != 0;

	if (unlikely(headway_is_off) && t->space != NULL) {
		headway_watch(t, pc, moved);
		if (!moved)
			note_at_once(t, from_user);
		t->kept_over_switch = from_user;
		return true;
	}
	if (moved || t->refusals == (from_user ? REFUSALS_MAX : 1u) || t->is_idle) {
		t->kept_over_switch = from_user;
		return true;
	}
	t->refusals++;
	if (from_user) {
		t->headway.stalls++;
		note_at_once(t, true);
	} else {
		t->headway.deferrals++;
	}
	cpu_self()->need_resched = 0;
	t->slice_end_ns = clock_ns() + (thread_slice_ns(t) << (2 * t->refusals));
	if (!from_user)		/* else user_return() does it on the way to user mode */
		slice_set(runqueue_this(), t->slice_end_ns);
	return false;
}

void sched_slice_ended(void)
{
	struct runqueue *rq = runqueue_this();
	struct thread *t = rq->current;

	rq->slice_armed_ns = TIME_NEVER;
	if (t->is_idle || read_once(rq->queued) == 0)
		return;
	/* The deadline of a thread that has left, or one that the running thread has outlived. */
	if (clock_ns() < t->slice_end_ns) {
		slice_set(rq, t->slice_end_ns);
		return;
	}
	cpu_self()->need_resched |= RESCHED_SLICE;
}

void slice_arm(void)
{
	struct runqueue *rq = runqueue_this();
	struct thread *t = rq->current;

	/* The first return to user mode after the switch: the slice begins now, also when nobody
	 * waits for its end yet. */
	if (t->user_entered == 0) {
		t->user_since_ns = clock_ns();
		t->slice_end_ns = t->user_since_ns + thread_slice_ns(t);
	}
	if (read_once(rq->queued) == 0)
		slice_set(rq, TIME_NEVER);
	else if (rq->slice_armed_ns != TIME_NEVER)
		slice_set(rq, t->slice_end_ns);
	else
		slice_begin_for_others(rq, clock_ns());
}

bool sched_slice_is_own(void)
{
	const struct runqueue *rq = runqueue_this();

	return rq->slice_armed_ns == TIME_NEVER || rq->slice_armed_ns == rq->current->slice_end_ns;
}
