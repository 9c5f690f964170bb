/*
 * Do kernel threads on all processors take turns, keep their own registers across preemption, and
 * does a lock keep a count exact?
 */
#include "boot/selftest.h"
#include "core/atomic.h"
#include "core/clock.h"
#include "core/spinlock.h"
#include "sched/sched.h"

#define THREADS 24
#define ADDS 4000

static struct spinlock lock = SPINLOCK_INIT(RANK_DRIVER);
static uint64_t counter GUARDED_BY(&lock);
static atomic32_t finished, wrong;

static void adder(void *arg)
{
	(void)arg;
	for (uint32_t i = 0; i < ADDS; i++) {
		spin_lock(&lock);
		counter++;
		spin_unlock(&lock);
	}
	atomic32_add(&finished, 1);
}

/* A chain of values in callee-saved registers: a switch that loses one changes the sum. */
static void reckoner(void *arg)
{
	uint64_t a = (uint64_t)arg + 1, b = 2, c = 3, d = 5, expected = (uint64_t)arg + 1;

	for (uint32_t i = 0; i < 400000; i++) {
		__asm__ volatile("" : "+r"(a), "+r"(b), "+r"(c), "+r"(d));
		a += b * c - d;			/* 2 * 3 - 5: one */
		expected++;
	}
	if (a != expected)
		atomic32_add(&wrong, 1);
	atomic32_add(&finished, 1);
}

static uint32_t run(void (*entry)(void *))
{
	uint64_t end = clock_ns() + 30 * NSEC_PER_SEC;
	uint32_t started = 0;

	atomic32_store(&finished, 0);
	for (uint64_t i = 0; i < THREADS; i++) {
		struct thread *t = thread_create_kernel("test", entry, (void *)i);

		if (t == NULL)
			continue;
		sched_start(t);
		started++;
	}
	while (atomic32_load(&finished) < started && clock_ns() < end)
		(void)!sched_sleep_until(clock_ns() + NSEC_PER_MSEC, false);
	KTEST(atomic32_load(&finished) == started);
	return started;
}

static void test_lock(void) NO_LOCK_ANALYSIS
{
	uint32_t started;

	counter = 0;
	started = run(adder);
	KTEST(counter == (uint64_t)started * ADDS);
}

static void test_registers(void)
{
	(void)run(reckoner);
	KTEST(atomic32_load(&wrong) == 0);
}

static const struct selftest_case cases[] = {
	{ "lock", test_lock },
	{ "registers", test_registers },
	{ NULL, NULL },
};
SELFTEST_SUITE(sched, cases);
