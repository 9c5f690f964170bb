/*
 * POSIX timers: timer_create(2) and its kind, on the intervals of proc/itimer.c.
 *
 * An expiry's signal is queued by an entry that is part of the timer, so it can never fail for want
 * of memory; while it waits, further expiries only count as overruns.
 */
#include "proc/itimer_internal.h"

#include "abi/errno.h"
#include "lib/bits.h"
#include "mem/slab.h"

#define POSIX_TIMERS_MAX 1024

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
	timers = itimers_of(p);
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

/* True with the mutex held when there is such a timer. */
static bool posix_lock(struct itimer *timers, int id, struct interval **t)
	TRY_ACQUIRES(true, &timers->mutex) NO_LOCK_ANALYSIS
{
	if (timers == NULL)
		return false;
	mutex_lock(&timers->mutex);
	*t = posix_find(timers, id);
	if (*t == NULL)
		mutex_unlock(&timers->mutex);
	return *t != NULL;
}

int posix_timer_set(int id, int flags, uint64_t value_ns, uint64_t interval_ns,
		    uint64_t *old_value_ns, uint64_t *old_interval_ns)
{
	struct itimer *timers = process_current()->itimers;
	struct interval *t;
	uint64_t now, deadline;

	if (!posix_lock(timers, id, &t))
		return -EINVAL;
	interval_stop(t);
	now = interval_now(t);
	*old_value_ns = interval_left(t, now);
	*old_interval_ns = t->interval_ns;
	deadline = (flags & TIMER_ABSTIME) != 0 || value_ns == 0 ? value_ns :
		   now + MIN(value_ns, TIME_NEVER - now);
	interval_restart(t, deadline, interval_ns);
	mutex_unlock(&timers->mutex);
	return 0;
}

int posix_timer_get(int id, uint64_t *value_ns, uint64_t *interval_ns)
{
	struct itimer *timers = process_current()->itimers;
	struct interval *t;

	if (!posix_lock(timers, id, &t))
		return -EINVAL;
	*value_ns = interval_left(t, interval_now(t));
	*interval_ns = t->interval_ns;
	mutex_unlock(&timers->mutex);
	return 0;
}

int posix_timer_overrun(int id)
{
	struct itimer *timers = process_current()->itimers;
	struct interval *t;
	int overrun;

	if (!posix_lock(timers, id, &t))
		return -EINVAL;
	overrun = (int)t->last_overrun;
	mutex_unlock(&timers->mutex);
	return overrun;
}

/* Off the list and out of the signal queue, then freed. */
void posix_timer_free(struct itimer *timers, struct interval *t)
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
	struct itimer *timers = process_current()->itimers;
	struct interval *t;

	if (!posix_lock(timers, id, &t))
		return -EINVAL;
	posix_timer_free(timers, t);
	mutex_unlock(&timers->mutex);
	return 0;
}
