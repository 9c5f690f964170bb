/*
 * The buddy allocator: free blocks of 2^0 .. 2^10 frames (Knowlton, 1965).
 *
 * Idea: a free block's first descriptor says so (level == PAGE_BUDDY_HEAD) and gives its order; a
 * block's partner differs in one bit of the frame number, so freeing merges by looking at one
 * descriptor a step. No other frame ever has the mark: it is set when a block enters a list and
 * cleared when it leaves one.
 *
 * Memory that nobody has used yet is kept as ranges of virgin sections (4 MiB, the largest block):
 * neither the memory nor its descriptors are touched before the first use, so boot costs the same
 * whatever the size of the machine. Partners lie in one section, so a look at a partner never
 * meets a descriptor that is not initialised.
 *
 * Locking: buddy.lock (irqsave) guards everything; page.c keeps it off the common path by taking
 * and giving frames in batches. The count of free frames may be read without the lock.
 */
#include "core/assert.h"
#include "core/spinlock.h"
#include "mem/mem_internal.h"

#define VIRGIN_RANGES_MAX 130

struct virgin_range { uint64_t next, end; };		/* section numbers */

static struct {
	struct spinlock lock;
	struct list_head lists[BUDDY_ORDERS];
	uint32_t nonempty;				/* bit per order */
	struct virgin_range virgin[VIRGIN_RANGES_MAX];
	uint32_t virgin_count;
	atomic64_t free_frames;				/* virgin ones included */
} buddy = {
	.lock = SPINLOCK_INIT(RANK_BUDDY),
#define EMPTY(order) LIST_INIT(buddy.lists[order])
	.lists = { EMPTY(0), EMPTY(1), EMPTY(2), EMPTY(3), EMPTY(4), EMPTY(5), EMPTY(6), EMPTY(7),
		   EMPTY(8), EMPTY(9), EMPTY(10) },
#undef EMPTY
};

static uint64_t frame_of(const struct page *page) { return (uint64_t)(page - page_array); }

static void block_insert(struct page *page, unsigned int order)
{
	ASSERT(page->level != PAGE_BUDDY_HEAD);
	page->kind = PAGE_FREE;
	page->order = order;
	page->level = PAGE_BUDDY_HEAD;
	list_push_front(&buddy.lists[order], &page->node);
	buddy.nonempty |= 1u << order;
}

static void block_remove(struct page *page, unsigned int order)
{
	ASSERT(page->level == PAGE_BUDDY_HEAD && page->order == order);
	list_remove(&page->node);
	page->level = 0;
	if (list_is_empty(&buddy.lists[order]))
		buddy.nonempty &= ~(1u << order);
}

/* Takes the next untouched section into the lists; false when there is none. */
static bool virgin_take(void)
{
	while (buddy.virgin_count > 0) {
		struct virgin_range *range = &buddy.virgin[buddy.virgin_count - 1];

		if (range->next < range->end) {
			uint64_t section = range->next++;

			section_init(section, PAGE_FREE);
			block_insert(&page_array[section * SECTION_FRAMES], BUDDY_TOP_ORDER);
			return true;
		}
		buddy.virgin_count--;
	}
	return false;
}

static struct page *allocate_locked(unsigned int order) REQUIRES(&buddy.lock)
{
	uint32_t fitting = buddy.nonempty & ~((1u << order) - 1);

	if (fitting == 0) {
		if (!virgin_take())
			return NULL;
		fitting = 1u << BUDDY_TOP_ORDER;
	}

	unsigned int have = (unsigned int)__builtin_ctz(fitting);
	struct page *page = list_first(&buddy.lists[have], struct page, node);

	block_remove(page, have);
	while (have > order) {
		have--;
		block_insert(page + (1UL << have), have);
	}
	atomic64_add(&buddy.free_frames, -(1UL << order));
	return page;
}

static void free_locked(struct page *page, unsigned int order) REQUIRES(&buddy.lock)
{
	uint64_t frame = frame_of(page);

	ASSERT((frame & ((1UL << order) - 1)) == 0);
	atomic64_add(&buddy.free_frames, 1UL << order);
	while (order < BUDDY_TOP_ORDER) {
		struct page *partner = &page_array[frame ^ (1UL << order)];

		if (partner->level != PAGE_BUDDY_HEAD || partner->kind != PAGE_FREE ||
		    partner->order != order)
			break;
		block_remove(partner, order);
		frame &= ~(1UL << order);
		order++;
	}
	block_insert(&page_array[frame], order);
}

uint64_t buddy_free_frames(void)
{
	return atomic64_load(&buddy.free_frames);
}

struct page *buddy_allocate(unsigned int order, uint64_t reserve)
{
	struct page *page = NULL;
	irq_state_t irq = spin_lock_irqsave(&buddy.lock);

	if (buddy_free_frames() >= reserve + (1UL << order))
		page = allocate_locked(order);
	spin_unlock_irqrestore(&buddy.lock, irq);
	return page;
}

size_t buddy_allocate_many(struct page **out, size_t n, uint64_t reserve)
{
	size_t got = 0;
	irq_state_t irq = spin_lock_irqsave(&buddy.lock);

	while (got < n && buddy_free_frames() > reserve) {
		out[got] = allocate_locked(0);
		if (out[got] == NULL)
			break;
		got++;
	}
	spin_unlock_irqrestore(&buddy.lock, irq);
	return got;
}

void buddy_free(struct page *page, unsigned int order)
{
	irq_state_t irq = spin_lock_irqsave(&buddy.lock);

	free_locked(page, order);
	spin_unlock_irqrestore(&buddy.lock, irq);
}

void buddy_free_many(struct page **pages, size_t n)
{
	irq_state_t irq = spin_lock_irqsave(&buddy.lock);

	for (size_t i = 0; i < n; i++)
		free_locked(pages[i], 0);
	spin_unlock_irqrestore(&buddy.lock, irq);
}

void buddy_add_frames(uint64_t start, uint64_t end)
{
	irq_state_t irq = spin_lock_irqsave(&buddy.lock);

	while (start < end) {
		unsigned int order = BUDDY_TOP_ORDER;

		while ((start & ((1UL << order) - 1)) != 0 || start + (1UL << order) > end)
			order--;
		free_locked(&page_array[start], order);
		start += 1UL << order;
	}
	spin_unlock_irqrestore(&buddy.lock, irq);
}

/* Boot only, from the highest range to the lowest: the last one added is used first. */
void buddy_add_virgin(uint64_t first_section, uint64_t end_section)
{
	VERIFY(buddy.virgin_count < VIRGIN_RANGES_MAX);
	buddy.virgin[buddy.virgin_count++] = (struct virgin_range){ first_section, end_section };
	atomic64_add(&buddy.free_frames, (end_section - first_section) * SECTION_FRAMES);
}
