/*
 * Reader-writer lock that prefers writers: one atomic word and two queues.
 *
 * The word: bit 31, held by a writer; bits 16-30, writers that wait; bits 0-15, readers inside. A
 * reader enters when no writer is inside or waits. A waiting writer counts itself before it
 * enters its queue and takes its count back with the same exchange that makes it the holder, so
 * the word alone says whom the last one out must wake: a writer when some wait, else all readers.
 */
#include "core/schedule_point.h"
#include "sched/mutex.h"
#include "sched/sched_internal.h"

void rwlock_init(struct rwlock *l)
{
	l->state = ATOMIC32_INIT(0);
	wait_queue_init(&l->readers);
	wait_queue_init(&l->writers);
}

/* By one that is counted among the waiting. */
static bool try_write_counted(struct rwlock *l)
{
	for (;;) {
		uint32_t s = atomic32_load(&l->state);

		if ((s & (RWLOCK_WRITER | RWLOCK_READERS_MASK)) != 0)
			return false;
		if (atomic32_compare_exchange(&l->state, s,
					      (s - RWLOCK_WAITING_ONE) | RWLOCK_WRITER))
			return true;
	}
}

void rwlock_read_lock_slow(struct rwlock *l) NO_LOCK_ANALYSIS
{
	wait_event(&l->readers, rwlock_try_read(l));
}

static void write_lock_slow(struct rwlock *l)
{
	struct wait_entry entry;

	(void)atomic32_add(&l->state, RWLOCK_WAITING_ONE);
	wait_entry_init(&entry, NULL);
	entry.exclusive = true;
	for (;;) {
		wait_prepare(&l->writers, &entry, WAIT_UNINTERRUPTIBLE);
		if (try_write_counted(l))
			break;
		(void)wait_sleep(WAIT_UNINTERRUPTIBLE, TIME_NEVER);
	}
	wait_finish(&l->writers, &entry);
}

void rwlock_write_lock(struct rwlock *l) NO_LOCK_ANALYSIS
{
	if (CONFIG_DEBUG)
		assert_no_spinlock_held("rwlock_write_lock");
	schedule_point();
	if (!atomic32_compare_exchange(&l->state, 0, RWLOCK_WRITER))
		write_lock_slow(l);
}

void rwlock_write_unlock(struct rwlock *l) NO_LOCK_ANALYSIS
{
	uint32_t before;

	schedule_point();
	before = atomic32_and(&l->state, ~RWLOCK_WRITER);
	ASSERT((before & RWLOCK_WRITER) != 0);
	if ((before & RWLOCK_WAITING_MASK) != 0)
		wake_up(&l->writers);
	else
		wake_up_all(&l->readers);
}
