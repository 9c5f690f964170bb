/*
 * Is a thread's memory and stack given back exactly when nobody uses it any more?
 *
 * links: arch/host/stacks.c arch/host/machine.c arch/host/support.c
 * links: core/percpu.c core/spinlock.c core/clock.c core/timer.c core/ipi.c core/trace.c
 * links: core/fail_point.c lib/number.c lib/rbtree.c lib/string.c
 * links: sched/balance.c sched/idle.c sched/mutex.c sched/policy.c sched/runqueue.c sched/rwlock.c
 * links: sched/sleep.c sched/stats.c sched/switch.c sched/thread.c sched/wait.c sched/wake.c
 * links: sched/rt_limit.c sched/worker.c
 * helpers: sched_memory.c virtual.c explore.c
 */
#include <stdlib.h>

#include "core/timer.h"
#include "explore.h"
#include "host_test.h"
#include "sched/worker.h"
#include "sched/wait.h"

static int ended;

static void end_at_once(void *arg)
{
	__atomic_add_fetch(&ended, 1, __ATOMIC_RELAXED);
}

static void start_three(void *arg)
{
	for (int i = 0; i < 3; i++)
		host_spawn(0, "child", end_at_once, NULL);
}

static void setup_chain(void)
{
	ended = 0;
	host_spawn(0, "parent", start_three, NULL);
	host_spawn(0, "parent", start_three, NULL);
}

static void check_chain(void)
{
	HOST_EXPECT(ended == 6);
}

TEST(threads_start_end_and_are_reaped)
{
	const struct scenario s = { "chain", setup_chain, check_chain, 0 };

	boot_once(4);
	explore_all(&s, 1);
	explore_random(&s, 3000);
}

/* --- a wake-up races with the end of the thread ---------------------------------------------- */

static struct thread *victim;

static void sleep_then_end(void *arg)
{
	(void)!sched_sleep_until(clock_ns() + 30, false);
}

static void wake_with_reference(void *arg)
{
	for (int i = 0; i < 3; i++)
		sched_wake(victim);
	thread_put(victim);
}

static void setup_wake_and_end(void)
{
	victim = host_thread(0, "victim", sleep_then_end, NULL);
	thread_get(victim);
	thread_get(victim);
	sched_start(victim);
	host_spawn(0, "waker", wake_with_reference, NULL);
	host_spawn(0, "waker", wake_with_reference, NULL);
}

TEST(a_referenced_thread_may_be_woken_at_any_time)
{
	const struct scenario s = { "wake-and-end", setup_wake_and_end, NULL, 0 };

	boot_once(4);
	explore_all(&s, 1);
	explore_random(&s, 3000);
}

/* --- a wake-up while the sleeper is on its way out, and an idle processor to take it --------- */

static struct wait_queue leave_queue;
static bool leave_ready;

static void leave_and_come_back(void *arg)
{
	wait_event(&leave_queue, read_once(leave_ready));
}

static void call_back(void *arg)
{
	write_once(leave_ready, true);
	wake_up(&leave_queue);
}

static void setup_leaving(void)
{
	wait_queue_init(&leave_queue);
	leave_ready = false;
	host_spawn(1u << 0 | 1u << 2, "sleeper", leave_and_come_back, NULL);
	host_spawn(1u << 1, "waker", call_back, NULL);
	/* So that the processor which is left is not idle, and not the place to wake on. */
	host_spawn(1u << 0, "company", end_at_once, NULL);
}

TEST(a_stack_is_not_resumed_before_it_was_left)
{
	const struct scenario s = { "leaving", setup_leaving, NULL, 0 };

	boot_once(4);
	explore_all(&s, 2);
	explore_random(&s, 2000);
}

/* --- timers ---------------------------------------------------------------------------------- */

struct job {
	struct timer timer;
	int fired;
	bool firing;
};

