/*
 * Stale translations: gathering what was unmapped, flushing the processors that may still use it,
 * and only then dropping the references. Also which space each processor has loaded.
 */
#pragma once

#include "arch/arch_pte.h"
#include "vm/space.h"

#define GATHER_MAX 96
#define GATHER_GRANTS 17	/* a fork's (fork_ahead.c) and its stack's page */

/*
 * References to pages and page tables that leave a space. Between a change and tlb_flush() another
 * processor (its TLB, its page walker) may still use them.
 */
struct gather {
	struct space *space;
	uint64_t start, end;		/* addresses whose translations may be stale */
	bool stale;
	uint32_t count, grant_count;
	pte_t *grants[GATHER_GRANTS];	/* leaves that get their write permission at the flush */
	struct page *refs[GATHER_MAX];
};

static inline void gather_init(struct gather *g, struct space *space)
{
	g->space = space;
	g->start = UINT64_MAX;
	g->end = 0;
	g->stale = false;
	g->count = 0;
	g->grant_count = 0;
}

static inline uint32_t gather_room(const struct gather *g) { return GATHER_MAX - g->count; }

static inline void gather_range(struct gather *g, uint64_t start, uint64_t end)
{
	g->stale = true;
	if (start < g->start)
		g->start = start;
	if (end > g->end)
		g->end = end;
}

static inline void gather_ref(struct gather *g, struct page *page)
{
	ASSERT(g->count < GATHER_MAX);
	g->refs[g->count++] = page;
}

/* Flushes every processor that may hold the stale range. Interrupts on; table_lock may be held. */
void tlb_flush(struct gather *g);
/* Drops the gathered references; after tlb_flush(). No spin lock held. May be used again. */
void gather_release(struct gather *g);

/* Makes every processor that still has the dying space loaded leave it. */
void tlb_leave_space(struct space *space);
/* Loads a space on this processor (interrupts off): the scheduler's hook, and exec. */
void tlb_load_space(struct space *space);
void tlb_init(void);
