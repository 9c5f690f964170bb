/*
 * Does fork cost what it should, and do single situations end as stated: tables freed while another
 * processor walks, pages used again, files truncated below mappings, memory that ends?
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
#include <string.h>

#include "abi/errno.h"
#include "abi/mman.h"
#include "abi/signal.h"
#include "host_test.h"
#include "mem/slab.h"
#include "sched/thread.h"
#include "vm/ptable.h"
#include "vm_steps.h"

static void map_object(struct space *space, struct object *object, unsigned int count,
		       uint32_t flags)
{
	struct area a = { .start = at(0), .end = at(count), .object = object,
			  .flags = AREA_READ | AREA_WRITE | AREA_MAY_WRITE | flags };

	object_get(object);
	CHECK_EQUAL(space_map(space, &a, MAP_AT), 0);
}

TEST(fork_takes_one_table_whatever_is_mapped)
{
	struct space *a = begin(), *b;
	struct world_counts c0, c1;

	map_anonymous(a, 0, 1500);
	for (unsigned int i = 0; i < 1500; i++)
		poke(a, i, i);
	world_count(&c0);
	b = fork_of(a);
	world_count(&c1);
	CHECK_EQUAL(c1.anon, c0.anon);
	CHECK_EQUAL(c1.table, c0.table + 1);
	CHECK_EQUAL(space_resident_pages(b), 1500);
	space_put(b);
	world_count(&c1);
	CHECK_EQUAL(c1.table, c0.table);
	end(a);
}

TEST(first_write_copies_a_path_and_a_page)
{
	struct space *a = begin(), *b;
	struct world_counts c0, c1;

	map_anonymous(a, 0, 1500);
	for (unsigned int i = 0; i < 1500; i++)
		poke(a, i, i);
	b = fork_of(a);
	world_count(&c0);
	poke(b, 700, 7);
	world_count(&c1);
	CHECK_EQUAL(c1.anon, c0.anon + 1);
	CHECK_EQUAL(c1.table, c0.table + 3);
	poke(b, 701, 8);
	world_count(&c1);
	CHECK_EQUAL(c1.anon, c0.anon + 2);
	CHECK_EQUAL(c1.table, c0.table + 3);
	CHECK_EQUAL(peek(a, 700), 700);
	CHECK_EQUAL(peek(b, 700), 7);
	space_put(b);
	end(a);
}

static struct space *fork_on(struct space *space, uint64_t stack)
{
	struct space *child;

	CHECK_EQUAL(space_fork(space, stack, &child), 0);
	return child;
}

static uint64_t copied(const struct space *space) { return atomic64_load(&space->copied_pages); }

TEST(the_stack_is_copied_by_the_fork)
{
	struct space *a = begin(), *b;

	map_anonymous(a, 0, 8);
	for (unsigned int i = 0; i < 8; i++)
		poke(a, i, i);
	b = fork_on(a, at(3) + 100);
	CHECK_EQUAL(copied(a), 1);
	poke(a, 3, 33);
	CHECK_EQUAL(copied(a), 1);
	CHECK_EQUAL(peek(b, 3), 3);
	space_put(b);
	b = fork_on(a, at(9));			/* nothing is mapped there */
	CHECK_EQUAL(copied(a), 1);
	space_put(b);
	end(a);
}

/* Written after one fork, copied by the next; not written since, forgotten by the one after. */
TEST(a_fork_copies_what_was_written_after_the_last)
{
	struct space *a = begin(), *b[4];

	map_anonymous(a, 0, 100);
	for (unsigned int i = 0; i < 100; i++)
		poke(a, i, i);
	b[0] = fork_of(a);
	CHECK_EQUAL(copied(a), 0);
	poke(a, 7, 70);
	poke(a, 50, 500);
	CHECK_EQUAL(copied(a), 2);
	b[1] = fork_of(a);
	CHECK_EQUAL(copied(a), 4);
	poke(a, 7, 71);
	CHECK_EQUAL(copied(a), 4);		/* it was the parent's already */
	b[2] = fork_of(a);
	CHECK_EQUAL(copied(a), 5);
	CHECK_EQUAL(a->written.count, 1);
	b[3] = fork_of(a);
	CHECK_EQUAL(copied(a), 5);
	CHECK_EQUAL(a->written.count, 0);
	poke(a, 7, 72);
	for (unsigned int i = 0; i < 4; i++) {
		CHECK_EQUAL(peek(b[i], 7), i == 0 ? 7 : i == 1 ? 70 : 71);
		CHECK_EQUAL(peek(b[i], 50), i == 0 ? 50 : 500);
		world_run(a);
		space_put(b[i]);
	}
	end(a);
}

