/*
 * Pages that a parent writes right after a fork.
 *
 * Problem. A fork leaves every page shared. The parent goes on with its stack, the locks of its
 * allocator, a few variables: each of these first writes is an exception, which takes longer than
 * the copy that it ends in.
 *
 * Idea. A program that forks again writes the same pages again. The first pages that were copied
 * for the parent after a fork are remembered (space->written); the next fork copies them at once,
 * under the lock and before the flush that it makes anyway. The page of the stack pointer is always
 * one of them.
 *
 * Bound. At most FORK_AHEAD_MAX are remembered, and of a table no more than the page's group is
 * copied, so a fork's cost stays independent of the memory.
 * A copy that was not wanted is made once: its entry begins without the dirty bit, and where the
 * next fork finds it so, the page is forgotten. Who forks and waits has nothing copied for it, and
 * so nothing copied ahead. What is not at hand (a table, a page) is left to the fault.
 *
 *	a page of the parent		at its fault, or the next fork
 *	copied, there is room		remembered
 *	remembered, dirty		copied ahead, remembered
 *	remembered, clean or gone	forgotten
 *
 * Ordering. A copy may be made only when no processor can write to the original through an old
 * translation. Where the space is on this processor alone, that is now, since it is in the kernel
 * with preemption off; elsewhere the flush comes first.
 */
#include "vm/fault_internal.h"
#include "vm/ptable_internal.h"

/* The area may be another one than when the page was remembered. */
static bool find_area(struct fault *f)
{
	const struct area *a = area_tree_find(f->space->areas, f->address);

	f->area = a;
	return a != NULL && a->start <= f->address &&
	       (a->flags & (AREA_WRITE | AREA_SHARED | AREA_SPECIAL)) == AREA_WRITE;
}

/* Looked at before a path is made private for it. */
static bool is_wanted(const struct fault *f, bool remembered)
{
	bool writable;
	pte_t e = ptable_lookup(space_root(f->space), f->address, &writable);

	return !pte_is_none(e) && !pte_is_special(e) && pte_page(e)->kind == PAGE_ANON &&
	       (!remembered || pte_is_dirty(e));
}

/*
 * False: not copied. `remembered`: only if it was written since its entry was made; else it is a
 * stack's, only in anonymous memory (one that lies in a program's data is remembered soon).
 */
static bool copy_ahead(struct fault *f, uint64_t address, bool remembered)
	REQUIRES(&f->space->table_lock)
{
	f->address = page_round_down(address);
	if (!find_area(f) || (!remembered && f->area->object != NULL) ||
	    !is_wanted(f, remembered) ||
	    gather_room(&f->gather) < GATHER_PATH + 1 ||
	    ptable_own_upper(space_root(f->space), f->address, &f->path, &f->gather,
			     &f->stock) != 0 ||
	    ptable_fold_is_there(&f->path) ||
	    ptable_own_group(&f->path, &f->gather, &f->stock) != 0 ||
	    !fault_settle_write(f, &f->path))
		return false;
	(void)pte_fetch_clear(ptable_slot(&f->path), PTE_DIRTY);
	return true;
}

void fork_copy_ahead(struct fault *f, uint64_t stack)
{
	struct write_set *w = &f->space->written;
	uint32_t count = w->count;

	if (atomic32_load(&f->space->cpus) != 1u << cpu_id())
		tlb_flush(&f->gather);
	w->room = 0;			/* what is copied here is no news */
	w->count = 0;
	if (stack != 0)
		(void)copy_ahead(f, stack, false);
	for (uint32_t i = 0; i < count; i++)
		if (w->pages[i] != page_round_down(stack) && copy_ahead(f, w->pages[i], true))
			w->pages[w->count++] = w->pages[i];
	w->room = FORK_AHEAD_MAX - w->count;
}
