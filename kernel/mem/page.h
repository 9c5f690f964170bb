/*
 * Page frames and their descriptors.
 *
 * `count` is the number of references: of page tables' entries for a mapped page, of parents for a
 * page-table page, plus one for each page cache, pin or other holder. There is no reverse map.
 * A frame with count 0 belongs to the buddy allocator or to a per-CPU list.
 *
 * The descriptor is 32 bytes: 0.8 % of memory.
 */
#pragma once

#include "arch/arch_down.h"
#include "core/atomic.h"
#include "core/types.h"
#include "lib/list.h"

enum page_kind {
	PAGE_FREE, PAGE_RESERVED, PAGE_ANON, PAGE_CACHE, PAGE_TABLE, PAGE_SLAB, PAGE_KERNEL,
};

/* page->flags bits */
#define PAGE_DIRTY	(1u << 0)	/* cache page with changes its file does not have */
#define PAGE_UPTODATE	(1u << 1)	/* cache page whose content is valid */
#define PAGE_LOCKED	(1u << 2)	/* cache page under I/O: waited for in vm/object.c */
#define PAGE_STALE_WRITE (1u << 3)	/* page-table page: entries' write bits to be re-derived */
#define PAGE_ERROR	(1u << 4)
#define PAGE_REFERENCED	(1u << 5)

struct object;
struct slab;
struct slab_cache;

struct page {
	atomic32_t count;
	uint8_t kind;			/* enum page_kind */
	uint8_t order;			/* of the block it heads */
	uint16_t level;			/* page-table page: 1 leaf .. 4 top */
	union {
		struct list_head node;	/* free lists, slab lists */
		struct {		/* PAGE_CACHE */
			struct object *object;
			uint64_t index;
		};
		struct {		/* PAGE_TABLE */
			uint64_t resident;	/* present leaf pages below */
			uint32_t present;	/* entries in this table */
			uint32_t groups;	/* bit g: entries [16g,16g+16) may be in use */
		};
		struct {		/* PAGE_SLAB */
			struct slab_cache *cache;
			struct slab *slab;	/* the header, in the block's first bytes */
		};
	};
	atomic32_t flags;
	union {
		uint32_t private;
		uint32_t base;		/* PAGE_TABLE: a frame, or 0: vm/ptable_copy.c */
	};
};

_Static_assert(sizeof(struct page) == 32, "page descriptors are 32 bytes");

extern struct page *page_array;		/* indexed by frame number */
extern uint64_t page_array_end;		/* frames */

/*
 * By number of the block of 2^PAGE_HUGE_ORDER frames: the frame of its page table while it is a
 * 2 MiB leaf (vm/ptable_fold.c). Copying a level-2 table asks for each; in the descriptors of the
 * first frames they would be 16 KiB apart, each on a page of its own.
 */
#define PAGE_HUGE_ORDER	9u
extern uint32_t *page_folds;

static inline struct page *phys_to_page(phys_t p) { return &page_array[p.value >> PAGE_SHIFT]; }
static inline phys_t page_to_phys(const struct page *p)
{
	return phys((uint64_t)(p - page_array) << PAGE_SHIFT);
}
static inline void *page_address(const struct page *p) { return phys_to_virt(page_to_phys(p)); }
static inline struct page *virt_to_page(const void *v) { return phys_to_page(virt_to_phys(v)); }

/*
 * 2^order contiguous frames, count 1 on the first, content undefined. NULL when memory has ended:
 * the caller returns -ENOMEM (reclaim is asked by page_allocate itself when `may_reclaim`).
 */
#define PAGE_ZERO	(1u << 0)	/* cleared */
#define PAGE_ATOMIC	(1u << 1)	/* caller holds a spin lock: no reclaim, no sleep */
#define PAGE_TRY	(1u << 2)	/* only what is at hand: no reclaim, no reserve */
must_check struct page *page_allocate(unsigned int order, enum page_kind kind, unsigned int flags);
static inline void page_get(struct page *p) { atomic32_add(&p->count, 1); }
void page_put_last(struct page *p, uint32_t left);
/* Drops a reference; the last one frees the block (order as allocated). */
static inline void page_put(struct page *p)
{
	uint32_t left = atomic32_sub_acq_rel(&p->count, 1);

	if (unlikely(left + 1 <= 1))
		page_put_last(p, left);
}
void page_free(struct page *p);	/* page_put's last step: count is 0 */
/* A block with count 1 becomes as many single frames, each with count 1. */
void page_split(struct page *block);
/* Drops one reference of each of 2^order aligned single frames; as one block when it can. */
void page_put_run(struct page *first, unsigned int order);
static inline uint32_t page_count(const struct page *p) { return atomic32_load_acquire(&p->count); }

/* A page changes hands between kinds (anonymous to page cache and back): keeps the statistics. */
void page_set_kind(struct page *p, enum page_kind kind);
/* A reserved frame (of the initrd) becomes an ordinary page with count 1, its content kept. */
void page_adopt(struct page *p, enum page_kind kind);
/* Gives reserved frames in physical [start,end) to the allocator, adopted ones excepted. */
void page_free_range(uint64_t start, uint64_t end);

/*
 * Frames, objects and stacks that mem/ keeps for quick reuse go back, on all processors; pages that
 * became free. May sleep. For the end of memory, and for counting what is really in use.
 */
size_t page_drain_caches(void);
/* Registered by vm: gives back what this CPU keeps of its own frames. Interrupts off. */
void page_set_drain(void (*drain_here)(void));

struct page_stats { uint64_t total, free, anon, cache, table, slab, kernel; };
void page_stats_get(struct page_stats *out);
extern uint64_t page_total_frames;	/* [I] of RAM */
static inline uint64_t page_total(void) { return page_total_frames; }

/* Registered by the page cache: frees up to n clean pages, returns how many. May sleep. */
void page_set_reclaim(size_t (*reclaim)(size_t n));

void mem_init(void);			/* boot_info -> page_array, buddy, slab; before SMP */
