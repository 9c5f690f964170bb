/*
 * Do the page and object allocators give each byte to one owner only, and get all of it back?
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
#include <stdlib.h>
#include <string.h>

#include "arch/boot_info.h"
#include "host_test.h"
#include "mem/kvmap.h"
#include "mem/mem_internal.h"
#include "mem/slab.h"
#include "vm_world.h"

#define MEMORY (40UL << 20)
#define BLOCKS 400

static void boot(void)
{
	static bool done;

	if (done)
		return;
	done = true;
	/* An initrd in the middle, not aligned; and a hole at the end of a section. */
	boot_info.reserved[0] = (struct boot_range){ 0x1234567, 0x1345678 };
	boot_info.reserved[1] = (struct boot_range){ 0x1bff000, 0x1c00000 };
	boot_info.reserved_count = 2;
	world_boot(MEMORY);
}

static uint64_t free_pages(void)
{
	struct page_stats s;

	page_stats_get(&s);
	return s.free;
}

static bool is_reserved(uint64_t address)
{
	return (address >= 0x1234000 && address < 0x1346000) ||
	       (address >= 0x1bff000 && address < 0x1c00000);
}

TEST(blocks_do_not_overlap_and_all_come_back)
{
	static struct page *block[BLOCKS];
	static uint8_t order[BLOCKS];
	uint8_t *owned;
	uint64_t before;

	boot();
	owned = calloc(page_array_end, 1);
	before = free_pages();
	for (int step = 0; step < 20000; step++) {
		size_t i = host_test_below(BLOCKS);

		world_use_cpu((uint32_t)host_test_below(WORLD_CPUS));
		if (block[i] == NULL) {
			order[i] = (uint8_t)(host_test_below(4) == 0 ? host_test_below(8) : 0);
			block[i] = page_allocate(order[i], PAGE_KERNEL, 0);
			if (block[i] == NULL)
				continue;
			for (uint64_t f = 0; f < 1UL << order[i]; f++) {
				uint64_t frame = (uint64_t)(block[i] - page_array) + f;

				CHECK(!owned[frame] && !is_reserved(frame << PAGE_SHIFT));
				owned[frame] = 1;
			}
			memset(page_address(block[i]), (int)i, PAGE_SIZE << order[i]);
		} else {
			for (uint64_t f = 0; f < 1UL << order[i]; f++)
				owned[(uint64_t)(block[i] - page_array) + f] = 0;
			CHECK_EQUAL(*(uint8_t *)page_address(block[i]), (uint8_t)i);
			page_put(block[i]);
			block[i] = NULL;
		}
	}
	for (size_t i = 0; i < BLOCKS; i++)
		if (block[i] != NULL)
			page_put(block[i]);
	memset(block, 0, sizeof(block));
	CHECK_EQUAL(free_pages(), before);
	free(owned);
}

TEST(everything_can_be_had_and_merges_again)
{
	static struct page *all[1 << 14];
	uint64_t before, large = 0;
	size_t n = 0;

	boot();
	before = free_pages();
	while (n < 1 << 14 && (all[n] = page_allocate(0, PAGE_ANON, PAGE_ATOMIC)) != NULL)
		n++;
	/* What other processors keep on their stacks is all that is out of reach. */
	CHECK(n + WORLD_CPUS * 64 >= before);
	CHECK(page_allocate(0, PAGE_ANON, PAGE_ATOMIC | PAGE_ZERO) == NULL);
	while (n > 0)
		page_put(all[--n]);
	CHECK_EQUAL(free_pages(), before);
	while (n < 1 << 14 && (all[n] = page_allocate(10, PAGE_ANON, 0)) != NULL)
		n++;
	large = n;
	CHECK(large >= 6);
	while (n > 0)
		page_put(all[--n]);
	CHECK_EQUAL(free_pages(), before);
}

TEST(reserved_frames_can_be_given_back_and_adopted)
{
	struct page *page = phys_to_page(phys(0x1240000));
	uint64_t before;

	boot();
	before = free_pages();
	CHECK_EQUAL(page->kind, PAGE_RESERVED);
	page_adopt(page, PAGE_CACHE);
	page_free_range(0x1234567, 0x1345678);
	CHECK_EQUAL(free_pages(), before + 0x110 - 1);
	page_put(page);
	CHECK_EQUAL(free_pages(), before + 0x110);
}

