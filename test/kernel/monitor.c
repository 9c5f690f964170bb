/*
 * Does the kernel name what it provokes here: a lock held too long, interrupts off too long, a
 * line that interrupts beyond its budget (which is then masked, polled and let go again)?
 */
#include "boot/selftest.h"
#include "core/atomic.h"
#include "core/clock.h"
#include "core/finding.h"
#include "core/irq.h"
#include "core/spinlock.h"
#include "core/timer.h"
#include "sched/sched.h"

/* A line of the IOAPIC that no device uses. */
#define UNUSED_LINE 13

static uint64_t found(enum finding_kind kind)
{
	struct finding f;
	uint64_t count = 0;

	for (uint32_t i = 0; finding_get(i, &f); i++)
		if (f.kind == kind)
			count += f.count;
	return count;
}

static cpu_mask_t all_cpus(void) { return (cpu_mask_t)((2ULL << (cpu_count - 1)) - 1); }

/*
 * The emulator may hold up a processor for longer than any bound here, between two instructions: so
 * what needs a course of time is provoked again until it was seen, or is never.
 */
#define TRIES 20

static void spin_for(uint64_t ns)
{
	uint64_t end = clock_ns() + ns;

	while (clock_ns() < end)
		arch_pause();
}

/* --- a lock ----------------------------------------------------------------------------------- */

static struct spinlock lock = SPINLOCK_INIT(RANK_DRIVER);
static atomic32_t held, done;

static void holder(void *arg)
{
	spin_lock(&lock);
	atomic32_store(&held, 1);
	spin_for(700 * NSEC_PER_MSEC);
	spin_unlock(&lock);
	atomic32_store(&done, 1);
}

static void wait_behind_holder(void)
{
	struct thread *t = thread_create_kernel("holder", holder, NULL);

	KTEST(t != NULL);
	if (t == NULL)
		return;
	atomic32_store(&held, 0);
	atomic32_store(&done, 0);
	KTEST(sched_set_affinity(t, 2) == 0);
	sched_start(t);
	while (atomic32_load(&held) == 0)
		arch_pause();
	spin_lock(&lock);
	spin_unlock(&lock);
	while (atomic32_load(&done) == 0)
		(void)!sched_sleep_until(clock_ns() + NSEC_PER_MSEC, false);
}

static void test_lock(void)
{
	uint64_t before = found(FINDING_LOCK_HELD);

	if (cpu_count == 1)
		return;			/* who waits would have to be elsewhere */
	KTEST(sched_set_affinity(thread_current(), 1) == 0);
	for (uint32_t i = 0; i < TRIES && found(FINDING_LOCK_HELD) == before; i++)
		wait_behind_holder();
	KTEST(found(FINDING_LOCK_HELD) > before);
	KTEST(sched_set_affinity(thread_current(), all_cpus()) == 0);
}

/* --- interrupts ------------------------------------------------------------------------------- */

static void nothing(struct timer *timer) { }

static void test_irqs_off(void)
{
	uint64_t before = found(FINDING_IRQS_OFF);
	struct timer timer;
	irq_state_t irq;

	timer_init(&timer, nothing);
	irq = arch_irq_save();
	timer_arm(&timer, clock_ns() + NSEC_PER_MSEC);
	spin_for(1800 * NSEC_PER_MSEC);
	arch_irq_restore(irq);
	for (uint32_t i = 0; i < TRIES && found(FINDING_IRQS_OFF) == before; i++)
		spin_for(20 * NSEC_PER_MSEC);
	KTEST(found(FINDING_IRQS_OFF) > before);
	(void)timer_cancel(&timer);
}

static atomic32_t handled;

static void handle(void *arg) { atomic32_add(&handled, 1); }

/* The vector of the line: the one whose count an interrupt of it moves; they are few. */
static uint32_t vector_of_line(int32_t gsi)
{
	struct irq_stats stats;

	for (uint32_t i = 0; irq_stats_get(i, &stats); i++)
		if (stats.gsi == gsi)
			return stats.vector;
	return 0;
}

static void storm(uint32_t vector, uint32_t count)
{
	irq_state_t irq = arch_irq_save();

	while (count-- > 0)
		irq_receive(vector);
	arch_irq_restore(irq);
}

static void test_storm(void)
{
	uint64_t before = found(FINDING_IRQ_STORM);
	uint32_t vector, calls = 0, tries;

	KTEST(sched_set_affinity(thread_current(), 1) == 0);
	if (irq_register_line(UNUSED_LINE, false, handle, NULL) != 0)
		return;			/* a machine without that line */
	vector = vector_of_line(UNUSED_LINE);
	KTEST(vector != 0);
	storm(vector, 100);
	KTEST(found(FINDING_IRQ_STORM) == before);
	for (tries = 0; tries < TRIES && found(FINDING_IRQ_STORM) == before; tries++) {
		spin_for(15 * NSEC_PER_MSEC);
		storm(vector, 2000);
		calls = atomic32_load(&handled);
	}
	KTEST(found(FINDING_IRQ_STORM) == before + 1);
	/* Masked: nobody interrupts, and yet the handler is called. */
	for (tries = 0; tries < TRIES && atomic32_load(&handled) == calls; tries++)
		spin_for(8 * NSEC_PER_MSEC);
	KTEST(atomic32_load(&handled) > calls);
	/* Calm: let go after a while, and not called again. */
	for (tries = 0; tries < TRIES; tries++) {
		calls = atomic32_load(&handled);
		spin_for(10 * NSEC_PER_MSEC);
		if (atomic32_load(&handled) == calls)
			break;
	}
	KTEST(tries < TRIES);
	KTEST(sched_set_affinity(thread_current(), all_cpus()) == 0);
}

static const struct selftest_case cases[] = {
	{ "lock", test_lock },
	{ "irqs_off", test_irqs_off },
	{ "storm", test_storm },
	{ NULL, NULL },
};
SELFTEST_SUITE(monitor, cases);
