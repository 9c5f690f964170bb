/*
 * Mutex: one atomic word, and a queue when it is contended (Drepper, Futexes are tricky, mutex 2).
 *
 * 0 free, 1 held, 2 held and somebody may wait. A waiter enters the queue, then exchanges 2 into
 * the word: the holder's unlock finds the 2 and wakes one. A thread that comes by may take a
 * free mutex before the woken one runs, which then leaves its 2 behind and waits again.
 */
#include "abi/errno.h"
#include "core/schedule_point.h"
#include "sched/mutex.h"
#include "sched/sched_internal.h"

void mutex_init(struct mutex *m)
{
	m->state = ATOMIC32_INIT(0);
	m->owner = NULL;
	wait_queue_init(&m->waiters);
}

static int lock_slow(struct mutex *m, enum wait_mode mode)
{
	struct wait_entry entry;
	int error = 0;

	wait_entry_init(&entry, NULL);
	entry.exclusive = true;
	for (;;) {
		wait_prepare(&m->waiters, &entry, mode);
		if (atomic32_exchange(&m->state, 2) == 0) {
			error = 0;
			break;
		}
		if (error != 0)
			break;
		error = wait_sleep(mode, TIME_NEVER);
	}
	wait_finish(&m->waiters, &entry);
	return error;
}

static int lock_unless(struct mutex *m, enum wait_mode mode) NO_LOCK_ANALYSIS
{
	int error = 0;

	if (CONFIG_DEBUG)
		assert_no_spinlock_held("mutex_lock");
	ASSERT(m->owner != thread_current());
	schedule_point();
	if (!atomic32_compare_exchange(&m->state, 0, 1))
		error = lock_slow(m, mode);
	if (error == 0)
		m->owner = thread_current();
	return error;
}

void mutex_lock(struct mutex *m) NO_LOCK_ANALYSIS
{
	(void)lock_unless(m, WAIT_UNINTERRUPTIBLE);
}

int mutex_lock_killable(struct mutex *m) NO_LOCK_ANALYSIS
{
	return lock_unless(m, WAIT_KILLABLE) != 0 ? -EINTR : 0;
}

int mutex_lock_interruptible(struct mutex *m) NO_LOCK_ANALYSIS
{
	return lock_unless(m, WAIT_INTERRUPTIBLE);
}

bool mutex_try_lock(struct mutex *m) NO_LOCK_ANALYSIS
{
	schedule_point();
	if (!atomic32_compare_exchange(&m->state, 0, 1))
		return false;
	m->owner = thread_current();
	return true;
}

int mutex_lock_turn(struct mutex *m, bool nonblocking) NO_LOCK_ANALYSIS
{
	if (nonblocking)
		return mutex_try_lock(m) ? 0 : -EAGAIN;
	return mutex_lock_interruptible(m);
}

void mutex_unlock(struct mutex *m) NO_LOCK_ANALYSIS
{
	ASSERT(m->owner == thread_current());
	m->owner = NULL;
	schedule_point();
	if (unlikely(atomic32_exchange(&m->state, 0) == 2))
		wake_up(&m->waiters);
}

bool mutex_is_held(const struct mutex *m)
{
	return atomic32_load(&m->state) != 0 && (!CONFIG_DEBUG || m->owner == thread_current());
}
