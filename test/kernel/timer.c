/*
 * Do timers fire once, in order, not early, and never after a cancel, on every processor?
 */
#include "boot/selftest.h"
#include "core/atomic.h"
#include "core/clock.h"
#include "core/percpu.h"
#include "core/timer.h"
#include "sched/sched.h"

#define COUNT 32

struct probe {
	struct timer timer;
	uint64_t fired_ns;
	uint32_t order;
};

static struct probe probes[COUNT];
static atomic32_t fired;

static void fire(struct timer *timer)
{
	struct probe *p = (struct probe *)timer;

	p->fired_ns = clock_ns();
	p->order = atomic32_add(&fired, 1);
}

static void wait_until(uint64_t ns) { (void)!sched_sleep_until(ns, false); }

/*
 * Until that many have fired. The emulator may hold up one processor while this one runs: after no
 * short time a timer elsewhere must have fired.
 */
static void wait_for_fired(uint32_t count)
{
	uint64_t end = clock_ns() + 20 * NSEC_PER_SEC;

	while (atomic32_load(&fired) < count && clock_ns() < end)
		wait_until(clock_ns() + NSEC_PER_MSEC);
}

/* Armed in reverse on one processor, before the first can fire. */
static void test_order(void)
{
	irq_state_t irq = arch_irq_save();
	uint64_t start = clock_ns() + NSEC_PER_MSEC;

	atomic32_store(&fired, 0);
	for (uint32_t i = COUNT; i-- > 0;) {
		timer_init(&probes[i].timer, fire);
		timer_arm(&probes[i].timer, start + i * 20 * NSEC_PER_USEC);
	}
	arch_irq_restore(irq);
	wait_for_fired(COUNT);
	KTEST(atomic32_load(&fired) == COUNT);
	for (uint32_t i = 0; i < COUNT; i++) {
		KTEST(probes[i].order == i + 1);
		KTEST(!timer_is_armed(&probes[i].timer));
		KTEST(probes[i].fired_ns >= probes[i].timer.deadline_ns);
	}
}

/* One long before it is due, then many whose time may come while they are cancelled. */
static void test_cancel(void)
{
	uint32_t missed = 0;

	atomic32_store(&fired, 0);
	timer_init(&probes[0].timer, fire);
	timer_arm(&probes[0].timer, clock_ns() + 1000 * NSEC_PER_SEC);
	KTEST(timer_is_armed(&probes[0].timer));
	KTEST(timer_cancel(&probes[0].timer));
	KTEST(!timer_cancel(&probes[0].timer));
	for (uint32_t i = 0; i < 50; i++) {
		timer_arm(&probes[0].timer, clock_ns() + i * NSEC_PER_USEC);
		missed += !timer_cancel(&probes[0].timer);
		KTEST(!timer_is_armed(&probes[0].timer));
	}
	wait_until(clock_ns() + NSEC_PER_MSEC);
	KTEST(atomic32_load(&fired) == missed);
}

static void fire_again(struct timer *timer)
{
	if (atomic32_add(&fired, 1) < 10)
		timer_arm(timer, clock_ns() + 50 * NSEC_PER_USEC);
}

static void test_rearm_in_callback(void)
{
	atomic32_store(&fired, 0);
	timer_init(&probes[0].timer, fire_again);
	timer_arm(&probes[0].timer, clock_ns());
	wait_for_fired(10);
	KTEST(atomic32_load(&fired) == 10);
	KTEST(!timer_cancel(&probes[0].timer));
}

/* Moved from processor to processor while others fire. */
static void test_move(void)
{
	struct thread *self = thread_current();

	atomic32_store(&fired, 0);
	timer_init(&probes[0].timer, fire);
	for (uint32_t round = 0; round < 20; round++) {
		KTEST(sched_set_affinity(self, 1u << round % cpu_count) == 0);
		KTEST(cpu_id() == round % cpu_count);
		timer_arm(&probes[0].timer, clock_ns() + 1000 * NSEC_PER_SEC);
		KTEST(probes[0].timer.cpu == cpu_id());
	}
	KTEST(timer_cancel(&probes[0].timer));
	KTEST(atomic32_load(&fired) == 0);
	KTEST(sched_set_affinity(self, (1u << cpu_count) - 1) == 0);
}

static void test_clock(void)
{
	uint64_t last = clock_ns();

	for (uint32_t i = 0; i < 10000; i++) {
		uint64_t now = clock_ns();

		if (now < last)
			KTEST(now >= last);
		last = now;
	}
	wait_until(last + 2 * NSEC_PER_MSEC);
	KTEST(clock_ns() >= last + 2 * NSEC_PER_MSEC);
}

static const struct selftest_case cases[] = {
	{ "order", test_order },
	{ "cancel", test_cancel },
	{ "rearm_in_callback", test_rearm_in_callback },
	{ "move", test_move },
	{ "clock", test_clock },
	{ NULL, NULL },
};
SELFTEST_SUITE(timer, cases);
