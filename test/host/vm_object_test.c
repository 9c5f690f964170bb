/*
 * Do truncation, write-back, reclaim and faults on other processors agree about each page of a
 * file?
 *
 * links: arch/host/stacks.c arch/host/machine.c arch/host/support.c arch/host/memory.c
 * links: arch/host/user_memory.c
 * links: core/percpu.c core/spinlock.c core/clock.c core/timer.c core/ipi.c core/trace.c
 * links: core/fail_point.c lib/rbtree.c lib/radix.c lib/string.c lib/string_bounded.c
 * links: lib/number.c
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
#include "abi/errno.h"
#include "core/user_copy.h"
#include "host_test.h"
#include "mem/page.h"
#include "vm/object_internal.h"
#include "vm/space.h"
#include "vm_explore_world.h"

#define A 0x400000UL
#define FILE_VALUE 0xf11e

static struct space *space, *child;
static struct object file;
static uint32_t programs, disk;

static int read_page(struct object *o, struct page *page)
{
	arch_page_clear(page_address(page));
	*(uint32_t *)page_address(page) = disk;
	return 0;
}

static int write_page(struct object *o, struct page *page, size_t bytes)
{
	disk = *(uint32_t *)page_address(page);
	return 0;
}

static const struct object_ops file_ops = { .read_page = read_page, .write_page = write_page };

static void start(uint32_t sharing)
{
	struct area what = { .start = A, .end = A + PAGE_SIZE, .object = &file,
			     .flags = AREA_READ | AREA_WRITE | AREA_MAY_WRITE | sharing };

	programs = 0;
	disk = FILE_VALUE;
	note_what_is_used();
	object_init(&file, &file_ops);
	file.size_bytes = PAGE_SIZE;
	space = space_create();
	child = NULL;
	object_get(&file);
	HOST_EXPECT(space_map(space, &what, MAP_AT) == 0);
}

/* The last one out looks at what is left. */
static void leave(void (*at_the_end)(void))
{
	space_switch_current(NULL);
	if (__atomic_sub_fetch(&programs, 1, __ATOMIC_ACQ_REL) != 0)
		return;
	at_the_end();
	space_put(space);
	object_fini(&file);
	page_drain_caches();
	check_nothing_left();
}

static void spawn(uint32_t cpu, void (*entry)(void *arg))
{
	programs++;
	space_get(space);
	host_spawn(1u << cpu, "program", entry, NULL);
}

/* --- truncation against faults ---------------------------------------------------------------- */

static void nothing_is_mapped(void)
{
	uint32_t value;

	/* The cache may have a page behind the end (a write extends the file last), tables not. */
	HOST_EXPECT(space_resident_pages(space) == 0);
	HOST_EXPECT(space_read(space, A, &value, sizeof(value)) == 0);
}

static void truncate_it(void *arg)
{
	space_switch_current(space);
	object_truncate(&file, 0);
	leave(nothing_is_mapped);
}

static void read_it(void *arg)
{
	uint32_t value;

	space_switch_current(space);
	for (int i = 0; i < 2; i++)
		if (user_load32(user_addr(A), &value) == 0)
			HOST_EXPECT(value == FILE_VALUE || value == 0);
	leave(nothing_is_mapped);
}

static void write_it(void *arg)
{
	int error;

	space_switch_current(space);
	error = user_store32(user_addr(A), 7);
	HOST_EXPECT(error == 0 || error == -EFAULT);
	leave(nothing_is_mapped);
}

static void setup_truncate_read(void)
{
	start(0);
	spawn(0, truncate_it);
	spawn(1, read_it);
}

static void setup_truncate_write(void)
{
	start(0);
	spawn(0, truncate_it);
	spawn(1, write_it);
}

static void setup_truncate_shared(void)
{
	start(AREA_SHARED);
	spawn(0, truncate_it);
	spawn(1, write_it);
}

/* --- truncation against fork: the child stands behind its parent on the list */

static void child_has_nothing(void)
{
	nothing_is_mapped();
	if (child != NULL) {
		HOST_EXPECT(space_resident_pages(child) == 0);
		space_put(child);
	}
}

static void truncate_forked(void *arg)
{
	space_switch_current(space);
	object_truncate(&file, 0);
	leave(child_has_nothing);
}

static void read_and_fork(void *arg)
{
	uint32_t value;

	space_switch_current(space);
	(void)!user_load32(user_addr(A), &value);
	HOST_EXPECT(space_fork(space, 0, &child) == 0);
	leave(child_has_nothing);
}

static void setup_truncate_fork(void)
{
	start(0);
	spawn(0, truncate_forked);
	spawn(1, read_and_fork);
}

/* --- write-back against writers --------------------------------------------------------------- */

static void disk_is_current(void)
{
	HOST_EXPECT(object_sync(&file, 0, UINT64_MAX) == 0);
	HOST_EXPECT(disk == 9);
}

static void sync_it(void *arg)
{
	space_switch_current(space);
	HOST_EXPECT(object_sync(&file, 0, UINT64_MAX) == 0);
	leave(disk_is_current);
}

static void write_twice(void *arg)
{
	space_switch_current(space);
	HOST_EXPECT(user_store32(user_addr(A), 8) == 0);
	HOST_EXPECT(user_store32(user_addr(A), 9) == 0);
	leave(disk_is_current);
}

static void setup_sync(void)
{
	start(AREA_SHARED);
	spawn(0, sync_it);
	spawn(1, write_twice);
}

/* --- reclaim against readers ------------------------------------------------------------------ */

static void nothing_to_see(void) { }

static void reclaim_it(void *arg)
{
	space_switch_current(space);
	object_reclaim(10);
	object_reclaim(10);
	leave(nothing_to_see);
}

static void read_twice(void *arg)
{
	uint32_t value;

	space_switch_current(space);
	for (int i = 0; i < 2; i++) {
		struct page *page;

		HOST_EXPECT(object_get_page(&file, 0, true, &page) == 0);
		HOST_EXPECT(*(uint32_t *)page_address(page) == FILE_VALUE);
		page_put(page);
	}
	HOST_EXPECT(user_load32(user_addr(A), &value) == 0 && value == FILE_VALUE);
	leave(nothing_to_see);
}

static void setup_reclaim(void)
{
	start(0);
	spawn(0, reclaim_it);
	spawn(1, read_twice);
	spawn(2, read_twice);
}

static void check_none(void) { }

#define SCENARIO(name_, setup_) \
	TEST(name_) \
	{ \
		static const struct scenario s = { #name_, setup_, check_none, 0 }; \
		world_boot_once(3); \
		explore_all(&s, 1); \
		explore_random(&s, 600); \
	}

SCENARIO(a_truncated_page_is_not_read_afterwards, setup_truncate_read)
SCENARIO(no_private_copy_outlives_a_truncation, setup_truncate_write)
SCENARIO(no_shared_page_outlives_a_truncation, setup_truncate_shared)
SCENARIO(a_forked_child_is_truncated_as_well, setup_truncate_fork)
SCENARIO(write_back_loses_no_write, setup_sync)
SCENARIO(reclaim_takes_only_what_nobody_holds, setup_reclaim)
