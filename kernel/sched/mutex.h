/*
 * Sleeping locks: a mutex, and a reader-writer lock that prefers writers. Held across sleeps;
 * never taken in an interrupt handler or under a spin lock. Order between them is stated in
 * doc/locking.md and checked in debug builds by class rank.
 */
#pragma once

#include "core/schedule_point.h"
#include "sched/wait.h"

struct CAPABILITY("mutex") mutex {
	atomic32_t state;		/* 0 free, 1 held, 2 held with waiters */
	struct thread *owner;		/* debug */
	struct wait_queue waiters;
};

void mutex_init(struct mutex *m);
void mutex_lock(struct mutex *m) ACQUIRES(m) EXCLUDES(&preempt_off);
/* -EINTR when a fatal signal arrives first. */
must_check int mutex_lock_killable(struct mutex *m) TRY_ACQUIRES(0, m);
/* -ERESTARTSYS when any signal arrives first. */
must_check int mutex_lock_interruptible(struct mutex *m) TRY_ACQUIRES(0, m);
must_check bool mutex_try_lock(struct mutex *m) TRY_ACQUIRES(true, m);
/* For a turn that may be long in coming: when nonblocking, -EAGAIN instead of waiting for it. */
must_check int mutex_lock_turn(struct mutex *m, bool nonblocking) TRY_ACQUIRES(0, m);
void mutex_unlock(struct mutex *m) RELEASES(m);
bool mutex_is_held(const struct mutex *m);	/* debug: by this thread; release: by anyone */

struct CAPABILITY("rwlock") rwlock {
	atomic32_t state;		/* held by a writer, writers waiting, readers: rwlock.c */
	struct wait_queue readers;	/* waiting */
	struct wait_queue writers;
};

#define RWLOCK_WRITER (1u << 31)
#define RWLOCK_WAITING_ONE (1u << 16)
#define RWLOCK_WAITING_MASK (0x7fffu << 16)
#define RWLOCK_READERS_MASK 0xffffu

void rwlock_init(struct rwlock *l);
void rwlock_read_lock_slow(struct rwlock *l) ACQUIRES_SHARED(l) EXCLUDES(&preempt_off);

/* For the two below: whether the reader is in. */
must_check static inline bool rwlock_try_read(struct rwlock *l)
{
	for (;;) {
		uint32_t s = atomic32_load(&l->state);

		if ((s & (RWLOCK_WRITER | RWLOCK_WAITING_MASK)) != 0)
			return false;
		ASSERT((s & RWLOCK_READERS_MASK) != RWLOCK_READERS_MASK);
		if (atomic32_compare_exchange(&l->state, s, s + 1))
			return true;
	}
}

static inline void rwlock_read_lock(struct rwlock *l)
	ACQUIRES_SHARED(l) EXCLUDES(&preempt_off) NO_LOCK_ANALYSIS
{
	if (CONFIG_DEBUG)
		assert_no_spinlock_held("rwlock_read_lock");
	schedule_point();
	if (unlikely(!rwlock_try_read(l)))
		rwlock_read_lock_slow(l);
}

static inline void rwlock_read_unlock(struct rwlock *l) RELEASES_SHARED(l) NO_LOCK_ANALYSIS
{
	uint32_t s;

	schedule_point();
	s = atomic32_sub_acq_rel(&l->state, 1);
	ASSERT((s & RWLOCK_READERS_MASK) != RWLOCK_READERS_MASK);
	if (unlikely((s & RWLOCK_READERS_MASK) == 0 && (s & RWLOCK_WAITING_MASK) != 0))
		wake_up(&l->writers);
}

void rwlock_write_lock(struct rwlock *l) ACQUIRES(l) EXCLUDES(&preempt_off);
void rwlock_write_unlock(struct rwlock *l) RELEASES(l);
