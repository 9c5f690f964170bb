/*
 * Does a cross call run once on every processor asked, never on this one, and do processors that
 * call each other at the same time all get through?
 */
#include "boot/selftest.h"
#include "core/atomic.h"
#include "core/clock.h"
#include "core/ipi.h"
#include "core/percpu.h"
#include "sched/sched.h"

#define ROUNDS 300

static atomic32_t ran[CPU_MAX];
static atomic32_t finished;

static void note(void *arg)
{
	(void)arg;
	atomic32_add(&ran[cpu_id()], 1);
}

static void clear(void)
{
	for (uint32_t i = 0; i < CPU_MAX; i++)
		atomic32_store(&ran[i], 0);
	atomic32_store(&finished, 0);
}

static void test_everyone(void)
{
	uint32_t self;

	clear();
	preempt_disable();
	self = cpu_id();
	ipi_call_wait((1u << cpu_count) - 1, note, NULL);
	preempt_enable();
	for (uint32_t i = 0; i < CPU_MAX; i++)
		KTEST(atomic32_load(&ran[i]) == (i < cpu_count && i != self ? 1u : 0u));
}

static void caller(void *arg)
{
	(void)arg;
	for (uint32_t i = 0; i < ROUNDS; i++)
		ipi_call_wait((1u << cpu_count) - 1, note, NULL);
	atomic32_add(&finished, 1);
}

static void test_crossing(void)
{
	uint32_t started = 0, sum = 0;
	uint64_t end = clock_ns() + 20 * NSEC_PER_SEC;

	clear();
	for (uint32_t i = 0; i < cpu_count; i++) {
		struct thread *t = thread_create_kernel("caller", caller, NULL);

		if (t == NULL)
			continue;
		KTEST(sched_set_affinity(t, 1u << i) == 0);
		sched_start(t);
		started++;
	}
	while (atomic32_load(&finished) < started && clock_ns() < end)
		(void)!sched_sleep_until(clock_ns() + NSEC_PER_MSEC, false);
	KTEST(atomic32_load(&finished) == started);
	for (uint32_t i = 0; i < CPU_MAX; i++)
		sum += atomic32_load(&ran[i]);
	KTEST(sum == started * ROUNDS * (cpu_count - 1));
}

static const struct selftest_case cases[] = {
	{ "everyone", test_everyone },
	{ "crossing", test_crossing },
	{ NULL, NULL },
};
SELFTEST_SUITE(ipi, cases);
