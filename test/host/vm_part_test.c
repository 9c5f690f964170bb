/*
 * Is a table that is copied in groups, a leaf table or one above, the same to its program as one
 * that was copied at once, and does nothing stay of what it was a copy of?
 *
 * links: arch/host/memory.c arch/host/support.c core/percpu.c core/spinlock.c core/fail_point.c
 * links: lib/rbtree.c lib/radix.c lib/string.c lib/string_bounded.c
 * links: mem/boot_memory.c mem/buddy.c mem/page.c mem/slab.c mem/kmalloc.c mem/kvmap.c
 * links: vm/area_in_place.c vm/area_tree.c vm/fault.c vm/fault_anonymous.c vm/object.c
 * links: vm/object_reclaim.c vm/ptable_fold.c
 * links: vm/object_store.c vm/ptable.c
 * links: vm/ptable_copy.c vm/ptable_edit.c vm/ptable_pool.c vm/space.c vm/space_access.c
 * links: vm/fork_ahead.c vm/space_fork.c
 * links: vm/space_map.c
 * links: vm/space_object.c vm/space_protect.c vm/space_remap.c vm/space_tables.c vm/tlb.c
 * helpers: vm_world.c
 */
#include "abi/errno.h"
#include "abi/mman.h"
#include "vm/ptable_internal.h"
#include "vm_steps.h"

#define PAGES 512u

/* A space whose table is full, entry i holding i. */
static struct space *begin_full(void)
{
	struct space *a = begin();

	map_anonymous(a, 0, PAGES);
	for (unsigned int i = 0; i < PAGES; i++)
		poke(a, i, i);
	return a;
}

