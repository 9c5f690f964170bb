/*
 * Do 2 MiB leaves come where they should, and are they shared, cut, copied and dropped without a
 * trace, in tables, counts and translation caches?
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
 * links: vm/space_usage.c
 * helpers: vm_world.c
 */
#include "abi/errno.h"
#include "abi/mman.h"
#include "vm/ptable.h"
#include "vm_steps.h"

#define FOLD_PAGES 512u
#define FOLD_FIRST ((unsigned int)((0x10200000UL - BASE) / PAGE_SIZE))	/* a page at a border */

/* An area of two aligned 2 MiB, advised: the first write to each makes it a 2 MiB leaf. */
static void map_large(struct space *space, unsigned int leaves)
{
	map_anonymous(space, FOLD_FIRST, leaves * FOLD_PAGES);
	CHECK_EQUAL(space_advise(space, at(FOLD_FIRST), at(FOLD_FIRST + leaves * FOLD_PAGES),
				 MADV_HUGEPAGE), 0);
}

static uint64_t huge_of(struct space *space)
{
	struct space_usage u = { 0 };

	space_usage(space, 0, USER_END, &u);
	return u.huge;
}

TEST(a_large_area_gets_large_leaves)
{
	struct space *a = begin();
	struct world_counts c0, c1;

	map_large(a, 2);
	world_count(&c0);
	poke(a, FOLD_FIRST + 7, 1);
	world_count(&c1);
	CHECK_EQUAL(huge_of(a), FOLD_PAGES);
	CHECK_EQUAL(space_resident_pages(a), FOLD_PAGES);
	CHECK_EQUAL(c1.anon, c0.anon + FOLD_PAGES);
	CHECK_EQUAL(peek(a, FOLD_FIRST + 7), 1);
	CHECK_EQUAL(peek(a, FOLD_FIRST + 511), 0);
	CHECK_EQUAL(space_unmap(a, at(FOLD_FIRST), at(FOLD_FIRST + 2 * FOLD_PAGES)), 0);
	CHECK_EQUAL(space_resident_pages(a), 0);
	end(a);
}

TEST(large_leaves_come_without_advice_where_the_neighbour_is_full)
{
	struct space *a = begin();

	map_anonymous(a, FOLD_FIRST, 2 * FOLD_PAGES);
	poke(a, FOLD_FIRST + FOLD_PAGES + 3, 1);
	CHECK_EQUAL(huge_of(a), 0);
	CHECK_EQUAL(space_unmap(a, at(FOLD_FIRST), at(FOLD_FIRST + 2 * FOLD_PAGES)), 0);
	map_anonymous(a, FOLD_FIRST, 2 * FOLD_PAGES);
	for (unsigned int i = 0; i < 2 * FOLD_PAGES; i++)
		poke(a, FOLD_FIRST + i, i + 1);
	CHECK_EQUAL(huge_of(a), FOLD_PAGES);
	CHECK_EQUAL(space_resident_pages(a), 2 * FOLD_PAGES);
	for (unsigned int i = 0; i < 2 * FOLD_PAGES; i++)
		CHECK_EQUAL(peek(a, FOLD_FIRST + i), i + 1);
	end(a);
}

TEST(no_page_comes_ahead_of_a_program_that_touches_few)
{
	struct space *a = begin();

	map_anonymous(a, 0, 64);
	for (unsigned int i = 0; i < 4; i++)
		poke(a, i, 1);
	for (unsigned int i = 20; i < 40; i += 2)
		poke(a, i, 1);
	CHECK_EQUAL(space_resident_pages(a), 14);
	poke(a, 4, 1);
	CHECK_EQUAL(space_resident_pages(a), 14 + 5);
	CHECK_EQUAL(peek(a, 8), 0);
	end(a);
}

TEST(a_write_after_fork_copies_one_page_of_a_large_leaf)
{
	struct space *a = begin(), *b;
	struct world_counts c0, c1;

	map_large(a, 1);
	poke(a, FOLD_FIRST + 5, 50);
	poke(a, FOLD_FIRST + 6, 60);
	b = fork_of(a);
	world_count(&c0);
	poke(b, FOLD_FIRST + 5, 51);
	world_count(&c1);
	CHECK_EQUAL(c1.anon, c0.anon + 1);
	CHECK_EQUAL(huge_of(b), 0);
	CHECK_EQUAL(huge_of(a), FOLD_PAGES);
	CHECK_EQUAL(peek(a, FOLD_FIRST + 5), 50);
	CHECK_EQUAL(peek(b, FOLD_FIRST + 5), 51);
	CHECK_EQUAL(peek(b, FOLD_FIRST + 6), 60);
	world_check_references((struct space *[]){ a, b }, 2, NULL, 0);
	poke(a, FOLD_FIRST + 6, 61);
	CHECK_EQUAL(peek(b, FOLD_FIRST + 6), 60);
	world_check_references((struct space *[]){ a, b }, 2, NULL, 0);
	world_use_cpu(0);
	world_run(NULL);
	space_put(b);
	end(a);
}

