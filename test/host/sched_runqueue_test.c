/*
 * Does each thread get its share, on a processor it may use, and does none idle while threads wait?
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

#include "abi/errno.h"
#include "explore.h"
#include "host_test.h"
#include "sched/sched_internal.h"
#include "sched/wait.h"

#define MS NSEC_PER_MSEC
#define LIMIT_NS (100 * NSEC_PER_SEC)

/* Every queue is empty and its sums are what empty queues have. */
static void check_queues_empty(void)
{
	for (uint32_t cpu = 0; cpu < host_cpu_total; cpu++) {
		const struct runqueue *rq = runqueue_of(cpu);

		HOST_EXPECT(rq->queued == 0 && rq->rt_queued == 0);
		HOST_EXPECT(rq->load == 0 && rq->fair_load == 0 && rq->fair_sum == 0);
		HOST_EXPECT(rq->rt_levels[0] == 0 && rq->rt_levels[1] == 0);
		HOST_EXPECT(rq->current->is_idle && !rq->push_previous);
	}
}

/* --- shares ---------------------------------------------------------------------------------- */

#define HOGS_MAX 8

struct hog {
	int nice, policy, priority;
	uint64_t period_ns, work_ns;	/* works each period; both 0: computes all the time */
	uint64_t nap_ns;		/* sleeps so long after its work */
	uint64_t run_ns, longest_wait_ns;
};

static struct hog hogs[HOGS_MAX];
static unsigned int hog_count;
static uint64_t end_ns;
static uint64_t run_for_ns = 2000 * MS;

static void hog_main(void *arg)
{
	struct hog *h = arg;
	struct thread *t = thread_current();
	uint64_t next = clock_ns();

	while (clock_ns() < end_ns) {
		host_user_run(h->work_ns != 0 ? h->work_ns : 10 * MS);
		if (h->work_ns == 0)
			continue;
		next = h->nap_ns != 0 ? clock_ns() + h->nap_ns : next + h->period_ns;
		HOST_EXPECT(sched_sleep_until(next, false) == 0);
	}
	h->run_ns = sched_thread_run_ns(t);
	h->longest_wait_ns = t->headway.longest_wait_ns;
}

static void start_hogs(cpu_mask_t mask)
{
	end_ns = clock_ns() + run_for_ns;
	for (unsigned int i = 0; i < hog_count; i++) {
		struct thread *t = host_thread(mask, "hog", hog_main, &hogs[i]);

		sched_set_nice(t, hogs[i].nice);
		sched_set_policy(t, hogs[i].policy, hogs[i].priority);
		sched_start(t);
	}
}

static void on_one_cpu(void) { start_hogs(1u << 0); }
static void on_two_cpus(void) { start_hogs(3u); }
static void on_all_cpus(void) { start_hogs(0); }

static void expect_share(const struct hog *h, uint64_t wanted_ns, uint64_t tolerance_ns)
{
	if (h->run_ns + tolerance_ns < wanted_ns || h->run_ns > wanted_ns + tolerance_ns)
		host_fail("thread %u ran %llu us, not %llu us", (unsigned int)(h - hogs),
			  (unsigned long long)h->run_ns / 1000,
			  (unsigned long long)wanted_ns / 1000);
}

static void set_hogs(unsigned int count, const struct hog *from)
{
	boot_once(4);
	hog_count = count;
	for (unsigned int i = 0; i < count; i++)
		hogs[i] = from[i];
}

static void check_equal(void)
{
	check_queues_empty();
	for (unsigned int i = 0; i < hog_count; i++)
		expect_share(&hogs[i], run_for_ns / hog_count, 25 * MS);
}

TEST(equal_threads_get_equal_shares)
{
	const struct scenario s = { "equal", on_one_cpu, check_equal, LIMIT_NS };

	set_hogs(5, (struct hog[5]){ 0 });
	explore_once(&s);
}

