/*
 * Do the sleeping locks exclude, and let everybody in at last?
 *
 * links: arch/host/stacks.c arch/host/machine.c arch/host/support.c
 * links: core/percpu.c core/spinlock.c core/clock.c core/timer.c core/ipi.c core/trace.c
 * links: core/fail_point.c lib/number.c lib/rbtree.c lib/string.c
 * links: sched/balance.c sched/idle.c sched/mutex.c sched/policy.c sched/runqueue.c sched/rwlock.c
 * links: sched/sleep.c sched/stats.c sched/switch.c sched/thread.c sched/wait.c sched/wake.c
 * links: sched/rt_limit.c sched/worker.c
 * helpers: sched_memory.c virtual.c explore.c
 */
#include "abi/errno.h"
#include "explore.h"
#include "host_test.h"
#include "sched/mutex.h"

static struct mutex mutex;
static struct rwlock rwlock;
static int inside, writers_inside, counter;

static void hold(int *who)
{
	(*who)++;
	arch_schedule_point();
	HOST_EXPECT(*who == 1);
	(*who)--;
}

static void lock_twice(void *arg)
{
	for (int i = 0; i < 2; i++) {
		mutex_lock(&mutex);
		HOST_EXPECT(mutex_is_held(&mutex));
		hold(&inside);
		counter++;
		mutex_unlock(&mutex);
	}
}

static void try_once(void *arg)
{
	if (!mutex_try_lock(&mutex))
		mutex_lock(&mutex);
	hold(&inside);
	counter++;
	mutex_unlock(&mutex);
}

static void setup_mutex(void)
{
	mutex_init(&mutex);
	inside = counter = 0;
	host_spawn(1u << 0, "a", lock_twice, NULL);
	host_spawn(1u << 1, "b", lock_twice, NULL);
	host_spawn(0, "c", try_once, NULL);
}

static void check_mutex(void)
{
	HOST_EXPECT(counter == 5 && !mutex_is_held(&mutex));
}

static const struct scenario mutexes = { "mutex", setup_mutex, check_mutex, 0 };

TEST(mutex_excludes_and_everybody_gets_it)
{
	explore_all(&mutexes, 1);
	explore_random(&mutexes, 4000);
}

static void setup_two(void)
{
	mutex_init(&mutex);
	inside = counter = 0;
	host_spawn(1u << 0, "a", lock_twice, NULL);
	host_spawn(1u << 1, "b", lock_twice, NULL);
}

static const struct scenario two = { "mutex-two", setup_two, NULL, 0 };

TEST(mutex_between_two_threads_exhaustively)
{
	explore_all(&two, 2);
}

/* --- a killed waiter leaves, and the others still get the lock ------------------------------- */

static struct thread *victim;

static void lock_killable(void *arg)
{
	if (mutex_lock_killable(&mutex) != 0)
		return;
	hold(&inside);
	mutex_unlock(&mutex);
}

static void kill_victim(void *arg)
{
	write_once(victim->pending_kill, true);
	arch_schedule_point();
	sched_wake_for_signal(victim, true);
	thread_put(victim);
}

static void setup_kill(void)
{
	mutex_init(&mutex);
	inside = counter = 0;
	host_spawn(1u << 1, "holder", lock_twice, NULL);
	victim = host_thread(1u << 0, "victim", lock_killable, NULL);
	thread_get(victim);
	sched_start(victim);
	host_spawn(0, "killer", kill_victim, NULL);
	host_spawn(1u << 0, "late", try_once, NULL);
}

static void check_kill(void)
{
	HOST_EXPECT(counter == 3);
}

static const struct scenario killed = { "mutex-killed", setup_kill, check_kill, 0 };

TEST(a_killed_waiter_takes_no_wakeup_with_it)
{
	explore_all(&killed, 1);
	explore_random(&killed, 4000);
}

/* --- readers and writers --------------------------------------------------------------------- */

static void reader(void *arg)
{
	rwlock_read_lock(&rwlock);
	inside++;
	arch_schedule_point();
	HOST_EXPECT(writers_inside == 0);
	inside--;
	rwlock_read_unlock(&rwlock);
}

static void writer(void *arg)
{
	rwlock_write_lock(&rwlock);
	HOST_EXPECT(inside == 0);
	hold(&writers_inside);
	counter++;
	rwlock_write_unlock(&rwlock);
}

static void setup_rwlock(void)
{
	rwlock_init(&rwlock);
	inside = writers_inside = counter = 0;
	host_spawn(1u << 0, "reader", reader, NULL);
	host_spawn(1u << 1, "writer", writer, NULL);
	host_spawn(0, "reader", reader, NULL);
	host_spawn(0, "writer", writer, NULL);
}

static void check_rwlock(void)
{
	HOST_EXPECT(counter == 2 && rwlock.state.v == 0);
}

static const struct scenario rwlocks = { "rwlock", setup_rwlock, check_rwlock, 0 };

TEST(rwlock_excludes_and_everybody_gets_it)
{
	explore_all(&rwlocks, 1);
	explore_random(&rwlocks, 6000);
}
