/*
 * Do processors that share a space ever see stale memory, or write to memory that is another's?
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
#include "abi/errno.h"
#include "core/fail_point.h"
#include "core/user_copy.h"
#include "vm/space.h"
#include "vm_explore_pair.h"

#define B 0x800000UL
#define SHARED_WORD 4

/* --- both copy one page on write ------------------------------------------------------------- */

static bool pages_are_scarce;
static uint64_t fail_nth[2];		/* by processor: that allocation fails */

static uint64_t *fail_counter(void) { return &fail_nth[cpu_id()]; }

/* As store(); when pages are scarce none is at hand in the fault's first look. */
static void store_first(uint64_t address, uint32_t value)
{
	fail_nth[cpu_id()] = pages_are_scarce;
	store(address, value);
	fail_nth[cpu_id()] = 0;
}

static void write_first_word(void *arg)
{
	space_switch_current(parent);
	(void)load(A);
	store_first(A, 2);
	store_release(&flag, 1);
	HOST_EXPECT(load(A) == 2);
	leave();
}

static void write_second_word(void *arg)
{
	space_switch_current(parent);
	(void)load(A);
	arch_schedule_point();
	if (load_acquire(&flag))
		HOST_EXPECT(load(A) == 2);
	store_first(A + SHARED_WORD, 3);
	HOST_EXPECT(load(A + SHARED_WORD) == 3);
	if (load_acquire(&flag))
		HOST_EXPECT(load(A) == 2);
	leave();
}

static void end_copy(void)
{
	HOST_EXPECT(look(parent, A) == 2 && look(parent, A + SHARED_WORD) == 3);
	HOST_EXPECT(look(child, A) == 1 && look(child, A + SHARED_WORD) == 0);
	space_put(parent);
	space_put(child);
}

static void setup_copy(void)
{
	pages_are_scarce = false;
	begin_with_page(end_copy);
	HOST_EXPECT(space_fork(parent, 0, &child) == 0);
	spawn_in(1u << 0, "first", write_first_word);
	spawn_in(1u << 1, "second", write_second_word);
}

/* The tables are the parent's own: the page alone is replaced. */
static void setup_copy_of_page(void)
{
	uint32_t one = 1;

	pages_are_scarce = false;
	begin_with_page(end_copy);
	map_page(parent, A + PAGE_SIZE);
	for (int i = 0; i < 2; i++) {
		HOST_EXPECT(space_write(parent, A + PAGE_SIZE, &one, sizeof(one), false) ==
			    sizeof(one));
		if (i == 0)
			HOST_EXPECT(space_fork(parent, 0, &child) == 0);
	}
	spawn_in(1u << 0, "first", write_first_word);
	spawn_in(1u << 1, "second", write_second_word);
}

static void setup_copy_when_scarce(void)
{
	setup_copy_of_page();
	fail_point_set_counter(fail_counter);
	pages_are_scarce = true;
}

TEST(two_writers_copy_a_shared_page_once)
{
	explore_pair("copy", setup_copy);
}

TEST(two_writers_copy_a_page_of_their_own_table)
{
	explore_pair("copy-page", setup_copy_of_page);
}

/* So each copies it without the lock, and one is overtaken. */
TEST(two_writers_copy_a_page_when_none_is_at_hand)
{
	explore_pair("copy-late", setup_copy_when_scarce);
}

/* --- fork while the other writes ------------------------------------------------------------- */

static uint64_t stack;		/* what the fork is told of the stack pointer */

static void fork_parent(void *arg)
{
	space_switch_current(parent);
	HOST_EXPECT(space_fork(parent, stack, &child) == 0);
	store_release(&flag, 1);
	leave();
}

static void write_around_fork(void *arg)
{
	space_switch_current(parent);
	store(A, 5);
	wrote_after = load_acquire(&flag);
	store(A, 6);
	leave();
}

static void end_fork(void)
{
	uint32_t seen = look(child, A);

	HOST_EXPECT(look(parent, A) == 6);
	HOST_EXPECT(seen == 1 || seen == 5 || (seen == 6 && !wrote_after));
	space_put(parent);
	space_put(child);
}

