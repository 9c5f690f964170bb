/*
 * Spin locks with a rank.
 *
 * Every lock names its rank (core/lock_rank.h); a debug build keeps the locks each CPU holds and
 * panics when one is taken that is not above all of them. Holding one turns preemption off.
 * A lock that an interrupt handler takes is always taken by the irqsave forms.
 */
#pragma once

#include "core/annotate.h"
#include "core/assert.h"
#include "core/atomic.h"
#include "core/lock_rank.h"
#include "core/percpu.h"

struct CAPABILITY("spin lock") spinlock {
	atomic32_t locked;
	uint16_t rank;			/* enum lock_rank */
	uint16_t owner;			/* debug: CPU number + 1 */
};

#define SPINLOCK_INIT(rank_) { .rank = (rank_) }

static inline void spin_init(struct spinlock *lock, enum lock_rank rank)
{
	*lock = (struct spinlock)SPINLOCK_INIT(rank);
}

/* What `locked` holds. HELD_HALTED: a waiter has halted its processor and must be woken. */
enum spin_state { SPIN_FREE, SPIN_HELD, SPIN_HELD_HALTED };

/* spinlock.c: the lock is not free, or debug. Preemption is off already. */
void spin_lock_slow(struct spinlock *lock);
void spin_wake_halted(const struct spinlock *lock);
void spin_note_released(struct spinlock *lock);

static inline void spin_take(struct spinlock *lock)
{
	if (CONFIG_DEBUG ||
	    unlikely(!atomic32_compare_exchange(&lock->locked, SPIN_FREE, SPIN_HELD)))
		spin_lock_slow(lock);
}

static inline void spin_release(struct spinlock *lock)
{
	if (CONFIG_DEBUG)
		spin_note_released(lock);
	/* The lock may be gone after this: only its address is used. */
	if (unlikely(atomic32_exchange(&lock->locked, SPIN_FREE) == SPIN_HELD_HALTED))
		spin_wake_halted(lock);
}

static inline void spin_lock(struct spinlock *lock) ACQUIRES(lock) NO_LOCK_ANALYSIS
{
	preempt_disable();
	spin_take(lock);
}

static inline void spin_unlock(struct spinlock *lock) RELEASES(lock) NO_LOCK_ANALYSIS
{
	spin_release(lock);
	preempt_enable();
}

must_check bool spin_try_lock(struct spinlock *lock) TRY_ACQUIRES(true, lock);

/* Interrupts off as well; the returned state goes back to spin_unlock_irqrestore(). */
static inline irq_state_t spin_lock_irqsave(struct spinlock *lock) ACQUIRES(lock) NO_LOCK_ANALYSIS
{
	irq_state_t state = arch_irq_save();

	preempt_disable();
	spin_take(lock);
	return state;
}

static inline void spin_unlock_irqrestore(struct spinlock *lock, irq_state_t state)
	RELEASES(lock) NO_LOCK_ANALYSIS
{
	spin_release(lock);
	/* Interrupts first: a switch that is due must not happen with them off. */
	arch_irq_restore(state);
	preempt_enable();
}

/* Two locks of one rank, taken in address order; a == b takes it once. */
void spin_lock_pair(struct spinlock *a, struct spinlock *b) ACQUIRES(a, b);
void spin_unlock_pair(struct spinlock *a, struct spinlock *b) RELEASES(a, b);

/* True when this CPU holds the lock (debug); always true in release. */
bool spin_is_held(const struct spinlock *lock);

static inline void assert_held(const struct spinlock *lock) ASSERTS_HELD(lock)
{
	ASSERT(spin_is_held(lock));
	(void)lock;
}

/* Debug: panics when this CPU holds any spin lock (before sleeping, at return to user). */
void assert_no_spinlock_held(const char *where);
