/*
 * Do futexes lose a wake-up, wake twice for one, or touch a waiter that has gone, whatever the
 * order of the processors?
 *
 * links: arch/host/stacks.c arch/host/machine.c arch/host/support.c arch/host/memory.c
 * links: arch/host/user_memory.c
 * links: core/percpu.c core/spinlock.c core/clock.c core/timer.c core/ipi.c core/trace.c
 * links: core/fail_point.c lib/number.c lib/rbtree.c lib/radix.c lib/string.c lib/string_bounded.c
 * links: lib/hash.c
 * links: sched/balance.c sched/idle.c sched/mutex.c sched/policy.c sched/runqueue.c sched/rwlock.c
 * links: sched/rt_limit.c sched/sleep.c sched/stats.c sched/switch.c sched/thread.c
 * links: sched/wait.c sched/wake.c
 * links: mem/boot_memory.c mem/buddy.c mem/page.c mem/slab.c mem/kmalloc.c mem/kvmap.c
 * links: vm/area_in_place.c vm/area_tree.c vm/fault.c vm/fault_anonymous.c vm/object.c
 * links: vm/object_reclaim.c vm/ptable_fold.c
 * links: vm/object_store.c vm/ptable.c
 * links: vm/ptable_copy.c vm/ptable_edit.c vm/ptable_pool.c vm/space.c vm/space_access.c
 * links: vm/fork_ahead.c vm/space_fork.c
 * links: vm/space_map.c
 * links: vm/space_object.c vm/space_protect.c vm/space_remap.c vm/space_tables.c vm/tlb.c
 * links: proc/futex.c proc/futex_pi.c
 * helpers: vm_explore_world.c virtual.c explore.c
 *
 * Programs are kernel threads with a task around them, in one space; the words are user memory.
 */
#include <string.h>

#include "abi/errno.h"
#include "core/user_copy.h"
#include "host_test.h"
#include "mem/page.h"
#include "proc/futex.h"
#include "proc/proc_internal.h"
#include "vm_explore_world.h"

#define WORD_A 0x400000UL
#define WORD_B 0x400800UL
#define ANY FUTEX_BITSET_MATCH_ANY
#define TASKS 4

static struct space *space;
static struct task tasks[TASKS];
static void (*parts[TASKS])(void);
static uint32_t task_total, running;
static long woken_by_wakers, woken_waiters;

/* --- tasks ------------------------------------------------------------------------------------ */

struct task *task_lookup(uint32_t tid)
{
	if (tid == 0 || tid > task_total || tasks[tid - 1].futex_dead)
		return NULL;
	thread_get(&tasks[tid - 1].thread);
	return &tasks[tid - 1];
}

/* What a waiter had on its stack is overwritten: a waker that still uses it gets nowhere. */
static never_inline void scribble(void)
{
	volatile unsigned char stack[2048];

	for (size_t i = 0; i < sizeof(stack); i++)
		stack[i] = 0xa5;
}

static void task_main(void *arg)
{
	struct task *task = arg;

	space_get(space);
	space_switch_current(space);
	parts[task->thread.id - 1]();
	scribble();
	futex_exit(task, true);
	space_switch_current(NULL);
	if (__atomic_sub_fetch(&running, 1, __ATOMIC_ACQ_REL) == 0) {
		space_put(space);
		page_drain_caches();
	}
	host_threads_live--;
	sched_exit();
}

static void task_spawn(cpu_mask_t mask, const char *name, void (*part)(void))
{
	struct task *task = &tasks[task_total];
	struct thread *t = &task->thread;

	memset(task, 0, sizeof(*task));
	HOST_EXPECT(thread_init(t, name) == 0);
	t->id = task_total + 1;
	t->affinity = mask != 0 ? mask : UINT32_MAX;
	t->destroy = thread_fini;
	parts[task_total++] = part;
	arch_thread_prepare_kernel(&t->arch, thread_stack_top(t), task_main, task);
	running++;
	host_threads_live++;
	sched_start(t);
}

/* --- user memory ------------------------------------------------------------------------------ */

static uint32_t exchange(uint64_t address, uint32_t value)
{
	uint32_t old = load(address), seen;

	for (;;) {
		HOST_EXPECT(user_compare_exchange32(user_addr(address), old, value, &seen) == 0);
		if (seen == old)
			return old;
		old = seen;
	}
}

static int wait_on(uint64_t address, uint32_t value, uint64_t deadline_ns)
{
	int error = futex_wait(user_addr(address), false, value, ANY, deadline_ns);

	scribble();
	return error;
}

static long wake_on(uint64_t address, uint32_t count)
{
	return futex_wake(user_addr(address), false, count, ANY);
}

/* --- a scenario ------------------------------------------------------------------------------- */