static void job_fire(struct timer *timer)
{
	struct job *j = container_of(timer, struct job, timer);

	j->firing = true;
	arch_schedule_point();
	j->fired++;
	arch_schedule_point();
	j->firing = false;
}

static struct job *job;
static bool armed, cancelled;
static uint64_t arm_delta_ns;
static struct wait_queue queue;

static void arm(void *arg)
{
	timer_arm(&job->timer, clock_ns() + arm_delta_ns);
	write_once(armed, true);
	wake_up(&queue);
	host_user_run(80);
}

/* After the cancellation the memory goes: a callback that still ran would touch it. */
static void cancel_and_free(void *arg)
{
	bool was_armed;

	wait_event(&queue, read_once(armed));
	was_armed = timer_cancel(&job->timer);
	HOST_EXPECT(!job->firing);
	HOST_EXPECT(was_armed == (job->fired == 0));
	free(job);
	cancelled = true;
}

static void setup_cancel(void)
{
	wait_queue_init(&queue);
	armed = cancelled = false;
	job = calloc(1, sizeof(*job));
	timer_init(&job->timer, job_fire);
	host_spawn(1u << 0, "armer", arm, NULL);
	host_spawn(1u << 1, "canceller", cancel_and_free, NULL);
}

TEST(a_cancelled_timer_is_not_running_anywhere)
{
	const struct scenario s = { "timer-cancel", setup_cancel, NULL, 0 };

	boot_once(4);
	/* The two meet at different places. */
	for (arm_delta_ns = 6; arm_delta_ns < 70; arm_delta_ns += 9) {
		explore_all(&s, 1);
		explore_random(&s, 600);
	}
}

static struct timer timers[3];
static bool last_fired;

static void timers_fire(struct timer *timer)
{
	if (timer != &timers[2])
		return;
	write_once(last_fired, true);
	wake_up(&queue);
}

/* Only the last wakes somebody: before it no switch has the hardware armed again. */
static void await_last(void *arg)
{
	for (int i = 0; i < 3; i++)
		timer_arm(&timers[i], clock_ns() + 500 * (uint64_t)(i + 1));
	wait_event(&queue, read_once(last_fired));
}

static void setup_timers(void)
{
	wait_queue_init(&queue);
	last_fired = false;
	for (int i = 0; i < 3; i++)
		timer_init(&timers[i], timers_fire);
	host_spawn(1u << 0, "waits", await_last, NULL);
}

TEST(a_timer_fires_behind_others_that_wake_nobody)
{
	const struct scenario s = { "timer-behind", setup_timers, NULL, 0 };

	boot_once(4);
	explore_all(&s, 1);
}

/* --- workers --------------------------------------------------------------------------------- */

#define WORKS 3

static struct work works[WORKS];
static int runs[WORKS], queued[WORKS];

static void work_run(struct work *w)
{
	__atomic_add_fetch(&runs[w - works], 1, __ATOMIC_RELAXED);
}

static void queue_works(void *arg)
{
	for (unsigned int i = 0; i < 2 * WORKS; i++)
		if (work_queue(&works[i % WORKS]))
			__atomic_add_fetch(&queued[i % WORKS], 1, __ATOMIC_RELAXED);
}

static void setup_works(void)
{
	for (unsigned int i = 0; i < WORKS; i++) {
		work_init(&works[i], work_run);
		runs[i] = queued[i] = 0;
	}
	host_spawn(1u << 0, "a", queue_works, NULL);
	host_spawn(1u << 1, "b", queue_works, NULL);
}

static void check_works(void)
{
	for (unsigned int i = 0; i < WORKS; i++)
		HOST_EXPECT(runs[i] == queued[i] && runs[i] > 0);
}

TEST(queued_work_runs_once_for_each_time_it_was_queued)
{
	const struct scenario s = { "works", setup_works, check_works, 0 };

	boot_once(4);
	worker_init();
	settle();
	explore_all(&s, 1);
	explore_random(&s, 2000);
}