static void setup_fork_with(uint64_t stack_pointer, bool remembered)
{
	uint32_t one = 1;

	begin_with_page(end_fork);
	stack = stack_pointer;
	if (remembered) {
		HOST_EXPECT(space_fork(parent, 0, &child) == 0);
		HOST_EXPECT(space_write(parent, A, &one, sizeof(one), false) == sizeof(one));
		HOST_EXPECT(parent->written.count == 1);
		space_put(child);
	}
	spawn_in(1u << 0, "forks", fork_parent);
	spawn_in(1u << 1, "writes", write_around_fork);
}

static void setup_fork(void) { setup_fork_with(0, false); }
static void setup_fork_on_stack(void) { setup_fork_with(A + 8, false); }
static void setup_fork_again(void) { setup_fork_with(0, true); }

TEST(a_child_sees_nothing_written_after_the_fork)
{
	explore_pair("fork", setup_fork);
}

/* The page is copied by the fork itself, while the other may still write to the old one. */
TEST(nothing_is_lost_that_is_written_while_a_fork_copies_the_page)
{
	explore_pair("fork-on-stack", setup_fork_on_stack);
	explore_pair("fork-again", setup_fork_again);
}

/* --- one reads what another wrote to the copy ------------------------------------------------ */

static void copy_page(void *arg)
{
	space_switch_current(parent);
	store(A + SHARED_WORD, 3);
	leave();
}

static void fork_that_copies(void *arg)
{
	space_switch_current(parent);
	HOST_EXPECT(space_fork(parent, A, &child) == 0);
	leave();
}

static void write_and_tell(void *arg)
{
	space_switch_current(parent);
	store(A, 2);
	store_release(&flag, 1);
	leave();
}

static void read_when_told(void *arg)
{
	space_switch_current(parent);
	(void)load(A);
	arch_schedule_point();
	if (load_acquire(&flag))
		HOST_EXPECT(load(A) == 2);
	leave();
}

static void end_told(void)
{
	HOST_EXPECT(look(parent, A) == 2);
	space_put(parent);
	space_put(child);
}

static void setup_told(void)
{
	begin_with_page(end_told);
	HOST_EXPECT(space_fork(parent, 0, &child) == 0);
	spawn_in(1u << 0, "copies", copy_page);
	spawn_in(1u << 1, "tells", write_and_tell);
	spawn_in(1u << 2, "is told", read_when_told);
}

static void setup_told_in_fork(void)
{
	begin_with_page(end_told);
	spawn_in(1u << 0, "forks", fork_that_copies);
	spawn_in(1u << 1, "tells", write_and_tell);
	spawn_in(1u << 2, "is told", read_when_told);
}

TEST(who_was_told_of_a_write_to_a_copy_reads_it)
{
	explore_pair("told", setup_told);
	explore_pair("told-in-fork", setup_told_in_fork);
}

/* --- fork while another process writes to the parent ----------------------------------------- */

static uint32_t seen_at_fork;

static void fork_and_look(void *arg)
{
	space_switch_current(parent);
	HOST_EXPECT(space_fork(parent, 0, &child) == 0);
	seen_at_fork = look(child, A);
	leave();
}

static void write_from_outside(void *arg)
{
	uint32_t value = 6;

	HOST_EXPECT(space_write(parent, A, &value, sizeof(value), true) == sizeof(value));
	space_switch_current(parent);
	leave();
}

static void end_outside(void)
{
	HOST_EXPECT(look(parent, A) == 6);
	HOST_EXPECT(look(child, A) == seen_at_fork);
	space_put(parent);
	space_put(child);
}

static void setup_outside(void)
{
	begin_with_page(end_outside);
	spawn_in(1u << 0, "forks", fork_and_look);
	spawn_in(1u << 1, "writes", write_from_outside);
}

TEST(a_child_keeps_what_it_had_when_another_process_writes_to_the_parent)
{
	explore_pair("outside", setup_outside);
}

/* --- another process writes while the program's own faults are under way --------------------- */

static bool write_by_force;	/* as a debugger: without a fault first */

static void write_first_word_only(void *arg)
{
	space_switch_current(parent);
	store(A, 2);
	leave();
}

/* After the store the page is writable, and the other's fault may still wait for its turn. */
static void write_and_poke(void *arg)
{
	uint32_t value = 4;

	space_switch_current(parent);
	if (!write_by_force)
		store(A + SHARED_WORD, 3);
	HOST_EXPECT(space_write(parent, A + 2 * SHARED_WORD, &value, sizeof(value),
				write_by_force) == sizeof(value));
	leave();
}