static void begin(void)
{
	struct area what = { .start = WORD_A, .end = WORD_A + PAGE_SIZE,
			     .flags = AREA_READ | AREA_WRITE | AREA_MAY_WRITE };
	uint32_t zero = 0;

	note_what_is_used();
	task_total = running = 0;
	woken_by_wakers = woken_waiters = 0;
	space = space_create();
	HOST_EXPECT(space != NULL && space_map(space, &what, MAP_AT) == 0);
	HOST_EXPECT(space_write(space, WORD_A, &zero, sizeof(zero), false) == sizeof(zero));
}

/* As many were woken as the wakers were told: no wake-up is lost, none is made of nothing. */
static void check_counts(void)
{
	check_nothing_left();
	HOST_EXPECT(woken_by_wakers == woken_waiters);
}

static void explore_it(const char *name, void (*setup)(void), void (*check)(void))
{
	const struct scenario s = { name, setup, check, 0 };

	explore_all(&s, 2);
	explore_random(&s, 1000);
}

/* --- a word set, its waiter woken ------------------------------------------------------------- */

static void wait_until_set(void)
{
	while (load(WORD_A) == 0) {
		int error = wait_on(WORD_A, 0, TIME_NEVER);

		HOST_EXPECT(error == 0 || error == -EAGAIN);
	}
}

static void set_and_wake(void)
{
	store(WORD_A, 1);
	HOST_EXPECT(wake_on(WORD_A, 1) <= 1);
}

static void setup_wake(void)
{
	begin();
	task_spawn(1u << 0, "waits", wait_until_set);
	task_spawn(1u << 1, "wakes", set_and_wake);
}

TEST(a_change_of_the_word_is_never_missed)
{
	explore_it("futex-wake", setup_wake, check_nothing_left);
}

static void setup_wake_here(void)
{
	begin();
	task_spawn(1u << 0, "waits", wait_until_set);
	task_spawn(1u << 0, "wakes", set_and_wake);
}

TEST(nor_on_one_processor)
{
	explore_it("futex-wake-here", setup_wake_here, check_nothing_left);
}

/* --- a lock ----------------------------------------------------------------------------------- */

static uint32_t inside, sum;

/* U. Drepper, "Futexes Are Tricky", the second mutex. */
static void add_locked(void)
{
	uint32_t seen;

	HOST_EXPECT(user_compare_exchange32(user_addr(WORD_A), 0, 1, &seen) == 0);
	if (seen != 0) {
		if (seen != 2)
			seen = exchange(WORD_A, 2);
		for (; seen != 0; seen = exchange(WORD_A, 2))
			(void)wait_on(WORD_A, 2, TIME_NEVER);
	}
	HOST_EXPECT(++inside == 1);
	arch_schedule_point();
	sum++;
	inside--;
	if (exchange(WORD_A, 0) == 2)
		(void)wake_on(WORD_A, 1);
}

static void setup_lock(void)
{
	begin();
	inside = sum = 0;
	task_spawn(1u << 0, "a", add_locked);
	task_spawn(1u << 1, "b", add_locked);
	task_spawn(0, "c", add_locked);
}

static void check_lock(void)
{
	check_nothing_left();
	HOST_EXPECT(sum == 3);
}

TEST(a_lock_of_futexes_excludes_and_is_handed_on)
{
	explore_it("futex-lock", setup_lock, check_lock);
}

/* --- a wake-up against a deadline and a signal ------------------------------------------------ */

static uint64_t moment_ns;

static void wait_a_moment(void)
{
	int error = wait_on(WORD_A, 0, clock_ns() + moment_ns);

	HOST_EXPECT(error == 0 || error == -ETIMEDOUT || error == -EAGAIN);
	if (error == 0)
		__atomic_add_fetch(&woken_waiters, 1, __ATOMIC_SEQ_CST);
}

static void wait_or_be_interrupted(void)
{
	int error = wait_on(WORD_A, 0, TIME_NEVER);

	HOST_EXPECT(error == 0 || error == -ERESTARTSYS);
	if (error == 0)
		__atomic_add_fetch(&woken_waiters, 1, __ATOMIC_SEQ_CST);
}

static void wake_one(void)
{
	woken_by_wakers += wake_on(WORD_A, 1);
}

static void interrupt_first(void)
{
	write_once(tasks[0].thread.pending_signal, true);
	(void)sched_wake_for_signal(&tasks[0].thread, false);
}

/* 1: has passed when the sleep begins; the wake-up can still come before the waiter has left. */
static void setup_deadline_passed(void)
{
	begin();
	moment_ns = 1;
	task_spawn(1u << 0, "waits", wait_a_moment);
	task_spawn(1u << 1, "wakes", wake_one);
}

