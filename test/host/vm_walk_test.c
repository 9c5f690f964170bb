/*
 * Does a processor ever reach a page or a table that has been given back?
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
 *
 * The software walker looks at the count of each table that it reads and of each page that it
 * reaches, through its TLB as well (vm_explore_world.c).
 */
#include "core/user_copy.h"
#include "host_test.h"
#include "vm/space.h"
#include "vm_explore_world.h"

#define A 0x400000UL
#define B (A + PAGE_SIZE)

static struct space *parent, *child;
static uint32_t programs;

static struct space *make_space(void)
{
	struct area what = { .start = A, .end = B + PAGE_SIZE,
			     .flags = AREA_READ | AREA_WRITE | AREA_MAY_WRITE };
	struct space *s = space_create();

	HOST_EXPECT(s != NULL && space_map(s, &what, MAP_AT) == 0);
	return s;
}

static void leave(void)
{
	space_switch_current(NULL);
	if (__atomic_sub_fetch(&programs, 1, __ATOMIC_ACQ_REL) == 0)
		space_put(parent);
}

/* Two programs of the parent, whose child has the same tables: A is there, B is not. */
static void setup_two(void (*first)(void *arg), void (*second)(void *arg))
{
	uint32_t one = 1;

	programs = 2;
	parent = make_space();
	HOST_EXPECT(space_write(parent, A, &one, sizeof(one), false) == sizeof(one));
	HOST_EXPECT(space_fork(parent, 0, &child) == 0);
	space_get(parent);
	space_get(parent);
	host_spawn(1u << 0, "first", first, NULL);
	host_spawn(1u << 1, "second", second, NULL);
}

static void explore_it(const char *name, void (*setup)(void))
{
	const struct scenario s = { name, setup, NULL, 0 };

	explore_all(&s, 2);
	explore_random(&s, 1000);
}

/* --- a table --------------------------------------------------------------------------------- */

/* B is new: the tables on its way are copied, no translation changes. Then the old ones go. */
static void fill_and_drop_child(void *arg)
{
	space_switch_current(parent);
	store(B, 5);
	space_put(child);
	leave();
}

static void read_twice(void *arg)
{
	space_switch_current(parent);
	HOST_EXPECT(load(A) == 1);
	HOST_EXPECT(load(A) == 1);
	leave();
}

static void setup_table(void) { setup_two(fill_and_drop_child, read_twice); }

TEST(a_table_is_not_freed_under_a_walk) { explore_it("walk-table", setup_table); }

/* --- a page ---------------------------------------------------------------------------------- */

static void write_copy(void *arg)
{
	space_switch_current(parent);
	store(A, 2);
	leave();
}

static void read_and_drop_child(void *arg)
{
	uint32_t seen;

	space_switch_current(parent);
	(void)load(A);
	space_put(child);
	seen = load(A);
	HOST_EXPECT(seen == 1 || seen == 2);
	leave();
}

static void setup_page(void) { setup_two(write_copy, read_and_drop_child); }

TEST(a_page_is_not_freed_under_a_translation) { explore_it("walk-page", setup_page); }

/* --- a whole space --------------------------------------------------------------------------- */

static void live_twice(void *arg)
{
	for (uint32_t i = 1; i < 3; i++) {
		space_switch_current(make_space());
		HOST_EXPECT(load(A) == 0);
		store(A, i);
		HOST_EXPECT(load(A) == i);
		space_switch_current(NULL);
	}
}

static void setup_spaces(void)
{
	host_spawn(1u << 0, "lives", live_twice, NULL);
	host_spawn(1u << 1, "lives", live_twice, NULL);
}

TEST(a_new_space_has_nothing_of_the_one_before) { explore_it("walk-space", setup_spaces); }

__attribute__((constructor)) static void boot(void) { world_boot_once(2); }
