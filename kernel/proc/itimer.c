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
#include "proc/itimer.h"

#include "abi/errno.h"
#include "core/fail_point.h"
#include "lib/bits.h"
#include "lib/string.h"
#include "mem/slab.h"
#include "proc/proc_internal.h"
#include "proc/rusage.h"

#define CPU_LOOK_MIN_NS (1 * NSEC_PER_MSEC)
#define OVERRUN_MAX INT32_MAX
#define POSIX_TIMERS_MAX 1024

struct interval {
	struct timer timer;
	struct process *process;	/* not counted: it cancels all before it goes */
	struct task *thread;		/* thread clocks and SIGEV_THREAD_ID: not counted; see below */
	uint32_t thread_id;		/* SIGEV_THREAD_ID */
	int clock, signo;		/* signo 0: none (SIGEV_NONE) */
	bool closing, active;
	uint64_t deadline_ns;		/* on its clock */
	uint64_t interval_ns;
	/* POSIX timers */
	int id;
	struct list_head node;
	uint64_t overrun, last_overrun;
	struct sigqueue_entry entry;	/* embedded: sent again only after it was taken */
};

struct itimer {
	struct mutex mutex;
	struct interval fixed[4];	/* ITIMER_REAL, _VIRTUAL, _PROF, RLIMIT_CPU */
	struct list_head posix;
	uint32_t posix_count;
};

#define FIXED_LIMIT 3
#define CLOCK_USER_TIME (-1)		/* ITIMER_VIRTUAL */

/* --- clocks ----------------------------------------------------------------------------------- */

static bool is_cpu_clock(int clock)
{
	return clock == CLOCK_USER_TIME || clock == CLOCK_PROCESS_CPUTIME_ID ||
	       clock == CLOCK_THREAD_CPUTIME_ID;
}

/* clock_gettime(2)'s encoding of another process's or thread's clock: ~id << 3 | bits. */
static int read_dynamic_clock(int clock, uint64_t *ns)
{
	uint32_t id = ~((uint32_t)clock >> 3) & 0x1fffffff;
	bool is_thread = (clock & 4) != 0;
	struct task *task;

	if ((clock & 3) == 3 || (clock & 3) > 2)
		return -EINVAL;
	if (id == 0) {
		*ns = is_thread ? sched_thread_run_ns(thread_current()) :
				  process_run_ns(process_current());
		return 0;
	}
	task = task_lookup(id);
	if (task == NULL)
		return -EINVAL;
	if (is_thread)
		*ns = sched_thread_run_ns(&task->thread);
	else
		*ns = process_run_ns(task->process);
	task_put(task);
	return 0;
}

int clock_read(int clock, uint64_t *ns)
{
	switch (clock) {
	case CLOCK_REALTIME:
	case CLOCK_REALTIME_COARSE:
	case CLOCK_REALTIME_ALARM:
	case CLOCK_TAI:
		*ns = clock_wall_ns();
		return 0;
	case CLOCK_MONOTONIC:
	case CLOCK_MONOTONIC_RAW:
	case CLOCK_MONOTONIC_COARSE:
	case CLOCK_BOOTTIME:
	case CLOCK_BOOTTIME_ALARM:
		*ns = clock_ns();
		return 0;
	case CLOCK_PROCESS_CPUTIME_ID:
		*ns = process_run_ns(process_current());
		return 0;
	case CLOCK_THREAD_CPUTIME_ID:
		*ns = sched_thread_run_ns(thread_current());
		return 0;
	default:
		return clock < 0 ? read_dynamic_clock(clock, ns) : -EINVAL;
	}
}

uint64_t clock_to_monotonic(int clock, uint64_t ns)
{
	uint64_t wall;

	if (clock != CLOCK_REALTIME && clock != CLOCK_REALTIME_ALARM && clock != CLOCK_TAI)
		return ns;
	wall = clock_wall_ns();
	if (ns <= wall)
		return 0;
	return clock_ns() + MIN(ns - wall, TIME_NEVER / 2);
}