static void check_weighted(void)
{
	const uint64_t weights = 1024 + 336 + 3125;

	check_queues_empty();
	expect_share(&hogs[0], run_for_ns * 1024 / weights, 25 * MS);
	expect_share(&hogs[1], run_for_ns * 336 / weights, 25 * MS);
	expect_share(&hogs[2], run_for_ns * 3125 / weights, 25 * MS);
}

TEST(niceness_is_a_factor_of_a_quarter_a_step)
{
	const struct scenario s = { "weighted", on_one_cpu, check_weighted, LIMIT_NS };

	set_hogs(3, (struct hog[3]){ { .nice = 0 }, { .nice = 5 }, { .nice = -5 } });
	explore_once(&s);
}

static void check_sleeper(void)
{
	check_queues_empty();
	/* It wants 5 % and is owed 20 %: it gets all it wants, soon. */
	expect_share(&hogs[0], run_for_ns / 20, 5 * MS);
	HOST_EXPECT(hogs[0].longest_wait_ns <= 5 * SCHED_SLICE_NS);
	for (unsigned int i = 1; i < hog_count; i++)
		if (hogs[i].longest_wait_ns > 2 * hog_count * SCHED_SLICE_NS)
			host_fail("thread %u waited %llu us", i,
				  (unsigned long long)hogs[i].longest_wait_ns / 1000);
}

TEST(a_thread_that_sleeps_gets_its_turn_soon)
{
	const struct scenario s = { "sleeper", on_one_cpu, check_sleeper, LIMIT_NS };

	set_hogs(5, (struct hog[5]){ { .period_ns = 20 * MS, .work_ns = 1 * MS } });
	explore_once(&s);
}

static void check_sleep_is_no_gain(void)
{
	check_queues_empty();
	/* Sleeping a little at the end of each slice must not earn more than an equal share. */
	HOST_EXPECT(hogs[0].run_ns <= run_for_ns / 3 + 60 * MS);
}

TEST(sleeping_earns_nothing)
{
	const struct scenario s = { "no-gain", on_one_cpu, check_sleep_is_no_gain, LIMIT_NS };

	set_hogs(3, (struct hog[3]){ { .work_ns = 2900 * NSEC_PER_USEC,
				       .nap_ns = 50 * NSEC_PER_USEC } });
	explore_once(&s);
}

static void check_idle_policy(void)
{
	check_queues_empty();
	HOST_EXPECT(hogs[0].run_ns < 30 * MS);
	HOST_EXPECT(hogs[0].run_ns > 0);
}

TEST(the_idle_policy_gets_little_but_not_nothing)
{
	const struct scenario s = { "idle-policy", on_one_cpu, check_idle_policy, LIMIT_NS };

	set_hogs(2, (struct hog[2]){ { .policy = SCHED_IDLE } });
	explore_once(&s);
}

/* --- real time ------------------------------------------------------------------------------- */

static void check_fifo(void)
{
	check_queues_empty();
	/* The periodic one of priority 10 runs at once; the fair ones share what it leaves. */
	expect_share(&hogs[0], run_for_ns / 4, 10 * MS);
	HOST_EXPECT(hogs[0].longest_wait_ns < 10 * NSEC_PER_USEC);
	expect_share(&hogs[1], run_for_ns * 3 / 8, 25 * MS);
}

TEST(a_fifo_thread_comes_before_fair_ones)
{
	const struct scenario s = { "fifo", on_one_cpu, check_fifo, LIMIT_NS };

	set_hogs(3, (struct hog[3]){ { .policy = SCHED_FIFO, .priority = 10,
				       .period_ns = 20 * MS, .work_ns = 5 * MS } });
	explore_once(&s);
}

static void check_rr(void)
{
	check_queues_empty();
	expect_share(&hogs[0], run_for_ns / 2, 110 * MS);
	expect_share(&hogs[1], run_for_ns / 2, 110 * MS);
	/* What real-time threads leave: a twentieth, late by a slice of theirs. */
	expect_share(&hogs[2], run_for_ns / 20, 60 * MS);
}