/* However many were written: the cost of a fork has a bound. */
TEST(a_fork_copies_no_more_than_it_remembers)
{
	struct space *a = begin(), *b;

	map_anonymous(a, 0, 600);
	for (unsigned int i = 0; i < 600; i++)
		poke(a, i, i);
	b = fork_of(a);
	for (unsigned int i = 0; i < 600; i++)
		poke(a, i, i + 1);
	CHECK_EQUAL(copied(a), 600);
	space_put(b);
	b = fork_of(a);
	CHECK_EQUAL(copied(a), 600 + FORK_AHEAD_MAX);
	space_put(b);
	end(a);
}

/* What has become of the place meanwhile decides: read-only, shared, gone. */
TEST(a_page_that_is_no_longer_the_same_is_not_copied)
{
	struct space *a = begin(), *b;

	map_anonymous(a, 0, 8);
	for (unsigned int i = 0; i < 8; i++)
		poke(a, i, i);
	b = fork_of(a);
	for (unsigned int i = 0; i < 3; i++)
		poke(a, i, 10);
	space_put(b);
	CHECK_EQUAL(space_protect(a, at(0), at(1), AREA_READ), 0);
	CHECK_EQUAL(space_unmap(a, at(1), at(2)), 0);
	b = fork_of(a);
	CHECK_EQUAL(copied(a), 4);
	CHECK_EQUAL(peek(b, 0), 10);
	space_put(b);
	end(a);
}

TEST(after_the_child_is_gone_pages_are_written_in_place)
{
	struct space *a = begin(), *b;

	map_anonymous(a, 0, 8);
	for (unsigned int i = 0; i < 8; i++)
		poke(a, i, i);
	b = fork_of(a);
	poke(b, 3, 33);
	world_run(a);
	space_put(b);
	for (unsigned int i = 0; i < 8; i++)
		poke(a, i, i + 100);
	CHECK_EQUAL(atomic64_load(&a->copied_pages), 0);
	end(a);
}

TEST(a_table_freed_elsewhere_is_not_walked)
{
	struct space *a = begin(), *b;

	map_anonymous(a, 0, 8);
	poke(a, 0, 1);
	b = fork_of(a);
	world_use_cpu(1);
	CHECK_EQUAL(peek(a, 0), 1);		/* this processor knows the shared leaf table */
	world_use_cpu(0);
	CHECK_EQUAL(peek(a, 1), 0);		/* makes it private; nothing is replaced */
	world_use_cpu(2);
	space_put(b);				/* the shared one dies */
	world_use_cpu(1);
	CHECK_EQUAL(peek(a, 2), 0);
	end(a);
}

TEST(a_chain_of_forks_in_any_order_of_death)
{
	struct space *a = begin(), *chain[6];

	map_anonymous(a, 0, 4);
	poke(a, 0, 1000);
	for (int i = 0; i < 6; i++) {
		chain[i] = fork_of(i == 0 ? a : chain[i - 1]);
		poke(chain[i], 1, (uint64_t)i);
	}
	for (int i = 0; i < 6; i += 2) {
		world_run(a);
		space_put(chain[i]);
	}
	for (int i = 1; i < 6; i += 2) {
		CHECK_EQUAL(peek(chain[i], 0), 1000);
		CHECK_EQUAL(peek(chain[i], 1), i);
		poke(chain[i], 0, 5);
	}
	CHECK_EQUAL(peek(a, 0), 1000);
	for (int i = 1; i < 6; i += 2) {
		world_run(a);
		space_put(chain[i]);
	}
	end(a);
}

/* --- files ------------------------------------------------------------------------------------ */

static unsigned int reads;

static int file_read_page(struct object *o, struct page *page)
{
	uint64_t *words = page_address(page);

	reads++;
	arch_page_clear(words);
	words[0] = 0xf11e00 + page->index;
	return 0;
}

static int file_write_page(struct object *o, struct page *page, size_t bytes) { return 0; }
static const struct object_ops file_ops = { .read_page = file_read_page,
					    .write_page = file_write_page };