TEST(a_large_leaf_is_whole_again_when_the_child_is_gone)
{
	struct space *a = begin(), *b;
	struct world_counts c0, c1;

	map_large(a, 1);
	poke(a, FOLD_FIRST, 1);
	b = fork_of(a);
	CHECK_EQUAL(peek(b, FOLD_FIRST), 1);
	world_run(NULL);
	space_put(b);
	world_count(&c0);
	poke(a, FOLD_FIRST + 9, 2);
	world_count(&c1);
	CHECK_EQUAL(c1.anon, c0.anon);
	CHECK_EQUAL(huge_of(a), FOLD_PAGES);
	world_check_references(&a, 1, NULL, 0);
	end(a);
}

/* What cuts a large leaf: each leaves the other pages and the counts as they were. */
static void check_cut(unsigned int kind)
{
	struct space *a = begin(), *b;
	uint64_t start = at(FOLD_FIRST + 100), stop = at(FOLD_FIRST + 200), moved, word;

	map_large(a, 1);
	for (unsigned int i = 0; i < FOLD_PAGES; i++)
		poke(a, FOLD_FIRST + i, i);
	b = fork_of(a);
	switch (kind) {
	case 0:
		CHECK_EQUAL(space_unmap(a, start, stop), 0);
		break;
	case 1:
		CHECK_EQUAL(space_advise(a, start, stop, MADV_DONTNEED), 0);
		CHECK_EQUAL(peek(a, FOLD_FIRST + 150), 0);
		break;
	case 2:
		CHECK_EQUAL(space_protect(a, start, stop, AREA_READ), 0);
		CHECK_EQUAL(world_write(a, at(FOLD_FIRST + 150), 1), -EFAULT);
		break;
	case 3:
		CHECK_EQUAL(space_remap(a, start, stop - start, stop - start,
					MREMAP_MAYMOVE | MREMAP_FIXED, at(5000), &moved), 0);
		CHECK_EQUAL(peek(a, 5050), 150);
		break;
	}
	CHECK_EQUAL(huge_of(a), 0);
	CHECK_EQUAL(huge_of(b), FOLD_PAGES);
	CHECK_EQUAL(peek(a, FOLD_FIRST + 99), 99);
	CHECK_EQUAL(peek(a, FOLD_FIRST + 200), 200);
	for (unsigned int i = 0; i < FOLD_PAGES; i++)
		CHECK_EQUAL(peek(b, FOLD_FIRST + i), i);
	if (kind == 0 || kind == 3)
		CHECK_EQUAL(world_read(a, at(FOLD_FIRST + 150), &word), -EFAULT);
	world_check_references((struct space *[]){ a, b }, 2, NULL, 0);
	world_run(NULL);
	space_put(b);
	end(a);
}

TEST(large_leaves_are_cut)
{
	for (unsigned int kind = 0; kind < 4; kind++)
		check_cut(kind);
}

TEST(without_a_free_block_small_pages_do)
{
	struct space *a = begin();
	static struct page *taken[16];
	size_t n = 0;

	map_large(a, 1);
	while (n < 16 && (taken[n] = page_allocate(FOLD_ORDER, PAGE_KERNEL, PAGE_TRY)) != NULL)
		n++;
	CHECK(n < 16);
	poke(a, FOLD_FIRST + 3, 3);
	CHECK_EQUAL(huge_of(a), 0);
	CHECK_EQUAL(peek(a, FOLD_FIRST + 3), 3);
	while (n > 0)
		page_put(taken[--n]);
	end(a);
}

TEST(large_leaves_are_refused_where_they_are_not_wanted)
{
	struct space *a = begin(), *b;

	a->huge_disabled = true;
	map_large(a, 1);
	poke(a, FOLD_FIRST, 1);
	CHECK_EQUAL(huge_of(a), 0);
	b = fork_of(a);
	CHECK(b->huge_disabled);
	space_put(b);
	CHECK_EQUAL(space_unmap(a, at(FOLD_FIRST), at(FOLD_FIRST + FOLD_PAGES)), 0);
	a->huge_disabled = false;
	map_large(a, 1);
	CHECK_EQUAL(space_advise(a, at(FOLD_FIRST), at(FOLD_FIRST + FOLD_PAGES),
				 MADV_NOHUGEPAGE), 0);
	poke(a, FOLD_FIRST, 1);
	CHECK_EQUAL(huge_of(a), 0);
	CHECK_EQUAL(space_unmap(a, at(FOLD_FIRST), at(FOLD_FIRST + FOLD_PAGES)), 0);
	map_large(a, 1);
	space_set_huge_mode(HUGE_NEVER);
	poke(a, FOLD_FIRST, 1);
	CHECK_EQUAL(huge_of(a), 0);
	space_set_huge_mode(HUGE_ALWAYS);
	end(a);
}
