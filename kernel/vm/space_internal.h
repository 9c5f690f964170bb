/*
 * What the files behind space.h share.
 */
#pragma once

#include "vm/area_tree.h"
#include "vm/ptable.h"
#include "vm/space.h"

extern bool fork_is_eager;			/* [I] fork=eager on the command line */

#define AREA_RIGHTS (AREA_READ | AREA_WRITE | AREA_EXEC)

static inline struct page *space_root(const struct space *space)
{
	return phys_to_page(space->root);
}

/* start < end, aligned, in the user half. */
static inline bool range_is_valid(uint64_t start, uint64_t end)
{
	return start < end && end <= USER_END && ((start | end) & ~PAGE_MASK) == 0;
}

/*
 * A new version of the area tree takes the place of the old one, which differs in [start,end) only.
 * Returns the old one: the caller drops it after it has released space->lock (files may be closed
 * by that). Accounts. Cannot fail.
 */
must_check struct area_node *space_commit_areas(struct space *space, struct area_node *areas,
						uint64_t start, uint64_t end);
/*
 * [start,end) gets `fill` (NULL: nothing), or its flags change: in place where that can be, else as
 * a new version. Accounts. -ENOMEM, and nothing has changed. *dead: as space_commit_areas.
 */
must_check int space_replace_areas(struct space *space, uint64_t start, uint64_t end,
				   const struct area *fill, struct area_node **dead);
must_check int space_change_areas(struct space *space, uint64_t start, uint64_t end,
				  uint32_t clear, uint32_t set, struct area_node **dead);
/* Every page of [start,end) is mapped. */
bool space_covers(struct space *space, uint64_t start, uint64_t end);
/* 0, or -ENOMEM when `pages` more would pass RLIMIT_AS or, for private writable ones, _DATA, or are
 * more than all memory. */
must_check int space_check_limits(const struct space *space, uint64_t pages, uint32_t flags);

/* Page tables, in chunks: table_lock is taken, flushed and released inside. Sleep for memory. */
must_check int space_prepare_cut(struct space *space, uint64_t start, uint64_t end);
void space_unmap_tables(struct space *space, uint64_t start, uint64_t end);	/* after the cut */
must_check int space_edit_tables(struct space *space, uint64_t start, uint64_t end,
				 enum ptable_edit edit, uint32_t rights, ptable_filter_t filter,
				 void *arg);

/* space->lock held for writing. `*dead`: as space_commit_areas. */
must_check int space_unmap_locked(struct space *space, uint64_t start, uint64_t end,
				  struct area_node **dead);
/* Where an area of `bytes` may go; 0: nowhere. */
uint64_t space_find_place(struct space *space, uint64_t hint, uint64_t bytes);

/* As space_fault; `force`: a private area is written although it has no write permission. */
must_check int space_fault_force(struct space *space, uint64_t address, enum fault_access access,
				 bool force, int *si_code);
/* Too much is dirty: if the address is a shared mapping's, its object is written back. */
void space_throttle(struct space *space, uint64_t address);
/* Extends the stack area above `address` down to it; false: there is none, or it may not. */
bool space_grow_stack(struct space *space, uint64_t address);
must_check int space_fork_tables_eager(struct space *parent, struct space *child);
void fault_init(void);