TEST(rr_threads_take_turns)
{
	const struct scenario s = { "rr", on_one_cpu, check_rr, LIMIT_NS };

	set_hogs(3, (struct hog[3]){ { .policy = SCHED_RR, .priority = 5 },
				     { .policy = SCHED_RR, .priority = 5 }, { 0 } });
	explore_once(&s);
}

static void check_rt_limit(void)
{
	check_queues_empty();
	expect_share(&hogs[0], run_for_ns * 95 / 100, 60 * MS);
	for (unsigned int i = 1; i < 3; i++) {
		expect_share(&hogs[i], run_for_ns * 5 / 200, 40 * MS);
		HOST_EXPECT(hogs[i].longest_wait_ns < 1960 * MS);
	}
}

TEST(a_fifo_thread_that_spins_leaves_the_others_a_share)
{
	const struct scenario s = { "rt-limit", on_one_cpu, check_rt_limit, LIMIT_NS };

	run_for_ns = 10000 * MS;
	set_hogs(3, (struct hog[3]){ { .policy = SCHED_FIFO, .priority = 50 }, { 0 }, { 0 } });
	explore_once(&s);
	run_for_ns = 2000 * MS;
}

static void check_rt_unlimited(void)
{
	check_queues_empty();
	expect_share(&hogs[0], run_for_ns, 10 * MS);
	HOST_EXPECT(sched_rt_limit_set(NSEC_PER_SEC, 950 * MS) == 0);
}

static void without_limit(void)
{
	HOST_EXPECT(sched_rt_limit_set(0, 0) == -EINVAL);
	HOST_EXPECT(sched_rt_limit_set(1 * MS, 2 * MS) == -EINVAL);
	HOST_EXPECT(sched_rt_limit_set(NSEC_PER_SEC, UINT64_MAX) == 0);
	on_one_cpu();
}

TEST(without_a_limit_a_fifo_thread_has_the_processor)
{
	const struct scenario s = { "rt-all", without_limit, check_rt_unlimited, LIMIT_NS };

	set_hogs(2, (struct hog[2]){ { .policy = SCHED_FIFO, .priority = 50 }, { 0 } });
	explore_once(&s);
}

/* --- several processors ---------------------------------------------------------------------- */

static uint64_t started_ns;
static struct thread *piled[8];

static void compute_40ms(void *arg)
{
	host_user_run(40 * MS);
}

static void setup_pile(void)
{
	started_ns = clock_ns();
	/* All on processor 0's queue; then they may go anywhere. */
	for (int i = 0; i < 8; i++)
		piled[i] = host_spawn(1u << 0, "work", compute_40ms, NULL);
	for (int i = 0; i < 8; i++)
		HOST_EXPECT(sched_set_affinity(piled[i], 0xf) == 0);
}

static void check_pile(void)
{
	check_queues_empty();
	/* 8 * 40 ms on 4 processors. */
	if (host_time_ns - started_ns > 92 * MS)
		host_fail("the work took %llu us",
			  (unsigned long long)(host_time_ns - started_ns) / 1000);
}

TEST(idle_processors_pull_what_waits)
{
	const struct scenario s = { "pile", setup_pile, check_pile, LIMIT_NS };

	boot_once(4);
	explore_once(&s);
	explore_random(&s, 40);
}

TEST(three_threads_share_two_processors)
{
	const struct scenario s = { "three-on-two", on_two_cpus, check_queues_empty, LIMIT_NS };

	set_hogs(3, (struct hog[3]){ 0 });
	explore_once(&s);
}

static void check_three(void)
{
	check_queues_empty();
	for (unsigned int i = 0; i < 3; i++)
		expect_share(&hogs[i], run_for_ns * 2 / 3, run_for_ns / 6);
}

TEST(three_threads_on_two_processors_get_two_thirds_each)
{
	const struct scenario s = { "two-thirds", on_two_cpus, check_three, LIMIT_NS };

	set_hogs(3, (struct hog[3]){ 0 });
	explore_once(&s);
}

static void check_all_busy(void)
{
	check_queues_empty();
	for (unsigned int i = 0; i < hog_count; i++)
		expect_share(&hogs[i], run_for_ns, 5 * MS);
}

