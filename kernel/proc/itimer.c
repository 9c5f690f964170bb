/*
 * Interval timers and POSIX timers of a process.
 *
 * One struct interval behind both: a deadline on some clock and an interval. Real-time clocks use
 * the kernel's timers directly. Processor-time clocks use them to look again: at the earliest time
 * at which the processes' threads could have used up what is left, the sum is compared; so no
 * switch pays for a clock that nobody watches.
 *
 * A periodic timer is armed anew when its signal is taken, not when it fires: a program that does
 * not take its signals is not interrupted again and again; the misses are its overrun count.
 *
 * Locking: `mutex` serialises the calls; fields are under the signal lock (timers fire in interrupt
 * handlers). A timer is armed under the signal lock and only while it is not `closing`; to cancel
 * one, closing is set first, so that nobody arms it while timer_cancel() waits for the callback.
 */
#include "proc/itimer_internal.h"

#include "abi/errno.h"
#include "core/fail_point.h"
#include "lib/bits.h"
#include "lib/string.h"
#include "mem/slab.h"
#include "proc/rusage.h"

#define CPU_LOOK_MIN_NS (1 * NSEC_PER_MSEC)
#define OVERRUN_MAX INT32_MAX

/* --- clocks ----------------------------------------------------------------------------------- */

static bool is_cpu_clock(int clock)
{
	return clock == CLOCK_USER_TIME || clock == CLOCK_PROCESS_CPUTIME_ID ||
	       clock == CLOCK_THREAD_CPUTIME_ID;
}

/* The timer's clock now; p->lock is not held for processor time. */
uint64_t interval_now(const struct interval *t)
{
	uint64_t user, system;

	switch (t->clock) {
	case CLOCK_USER_TIME:
		process_times(t->process, &user, &system);
		return user;
	case CLOCK_PROCESS_CPUTIME_ID:
		return process_run_ns(t->process);
	case CLOCK_THREAD_CPUTIME_ID:
		return t->thread != NULL ? sched_thread_run_ns(&t->thread->thread) : 0;
	case CLOCK_REALTIME:
	case CLOCK_REALTIME_ALARM:
	case CLOCK_TAI:
		return clock_wall_ns();
	default:
		return clock_ns();
	}
}

/* --- arming ----------------------------------------------------------------------------------- */

/* Signal lock held. `now`: the timer's clock. */
static void interval_arm_locked(struct interval *t, uint64_t now)
{
	uint64_t left;

	if (t->closing)
		return;
	t->active = true;
	left = t->deadline_ns > now ? t->deadline_ns - now : 0;
	if (is_cpu_clock(t->clock))
		left = MAX(left / MAX(read_once(t->process->task_count), 1u),
			   CPU_LOOK_MIN_NS);
	timer_arm(&t->timer, clock_ns() + MIN(left, TIME_NEVER / 4));
}

/* Moves the deadline behind `now`: how many periods were missed. */
static uint64_t interval_forward(struct interval *t, uint64_t now)
{
	uint64_t missed = 0;

	t->deadline_ns += t->interval_ns;
	if (t->deadline_ns <= now) {
		missed = (now - t->deadline_ns) / t->interval_ns + 1;
		t->deadline_ns += missed * t->interval_ns;
	}
	return missed;
}

/* --- firing: interrupt context ---------------------------------------------------------------- */

static struct task *find_thread_locked(struct process *p, uint32_t tid)
{
	struct task *task;

	list_for_each(task, &p->tasks, process_node) {
		if (task->thread.id == tid && !task->exiting)
			return task;
	}
	return NULL;
}

static void post_locked(struct interval *t)
{
	struct process *p = t->process;
	struct task *to = t->thread_id != 0 ? find_thread_locked(p, t->thread_id) : NULL;

	if (t->thread_id != 0 && to == NULL)
		return;
	if (t->id < 0) {
		signal_post_locked(p, NULL, t->signo, NULL, true);
	} else if (t->entry.queued) {
		t->overrun = MIN(t->overrun + 1, (uint64_t)OVERRUN_MAX);
	} else {
		t->overrun = 0;
		signal_post_locked(p, to, t->signo, &t->entry, true);
	}
}

/* Was the signal dropped, so that nobody will take it and arm the timer again? */
static bool signal_is_queued(const struct interval *t)
{
	if (t->signo == 0)
		return false;
	if (t->id >= 0)
		return t->entry.queued;
	return (t->process->shared_pending.mask & sigmask_of(t->signo)) != 0;
}

static void interval_expired_locked(struct interval *t, uint64_t now)
{
	t->active = false;
	if (t->signo != 0)
		post_locked(t);
	if (t->interval_ns == 0 || signal_is_queued(t))
		return;
	/* Ignored or without a signal: goes on, not faster than is reasonable. */
	(void)interval_forward(t, now);
	t->deadline_ns = MAX(t->deadline_ns, now + NSEC_PER_MSEC);
	interval_arm_locked(t, now);
}

