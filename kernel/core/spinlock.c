/*
 * Spin locks: a word that is FREE, HELD, or HELD_HALTED, taken by compare and exchange, awaited by
 * reading. The usual case, a free lock in a release build, is inline in the header.
 *
 * Where virtual processors outnumber real ones, the holder may not be running at all, and spinning
 * keeps it from running: a wait of 10 us becomes one of milliseconds. So who has spun for long
 * halts: it says at what (`halted_at`), marks the lock HELD_HALTED, and stops its processor if the
 * lock still says so. Whoever releases such a lock wakes every processor that halts at it. The mark
 * and the look at halted_at are both behind a full barrier, so one of the two sees the other; that
 * the processor does not halt after it was woken is arch_spin_halt()'s part. A halted processor
 * whose interrupts are on still takes them.
 *
 * A debug build keeps, per CPU, the stack of locks held, and panics when a lock is taken whose rank
 * is not above that of every lock this CPU took in the same context (an interrupt handler starts
 * afresh: it takes only irqsave locks, which nobody it interrupted can hold), when a lock is taken
 * twice or released by a CPU that does not hold it, or when it is not had within seconds.
 *
 * The stack of locks belongs to the CPU, not to the thread: the run queue's lock is held across a
 * switch and released by the next thread, on the same CPU.
 */
#include "core/spinlock.h"

#include "arch/arch_down.h"
#include "core/clock.h"
#include "core/finding.h"

struct context_token preempt_off, irq_off;

#define LOCKS_HELD_MAX 16
#define STUCK_NS (20 * NSEC_PER_SEC)
#define STUCK_SPINS 1024
#define HALT_SPINS 256
#define HELD_LONG_NS (500 * NSEC_PER_MSEC)

/* [a] written by its processor, read by those that release. */
static PERCPU(const struct spinlock *, halted_at);

struct lock_stack {
	uint32_t count;
	struct { const struct spinlock *lock; uint32_t irq_depth; } held[LOCKS_HELD_MAX];
};

static PERCPU(struct lock_stack, lock_stack);

static void check_rank(const struct spinlock *lock, bool same_rank_ok)
{
	const struct lock_stack *stack = this_cpu(lock_stack);
	uint32_t depth = cpu_self()->irq_depth;

	VERIFY(lock->rank > RANK_NONE && lock->rank < RANK_COUNT);
	for (uint32_t i = 0; i < stack->count; i++) {
		const struct spinlock *held = stack->held[i].lock;

		if (held == lock)
			panic("spin lock %p (rank %u) taken twice", (const void *)lock, lock->rank);
		if (stack->held[i].irq_depth != depth)
			continue;
		if (held->rank > lock->rank || (held->rank == lock->rank && !same_rank_ok))
			panic("spin lock order: rank %u (%p) taken under rank %u (%p)", lock->rank,
			      (const void *)lock, held->rank, (const void *)held);
	}
}

static void note_taken(struct spinlock *lock)
{
	struct lock_stack *stack = this_cpu(lock_stack);
	irq_state_t state = arch_irq_save();

	VERIFY(stack->count < LOCKS_HELD_MAX);
	stack->held[stack->count].lock = lock;
	stack->held[stack->count].irq_depth = cpu_self()->irq_depth;
	stack->count++;
	lock->owner = (uint16_t)(cpu_id() + 1);
	arch_irq_restore(state);
}

void spin_note_released(struct spinlock *lock)
{
	struct lock_stack *stack = this_cpu(lock_stack);
	irq_state_t state = arch_irq_save();
	uint32_t i = stack->count;

	if (lock->owner != cpu_id() + 1)
		panic("spin lock %p (rank %u) released by CPU %u, held by %d", (void *)lock,
		      lock->rank, cpu_id(), (int)lock->owner - 1);
	while (i > 0 && stack->held[i - 1].lock != lock)
		i--;
	VERIFY(i > 0);
	for (; i < stack->count; i++)
		stack->held[i - 1] = stack->held[i];
	stack->count--;
	lock->owner = 0;
	arch_irq_restore(state);
}

/* True when the lock was taken. An interrupt handler may halt at another lock in between: it leaves
 * halted_at as it found it. */