TEST(zeroed_pages_are_zero)
{
	boot();
	for (int i = 0; i < 200; i++) {
		struct page *page = page_allocate(1, PAGE_ANON, PAGE_ZERO);
		const uint64_t *words = page_address(page);
		uint64_t sum = 0;

		for (size_t w = 0; w < 2 * PAGE_SIZE / 8; w++)
			sum |= words[w];
		CHECK_EQUAL(sum, 0);
		memset(page_address(page), 0xff, 2 * PAGE_SIZE);
		page_put(page);
	}
}

static size_t live_of(const char *wanted);
static const char *wanted_name;
static size_t found_live;

static void look(void *arg, const struct slab_stats *stats)
{
	if (strcmp(stats->name, wanted_name) == 0)
		found_live = stats->live;
}

static size_t live_of(const char *wanted)
{
	wanted_name = wanted;
	slab_for_each(look, NULL);
	return found_live;
}

TEST(kmalloc_of_all_sizes)
{
	static struct { uint8_t *p; size_t n; } block[600];
	static const size_t sizes[] = { 1, 8, 16, 17, 40, 64, 100, 200, 500, 1000, 2000, 2048, 2049,
					4096, 5000, 20000 };

	boot();
	for (int step = 0; step < 30000; step++) {
		size_t i = host_test_below(600);

		world_use_cpu((uint32_t)host_test_below(WORLD_CPUS));
		if (block[i].p == NULL) {
			block[i].n = sizes[host_test_below(sizeof(sizes) / sizeof(sizes[0]))];
			block[i].p = kmalloc(block[i].n);
			if (block[i].p == NULL)
				continue;
			CHECK_EQUAL((uint64_t)block[i].p & 15, 0);
			memset(block[i].p, (int)i, block[i].n);
		} else {
			for (size_t b = 0; b < block[i].n; b += 7)
				CHECK_EQUAL(block[i].p[b], (uint8_t)i);
			kfree(block[i].p);
			block[i].p = NULL;
		}
	}
	for (size_t i = 0; i < 600; i++)
		kfree(block[i].p);
	CHECK_EQUAL(live_of("kmalloc-64"), 0);
	CHECK_EQUAL(live_of("kmalloc-2048"), 0);
	CHECK(kmalloc(1UL << 40) == NULL);
	CHECK(kcalloc(1UL << 33, 1UL << 33) == NULL);
}

TEST(slabs_go_back_when_memory_is_short)
{
	struct slab_cache *cache = NULL;
	static void *objects[2000];
	uint64_t before;

	boot();
	cache = slab_cache_create("test-300", 300, 16);
	before = free_pages();
	for (int i = 0; i < 2000; i++)
		objects[i] = slab_allocate(cache);
	CHECK_EQUAL(live_of("test-300"), 2000);
	for (int i = 0; i < 2000; i++)
		slab_free(cache, objects[i]);
	CHECK_EQUAL(live_of("test-300"), 0);
	slab_reap();
	/* Two magazines of 14 stay with this processor, and their slabs. */
	CHECK(free_pages() + 8 >= before);
}

TEST(kernel_mappings_have_guards_and_come_back)
{
	void *blocks[20];
	uint64_t before;

	boot();
	before = free_pages();
	for (int i = 0; i < 20; i++) {
		blocks[i] = kvmap_create(4, PAGE_KERNEL);
		memset(blocks[i], i, 4 * PAGE_SIZE);
		CHECK(kvmap_is_guard((uint64_t)blocks[i] - 1));
	}
	for (int i = 0; i < 20; i++)
		for (int j = 0; j < i; j++) {
			int64_t apart = (char *)blocks[i] - (char *)blocks[j];

			CHECK(apart >= (int64_t)(5 * PAGE_SIZE) ||
			      apart <= -(int64_t)(5 * PAGE_SIZE));
		}
	kvmap_destroy_many(blocks, 20, 4);
	CHECK_EQUAL(free_pages(), before);
	blocks[0] = kvmap_create(100, PAGE_KERNEL);
	memset(blocks[0], 1, 100 * PAGE_SIZE);
	kvmap_destroy_many(blocks, 1, 100);
	CHECK_EQUAL(free_pages(), before);
}
