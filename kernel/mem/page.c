/*
 * Page frames: the front of the allocator.
 *
 * Single frames come from a stack of frames per CPU, filled from and spilled to the buddy allocator
 * in batches, last freed first given (still in the cache). The stack and the counters are touched
 * only by their CPU with interrupts off; larger blocks go to the buddy allocator directly.
 *
 * When memory ends, a caller that may sleep first asks the shrinkers of mem/, the page cache and
 * the other processors' stacks of frames for pages; a caller that may not has a small reserve
 * instead. Whether one may sleep is read from the preemption count, so a forgotten PAGE_ATOMIC is
 * harmless. Then NULL: the caller returns -ENOMEM.
 */
#include "core/fail_point.h"
#include "core/ipi.h"
#include "core/spinlock.h"
#include "lib/string.h"
#include "mem/mem_internal.h"

#define PAGE_KINDS (PAGE_KERNEL + 1)
#define STACK_MAX 64
#define STACK_BATCH 32
#define RECLAIM_ROUNDS 8
#define POISON_FREE 0x5a5a5a5a5a5a5a5aUL

struct page_cpu {
	uint32_t count;				/* [c] */
	struct page *pages[STACK_MAX];		/* [c] */
	int64_t by_kind[PAGE_KINDS];		/* [c] frames given less taken here */
};

static PERCPU(struct page_cpu, page_cpu);
uint64_t page_total_frames;
static uint64_t reserve_frames;			/* [I] for those who cannot wait */
static size_t (*reclaim_hook)(size_t n);	/* [I] after boot */
static void (*drain_hook)(void);		/* [I] after boot */

/* --- debug: a freed page is filled, and must be unchanged when it is given out again ---------- */

static void poison_fill(struct page *page, unsigned int order)
{
	uint64_t *words = page_address(page);

	for (size_t i = 0; i < (PAGE_SIZE << order) / sizeof(*words); i++)
		words[i] = POISON_FREE;
	page->private = 1;
}

static void poison_check(struct page *page)
{
	const uint64_t *words = page_address(page);

	if (page->private != 1)
		return;
	for (size_t i = 0; i < PAGE_SIZE / sizeof(*words); i++)
		if (words[i] != POISON_FREE)
			panic("page %llx was written to after it was freed (offset %zx: %llx)",
			      (unsigned long long)page_to_phys(page).value, i * sizeof(*words),
			      (unsigned long long)words[i]);
}

/* --- the stack of frames ---------------------------------------------------------------------- */

static struct page *stack_pop(uint64_t reserve)
{
	struct page_cpu *cpu = this_cpu(page_cpu);

	if (cpu->count == 0)
		cpu->count = (uint32_t)buddy_allocate_many(cpu->pages, STACK_BATCH, reserve);
	return cpu->count == 0 ? NULL : cpu->pages[--cpu->count];
}

static void stack_push(struct page *page)
{
	struct page_cpu *cpu = this_cpu(page_cpu);

	if (cpu->count == STACK_MAX) {
		/* The oldest go: they are the coldest. */
		buddy_free_many(cpu->pages, STACK_BATCH);
		memmove(cpu->pages, cpu->pages + STACK_BATCH,
			(STACK_MAX - STACK_BATCH) * sizeof(cpu->pages[0]));
		cpu->count -= STACK_BATCH;
	}
	cpu->pages[cpu->count++] = page;
}

/* All that this CPU keeps for itself, objects and frames. */
static void drain_here(void *unused)
{
	irq_state_t irq = arch_irq_save();
	struct page_cpu *cpu = this_cpu(page_cpu);

	(void)unused;
	if (drain_hook != NULL)
		drain_hook();
	slab_drain_here();
	buddy_free_many(cpu->pages, cpu->count);
	cpu->count = 0;
	arch_irq_restore(irq);
}

/* --- allocation ------------------------------------------------------------------------------- */

static inline struct page *take(unsigned int order, enum page_kind kind, uint64_t reserve)
{
	irq_state_t irq = arch_irq_save();
	struct page *page = order == 0 ? stack_pop(reserve) : buddy_allocate(order, reserve);

	if (page != NULL)
		this_cpu(page_cpu)->by_kind[kind] += 1L << order;
	arch_irq_restore(irq);
	return page;
}

size_t page_drain_caches(void)
{
	uint64_t before = buddy_free_frames();
	uint64_t after;

	kstack_reap();
	preempt_disable();
	drain_here(NULL);
	if (cpu_count > 1)
		ipi_call_wait((1u << cpu_count) - 1, drain_here, NULL);
	preempt_enable();
	slab_reap();
	drain_here(NULL);		/* the frames of those slabs */
	after = buddy_free_frames();
	return after > before ? after - before : 0;
}

/* Asks everybody who keeps pages that can be had again; pages that came back. */
static size_t reclaim_round(size_t n)
{
	size_t freed = reclaim_hook != NULL ? reclaim_hook(n) : 0;

	if (freed < n)
		freed += page_drain_caches();
	return freed;
}

static struct page *take_slow(unsigned int order, enum page_kind kind, bool may_sleep)
{
	size_t wanted = (1UL << order) > STACK_BATCH ? 1UL << order : STACK_BATCH;

	if (!may_sleep)
		return take(order, kind, 0);
	for (int round = 0; round < RECLAIM_ROUNDS; round++) {
		size_t freed = reclaim_round(wanted << round);
		struct page *page = take(order, kind, reserve_frames);

		if (page != NULL || freed == 0)
			return page;
	}
	return NULL;
}