void interval_fire(struct timer *timer)
{
	struct interval *t = container_of(timer, struct interval, timer);
	uint64_t now = interval_now(t);
	irq_state_t state = signal_lock(t->process);

	if (!t->closing && t->active) {
		if (now >= t->deadline_ns)
			interval_expired_locked(t, now);
		else
			interval_arm_locked(t, now);
	}
	signal_unlock(t->process, state);
}

/* RLIMIT_CPU: SIGXCPU each second from the soft limit on, SIGKILL at the hard one. */
static void limit_fire(struct timer *timer)
{
	struct interval *t = container_of(timer, struct interval, timer);
	struct process *p = t->process;
	uint64_t now = interval_now(t);
	irq_state_t state = signal_lock(p);

	if (!t->closing && t->active) {
		uint64_t hard = p->limits[RLIMIT_CPU].rlim_max;

		if (hard != RLIM_INFINITY && now / NSEC_PER_SEC >= hard) {
			signal_post_locked(p, NULL, SIGKILL, NULL, true);
		} else {
			if (now >= t->deadline_ns) {
				signal_post_locked(p, NULL, SIGXCPU, NULL, true);
				t->deadline_ns = now + NSEC_PER_SEC;
			}
			interval_arm_locked(t, now);
		}
	}
	signal_unlock(p, state);
}

/* Signal lock held: a timer's signal has left the queue. */
void itimer_signal_taken(struct process *p, int signo, struct abi_siginfo *info)
{
	struct itimer *timers = p->itimers;
	struct interval *t = NULL, *each;

	if (timers == NULL)
		return;
	if (info->si_code == SI_TIMER) {
		list_for_each(each, &timers->posix, node) {
			if (each->id == info->timer.tid)
				t = each;
		}
	} else if (signo == SIGALRM) {
		t = &timers->fixed[ITIMER_REAL];
	}
	if (t == NULL || t->closing)
		return;
	if (t->interval_ns != 0 && !t->active && t->deadline_ns != 0) {
		uint64_t now = is_cpu_clock(t->clock) ? t->deadline_ns : interval_now(t);

		t->overrun = MIN(t->overrun + interval_forward(t, now), (uint64_t)OVERRUN_MAX);
		interval_arm_locked(t, now);
	}
	if (info->si_code == SI_TIMER) {
		t->last_overrun = t->overrun;
		t->overrun = 0;
		info->timer.overrun = (int32_t)t->last_overrun;
	}
}

/* --- setting: process context, mutex held ----------------------------------------------------- */

uint64_t interval_left(const struct interval *t, uint64_t now)
{
	if (!t->active && t->interval_ns == 0)
		return 0;
	if (t->deadline_ns == 0)
		return 0;
	if (t->deadline_ns > now)
		return t->deadline_ns - now;
	/* 0 would say that it is off; one without a signal goes off by the clock alone. */
	return t->signo == 0 && t->interval_ns == 0 ? 0 : 1;
}

void interval_stop(struct interval *t)
{
	irq_state_t state = signal_lock(t->process);

	t->closing = true;
	signal_unlock(t->process, state);
	(void)timer_cancel(&t->timer);
}

/* deadline 0: stays off. */
void interval_restart(struct interval *t, uint64_t deadline_ns, uint64_t interval_ns)
{
	uint64_t now = interval_now(t);
	irq_state_t state = signal_lock(t->process);

	t->closing = false;
	t->active = false;
	t->deadline_ns = deadline_ns;
	t->interval_ns = deadline_ns != 0 ? interval_ns : 0;
	t->overrun = 0;
	if (deadline_ns != 0)
		interval_arm_locked(t, now);
	signal_unlock(t->process, state);
}

void interval_init(struct interval *t, struct process *p, int clock, int signo, int id,
			  void (*fire)(struct timer *timer))
{
	memset(t, 0, sizeof(*t));
	timer_init(&t->timer, fire);
	list_init(&t->node);
	list_init(&t->entry.node);
	t->entry.embedded = true;
	t->process = p;
	t->clock = clock;
	t->signo = signo;
	t->id = id;
}

/* The process's timers, made when first needed; NULL: no memory. */
struct itimer *itimers_of(struct process *p)
{
	struct itimer *fresh, *there = load_acquire(&p->itimers);
	irq_state_t state;