static struct object *file_create(uint64_t pages)
{
	struct object *o = kmalloc(sizeof(*o));

	object_init(o, &file_ops);
	o->size_bytes = pages << PAGE_SHIFT;
	reads = 0;
	return o;
}

static void file_destroy(struct object *o)
{
	object_fini(o);
	kfree(o);
}

/* Of a full table its group is copied with a page; nothing once it is not written any more. */
TEST(a_fork_copies_no_table_for_a_page_that_is_not_written)
{
	struct space *a = begin(), *b[3];
	struct object *file = file_create(300);
	struct world_counts c0, c1;

	map_object(a, file, 300, 0);
	for (unsigned int i = 0; i < 300; i++)
		peek(a, i);
	b[0] = fork_of(a);
	poke(a, 7, 70);
	b[1] = fork_of(a);
	CHECK_EQUAL(copied(a), 2);
	for (unsigned int i = 0; i < 300; i++)
		CHECK_EQUAL(peek(a, i), i == 7 ? 70 : 0xf11e00 + i);
	world_count(&c0);
	b[2] = fork_of(a);
	world_count(&c1);
	CHECK_EQUAL(copied(a), 2);
	CHECK_EQUAL(c1.table, c0.table + 1);
	world_run(a);
	for (unsigned int i = 0; i < 3; i++)
		space_put(b[i]);
	CHECK_EQUAL(space_unmap(a, at(0), at(300)), 0);
	file_destroy(file);
	end(a);
}

TEST(pages_beyond_the_end_are_sigbus)
{
	struct space *a = begin();
	struct object *file = file_create(3);
	uint64_t value;

	map_object(a, file, 6, 0);
	CHECK_EQUAL(peek(a, 2), 0xf11e02);
	CHECK_EQUAL(world_read(a, at(3), &value), -EIO);
	CHECK_EQUAL(world_write(a, at(5), 1), -EIO);
	CHECK_EQUAL(space_unmap(a, at(0), at(6)), 0);
	file_destroy(file);
	end(a);
}

TEST(truncation_unmaps_everywhere_private_copies_too)
{
	struct space *a = begin(), *b;
	struct object *file = file_create(6);
	uint64_t value;

	map_object(a, file, 6, 0);
	poke(a, 4, 44);
	peek(a, 5);
	b = fork_of(a);
	poke(b, 1, 11);
	object_truncate(file, 2 << PAGE_SHIFT);
	CHECK_EQUAL(world_read(a, at(4), &value), -EIO);
	CHECK_EQUAL(world_read(b, at(5), &value), -EIO);
	CHECK_EQUAL(peek(b, 1), 11);
	CHECK_EQUAL(peek(a, 1), 0xf11e01);
	object_truncate(file, 6 << PAGE_SHIFT);
	CHECK_EQUAL(peek(a, 4), 0xf11e04);
	CHECK_EQUAL(space_unmap(a, at(0), at(6)), 0);
	world_run(a);
	space_put(b);
	file_destroy(file);
	end(a);
}

TEST(a_read_fault_brings_its_neighbours_when_cached)
{
	struct space *a = begin();
	struct object *file = file_create(32);
	uint64_t faults;

	map_object(a, file, 32, 0);
	for (unsigned int i = 0; i < 32; i++)
		peek(a, i);
	CHECK_EQUAL(reads, 32);
	CHECK_EQUAL(space_unmap(a, at(0), at(32)), 0);
	map_object(a, file, 32, 0);
	faults = atomic64_load(&a->minor_faults);
	for (unsigned int i = 0; i < 32; i++)
		CHECK_EQUAL(peek(a, i), 0xf11e00 + i);
	CHECK_EQUAL(atomic64_load(&a->minor_faults) - faults, 2);
	CHECK_EQUAL(reads, 32);
	CHECK_EQUAL(space_unmap(a, at(0), at(32)), 0);
	file_destroy(file);
	end(a);
}

