/*
 * What the files of the page fault share. fault.c has the theory.
 */
#pragma once

#include "vm/space_internal.h"

struct fault {
	struct space *space;
	const struct area *area;
	uint64_t address;		/* of the page */
	bool write;
	bool no_fold;			/* 2 MiB were not to be had */
	bool need_tables;		/* the stock was empty */
	struct ptable_path path;
	struct ptable_stock stock;
	struct gather gather;
};

/* table_lock, and the path to the address private; false: tables are missing, nothing is held. */
must_check bool fault_lock(struct fault *f) TRY_ACQUIRES(true, &f->space->table_lock);
void fault_lacks_tables(struct fault *f) RELEASES(&f->space->table_lock);

/* The same in two steps: down to the level-2 table; then the rest, or the look ends. */
must_check static inline bool fault_lock_upper(struct fault *f)
	TRY_ACQUIRES(true, &f->space->table_lock)
{
	spin_lock(&f->space->table_lock);
	if (ptable_own_upper(space_root(f->space), f->address, &f->path, &f->gather,
			     &f->stock) == 0)
		return true;
	fault_lacks_tables(f);
	return false;
}

must_check static inline bool fault_own_leaf(struct fault *f) REQUIRES(&f->space->table_lock)
{
	/* Of anonymous memory nothing beside the page's group is looked at. */
	if (f->area->object == NULL)
		return ptable_own_group(&f->path, &f->gather, &f->stock) == 0;
	return ptable_own_leaf(&f->path, &f->gather, &f->stock) == 0;
}

static inline void fault_unlock(struct fault *f) RELEASES(&f->space->table_lock)
{
	tlb_flush(&f->gather);
	spin_unlock(&f->space->table_lock);
	if (f->gather.count > 0)
		gather_release(&f->gather);
}

/* The leaf for a page of the area. */
pte_t fault_leaf(const struct fault *f, const struct page *page, bool writable);
/*
 * Makes the path's page one that the program may write: the one that is there if it is ours alone,
 * or a copy of it, or a cleared one where none is. False: no page is at hand. table_lock held; the
 * leaf table is our own.
 */
must_check bool fault_settle_write(struct fault *f, const struct ptable_path *path)
	REQUIRES(&f->space->table_lock);
/* The same with a page that is waited for. Entered with table_lock held, left without. */
must_check int fault_settle_later(struct fault *f) RELEASES(&f->space->table_lock);
/* A private area's leaf is there. Entered with table_lock held, left without. */
must_check int fault_present_private(struct fault *f, pte_t e) RELEASES(&f->space->table_lock);
must_check int fault_anonymous(struct fault *f);

/*
 * A fork, its tables shared and not flushed yet: the parent gets copies of what it will write.
 * `stack`: its stack pointer, or 0. `f`: space, stock and gather are set. space->lock held for
 * writing, table_lock held; the flush is the caller's.
 */
void fork_copy_ahead(struct fault *f, uint64_t stack) REQUIRES(&f->space->table_lock);