TEST(as_many_threads_as_processors_run_undisturbed)
{
	const struct scenario s = { "undisturbed", on_all_cpus, check_all_busy, LIMIT_NS };

	set_hogs(4, (struct hog[4]){ 0 });
	explore_once(&s);
}

/* --- affinity and policy change under way ---------------------------------------------------- */

static struct wait_queue queue;
static bool stop;

static void wander(void *arg)
{
	for (unsigned int i = 0; i < 3; i++) {
		cpu_mask_t mask = 1u << ((i + (unsigned int)(uintptr_t)arg) % 4);

		HOST_EXPECT(sched_set_affinity(thread_current(), mask) == 0);
		HOST_EXPECT((cpu_bit(cpu_id()) & mask) != 0);
		host_user_run(1000);
		HOST_EXPECT((cpu_bit(cpu_id()) & mask) != 0);
	}
}

static void setup_wander(void)
{
	for (uintptr_t i = 0; i < 3; i++)
		host_spawn(0, "wanderer", wander, (void *)i);
}

TEST(a_thread_leaves_a_processor_at_once)
{
	const struct scenario s = { "wander", setup_wander, check_queues_empty, 0 };

	boot_once(4);
	explore_all(&s, 1);
	explore_random(&s, 2000);
}

static struct thread *target;

/* Runs, sleeps, yields, while others change it. */
static void be_changed(void *arg)
{
	for (int i = 0; i < 3; i++) {
		host_user_run(500);
		sched_yield();
		(void)!wait_event_until(&queue, read_once(stop), WAIT_UNINTERRUPTIBLE,
					clock_ns() + 200);
	}
}

static void change_affinity(void *arg)
{
	for (unsigned int i = 0; i < 4; i++) {
		HOST_EXPECT(sched_set_affinity(target, 1u << (i % 3)) == 0);
		host_user_run(150);
	}
	thread_put(target);
}

static void change_policy_often(void *arg)
{
	static const int policies[] = {
		SCHED_FIFO, SCHED_OTHER, SCHED_RR, SCHED_IDLE, SCHED_BATCH,
	};

	for (unsigned int i = 0; i < 5; i++) {
		sched_set_policy(target, policies[i], 7);
		sched_set_nice(target, (int)i * 5 - 10);
		host_user_run(100);
	}
	thread_put(target);
}

static void setup_changes(void)
{
	wait_queue_init(&queue);
	stop = false;
	target = host_thread(0, "target", be_changed, NULL);
	thread_get(target);
	thread_get(target);
	sched_start(target);
	host_spawn(0, "mover", change_affinity, NULL);
	host_spawn(0, "changer", change_policy_often, NULL);
	host_spawn(1u << 1, "company", be_changed, NULL);
}

TEST(policy_and_affinity_change_in_any_state)
{
	const struct scenario s = { "changes", setup_changes, check_queues_empty, 0 };

	boot_once(4);
	explore_all(&s, 1);
	explore_random(&s, 3000);
}

/* --- the last one that waits leaves ---------------------------------------------------------- */

/* A fair thread runs, is put aside for a real-time one, and goes elsewhere: its queue is empty. */
static void send_away(void *arg)
{
	HOST_EXPECT(sched_sleep_until(clock_ns() + 10 * MS, false) == 0);
	HOST_EXPECT(sched_set_affinity(target, 1u << 1) == 0);
	thread_put(target);
}

static void setup_send_away(void)
{
	struct thread *sender = host_thread(1u << 0, "sender", send_away, NULL);

	target = host_thread(1u << 0, "sent", compute_40ms, NULL);
	thread_get(target);
	sched_set_policy(sender, SCHED_FIFO, 7);
	sched_start(sender);
	sched_start(target);
}

TEST(a_queue_that_the_last_waiting_thread_left_is_as_new)
{
	const struct scenario s = { "sent", setup_send_away, check_queues_empty, LIMIT_NS };

	boot_once(4);
	explore_once(&s);
}
