/*
 * Is a wake-up ever lost, or used after its sleeper is gone, whatever the order of the processors?
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

#include "abi/errno.h"
#include "explore.h"
#include "host_test.h"
#include "sched/wait.h"

static struct wait_queue queue;
static bool ready;
static int tokens, taken;

static void setup_queue(void)
{
	wait_queue_init(&queue);
	ready = false;
	tokens = taken = 0;
}

/* --- one waiter, one waker ------------------------------------------------------------------- */

static void wait_until_ready(void *arg)
{
	wait_event(&queue, read_once(ready));
	HOST_EXPECT(ready);
}

static void make_ready(void *arg)
{
	write_once(ready, true);
	wake_up(&queue);
}

static void setup_pair(void)
{
	setup_queue();
	host_spawn(1u << 0, "waiter", wait_until_ready, NULL);
	host_spawn(1u << 1, "waker", make_ready, NULL);
}

static void setup_pair_anywhere(void)
{
	setup_queue();
	host_spawn(0, "waiter", wait_until_ready, NULL);
	host_spawn(0, "waiter", wait_until_ready, NULL);
	host_spawn(0, "waker", make_ready, NULL);
}

static const struct scenario pair = { "wait-pair", setup_pair, NULL, 0 };
static const struct scenario anywhere = { "wait-anywhere", setup_pair_anywhere, NULL, 0 };

TEST(no_wakeup_is_lost_between_two_processors)
{
	explore_all(&pair, 3);
	explore_random(&pair, 2000);
}

TEST(no_wakeup_is_lost_when_threads_migrate)
{
	explore_all(&anywhere, 2);
	explore_random(&anywhere, 2000);
}

/* --- a preemption that is asked for in a critical section ------------------------------------ */

static struct thread *urgent;
static bool told;

static void be_urgent(void *arg)
{
	wait_event(&queue, read_once(ready));
}

static void wake_the_urgent(void *arg)
{
	make_ready(NULL);
	write_once(told, true);
}

/* Where it may be preempted, nobody more urgent waits of whom this processor was told. */
static void keep_critical_sections(void *arg)
{
	for (int i = 0; i < 6; i++) {
		preempt_disable();
		arch_schedule_point();
		preempt_enable();
		HOST_EXPECT(!read_once(told) || !urgent->on_queue || host_has_interrupt(0));
	}
	thread_put(urgent);
}

static void setup_critical(void)
{
	setup_queue();
	told = false;
	urgent = host_thread(1u << 0, "urgent", be_urgent, NULL);
	thread_get(urgent);
	sched_set_policy(urgent, SCHED_FIFO, 10);
	sched_start(urgent);
	host_spawn(1u << 0, "critical", keep_critical_sections, NULL);
	host_spawn(1u << 1, "waker", wake_the_urgent, NULL);
}

static const struct scenario critical = { "wait-critical", setup_critical, NULL, 0 };

TEST(a_preemption_asked_for_in_a_critical_section_comes_at_its_end)
{
	explore_all(&critical, 2);
	explore_random(&critical, 2000);
}

/* --- exclusive waiters: as many wake-ups as tokens ------------------------------------------- */

static bool take_token(void)
{
	int n = __atomic_load_n(&tokens, __ATOMIC_RELAXED);

	while (n > 0) {
		arch_schedule_point();
		if (__atomic_compare_exchange_n(&tokens, &n, n - 1, false, __ATOMIC_ACQ_REL,
						__ATOMIC_RELAXED))
			return true;
	}
	return false;
}

static void take_exclusively(void *arg)
{
	struct wait_entry entry;

	wait_entry_init(&entry, NULL);
	entry.exclusive = true;
	for (;;) {
		wait_prepare(&queue, &entry, WAIT_UNINTERRUPTIBLE);
		if (take_token())
			break;
		(void)!wait_sleep(WAIT_UNINTERRUPTIBLE, TIME_NEVER);
	}
	wait_finish(&queue, &entry);
	__atomic_add_fetch(&taken, 1, __ATOMIC_RELAXED);
}

static void give_two(void *arg)
{
	for (int i = 0; i < 2; i++) {
		__atomic_add_fetch(&tokens, 1, __ATOMIC_RELEASE);
		wake_up(&queue);
	}
}

static void setup_exclusive(void)
{
	setup_queue();
	host_spawn(1u << 0, "taker", take_exclusively, NULL);
	host_spawn(0, "taker", take_exclusively, NULL);
	host_spawn(1u << 1, "giver", give_two, NULL);
}

static void check_exclusive(void)
{
	HOST_EXPECT(taken == 2 && tokens == 0);
}

static const struct scenario exclusive = { "wait-exclusive", setup_exclusive, check_exclusive, 0 };

TEST(each_token_wakes_one_exclusive_waiter)
{
	explore_all(&exclusive, 2);
	explore_random(&exclusive, 3000);
}