/* Of pages, entries of a leaf table; and of the first pages of 2 MiB each, of a level-2 table. */
#define TEST_OF_BOTH_LEVELS(name)						\
	static void name##_at(void);						\
	TEST(name) { stride = 1; name##_at(); }					\
	TEST(name##_a_level_up) { stride = 512; name##_at(); }			\
	static void name##_at(void)

/* Of what the table's entry leads to. */
static uint32_t holders(struct space *s, unsigned int i)
{
	struct page *page = phys_to_page(s->root);
	unsigned int last = stride == 1 ? 1 : 2;

	for (unsigned int level = PTE_LEVELS; level >= last; level--)
		page = entry_child(table_entry(page, pte_index(at(i), level)));
	return page_count(page);
}

static void check_values(struct space *s, unsigned int from, unsigned int end)
{
	for (unsigned int i = from; i < end; i++)
		CHECK_EQUAL(peek(s, i), i);
}

static void check_all(struct space *a, struct space *b, struct space *c)
{
	world_check_references((struct space *[]){ a, b, c }, 3, NULL, 0);
}

TEST_OF_BOTH_LEVELS(groups_are_copied_as_they_are_touched_and_the_third_completes)
{
	struct space *a = begin_full(), *b = fork_of(a);
	uint64_t value = 0;

	poke(b, 5, 500);
	CHECK_EQUAL(holders(b, 5), 1);
	CHECK_EQUAL(holders(a, 6), 2);
	CHECK_EQUAL(holders(a, 41), 1);
	check_all(a, b, NULL);
	CHECK_EQUAL(space_resident_pages(b), PAGES);
	CHECK_EQUAL(space_read(b, at(300), &value, sizeof(value)), sizeof(value));
	CHECK_EQUAL(value, 300);
	CHECK_EQUAL(peek(b, 40), 40);
	CHECK_EQUAL(holders(a, 41), 2);
	CHECK_EQUAL(holders(a, 101), 1);
	check_all(a, b, NULL);
	CHECK_EQUAL(peek(b, 100), 100);
	/* What is read a level up has got a leaf table of its own. */
	for (unsigned int i = 6; i < PAGES; i++)
		if (i != 40 && i != 100)
			CHECK_EQUAL(holders(b, i), 2);
	check_all(a, b, NULL);
	check_values(a, 0, PAGES);
	check_values(b, 6, PAGES);
	world_run(NULL);
	space_put(b);
	end(a);
}

TEST_OF_BOTH_LEVELS(when_the_others_are_gone_nothing_more_is_copied_and_nothing_stays)
{
	struct space *a = begin_full(), *b;
	struct world_counts c0, c1;

	world_count(&c0);
	b = fork_of(a);
	poke(a, 5, 5);
	poke(a, 40, 40);
	space_put(b);
	check_all(a, NULL, NULL);
	for (unsigned int i = 0; i < PAGES; i++)
		poke(a, i, i);
	CHECK_EQUAL(atomic64_load(&a->copied_pages), 2);
	world_count(&c1);
	CHECK_EQUAL(c1.anon, c0.anon);
	CHECK_EQUAL(c1.table, c0.table);
	check_all(a, NULL, NULL);
	check_values(a, 0, PAGES);
	end(a);
}

TEST_OF_BOTH_LEVELS(a_copy_in_progress_is_shared_and_copied_itself)
{
	struct space *a = begin_full(), *b = fork_of(a), *c;

	poke(a, 5, 1005);
	c = fork_of(a);
	check_all(a, b, c);
	poke(c, 6, 2006);
	check_all(a, b, c);
	poke(a, 200, 1200);
	poke(b, 300, 3300);
	check_all(a, b, c);
	CHECK_EQUAL(peek(c, 5), 1005);
	CHECK_EQUAL(peek(c, 200), 200);
	CHECK_EQUAL(peek(c, 300), 300);
	CHECK_EQUAL(peek(b, 5), 5);
	CHECK_EQUAL(peek(a, 6), 6);
	check_all(a, b, c);
	world_run(NULL);
	space_put(a);
	check_all(b, c, NULL);
	poke(c, 7, 2007);
	poke(c, 500, 2500);
	check_values(b, 0, 300);
	CHECK_EQUAL(peek(b, 7), 7);
	check_all(b, c, NULL);
	world_run(NULL);
	space_put(b);
	check_values(c, 8, 500);
	CHECK_EQUAL(peek(c, 6), 2006);
	end(c);
}

/* Each in a copy in progress, whose group for page 5 alone is its own. */
TEST_OF_BOTH_LEVELS(what_changes_more_than_a_group_completes_the_copy)
{
	struct space *a = begin_full(), *b;

	for (int what = 0; what < 4; what++) {
		b = fork_of(a);
		poke(b, 5, 500);
		if (what == 0)
			CHECK_EQUAL(space_unmap(b, at(100), at(200)), 0);
		else if (what == 1)
			CHECK_EQUAL(space_protect(b, at(100), at(200), 0), 0);
		else if (what == 2)
			CHECK_EQUAL(space_advise(b, at(100), at(200), MADV_DONTNEED), 0);
		else
			CHECK_EQUAL(space_unmap(b, at(0), at(PAGES)), 0);
		check_all(a, b, NULL);
		if (what == 2)
			CHECK_EQUAL(peek(b, 150), 0);
		if (what < 3) {
			check_values(b, 6, 100);
			check_values(b, 200, PAGES);
		}
		check_values(a, 0, PAGES);
		check_all(a, b, NULL);
		world_run(NULL);
		space_put(b);
	}
	end(a);
}

TEST(pages_that_come_ahead_end_where_the_base_begins)
{
	struct space *a, *b;

	stride = 1;
	a = begin();
	map_anonymous(a, 0, PAGES);
	for (unsigned int i = PAGES; i-- > 0;)
		if (i < 13 || i > 15)
			poke(a, i, i);
	b = fork_of(a);
	for (unsigned int i = 8; i < 14; i++)
		poke(b, i, i);
	CHECK_EQUAL(peek(b, 14), 0);
	check_values(b, 16, PAGES);
	check_all(a, b, NULL);
	world_run(NULL);
	space_put(b);
	end(a);
}