/* The timer's clock now; p->lock is not held for processor time. */
static uint64_t interval_now(const struct interval *t)
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
		t->last_overrun = t->overrun;
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

static void interval_fire(struct timer *timer)
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

static uint64_t left_of(const struct interval *t, uint64_t now)
{
	if (!t->active && t->interval_ns == 0)
		return 0;
	if (t->deadline_ns == 0)
		return 0;
	return t->deadline_ns > now ? t->deadline_ns - now : 1;
}

static void interval_stop(struct interval *t)
{
	irq_state_t state = signal_lock(t->process);

	t->closing = true;
	signal_unlock(t->process, state);
	(void)timer_cancel(&t->timer);
}

/* deadline 0: stays off. */
static void interval_restart(struct interval *t, uint64_t deadline_ns, uint64_t interval_ns)
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

static void interval_init(struct interval *t, struct process *p, int clock, int signo, int id,
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
static struct itimer *timers_of(struct process *p)
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
	*value_ns = left_of(t, interval_now(t));
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
	timers = timers_of(process_current());
	if (timers == NULL)
		return -ENOMEM;
	t = &timers->fixed[which];
	mutex_lock(&timers->mutex);
	interval_stop(t);
	now = interval_now(t);
	*old_value_ns = left_of(t, now);
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
	timers = timers_of(p);
	if (timers == NULL)
		return -ENOMEM;
	t = &timers->fixed[FIXED_LIMIT];
	mutex_lock(&timers->mutex);
	interval_stop(t);
	interval_restart(t, soft == RLIM_INFINITY ? 0 : MAX(soft, 1UL) > TIME_NEVER / NSEC_PER_SEC ? 0 :
			 MAX(soft, 1UL) * NSEC_PER_SEC, 0);
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

/* --- POSIX timers ----------------------------------------------------------------------------- */

static bool is_timer_clock(int clock)
{
	switch (clock) {
	case CLOCK_REALTIME:
	case CLOCK_MONOTONIC:
	case CLOCK_BOOTTIME:
	case CLOCK_TAI:
	case CLOCK_REALTIME_ALARM:
	case CLOCK_BOOTTIME_ALARM:
	case CLOCK_PROCESS_CPUTIME_ID:
	case CLOCK_THREAD_CPUTIME_ID:
		return true;
	default:
		return false;
	}
}

static int check_event(const struct abi_sigevent *event)
{
	struct task *task;
	int error = 0;

	switch (event->sigev_notify) {
	case SIGEV_NONE:
		return 0;
	case SIGEV_SIGNAL | SIGEV_THREAD_ID:
		task = task_lookup((uint32_t)event->sigev_un.tid);
		if (task == NULL || task->process != process_current())
			error = -EINVAL;
		if (task != NULL)
			task_put(task);
		if (error != 0)
			return error;
		break;
	case SIGEV_SIGNAL:
	case SIGEV_THREAD:
		break;
	default:
		return -EINVAL;
	}
	return event->sigev_signo < 1 || event->sigev_signo > SIGNAL_COUNT ? -EINVAL : 0;
}

static struct interval *posix_find(struct itimer *timers, int id)
{
	struct interval *t;

	list_for_each(t, &timers->posix, node) {
		if (t->id == id)
			return t;
	}
	return NULL;
}

static void posix_fill(struct interval *t, const struct abi_sigevent *event)
{
	t->entry.info.si_signo = t->signo;
	t->entry.info.si_code = SI_TIMER;
	t->entry.info.timer.tid = t->id;
	if (event != NULL)
		t->entry.info.timer.value = event->sigev_value;
	else
		t->entry.info.timer.value.sival_int = t->id;
	if (event != NULL && event->sigev_notify == (SIGEV_SIGNAL | SIGEV_THREAD_ID))
		t->thread_id = (uint32_t)event->sigev_un.tid;
	if (t->clock == CLOCK_THREAD_CPUTIME_ID)
		t->thread = task_current();
}

long posix_timer_create(int clock, const struct abi_sigevent *event)
{
	struct process *p = process_current();
	struct itimer *timers;
	struct interval *t;
	irq_state_t state;
	int error, signo = SIGALRM;

	if (!is_timer_clock(clock))
		return -EINVAL;
	error = event != NULL ? check_event(event) : 0;
	if (error != 0)
		return error;
	if (event != NULL)
		signo = event->sigev_notify == SIGEV_NONE ? 0 : event->sigev_signo;
	timers = timers_of(p);
	t = kmalloc(sizeof(*t));
	if (timers == NULL || t == NULL) {
		kfree(t);
		return -EAGAIN;
	}
	mutex_lock(&timers->mutex);
	if (timers->posix_count >= POSIX_TIMERS_MAX) {
		mutex_unlock(&timers->mutex);
		kfree(t);
		return -EAGAIN;
	}
	timers->posix_count++;
	interval_init(t, p, clock, signo, (int)p->posix_timer_next++, interval_fire);
	posix_fill(t, event);
	state = signal_lock(p);
	list_push_back(&timers->posix, &t->node);
	signal_unlock(p, state);
	mutex_unlock(&timers->mutex);
	return t->id;
}

/* The timer with the mutex held; NULL, without it. */
static struct interval *posix_lock(int id, struct itimer **timers)
{
	struct interval *t;

	*timers = process_current()->itimers;
	if (*timers == NULL)
		return NULL;
	mutex_lock(&(*timers)->mutex);
	t = posix_find(*timers, id);
	if (t == NULL)
		mutex_unlock(&(*timers)->mutex);
	return t;
}

int posix_timer_set(int id, int flags, uint64_t value_ns, uint64_t interval_ns,
		    uint64_t *old_value_ns, uint64_t *old_interval_ns)
{
	struct itimer *timers;
	struct interval *t = posix_lock(id, &timers);
	uint64_t now, deadline;

	if (t == NULL)
		return -EINVAL;
	interval_stop(t);
	now = interval_now(t);
	*old_value_ns = left_of(t, now);
	*old_interval_ns = t->interval_ns;
	deadline = (flags & TIMER_ABSTIME) != 0 || value_ns == 0 ? value_ns :
		   now + MIN(value_ns, TIME_NEVER - now);
	interval_restart(t, deadline, interval_ns);
	mutex_unlock(&timers->mutex);
	return 0;
}

int posix_timer_get(int id, uint64_t *value_ns, uint64_t *interval_ns)
{
	struct itimer *timers;
	struct interval *t = posix_lock(id, &timers);

	if (t == NULL)
		return -EINVAL;
	*value_ns = left_of(t, interval_now(t));
	*interval_ns = t->interval_ns;
	mutex_unlock(&timers->mutex);
	return 0;
}

int posix_timer_overrun(int id)
{
	struct itimer *timers;
	struct interval *t = posix_lock(id, &timers);
	int overrun;

	if (t == NULL)
		return -EINVAL;
	overrun = (int)t->last_overrun;
	mutex_unlock(&timers->mutex);
	return overrun;
}

/* Off the list and out of the signal queue, then freed. */
static void posix_free(struct itimer *timers, struct interval *t)
{
	irq_state_t state;

	interval_stop(t);
	state = signal_lock(t->process);
	list_remove(&t->node);
	if (t->entry.queued) {
		list_remove(&t->entry.node);
		t->entry.queued = false;
	}
	signal_unlock(t->process, state);
	timers->posix_count--;
	kfree(t);
}

int posix_timer_delete(int id)
{
	struct itimer *timers;
	struct interval *t = posix_lock(id, &timers);

	if (t == NULL)
		return -EINVAL;
	posix_free(timers, t);
	mutex_unlock(&timers->mutex);
	return 0;
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
		posix_free(timers, t);
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