static void end_poke(void)
{
	HOST_EXPECT(look(parent, A) == 2 && look(parent, A + 2 * SHARED_WORD) == 4);
	HOST_EXPECT(write_by_force || look(parent, A + SHARED_WORD) == 3);
	space_put(parent);
}

/* The page is the parent's alone again, and not writable yet. */
static void setup_poke(void)
{
	begin_with_page(end_poke);
	HOST_EXPECT(space_fork(parent, 0, &child) == 0);
	space_put(child);
	spawn_in(1u << 0, "writes", write_first_word_only);
	spawn_in(1u << 1, "pokes", write_and_poke);
}

TEST(a_write_from_outside_is_not_lost_to_a_fault_that_waited)
{
	write_by_force = false;
	explore_pair("poke", setup_poke);
}

TEST(a_write_by_force_is_not_lost_to_a_fault)
{
	write_by_force = true;
	explore_pair("poke-force", setup_poke);
}

/* --- unmap while the other uses the page ----------------------------------------------------- */

static void unmap_and_reuse(void *arg)
{
	space_switch_current(parent);
	HOST_EXPECT(space_unmap(parent, A, A + PAGE_SIZE) == 0);
	store_release(&flag, 1);
	/* The frame comes back for another page: nobody writes to it through the old address. */
	store(B, 7);
	for (int i = 0; i < 3; i++) {
		arch_schedule_point();
		HOST_EXPECT(load(B) == 7);
	}
	leave();
}

static void write_while_it_lasts(void *arg)
{
	space_switch_current(parent);
	for (int i = 0; i < 3; i++) {
		bool gone = load_acquire(&flag);
		int error = user_store32(user_addr(A), 0xdead);

		HOST_EXPECT(error == 0 || error == -EFAULT);
		HOST_EXPECT(!gone || error == -EFAULT);
	}
	leave();
}

static void setup_unmap(void)
{
	begin_with_page(end_unmap);
	map_page(parent, B);
	spawn_in(1u << 0, "unmaps", unmap_and_reuse);
	spawn_in(1u << 1, "writes", write_while_it_lasts);
}

TEST(an_unmapped_page_is_out_of_reach_when_unmap_returns)
{
	explore_pair("unmap", setup_unmap);
}

/* --- protect against write ------------------------------------------------------------------- */

static void protect_page(void *arg)
{
	uint32_t seen;

	space_switch_current(parent);
	HOST_EXPECT(space_protect(parent, A, A + PAGE_SIZE, AREA_READ) == 0);
	seen = load(A);
	arch_schedule_point();
	HOST_EXPECT(load(A) == seen);
	leave();
}

static void write_twice(void *arg)
{
	space_switch_current(parent);
	for (uint32_t i = 0; i < 2; i++)
		(void)!user_store32(user_addr(A), 10 + i);
	leave();
}

static void setup_protect(void)
{
	begin_with_page(end_unmap);
	spawn_in(1u << 0, "protects", protect_page);
	spawn_in(1u << 1, "writes", write_twice);
}

TEST(a_protected_page_does_not_change_any_more)
{
	explore_pair("protect", setup_protect);
}

/* --- the last user leaves while a fork of it dies -------------------------------------------- */

static void fork_and_drop(void *arg)
{
	struct space *c;

	space_switch_current(parent);
	HOST_EXPECT(space_fork(parent, 0, &c) == 0);
	store(A, 8);
	space_put(c);
	HOST_EXPECT(load(A) == 8);
	leave();
}

static void fork_write_in_child(void *arg)
{
	struct space *c;

	space_switch_current(parent);
	HOST_EXPECT(space_fork(parent, 0, &c) == 0);
	space_switch_current(c);
	store(A, 9);
	HOST_EXPECT(load(A) == 9);
	leave();
}

static void setup_storm(void)
{
	begin_with_page(end_unmap);
	spawn_in(1u << 0, "drops", fork_and_drop);
	spawn_in(1u << 1, "child", fork_write_in_child);
}

TEST(spaces_that_share_tables_end_in_any_order)
{
	explore_pair("end", setup_storm);
}
