/*
 * What the files of mem/ share: the buddy allocator below the page front end, the boot map, and the
 * shrinkers that a short page allocation calls.
 */
#pragma once

#include "mem/page.h"

#define BUDDY_ORDERS 11			/* 4 KiB .. 4 MiB */
#define BUDDY_TOP_ORDER (BUDDY_ORDERS - 1)
#define SECTION_FRAMES (1UL << BUDDY_TOP_ORDER)	/* unit of descriptor initialisation */
#define SECTION_BYTES (SECTION_FRAMES << PAGE_SHIFT)

/* page->level of the first frame of a block on a buddy list; 0 for every other free frame. */
#define PAGE_BUDDY_HEAD 0xffffu

/*
 * Gives frames [start,end), whose descriptors are initialised, to the free lists.
 */
void buddy_add_frames(uint64_t start, uint64_t end);
/* Gives whole sections that nobody has touched; their descriptors are initialised when needed. */
void buddy_add_virgin(uint64_t first_section, uint64_t end_section);
/* A block of 2^order frames, its descriptor as free; NULL when only `reserve` frames are left. */
struct page *buddy_allocate(unsigned int order, uint64_t reserve);
/* Up to n single frames; how many. One lock for all. */
size_t buddy_allocate_many(struct page **out, size_t n, uint64_t reserve);
void buddy_free(struct page *page, unsigned int order);
void buddy_free_many(struct page **pages, size_t n);
uint64_t buddy_free_frames(void);

/* Reads boot_info, places page_array, fills the buddy allocator. Frames of RAM in all. */
uint64_t boot_memory_init(void);
void section_init(uint64_t section, enum page_kind kind);

/* Shrinkers: give back pages that caches of mem/ keep; pages freed. They never allocate. */
size_t slab_reap(void);
void slab_drain_here(void);		/* this CPU's magazines */
size_t kstack_reap(void);

void page_init(uint64_t total_frames);
void slab_init(void);
void kmalloc_init(void);
void kvmap_init(void);
void kstack_init(void);

/* True when the caller may sleep and may wait for other processors. */
static inline bool mem_may_sleep(void)
{
	return preempt_count() == 0 && arch_irq_enabled();
}