static void setup_deadline(void)
{
	begin();
	moment_ns = 60;
	task_spawn(1u << 0, "waits", wait_a_moment);
	task_spawn(1u << 1, "wakes", wake_one);
}

static void setup_interrupted(void)
{
	begin();
	task_spawn(1u << 0, "waits", wait_or_be_interrupted);
	task_spawn(1u << 1, "wakes", wake_one);
	task_spawn(1u << 1, "interrupts", interrupt_first);
}

TEST(a_wake_up_counts_even_when_the_deadline_passes)
{
	explore_it("futex-deadline", setup_deadline, check_counts);
	explore_it("futex-deadline-passed", setup_deadline_passed, check_counts);
}

TEST(a_wake_up_counts_even_when_a_signal_comes)
{
	explore_it("futex-signal", setup_interrupted, check_counts);
}

/* --- requeue ---------------------------------------------------------------------------------- */

/* One is woken, the others move, and are woken where they are now. */
static void requeue_and_wake(void)
{
	uint32_t zero = 0;
	long done = 0;

	while (woken_by_wakers < 2) {
		done = futex_requeue(user_addr(WORD_A), user_addr(WORD_B), false, 1, 8, &zero);
		HOST_EXPECT(done >= 0);
		woken_by_wakers += done > 0;
		woken_by_wakers += wake_on(WORD_B, 8);
		arch_pause();
	}
}

static void setup_requeue(void)
{
	begin();
	task_spawn(1u << 0, "waits", wait_or_be_interrupted);
	task_spawn(0, "waits", wait_or_be_interrupted);
	task_spawn(1u << 1, "moves", requeue_and_wake);
}

TEST(a_moved_waiter_is_woken_where_it_is)
{
	explore_it("futex-requeue", setup_requeue, check_counts);
}

/* A waiter that leaves by its deadline while it is moved. */
static void requeue_once(void)
{
	(void)futex_requeue(user_addr(WORD_A), user_addr(WORD_B), false, 0, 8, NULL);
	woken_by_wakers += wake_on(WORD_B, 8);
}

static void setup_requeue_deadline(void)
{
	begin();
	moment_ns = 60;
	task_spawn(1u << 0, "waits", wait_a_moment);
	task_spawn(1u << 1, "moves", requeue_once);
}

TEST(a_waiter_leaves_the_queue_that_it_is_in)
{
	explore_it("futex-requeue-leave", setup_requeue_deadline, check_counts);
}

/* --- several words ---------------------------------------------------------------------------- */

static void wait_on_both(void)
{
	const struct futex_wait_one words[] = {
		{ user_addr(WORD_A), 0, false }, { user_addr(WORD_B), 0, false },
	};
	long index = futex_wait_many(words, 2, TIME_NEVER);

	scribble();
	HOST_EXPECT((index >= 0 && index < 2) || index == -EAGAIN);
}

static void set_b_and_wake(void)
{
	store(WORD_B, 1);
	(void)wake_on(WORD_B, 1);
}

static void setup_many(void)
{
	begin();
	task_spawn(1u << 0, "waits", wait_on_both);
	task_spawn(1u << 1, "wakes", set_b_and_wake);
	task_spawn(1u << 1, "wakes", set_and_wake);
}

TEST(one_of_several_words_ends_the_wait)
{
	explore_it("futex-many", setup_many, check_nothing_left);
}

/* --- locks with an owner ---------------------------------------------------------------------- */

static void add_owned(void)
{
	HOST_EXPECT(futex_lock_pi(user_addr(WORD_A), false, TIME_NEVER, false) == 0);
	HOST_EXPECT(++inside == 1);
	arch_schedule_point();
	sum++;
	inside--;
	HOST_EXPECT(futex_unlock_pi(user_addr(WORD_A), false) == 0);
}

static void setup_owned(void)
{
	begin();
	inside = sum = 0;
	task_spawn(1u << 0, "a", add_owned);
	task_spawn(1u << 1, "b", add_owned);
	task_spawn(0, "c", add_owned);
}

TEST(a_lock_with_an_owner_is_handed_over)
{
	explore_it("futex-pi", setup_owned, check_lock);
}

/* The owner ends: the next one is told that it was left behind, or that its owner is long gone. */
static void lock_and_go(void)
{
	int error = futex_lock_pi(user_addr(WORD_A), false, TIME_NEVER, false);

	HOST_EXPECT(error == 0 || error == -ESRCH);
}

static void setup_left(void)
{
	begin();
	task_spawn(1u << 0, "a", lock_and_go);
	task_spawn(1u << 1, "b", lock_and_go);
}

TEST(nobody_waits_for_an_owner_that_has_gone)
{
	explore_it("futex-pi-left", setup_left, check_nothing_left);
}

__attribute__((constructor)) static void boot(void)
{
	world_boot_once(2);
	futex_init();
}
