/*
 * Does every thread get on, even when the timer is pending at each return to user mode?
 *
 * links: arch/host/stacks.c arch/host/machine.c arch/host/support.c
 * links: core/percpu.c core/spinlock.c core/clock.c core/timer.c core/ipi.c core/trace.c
 * links: core/fail_point.c lib/number.c lib/rbtree.c lib/string.c
 * links: sched/balance.c sched/idle.c sched/mutex.c sched/policy.c sched/runqueue.c sched/rwlock.c
 * links: sched/sleep.c sched/stats.c sched/switch.c sched/thread.c sched/wait.c sched/wake.c
 * links: sched/rt_limit.c sched/worker.c
 * helpers: sched_memory.c virtual.c explore.c
 */
#include <stdio.h>

#include "explore.h"
#include "host_test.h"
#include "sched/headway.h"
#include "sched/sched_internal.h"

#define MS NSEC_PER_MSEC
#define LIMIT_NS (100 * NSEC_PER_SEC)

/* The report's machine: ticks of 10 Hz, and a switch that costs more than a tick. */
static void slow_switch(struct thread *prev, struct thread *next)
{
	host_burn(120 * MS);
}

static struct space *const some_space[2] = { (struct space *)1, (struct space *)2 };
static uint64_t stalls, dispatches, done;

static void compute(void *arg)
{
	struct thread *t = thread_current();

	t->space = arg;
	host_user_run(500 * MS);
	stalls += t->headway.stalls;
	dispatches += t->headway.dispatches;
	done++;
	t->space = NULL;
}

static void setup_report(void)
{
	stalls = dispatches = done = 0;
	sched_set_space_switch(slow_switch);
	host_set_periodic_tick(100 * MS);
	host_spawn(1u << 0, "parent", compute, some_space[0]);
	host_spawn(1u << 0, "child", compute, some_space[1]);
}

static void check_report(void)
{
	host_set_periodic_tick(0);
	/* A tick is pending at each return after a switch; but the slice has begun only now. */
	HOST_EXPECT(done == 2 && stalls == 0);
	if (dispatches < 8 || dispatches > 30)
		host_fail("%llu dispatches", (unsigned long long)dispatches);
}

TEST(a_pending_tick_does_not_stop_anybody)
{
	const struct scenario s = { "report", setup_report, check_report, LIMIT_NS };

	boot_once(2);
	explore_once(&s);
}

static void setup_expired(void)
{
	stalls = dispatches = done = 0;
	/* The slice of 3 ms is over before the first instruction. */
	host_door_cost_ns = 5 * MS;
	host_spawn(1u << 0, "a", compute, NULL);
	host_spawn(1u << 0, "b", compute, NULL);
}

static void check_expired(void)
{
	host_door_cost_ns = 0;
	HOST_EXPECT(done == 2 && stalls > 0 && stalls <= dispatches);
}

TEST(an_expiry_before_the_first_instruction_is_refused)
{
	const struct scenario s = { "expired", setup_expired, check_expired, LIMIT_NS };

	boot_once(2);
	explore_once(&s);
}

static void setup_one_shot(void)
{
	stalls = dispatches = done = 0;
	host_spawn(1u << 0, "a", compute, NULL);
	host_spawn(1u << 0, "b", compute, NULL);
}

static void check_one_shot(void)
{
	HOST_EXPECT(done == 2 && stalls == 0);
	HOST_EXPECT(dispatches >= 300 && dispatches <= 400);
}

TEST(one_shot_slices_never_stall)
{
	const struct scenario s = { "one-shot", setup_one_shot, check_one_shot, LIMIT_NS };

	boot_once(2);
	explore_once(&s);
}

/* --- a slice begins at the first return ------------------------------------------------------ */

/* What it does in the kernel takes longer than a slice, and nobody waits meanwhile. */
static void late(void *arg)
{
	struct thread *t = thread_current();
	uint64_t begin;

	host_burn(10 * MS);
	begin = clock_ns();
	host_user_run(1 * MS);
	HOST_EXPECT(t->slice_end_ns >= begin + thread_slice_ns(t));
	done++;
}

static void setup_late(void)
{
	done = 0;
	host_spawn(1u << 0, "late", late, NULL);
}

static void check_late(void)
{
	HOST_EXPECT(done == 1);
}

TEST(a_slice_is_whole_though_nobody_waited_at_its_begin)
{
	const struct scenario s = { "late", setup_late, check_late, LIMIT_NS };

	boot_once(2);
	explore_once(&s);
}

/* --- a slice that ran out while nobody waited ----------------------------------------------- */

static void hurried(void *arg)
{
	host_user_run(1 * MS);
	done++;
}

