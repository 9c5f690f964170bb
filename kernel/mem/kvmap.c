/*
 * Kernel virtual ranges.
 *
 * The window is divided in granules of 32 KiB and a bitmap says which are taken. A block takes
 * whole granules and leaves at least the first page of the first one unmapped: its guard. The
 * window's page tables are made on demand, never freed, and bounded by its size (2 MiB for 1 GiB).
 *
 * Freed ranges are unmapped and flushed on every processor before the bitmap lets them go.
 *
 * Locking: kvmap.lock (irqsave) guards the bitmap; the window's page tables are arch's.
 */
#include "mem/kvmap.h"

#include "core/ipi.h"
#include "core/spinlock.h"
#include "mem/mem_internal.h"

#define GRANULE_PAGES 8UL
#define GRANULE_BYTES (GRANULE_PAGES << PAGE_SHIFT)
#define GRANULES 32768UL		/* 1 GiB of the window */
#define WORD_BITS 64

static struct {
	struct spinlock lock;
	uint64_t taken[GRANULES / WORD_BITS];
	uint64_t hint;			/* no free granule below it was seen */
} kvmap = { .lock = SPINLOCK_INIT(RANK_KVMAP) };

static bool granule_is_taken(uint64_t g)
{
	return (kvmap.taken[g / WORD_BITS] >> (g % WORD_BITS) & 1) != 0;
}

static void granules_set(uint64_t first, uint64_t n, bool taken)
{
	for (uint64_t g = first; g < first + n; g++) {
		uint64_t bit = 1UL << (g % WORD_BITS);

		if (taken)
			kvmap.taken[g / WORD_BITS] |= bit;
		else
			kvmap.taken[g / WORD_BITS] &= ~bit;
	}
}

static uint64_t granules_for(size_t pages)
{
	return (pages + 1 + GRANULE_PAGES - 1) / GRANULE_PAGES;
}

/* First fit; GRANULES when there is no room. */
static uint64_t granules_find(uint64_t n) REQUIRES(&kvmap.lock)
{
	uint64_t run = 0;

	for (uint64_t g = kvmap.hint; g < GRANULES; g++) {
		if (kvmap.taken[g / WORD_BITS] == UINT64_MAX) {
			run = 0;
			g |= WORD_BITS - 1;
			continue;
		}
		run = granule_is_taken(g) ? 0 : run + 1;
		if (run == n)
			return g + 1 - n;
	}
	return GRANULES;
}

/* The block's end is the end of its last granule, so that all the slack is guard. */
static uint64_t block_address(uint64_t first, size_t pages)
{
	return ARCH_KERNEL_WINDOW + (first + granules_for(pages)) * GRANULE_BYTES -
	       (pages << PAGE_SHIFT);
}

static uint64_t block_first(uint64_t address, size_t pages)
{
	return (address + (pages << PAGE_SHIFT) - ARCH_KERNEL_WINDOW) / GRANULE_BYTES -
	       granules_for(pages);
}

static uint64_t range_take(size_t pages)
{
	uint64_t n = granules_for(pages);
	irq_state_t irq = spin_lock_irqsave(&kvmap.lock);
	uint64_t first = granules_find(n);

	if (first < GRANULES) {
		granules_set(first, n, true);
		if (first == kvmap.hint)
			kvmap.hint = first + n;
	}
	spin_unlock_irqrestore(&kvmap.lock, irq);
	return first;
}

static void range_give(uint64_t first, size_t pages)
{
	irq_state_t irq = spin_lock_irqsave(&kvmap.lock);

	granules_set(first, granules_for(pages), false);
	if (first < kvmap.hint)
		kvmap.hint = first;
	spin_unlock_irqrestore(&kvmap.lock, irq);
}

/* Unmaps the first n pages of the block and hands their frames out; the flush is the caller's. */
static void pages_unmap(uint64_t address, size_t n, struct page **frames)
{
	for (size_t i = 0; i < n; i++)
		frames[i] = phys_to_page(arch_kernel_unmap(address + (i << PAGE_SHIFT)));
}

struct flush { void **blocks; size_t count, pages; };

static void flush_blocks(void *arg)
{
	const struct flush *f = arg;

	for (size_t b = 0; b < f->count; b++)
		for (size_t i = 0; i < f->pages; i++)
			arch_tlb_flush_page((uint64_t)f->blocks[b] + (i << PAGE_SHIFT));
}

/* Unmapping flushed one processor, whichever it was: this one may be another by now. */
static void flush_everywhere(void **blocks, size_t count, size_t pages)
{
	struct flush f = { blocks, count, pages };

	if (cpu_count == 1)
		return;
	preempt_disable();
	flush_blocks(&f);
	ipi_call_wait((1u << cpu_count) - 1, flush_blocks, &f);
	preempt_enable();
}

static void block_free_pages(uint64_t address, size_t pages)
{
	struct page *frames[GRANULE_PAGES];
	void *block = (void *)address;

	/* Frames of one granule at a time: they may be given away only after the flush. */
	for (size_t done = 0; done < pages; done += GRANULE_PAGES) {
		size_t n = pages - done < GRANULE_PAGES ? pages - done : GRANULE_PAGES;

		block = (void *)(address + (done << PAGE_SHIFT));
		pages_unmap((uint64_t)block, n, frames);
		flush_everywhere(&block, 1, n);
		for (size_t i = 0; i < n; i++)
			page_put(frames[i]);
	}
}

void *kvmap_create(size_t pages, enum page_kind kind)
{
	if (pages == 0 || pages > GRANULES * GRANULE_PAGES / 2)
		return NULL;

	uint64_t first = range_take(pages);

	if (first == GRANULES)
		return NULL;

	uint64_t address = block_address(first, pages);

	for (size_t i = 0; i < pages; i++) {
		struct page *page = page_allocate(0, kind, 0);

		if (page != NULL &&
		    arch_kernel_map(address + (i << PAGE_SHIFT), page_to_phys(page)) == 0)
			continue;
		if (page != NULL)
			page_put(page);
		block_free_pages(address, i);
		range_give(first, pages);
		return NULL;
	}
	return (void *)address;
}

void kvmap_destroy_many(void **blocks, size_t count, size_t pages)
{
	struct page *frames[16];
	size_t batch = pages <= 16 ? 16 / pages : 0;

	if (batch == 0) {
		for (size_t i = 0; i < count; i++) {
			block_free_pages((uint64_t)blocks[i], pages);
			range_give(block_first((uint64_t)blocks[i], pages), pages);
		}
		return;
	}
	for (size_t done = 0; done < count; done += batch) {
		size_t n = count - done < batch ? count - done : batch;

		for (size_t i = 0; i < n; i++)
			pages_unmap((uint64_t)blocks[done + i], pages, frames + i * pages);
		flush_everywhere(blocks + done, n, pages);
		for (size_t i = 0; i < n * pages; i++)
			page_put(frames[i]);
		for (size_t i = 0; i < n; i++)
			range_give(block_first((uint64_t)blocks[done + i], pages), pages);
	}
}

bool kvmap_is_guard(uint64_t address)
{
	uint64_t offset = address - ARCH_KERNEL_WINDOW;

	if (offset >= GRANULES * GRANULE_BYTES)
		return false;
	/* Read without the lock: it only chooses the words of a panic. */
	return granule_is_taken(offset / GRANULE_BYTES);
}

void kvmap_init(void)
{
	void *block = kvmap_create(1, PAGE_KERNEL);

	/* Makes the window's top-level entry, which every later root copies. The block stays. */
	if (block == NULL)
		panic("kvmap: no memory at boot");
}