/* --- the queue's memory goes as soon as the waiter is back ----------------------------------- */

struct request {
	struct wait_queue done_wait;
	bool done;
};

static void complete(void *arg)
{
	struct request *r = arg;
	irq_state_t irq = spin_lock_irqsave(&r->done_wait.lock);

	/* As a completion does it: the waiter frees the request after taking this lock. */
	r->done = true;
	spin_unlock_irqrestore(&r->done_wait.lock, irq);
}

static void complete_and_wake(void *arg)
{
	complete(arg);
	wake_up(&queue);
}

static void wait_and_free(void *arg)
{
	struct request *r = arg;

	wait_event(&queue, read_once(r->done));
	irq_state_t irq = spin_lock_irqsave(&r->done_wait.lock);
	spin_unlock_irqrestore(&r->done_wait.lock, irq);
}

static struct request request;

static void setup_entries(void)
{
	setup_queue();
	wait_queue_init(&request.done_wait);
	request.done = false;
	/* Waiters that leave while they are being woken: entries on stacks that end. */
	host_spawn(1u << 0, "waiter", wait_and_free, &request);
	host_spawn(0, "waiter", wait_and_free, &request);
	host_spawn(1u << 1, "waker", complete_and_wake, &request);
	host_spawn(0, "second waker", complete_and_wake, &request);
}

static const struct scenario entries = { "wait-entries", setup_entries, NULL, 0 };

TEST(entries_are_not_touched_after_their_thread_has_gone)
{
	explore_all(&entries, 1);
	explore_random(&entries, 4000);
}

/* --- deadlines and signals ------------------------------------------------------------------- */

static int timed_result;

static void wait_with_deadline(void *arg)
{
	timed_result = wait_event_until(&queue, read_once(ready), WAIT_INTERRUPTIBLE,
					clock_ns() + 20);
	HOST_EXPECT(timed_result == (read_once(ready) ? 0 : -ETIMEDOUT) ||
		    timed_result == -ETIMEDOUT);
}

static void setup_deadline(void)
{
	setup_queue();
	timed_result = 1;
	host_spawn(1u << 0, "waiter", wait_with_deadline, NULL);
	host_spawn(1u << 1, "waker", make_ready, NULL);
}

static void check_deadline(void)
{
	HOST_EXPECT(timed_result == 0 || timed_result == -ETIMEDOUT);
}

static const struct scenario deadline = { "wait-deadline", setup_deadline, check_deadline, 0 };

TEST(a_deadline_races_with_the_wakeup)
{
	explore_all(&deadline, 2);
	explore_random(&deadline, 2000);
}

static struct thread *sleeper;
static int signal_result;

static void wait_for_signal(void *arg)
{
	signal_result = wait_event_interruptible(&queue, read_once(ready));
}

static void send_signal(void *arg)
{
	write_once(sleeper->pending_signal, true);
	arch_schedule_point();
	sched_wake_for_signal(sleeper, false);
	thread_put(sleeper);
}

static void setup_signal(void)
{
	setup_queue();
	signal_result = 1;
	sleeper = host_thread(1u << 0, "waiter", wait_for_signal, NULL);
	thread_get(sleeper);
	sched_start(sleeper);
	host_spawn(1u << 1, "sender", send_signal, NULL);
}

static void check_signal(void)
{
	HOST_EXPECT(signal_result == -ERESTARTSYS);
}

static const struct scenario signalled = { "wait-signal", setup_signal, check_signal, 0 };

TEST(a_signal_ends_an_interruptible_wait)
{
	explore_all(&signalled, 3);
	explore_random(&signalled, 2000);
}

/* --- a condition that itself sleeps ---------------------------------------------------------- */

static struct wait_queue inner;
static bool inner_ready;
static int looks;

static bool condition_that_sleeps(void)
{
	/* Looks first, sleeps later: a wake-up in between must not be forgotten. */
	bool seen = read_once(ready);

	arch_schedule_point();
	/* Not at the look before the outer wait is prepared. */
	if (++looks == 2)
		wait_event(&inner, read_once(inner_ready));
	return seen;
}

static void wait_nested(void *arg)
{
	wait_event(&queue, condition_that_sleeps());
}

static void make_inner_ready(void *arg)
{
	write_once(inner_ready, true);
	wake_up(&inner);
}

static void setup_nested(void)
{
	setup_queue();
	wait_queue_init(&inner);
	inner_ready = false;
	looks = 0;
	host_spawn(1u << 0, "waiter", wait_nested, NULL);
	host_spawn(1u << 1, "waker", make_ready, NULL);
	host_spawn(1u << 1, "inner waker", make_inner_ready, NULL);
}

static const struct scenario nested = { "wait-nested", setup_nested, NULL, 0 };

TEST(nested_waits_keep_the_outer_wakeup)
{
	explore_all(&nested, 2);
	explore_random(&nested, 2000);
}
