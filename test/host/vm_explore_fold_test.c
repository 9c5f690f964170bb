/*
 * 2 MiB leaves under every schedule: do two processors see one memory while a leaf is shared,
 * unfolded, cut and dropped?
 *
 * links: arch/host/stacks.c arch/host/machine.c arch/host/support.c arch/host/memory.c
 * links: arch/host/user_memory.c
 * links: core/percpu.c core/spinlock.c core/clock.c core/timer.c core/ipi.c core/trace.c
 * links: core/fail_point.c lib/number.c lib/rbtree.c lib/radix.c lib/string.c lib/string_bounded.c
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
 * links: vm/space_usage.c
 * helpers: vm_explore_world.c virtual.c explore.c
 *
 * Programs are kernel threads that use user memory by a software walk with a TLB per processor.
 */
#include "core/user_copy.h"
#include "vm/space.h"
#include "vm_explore_pair.h"

static uint64_t huge_in(struct space *s, uint64_t start, uint64_t end)
{
	struct space_usage u = { 0 };

	space_usage(s, start, end, &u);
	return u.huge;
}

#define LARGE_BYTES (2UL << 20)
#define L 0xa00000UL
#define L_NEAR (L + 0x5000)

/* A scenario's start, with a 2 MiB leaf whose first word is 1. */
static void begin_with_leaf(void (*end)(void))
{
	struct area what = { .start = L, .end = L + LARGE_BYTES,
			     .flags = AREA_READ | AREA_WRITE | AREA_MAY_WRITE | AREA_HUGE };
	uint32_t one = 1;

	begin(end);
	HOST_EXPECT(space_map(parent, &what, MAP_AT) == 0);
	HOST_EXPECT(space_write(parent, L, &one, sizeof(one), false) == sizeof(one));
	HOST_EXPECT(huge_in(parent, L, L + LARGE_BYTES) == LARGE_BYTES / PAGE_SIZE);
}

static void write_large_first(void *arg)
{
	space_switch_current(parent);
	(void)load(L);
	store(L, 2);
	store_release(&flag, 1);
	HOST_EXPECT(load(L) == 2);
	leave();
}

static void write_large_near(void *arg)
{
	space_switch_current(parent);
	(void)load(L);
	arch_schedule_point();
	if (load_acquire(&flag))
		HOST_EXPECT(load(L) == 2);
	store(L_NEAR, 3);
	HOST_EXPECT(load(L_NEAR) == 3);
	if (load_acquire(&flag))
		HOST_EXPECT(load(L) == 2);
	leave();
}

static void end_large_copy(void)
{
	HOST_EXPECT(look(parent, L) == 2 && look(parent, L_NEAR) == 3);
	HOST_EXPECT(look(child, L) == 1 && look(child, L_NEAR) == 0);
	HOST_EXPECT(huge_in(child, L, L + LARGE_BYTES) != 0);
	space_put(parent);
	space_put(child);
}

static void setup_large_copy(void)
{
	begin_with_leaf(end_large_copy);
	HOST_EXPECT(space_fork(parent, 0, &child) == 0);
	spawn_in(1u << 0, "first", write_large_first);
	spawn_in(1u << 1, "near", write_large_near);
}

TEST(a_shared_2_mib_leaf_is_unfolded_under_two_writers)
{
	explore_pair("large-copy", setup_large_copy);
}

static void fork_large(void *arg)
{
	space_switch_current(parent);
	HOST_EXPECT(space_fork(parent, 0, &child) == 0);
	store_release(&flag, 1);
	store(L_NEAR, 4);
	leave();
}

static void write_around_large_fork(void *arg)
{
	space_switch_current(parent);
	store(L, 5);
	wrote_after = load_acquire(&flag);
	store(L, 6);
	leave();
}

static void end_large_fork(void)
{
	uint32_t seen = look(child, L);

	HOST_EXPECT(look(parent, L) == 6 && look(parent, L_NEAR) == 4);
	HOST_EXPECT(look(child, L_NEAR) == 0);
	HOST_EXPECT(seen == 1 || seen == 5 || (seen == 6 && !wrote_after));
	space_put(parent);
	space_put(child);
}

static void setup_large_fork(void)
{
	begin_with_leaf(end_large_fork);
	spawn_in(1u << 0, "forks", fork_large);
	spawn_in(1u << 1, "writes", write_around_large_fork);
}

TEST(a_child_sees_nothing_written_to_a_2_mib_leaf_after_the_fork)
{
	explore_pair("large-fork", setup_large_fork);
}

static void cut_large(void *arg)
{
	space_switch_current(parent);
	HOST_EXPECT(space_unmap(parent, L_NEAR, L_NEAR + PAGE_SIZE) == 0);
	store_release(&flag, 1);
	HOST_EXPECT(load(L) >= 1);
	leave();
}

static void write_what_is_cut(void *arg)
{
	space_switch_current(parent);
	for (uint32_t i = 0; i < 2; i++) {
		bool gone = load_acquire(&flag);
		int error = user_store32(user_addr(L_NEAR), 0xdead);

		HOST_EXPECT(error == 0 || error == -EFAULT);
		HOST_EXPECT(!gone || error == -EFAULT);
		store(L, 7 + i);
		HOST_EXPECT(load(L) == 7 + i);
	}
	leave();
}

static void setup_large_cut(void)
{
	begin_with_leaf(end_unmap);
	spawn_in(1u << 0, "cuts", cut_large);
	spawn_in(1u << 1, "writes", write_what_is_cut);
}

TEST(a_2_mib_leaf_is_cut_while_another_writes)
{
	explore_pair("large-cut", setup_large_cut);
}

static void fork_large_and_drop(void *arg)
{
	struct space *c;

	space_switch_current(parent);
	HOST_EXPECT(space_fork(parent, 0, &c) == 0);
	store(L, 8);
	space_put(c);
	HOST_EXPECT(load(L) == 8);
	leave();
}

static void fork_large_write_in_child(void *arg)
{
	struct space *c;

	space_switch_current(parent);
	HOST_EXPECT(space_fork(parent, 0, &c) == 0);
	space_switch_current(c);
	store(L_NEAR, 9);
	HOST_EXPECT(load(L_NEAR) == 9);
	leave();
}

static void setup_large_storm(void)
{
	begin_with_leaf(end_unmap);
	spawn_in(1u << 0, "drops", fork_large_and_drop);
	spawn_in(1u << 1, "child", fork_large_write_in_child);
}

TEST(spaces_that_share_2_mib_leaves_end_in_any_order)
{
	explore_pair("large-end", setup_large_storm);
}