/* Who comes to wait waits for a slice from then on: a fork after a long time alone costs none. */
static void alone(void *arg)
{
	struct thread *t = thread_current();
	uint64_t before;

	host_user_run(20 * MS);
	before = t->headway.dispatches;
	host_spawn(1u << 0, "hurried", hurried, NULL);
	host_user_run(2 * MS);
	HOST_EXPECT(t->headway.dispatches == before && done == 0);
	host_user_run(4 * MS);
	HOST_EXPECT(t->headway.dispatches == before + 1 && done == 1);
	done++;
}

static void setup_alone(void)
{
	done = 0;
	host_spawn(1u << 0, "alone", alone, NULL);
}

static void check_alone(void)
{
	HOST_EXPECT(done == 2);
}

TEST(a_slice_that_ran_out_alone_begins_when_somebody_waits)
{
	const struct scenario s = { "alone", setup_alone, check_alone, LIMIT_NS };

	boot_once(2);
	explore_once(&s);
}

/* --- a loop that is always met at its head does not keep the processor longer ----------------- */

static void loop(void *arg)
{
	host_user_loop(200 * MS);
	stalls += thread_current()->headway.stalls;
	dispatches += thread_current()->headway.dispatches;
	done++;
}

static void setup_loop(void)
{
	stalls = dispatches = done = 0;
	host_spawn(1u << 0, "looper", loop, NULL);
	host_spawn(1u << 0, "looper", loop, NULL);
}

/* The first expiry of each is refused: what it returned with was not kept. */
static void check_loop(void)
{
	HOST_EXPECT(done == 2 && stalls <= 2);
	HOST_EXPECT(dispatches >= 120);
}

TEST(registers_tell_a_loop_from_nothing)
{
	const struct scenario s = { "loop", setup_loop, check_loop, LIMIT_NS };

	boot_once(2);
	explore_once(&s);
}

/* --- an instruction that jumps to itself is switched out nevertheless ------------------------ */

static void spin(void *arg)
{
	host_user_spin(200 * MS);
	/* It was in user mode for long: no case for the monitor. */
	HOST_EXPECT(thread_current()->headway.at_once == 0);
	stalls += thread_current()->headway.stalls;
	dispatches += thread_current()->headway.dispatches;
	done++;
}

static void setup_spin(void)
{
	stalls = dispatches = done = 0;
	host_spawn(1u << 0, "spinner", spin, NULL);
	host_spawn(1u << 0, "spinner", spin, NULL);
}

static void check_spin(void)
{
	HOST_EXPECT(done == 2);
	/* Each dispatch of 3 ms is prolonged by two refusals. */
	HOST_EXPECT(dispatches >= 6 && stalls <= 2 * dispatches);
}

TEST(a_jump_to_itself_is_preempted)
{
	const struct scenario s = { "spin", setup_spin, check_spin, LIMIT_NS };

	boot_once(2);
	explore_once(&s);
}

/* --- with the invariant off, what it would have refused is counted ---------------------------- */

static void spin_unjudged(void *arg)
{
	struct thread *t = thread_current();

	t->space = arg;
	host_user_spin(200 * MS);
	HOST_EXPECT(t->headway.barren >= 10 && t->headway.stalls == 0);
	/* An expiry that finds it elsewhere ends the row. */
	host_user_run(100 * MS);
	HOST_EXPECT(t->headway.barren == 0);
	t->space = NULL;
	done++;
}

static void setup_unjudged(void)
{
	done = 0;
	headway_is_off = true;
	host_spawn(1u << 0, "spinner", spin_unjudged, some_space[0]);
	host_spawn(1u << 0, "spinner", spin_unjudged, some_space[0]);
}

static void check_unjudged(void)
{
	headway_is_off = false;
	HOST_EXPECT(done == 2);
}

TEST(the_invariant_off_counts_dispatches_in_vain)
{
	const struct scenario s = { "unjudged", setup_unjudged, check_unjudged, LIMIT_NS };

	boot_once(2);
	explore_once(&s);
}

/* --- the kernel itself is preempted ---------------------------------------------------------- */

static bool kernel_stops;

/* A long system call: interrupts on, no lock held. */
static void long_call(void *arg)
{
	uint64_t end = clock_ns() + 200 * MS;

	while (clock_ns() < end && !read_once(kernel_stops)) {
		host_burn(20 * NSEC_PER_USEC);
		arch_schedule_point();
	}
	HOST_EXPECT(read_once(kernel_stops));
	done++;
}

static void stop_it(void *arg)
{
	write_once(kernel_stops, true);
	done++;
}

static void setup_kernel(void)
{
	done = 0;
	kernel_stops = false;
	host_spawn(1u << 0, "long call", long_call, NULL);
	host_spawn(1u << 0, "waiting", stop_it, NULL);
}

static void check_kernel(void)
{
	HOST_EXPECT(done == 2);
}

TEST(kernel_code_is_preempted_at_a_slice_s_end)
{
	const struct scenario s = { "kernel", setup_kernel, check_kernel, LIMIT_NS };

	boot_once(2);
	explore_once(&s);
}