	if (there != NULL)
		return there;
	fresh = fail_point("itimer") ? NULL : kzalloc(sizeof(*fresh));
	if (fresh == NULL)
		return NULL;
	mutex_init(&fresh->mutex);
	list_init(&fresh->posix);
	interval_init(&fresh->fixed[ITIMER_REAL], p, CLOCK_MONOTONIC, SIGALRM, -1, interval_fire);
	interval_init(&fresh->fixed[ITIMER_VIRTUAL], p, CLOCK_USER_TIME, SIGVTALRM, -1,
		      interval_fire);
	interval_init(&fresh->fixed[ITIMER_PROF], p, CLOCK_PROCESS_CPUTIME_ID, SIGPROF, -1,
		      interval_fire);
	interval_init(&fresh->fixed[FIXED_LIMIT], p, CLOCK_PROCESS_CPUTIME_ID, SIGXCPU, -1,
		      limit_fire);
	state = spin_lock_irqsave(&p->lock);
	there = p->itimers;
	if (there == NULL)
		store_release(&p->itimers, fresh);
	spin_unlock_irqrestore(&p->lock, state);
	if (there == NULL)
		return fresh;
	kfree(fresh);
	return there;
}

int itimer_get(int which, uint64_t *value_ns, uint64_t *interval_ns)
{
	struct itimer *timers = process_current()->itimers;
	struct interval *t;

	if (which < ITIMER_REAL || which > ITIMER_PROF)
		return -EINVAL;
	*value_ns = *interval_ns = 0;
	if (timers == NULL)
		return 0;
	t = &timers->fixed[which];
	mutex_lock(&timers->mutex);
	*value_ns = interval_left(t, interval_now(t));
	*interval_ns = t->interval_ns;
	mutex_unlock(&timers->mutex);
	return 0;
}

int itimer_set(int which, uint64_t value_ns, uint64_t interval_ns, uint64_t *old_value_ns,
	       uint64_t *old_interval_ns)
{
	struct itimer *timers;
	struct interval *t;
	uint64_t now;

	if (which < ITIMER_REAL || which > ITIMER_PROF)
		return -EINVAL;
	*old_value_ns = *old_interval_ns = 0;
	if (value_ns == 0 && process_current()->itimers == NULL)
		return 0;
	timers = itimers_of(process_current());
	if (timers == NULL)
		return -ENOMEM;
	t = &timers->fixed[which];
	mutex_lock(&timers->mutex);
	interval_stop(t);
	now = interval_now(t);
	*old_value_ns = interval_left(t, now);
	*old_interval_ns = t->interval_ns;
	interval_restart(t, value_ns != 0 ? now + value_ns : 0, interval_ns);
	mutex_unlock(&timers->mutex);
	return 0;
}

static int limit_start(struct process *p)
{
	uint64_t soft = p->limits[RLIMIT_CPU].rlim_cur;
	struct itimer *timers;
	struct interval *t;

	if (soft == RLIM_INFINITY && p->itimers == NULL)
		return 0;
	timers = itimers_of(p);
	if (timers == NULL)
		return -ENOMEM;
	t = &timers->fixed[FIXED_LIMIT];
	mutex_lock(&timers->mutex);
	interval_stop(t);
	soft = MAX(soft, 1UL);
	/* RLIM_INFINITY, and what no clock reaches, is no limit. */
	interval_restart(t, soft > TIME_NEVER / NSEC_PER_SEC ? 0 : soft * NSEC_PER_SEC, 0);
	mutex_unlock(&timers->mutex);
	return 0;
}

int itimer_limit_changed(void)
{
	return limit_start(process_current());
}

int itimers_inherit(struct process *p)
{
	return limit_start(p);
}

/* --- the process's life ----------------------------------------------------------------------- */

void itimers_exec(struct process *p)
{
	struct itimer *timers = p->itimers;
	struct interval *t;

	if (timers == NULL)
		return;
	mutex_lock(&timers->mutex);
	while ((t = list_first(&timers->posix, struct interval, node)) != NULL)
		posix_timer_free(timers, t);
	mutex_unlock(&timers->mutex);
}

void itimers_exit(struct process *p)
{
	struct itimer *timers = p->itimers;

	if (timers == NULL)
		return;
	itimers_exec(p);
	mutex_lock(&timers->mutex);
	for (size_t i = 0; i < sizeof(timers->fixed) / sizeof(timers->fixed[0]); i++)
		interval_stop(&timers->fixed[i]);
	mutex_unlock(&timers->mutex);
}

/* A thread goes: timers on its clock would look at it. */
void itimers_thread_exit(struct task *task)
{
	struct itimer *timers = task->process->itimers;
	struct interval *t;

	if (timers == NULL)
		return;
	mutex_lock(&timers->mutex);
	list_for_each(t, &timers->posix, node) {
		if (t->thread == task) {
			interval_stop(t);
			t->thread = NULL;
		}
	}
	mutex_unlock(&timers->mutex);
}

void itimers_destroy(struct process *p)
{
	kfree(p->itimers);
}
