/*
 * A table copied in groups, a leaf table or one above, under every schedule: do threads and
 * processes that share it see what they should, and does nothing stay?
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
 * helpers: vm_explore_world.c virtual.c explore.c
 */
#include "core/atomic.h"
#include "host_test.h"
#include "mem/page.h"
#include "vm/ptable.h"
#include "vm/space.h"
#include "vm_explore_world.h"

#define A (1UL << 30)			/* where a level-2 table begins */
#define GROUPS 16UL			/* fewer are not copied in groups */
#define BESIDE span			/* the second entry of a group */
#define GROUP(i) (A + (i) * 16 * span)

static uint64_t span;			/* of an entry of the table */
static struct space *parent, *child;
static uint32_t programs;
static void set(struct space *s, uint64_t address, uint32_t value)
{
	HOST_EXPECT(space_write(s, address, &value, sizeof(value), false) == sizeof(value));
}

/* A parent with two entries in each of the groups, which hold their group's number; a child. */
static void make_spaces(void)
{
	struct area what = { .start = A, .end = GROUP(GROUPS),
			     .flags = AREA_READ | AREA_WRITE | AREA_MAY_WRITE |
				      AREA_NORESERVE };

	note_what_is_used();
	programs = 0;
	parent = space_create();
	HOST_EXPECT(parent != NULL && space_map(parent, &what, MAP_AT) == 0);
	for (uint32_t i = 0; i < GROUPS; i++) {
		set(parent, GROUP(i), i);
		set(parent, GROUP(i) + BESIDE, i);
	}
	HOST_EXPECT(space_fork(parent, 0, &child) == 0);
}

static void check_rest(struct space *s, uint32_t from)
{
	for (uint32_t i = from; i < GROUPS; i++)
		HOST_EXPECT(look(s, GROUP(i)) == i);
}

static void spawn_in(struct space *s, cpu_mask_t mask, const char *name, void (*entry)(void *arg))
{
	programs++;
	space_get(s);
	host_spawn(mask, name, entry, s);
}

/* The thread's own reference goes with it; the last one looks at what the parent has. */
static void leave(void)
{
	space_switch_current(NULL);
	if (__atomic_sub_fetch(&programs, 1, __ATOMIC_ACQ_REL) != 0)
		return;
	HOST_EXPECT(look(parent, GROUP(0)) == 10);
	check_rest(parent, 3);
	space_put(parent);
	page_drain_caches();
}

/* Three groups of the parent's: in groups, then the whole. */
static void write_in_parent(void *arg)
{
	space_switch_current(parent);
	store(GROUP(0), 10);
	HOST_EXPECT(load(GROUP(1)) == 1);
	store(GROUP(2), 12);
	HOST_EXPECT(load(GROUP(0)) == 10 && load(GROUP(0) + BESIDE) == 0);
	leave();
}

/* The same of the child's; then it ends, and the parent may be alone. */
static void write_in_child(void *arg)
{
	space_switch_current(child);
	store(GROUP(0), 20);
	store(GROUP(0) + BESIDE, 21);
	HOST_EXPECT(load(GROUP(2)) == 2);
	check_rest(child, 3);
	space_put(child);
	leave();
}

static void setup_both(void)
{
	make_spaces();
	spawn_in(parent, 1u << 0, "parent", write_in_parent);
	spawn_in(child, 1u << 1, "child", write_in_child);
}

static void explore_at_both_levels(const struct scenario *s)
{
	world_boot_once(2);
	for (span = PAGE_SIZE; span <= FOLD_BYTES; span *= PTE_ENTRIES) {
		explore_all(s, 2);
		explore_random(s, 600);
	}
}

TEST(parent_and_child_copy_in_groups_and_one_ends)
{
	const struct scenario s = { "part-both", setup_both, check_nothing_left, 0 };

	explore_at_both_levels(&s);
}

/* A second thread of the parent's reads and writes beside the first one. */
static void write_beside(void *arg)
{
	space_switch_current(parent);
	HOST_EXPECT(load(GROUP(5)) == 5);
	store(GROUP(0) + BESIDE, 0);
	HOST_EXPECT(load(GROUP(1) + BESIDE) == 1);
	leave();
}

static void drop_child(void *arg)
{
	space_switch_current(parent);
	HOST_EXPECT(load(GROUP(3)) == 3);
	check_rest(child, 0);
	space_put(child);
	leave();
}

static void setup_drop(void)
{
	make_spaces();
	spawn_in(parent, 1u << 0, "first", write_in_parent);
	spawn_in(parent, 1u << 1, "second", write_beside);
	spawn_in(parent, 1u << 1, "drop", drop_child);
}

TEST(threads_copy_in_groups_while_the_child_goes)
{
	const struct scenario s = { "part-drop", setup_drop, check_nothing_left, 0 };

	explore_at_both_levels(&s);
}
