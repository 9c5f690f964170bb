/*
 * Sleeping: the step from "I shall wait" to off the processor, with a deadline or without.
 */
#include "abi/errno.h"
#include "core/timer.h"
#include "core/trace.h"
#include "lib/container_of.h"
#include "sched/sched_internal.h"
#include "sched/wait.h"

struct sleep_timer {
	struct timer timer;
	struct thread *thread;
	bool fired;
};

static void sleep_timer_fire(struct timer *timer)
{
	struct sleep_timer *s = container_of(timer, struct sleep_timer, timer);

	write_once(s->fired, true);
	sched_wake(s->thread);
}

static bool signal_ends(const struct thread *t, enum wait_mode mode)
{
	if (mode == WAIT_INTERRUPTIBLE)
		return read_once(t->pending_signal);
	return mode == WAIT_KILLABLE && read_once(t->pending_kill);
}

/*
 * SLEEPING unless a wake-up or a signal was faster. The sender of a signal sets the flag, then
 * looks at the state under the lock: one of the two sees the other.
 */
static bool sleep_commit(struct thread *t, enum wait_mode mode)
{
	bool sleeps;

	spin_lock(&t->lock);
	sleeps = !t->woken && !signal_ends(t, mode);
	if (sleeps) {
		t->wait_mode = (uint8_t)mode;
		t->state = THREAD_SLEEPING;
	}
	spin_unlock(&t->lock);
	return sleeps;
}

static void sleep_until_woken(struct thread *t, enum wait_mode mode, const void *pc)
{
	/* Interrupts stay off from the change of state to the switch: a SLEEPING thread is never
	 * preempted, it leaves. */
	irq_state_t irq = arch_irq_save();

	if (sleep_commit(t, mode)) {
		if (unlikely(trace_is_on()))	/* its arguments cost, too */
			trace_sleep(thread_trace_id(t), (uint64_t)pc, mode);
		sched_switch();
	}
	arch_irq_restore(irq);
}

/* `pc`: who waits, for the trace. */
static int sleep_at(const void *pc, enum wait_mode mode, uint64_t deadline_ns)
	EXCLUDES(&preempt_off)
{
	struct thread *t = thread_current();
	struct sleep_timer s;

	if (CONFIG_DEBUG)
		assert_no_spinlock_held("wait_sleep");
	ASSERT(!t->is_idle);
	write_once(t->wait_deadline_ns, deadline_ns);
	if (deadline_ns == TIME_NEVER) {
		sleep_until_woken(t, mode, pc);
	} else {
		if (clock_ns() >= deadline_ns)
			return signal_ends(t, mode) ? -ERESTARTSYS : -ETIMEDOUT;
		s.thread = t;
		s.fired = false;
		timer_init(&s.timer, sleep_timer_fire);
		timer_arm(&s.timer, deadline_ns);
		sleep_until_woken(t, mode, pc);
		timer_cancel(&s.timer);
		if (s.fired)
			return -ETIMEDOUT;
	}
	return signal_ends(t, mode) ? -ERESTARTSYS : 0;
}

int wait_sleep(enum wait_mode mode, uint64_t deadline_ns)
{
	return sleep_at(__builtin_return_address(0), mode, deadline_ns);
}

int sched_sleep_until(uint64_t deadline_ns, bool interruptible)
{
	enum wait_mode mode = interruptible ? WAIT_INTERRUPTIBLE : WAIT_UNINTERRUPTIBLE;
	struct thread *t = thread_current();
	int error;

	do {
		write_once(t->woken, false);
		full_barrier();
		error = sleep_at(__builtin_return_address(0), mode, deadline_ns);
	} while (error == 0);
	write_once(t->woken, true);
	return error == -ETIMEDOUT ? 0 : -EINTR;
}