TEST(write_back_sees_each_later_write)
{
	struct space *a = begin();
	struct object *file = file_create(4);

	map_object(a, file, 4, AREA_SHARED);
	poke(a, 1, 5);
	CHECK_EQUAL(atomic32_load(&file->dirty_pages), 1);
	CHECK_EQUAL(object_sync(file, 0, UINT64_MAX), 0);
	CHECK_EQUAL(atomic32_load(&file->dirty_pages), 0);
	poke(a, 1, 6);
	CHECK_EQUAL(atomic32_load(&file->dirty_pages), 1);
	CHECK_EQUAL(space_unmap(a, at(0), at(4)), 0);
	CHECK_EQUAL(object_sync(file, 0, UINT64_MAX), 0);
	file_destroy(file);
	end(a);
}

/* --- the end of memory ------------------------------------------------------------------------ */

TEST(memory_ends_with_enomem_and_comes_back)
{
	struct space *a = begin();
	unsigned int page = 0;
	int error = 0;

	map_anonymous(a, 0, 100000);
	while (error == 0)
		error = world_write(a, at(page++), 1);
	CHECK_EQUAL(error, -ENOMEM);
	CHECK(page > 2000);
	CHECK_EQUAL(space_unmap(a, at(0), at(100000)), 0);
	CHECK_EQUAL(space_resident_pages(a), 0);
	end(a);
}

TEST(clean_file_pages_give_way)
{
	struct space *a = begin();
	struct object *file = file_create(3000);
	unsigned int page;

	for (uint64_t i = 0; i < 3000; i++) {
		struct page *p;

		if (object_get_page(file, i, true, &p) == 0)
			page_put(p);
	}
	map_anonymous(a, 0, 3000);
	for (page = 0; page < 3000; page++)
		poke(a, page, page);
	for (page = 0; page < 3000; page++)
		CHECK_EQUAL(peek(a, page), page);
	file_destroy(file);
	end(a);
}

/* --- placement, heap, stack ------------------------------------------------------------------- */

TEST(brk_grows_in_place_and_shrinks)
{
	struct space *a = begin(), *b;
	uint64_t now;

	a->brk_start = a->brk_end = at(0);
	CHECK_EQUAL(space_set_brk(a, 0, &now), 0);
	CHECK_EQUAL(now, at(0));
	CHECK_EQUAL(space_set_brk(a, at(3) + 5, &now), 0);
	CHECK_EQUAL(now, at(3) + 5);
	CHECK_EQUAL(space_set_brk(a, at(9), &now), 0);
	CHECK_EQUAL(a->area_count, 1);
	poke(a, 8, 8);
	b = fork_of(a);
	CHECK_EQUAL(space_set_brk(b, at(12), &now), 0);
	CHECK_EQUAL(space_set_brk(a, at(1), &now), 0);
	CHECK_EQUAL(a->mapped_pages, 1);
	CHECK_EQUAL(b->mapped_pages, 12);
	CHECK_EQUAL(peek(b, 8), 8);
	map_anonymous(a, 4, 1);
	CHECK_EQUAL(space_set_brk(a, at(9), &now), 0);
	CHECK_EQUAL(now, at(1));
	world_run(a);
	space_put(b);
	end(a);
}

TEST(the_stack_grows_to_its_limit_and_keeps_its_gap)
{
	struct space *a = begin();
	struct area stack = { .start = BASE + (32 << 20), .end = BASE + (33 << 20),
			      .flags = AREA_READ | AREA_WRITE | AREA_GROWSDOWN | AREA_STACK };

	CHECK_EQUAL(space_map(a, &stack, MAP_AT), 0);
	CHECK_EQUAL(world_write(a, stack.start - 100, 1), 0);
	CHECK_EQUAL(world_write(a, BASE + (26 << 20), 1), 0);
	CHECK_EQUAL(world_write(a, BASE + (24 << 20), 1), -EFAULT);
	CHECK_EQUAL(a->area_count, 1);
	CHECK_EQUAL(a->stack_pages, 7 << 8);
	map_anonymous(a, (26 << 8) - 300, 1);
	CHECK_EQUAL(world_write(a, at((26 << 8) - 40), 1), 0);
	CHECK_EQUAL(world_write(a, at((26 << 8) - 50), 1), -EFAULT);
	end(a);
}