struct page *page_allocate(unsigned int order, enum page_kind kind, unsigned int flags)
{
	if (order > BUDDY_TOP_ORDER || fail_point("page_alloc"))
		return NULL;

	struct page *page = take(order, kind, reserve_frames);

	if (unlikely(page == NULL) && (flags & PAGE_TRY) == 0)
		page = take_slow(order, kind, (flags & PAGE_ATOMIC) == 0 && mem_may_sleep());
	if (page == NULL)
		return NULL;
	ASSERT(page->kind == PAGE_FREE && page_count(page) == 0);
	if (CONFIG_DEBUG)
		poison_check(page);
	*page = (struct page){ .count = ATOMIC32_INIT(1), .kind = kind, .order = order };
	if ((flags & PAGE_ZERO) != 0)
		for (unsigned long i = 0; i < 1UL << order; i++)
			arch_page_clear((char *)page_address(page) + (i << PAGE_SHIFT));
	return page;
}

void page_free(struct page *page)
{
	unsigned int order = page->order;

	VERIFY(page->kind != PAGE_FREE && page->kind != PAGE_RESERVED);
	if (CONFIG_DEBUG)
		poison_fill(page, order);

	irq_state_t irq = arch_irq_save();

	this_cpu(page_cpu)->by_kind[page->kind] -= 1L << order;
	page->kind = PAGE_FREE;
	page->level = 0;
	if (order == 0)
		stack_push(page);
	else
		buddy_free(page, order);
	arch_irq_restore(irq);
}

/* None is left, or one too few. */
void page_put_last(struct page *page, uint32_t left)
{
	VERIFY(left == 0);
	page_free(page);
}

void page_split(struct page *block)
{
	unsigned int order = block->order;

	ASSERT(page_count(block) == 1);
	for (struct page *p = block; p < block + (1UL << order); p++)
		*p = (struct page){ .count = ATOMIC32_INIT(1), .kind = block->kind };
}

void page_put_run(struct page *first, unsigned int order)
{
	struct page *end = first + (1UL << order), *page = first;

	/* A count of 1 is the caller's own reference: it cannot rise under its hands. */
	while (page < end && page_count(page) == 1 && page->kind == first->kind)
		page++;
	if (page < end) {
		for (page = first; page < end; page++)
			page_put(page);
		return;
	}
	for (page = first + 1; page < end; page++)
		*page = (struct page){ .kind = PAGE_FREE };
	atomic32_store(&first->count, 0);
	first->order = (uint8_t)order;
	page_free(first);
}

void page_set_kind(struct page *page, enum page_kind kind)
{
	irq_state_t irq = arch_irq_save();
	struct page_cpu *cpu = this_cpu(page_cpu);

	cpu->by_kind[page->kind] -= 1L << page->order;
	cpu->by_kind[kind] += 1L << page->order;
	page->kind = kind;
	arch_irq_restore(irq);
}

void page_free_range(uint64_t start, uint64_t end)
{
	start = page_round_up(start) >> PAGE_SHIFT;
	end = page_round_down(end) >> PAGE_SHIFT;
	for (uint64_t frame = start; frame < end && frame < page_array_end; frame++) {
		struct page *page = &page_array[frame];

		/* Those that somebody adopted meanwhile are that somebody's. */
		if (page->kind != PAGE_RESERVED || page_count(page) != 1)
			continue;
		*page = (struct page){ .kind = PAGE_FREE };
		buddy_free(page, 0);
	}
}

void page_adopt(struct page *page, enum page_kind kind)
{
	irq_state_t irq = arch_irq_save();

	VERIFY(page->kind == PAGE_RESERVED && page_count(page) == 1);
	*page = (struct page){ .count = ATOMIC32_INIT(1), .kind = kind };
	this_cpu(page_cpu)->by_kind[kind]++;
	arch_irq_restore(irq);
}

void page_stats_get(struct page_stats *out)
{
	int64_t sums[PAGE_KINDS] = { 0 };
	uint64_t stacked = 0;

	for (unsigned int cpu = 0; cpu < CPU_MAX; cpu++) {
		const struct page_cpu *pc = cpu_of(page_cpu, cpu);

		stacked += read_once(pc->count);
		for (unsigned int kind = 0; kind < PAGE_KINDS; kind++)
			sums[kind] += read_once(pc->by_kind[kind]);
	}
	*out = (struct page_stats){
		.total = page_total_frames, .free = buddy_free_frames() + stacked,
		.anon = (uint64_t)sums[PAGE_ANON], .cache = (uint64_t)sums[PAGE_CACHE],
		.table = (uint64_t)sums[PAGE_TABLE], .slab = (uint64_t)sums[PAGE_SLAB],
		.kernel = (uint64_t)sums[PAGE_KERNEL],
	};
}

void page_set_reclaim(size_t (*reclaim)(size_t n))
{
	reclaim_hook = reclaim;
}

void page_set_drain(void (*drain_here)(void))
{
	drain_hook = drain_here;
}

void page_init(uint64_t total)
{
	page_total_frames = total;
	/* 1/512 of memory, between 32 pages and 4 MiB. */
	reserve_frames = total / 512;
	if (reserve_frames < 32)
		reserve_frames = 32;
	if (reserve_frames > 1024)
		reserve_frames = 1024;
}

void mem_init(void)
{
	page_init(boot_memory_init());
	slab_init();
	kvmap_init();
	kstack_init();
}