static bool halt(struct spinlock *lock)
{
	const struct spinlock **slot = this_cpu(halted_at);
	const struct spinlock *before = *slot;
	bool taken;

	write_once(*slot, lock);
	taken = atomic32_exchange(&lock->locked, SPIN_HELD_HALTED) == SPIN_FREE;
	if (!taken)
		arch_spin_halt(&lock->locked.v, SPIN_HELD_HALTED);
	write_once(*slot, before);
	return taken;
}

static void check_stuck(const struct spinlock *lock, uint64_t *since)
{
	if (*since == 0)
		*since = clock_ns();
	else if (clock_ns() - *since > STUCK_NS)
		panic("spin lock %p (rank %u) is stuck, held by CPU %d", (const void *)lock,
		      lock->rank, (int)lock->owner - 1);
}

/* Once for each wait: `since` is when it began, 0 once it was said. */
static void check_held_long(const struct spinlock *lock, const void *pc, uint64_t *since)
{
	uint64_t now = clock_ns();

	if (*since == 0 || now - *since < HELD_LONG_NS)
		return;
	finding_report(FINDING_LOCK_HELD, 0, (uint64_t)pc, "a spin lock is held beyond the bound",
		       (uint64_t)lock, now - *since);
	*since = 0;
}

static void spin_wait(struct spinlock *lock, const void *pc)
{
	uint64_t since = 0, began = clock_ns();

	for (uint32_t spins = 1;
	     !atomic32_compare_exchange(&lock->locked, SPIN_FREE, SPIN_HELD); spins++) {
		while (atomic32_load(&lock->locked) != SPIN_FREE && spins % HALT_SPINS != 0) {
			arch_pause();
			spins++;
		}
		if (spins % HALT_SPINS == 0 && halt(lock))
			break;
		check_held_long(lock, pc, &began);
		if (CONFIG_DEBUG && spins % STUCK_SPINS == 0)
			check_stuck(lock, &since);
	}
	/* A halted waiter looks only now. */
	check_held_long(lock, pc, &began);
}

void spin_wake_halted(const struct spinlock *lock)
{
	for (uint32_t cpu = 0; cpu < cpu_count; cpu++)
		if (cpu != cpu_id() && read_once(*cpu_of(halted_at, cpu)) == lock)
			arch_spin_wake(cpu);
}

/* Inline, so that the return address is that of who takes the lock. */
static inline __attribute__((always_inline)) void
lock_taken_by_spinning(struct spinlock *lock, bool same_rank_ok)
{
	if (CONFIG_DEBUG)
		check_rank(lock, same_rank_ok);
	if (unlikely(!atomic32_compare_exchange(&lock->locked, SPIN_FREE, SPIN_HELD)))
		spin_wait(lock, __builtin_return_address(0));
	if (CONFIG_DEBUG)
		note_taken(lock);
}

void spin_lock_slow(struct spinlock *lock)
{
	lock_taken_by_spinning(lock, false);
}

bool spin_try_lock(struct spinlock *lock) NO_LOCK_ANALYSIS
{
	preempt_disable();
	if (!atomic32_compare_exchange(&lock->locked, SPIN_FREE, SPIN_HELD)) {
		preempt_enable();
		return false;
	}
	if (CONFIG_DEBUG)
		note_taken(lock);
	return true;
}

void spin_lock_pair(struct spinlock *a, struct spinlock *b) NO_LOCK_ANALYSIS
{
	struct spinlock *first = a < b ? a : b;
	struct spinlock *second = a < b ? b : a;

	spin_lock(first);
	if (first == second)
		return;
	preempt_disable();
	lock_taken_by_spinning(second, true);
}

void spin_unlock_pair(struct spinlock *a, struct spinlock *b) NO_LOCK_ANALYSIS
{
	if (a != b)
		spin_unlock(b);
	spin_unlock(a);
}

bool spin_is_held(const struct spinlock *lock)
{
	return !CONFIG_DEBUG || lock->owner == cpu_id() + 1;
}

void assert_no_spinlock_held(const char *where)
{
	const struct spinlock *held = NULL;
	const struct lock_stack *stack;
	irq_state_t state;

	if (!CONFIG_DEBUG)
		return;
	/* A thread that holds none may be moved: its stack could then be another processor's. */
	state = arch_irq_save();
	stack = this_cpu(lock_stack);
	if (stack->count != 0)
		held = stack->held[0].lock;
	arch_irq_restore(state);
	if (held != NULL)
		panic("%s: spin lock %p (rank %u) is held", where, (const void *)held, held->rank);
}