TEST(mappings_are_placed_from_the_top_down)
{
	struct space *a = begin();
	struct area x = { .end = 4 * PAGE_SIZE, .flags = AREA_READ };
	struct area y = { .end = 2 * PAGE_SIZE, .flags = AREA_READ | AREA_WRITE };
	struct area z = { .start = at(7), .end = at(8), .flags = AREA_READ };

	a->mmap_top = at(100);
	CHECK_EQUAL(space_map(a, &x, MAP_ANYWHERE), 0);
	CHECK_EQUAL(x.start, at(96));
	CHECK_EQUAL(space_map(a, &y, MAP_ANYWHERE), 0);
	CHECK_EQUAL(y.start, at(94));
	CHECK_EQUAL(space_map(a, &z, MAP_ANYWHERE), 0);
	CHECK_EQUAL(z.start, at(7));
	CHECK_EQUAL(space_map(a, &z, MAP_AT_NOREPLACE), -EEXIST);
	a->limit_as_bytes = a->mapped_pages << PAGE_SHIFT;
	z = (struct area){ .end = PAGE_SIZE, .flags = AREA_READ };
	CHECK_EQUAL(space_map(a, &z, MAP_ANYWHERE), -ENOMEM);
	end(a);
}

TEST(remap_grows_in_place_or_moves)
{
	struct space *a = begin();
	uint64_t got;

	a->mmap_top = at(1000);
	map_anonymous(a, 0, 4);
	map_anonymous(a, 10, 1);
	CHECK_EQUAL(space_protect(a, at(10), at(11), AREA_READ), 0);
	poke(a, 2, 22);
	CHECK_EQUAL(space_remap(a, at(0), 4 * PAGE_SIZE, 10 * PAGE_SIZE, 0, 0, &got), 0);
	CHECK_EQUAL(got, at(0));
	CHECK_EQUAL(space_remap(a, at(0), 10 * PAGE_SIZE, 20 * PAGE_SIZE, 0, 0, &got), -ENOMEM);
	CHECK_EQUAL(space_remap(a, at(0), 10 * PAGE_SIZE, 20 * PAGE_SIZE, MREMAP_MAYMOVE, 0,
				&got), 0);
	CHECK_EQUAL(got, at(980));
	CHECK_EQUAL(peek(a, 982), 22);
	CHECK_EQUAL(space_remap(a, at(980), 20 * PAGE_SIZE, PAGE_SIZE, 0, 0, &got), 0);
	CHECK_EQUAL(a->mapped_pages, 2);
	CHECK_EQUAL(space_remap(a, at(500), PAGE_SIZE, PAGE_SIZE, 0, 0, &got), -EFAULT);
	CHECK_EQUAL(space_remap(a, at(980), PAGE_SIZE, 0, 0, 0, &got), -EINVAL);
	end(a);
}

TEST(protect_and_locked_flags_follow_the_rules)
{
	struct space *a = begin(), *b;
	struct object *shared = object_create_anonymous(1 << 20);
	struct area x = { .start = at(20), .end = at(24), .object = shared,
			  .flags = AREA_READ | AREA_SHARED };

	map_anonymous(a, 0, 4);
	CHECK_EQUAL(space_protect(a, at(0), at(5), AREA_READ), -ENOMEM);
	CHECK_EQUAL(space_map(a, &x, MAP_AT), 0);
	CHECK_EQUAL(space_protect(a, at(20), at(21), AREA_READ | AREA_WRITE), -EACCES);
	CHECK_EQUAL(space_lock_range(a, at(0), at(2), true), 0);
	CHECK_EQUAL(a->locked_pages, 2);
	CHECK_EQUAL(space_advise(a, at(0), at(2), MADV_DONTNEED), -EINVAL);
	b = fork_of(a);
	CHECK_EQUAL(b->locked_pages, 0);
	CHECK_EQUAL(a->locked_pages, 2);
	space_put(b);
	end(a);
}

TEST(dirty_pages_of_a_file_do_not_fill_memory)
{
	const unsigned int pages = 2000;	/* half of memory */
	struct space *a = begin();
	struct object *file = file_create(pages);
	uint32_t most = 0, dirty;

	map_object(a, file, pages, AREA_SHARED);
	for (unsigned int i = 0; i < pages; i++) {
		poke(a, i, i);
		dirty = atomic32_load(&file->dirty_pages);
		if (dirty > most)
			most = dirty;
	}
	CHECK(most <= page_total() / 8 + 1);
	CHECK(most > 32);
	for (unsigned int i = 0; i < pages; i++)
		CHECK_EQUAL(peek(a, i), i);
	CHECK_EQUAL(space_unmap(a, at(0), at(pages)), 0);
	file_destroy(file);
	end(a);
}
