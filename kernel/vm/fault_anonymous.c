/*
 * Faults in private anonymous memory: the zero page, cleared pages, 2 MiB leaves.
 *
 * How much a first write brings in follows what the program has shown:
 *
 *	what is there						what comes
 *	nothing near						one page
 *	at least AHEAD_MIN writable pages right below		as many again, AHEAD_MAX at most
 *	BESIDE_BYTES right below or above, or MADV_HUGEPAGE	2 MiB, when a free block is at hand
 *
 * So a program that goes through its memory gets it in large pieces, one that touches a page here
 * and there pays for what it touches (2 MiB to clear take as long as 200 faults), and none holds
 * more than five times what it used. A block that is not at hand is not waited for: 4 KiB pages do.
 *
 * doc/decisions/0006-huge-pages.md has the measurements.
 */
#include "abi/errno.h"
#include "lib/string.h"
#include "vm/fault_internal.h"

#define AHEAD_MIN 4u
#define AHEAD_MAX 15u			/* with table_lock held; with the page itself, what
					 * tlb_flush() does page by page */
#define BESIDE_BYTES (512UL << 10)

static struct page *zero_page;		/* [I] */
static enum huge_mode huge_mode = HUGE_ALWAYS;		/* read and written at any time */

enum huge_mode space_huge_mode(void)
{
	return read_once(huge_mode);
}

void space_set_huge_mode(enum huge_mode mode)
{
	write_once(huge_mode, mode);
}

/* All 2 MiB around the address belong to the area, and it and the space may have such leaves. */
static bool may_fold(const struct fault *f)
{
	uint64_t start = f->address & ~(FOLD_BYTES - 1);
	const struct area *a = f->area;

	return start >= a->start && start + FOLD_BYTES <= a->end &&
	       (a->flags & (AREA_WRITE | AREA_EXEC | AREA_GROWSDOWN | AREA_NOHUGE)) == AREA_WRITE &&
	       !f->space->huge_disabled && !f->no_fold &&
	       (space_huge_mode() == HUGE_ALWAYS ||
		(space_huge_mode() == HUGE_MADVISE && (a->flags & AREA_HUGE) != 0));
}

/* All of [start,end) is in the area and present. */
static bool is_full(const struct fault *f, uint64_t start, uint64_t end)
{
	return start >= f->area->start && end <= f->area->end && start < end &&
	       ptable_resident_in(space_root(f->space), start, end) == (end - start) >> PAGE_SHIFT;
}

/* table_lock held: a 2 MiB leaf may go in, and the program will use it. */
static bool wants_fold(const struct fault *f)
{
	uint64_t start = f->address & ~(FOLD_BYTES - 1), end = start + FOLD_BYTES;

	if (!ptable_fold_is_free(&f->path) || !may_fold(f))
		return false;
	return (f->area->flags & AREA_HUGE) != 0 || is_full(f, start - BESIDE_BYTES, start) ||
	       is_full(f, end, end + BESIDE_BYTES);
}

/* Cleared without a lock, then put in. 0; -EAGAIN, and small pages from now on. */
static int fault_fold(struct fault *f)
{
	struct page *table = ptable_fold_create(ptable_leaf_flags(f->area->flags, true));
	bool done = false;

	f->no_fold = true;
	if (table == NULL)
		return -EAGAIN;
	if (fault_lock_upper(f)) {
		done = ptable_fold_install(&f->path, table);
		fault_unlock(f);
	}
	if (!done)
		ptable_put(table);
	return done ? 0 : -EAGAIN;
}

/* The pages right below that are present, as far as they are of interest. table_lock held. */
static unsigned int pages_below(const struct fault *f)
{
	unsigned int index = pte_index(f->address, 1), n = 0;
	const pte_t *slot = ptable_slot(&f->path);

	while (n < AHEAD_MAX && n < index && f->address - n * PAGE_SIZE > f->area->start &&
	       pte_is_writable(pte_load(slot - n - 1)))
		n++;
	return n;
}

/*
 * The program goes upwards: pages that it will want next, as far as they are like this one, there
 * or not.
 */
static void settle_ahead(struct fault *f, bool present) REQUIRES(&f->space->table_lock)
{
	unsigned int n = pages_below(f), room;
	struct ptable_path path;

	if (n < AHEAD_MIN)
		return;
	path = f->path;
	room = ptable_room(&path);
	for (n = n < room ? n : room; n > 0; n--) {
		pte_t e;

		path.address += PAGE_SIZE;
		e = pte_load(ptable_slot(&path));
		if (path.address >= f->area->end || pte_is_none(e) == present ||
		    pte_is_writable(e) || !fault_settle_write(f, &path))
			return;
	}
}

/* The leaf table is our own. Entered with table_lock held, left without. */
static int fault_small(struct fault *f) RELEASES(&f->space->table_lock)
{
	pte_t e = pte_load(ptable_slot(&f->path));

	if (f->write) {
		if (!fault_settle_write(f, &f->path))
			return fault_settle_later(f);
		settle_ahead(f, !pte_is_none(e));
	} else if (pte_is_none(e)) {
		ptable_install(&f->path, pte_with(fault_leaf(f, zero_page, false), PTE_SPECIAL));
	} else {
		return fault_present_private(f, e);
	}
	fault_unlock(f);
	return 0;
}

int fault_anonymous(struct fault *f)
{
	if (!fault_lock_upper(f))
		return -EAGAIN;
	if (f->write && ptable_fold_is_there(&f->path) && ptable_fold_write(&f->path)) {
		fault_unlock(f);
		return 0;
	}
	if (f->write && wants_fold(f)) {
		fault_unlock(f);
		return fault_fold(f);
	}
	if (fault_own_leaf(f))
		return fault_small(f);
	fault_lacks_tables(f);
	return -EAGAIN;
}

void fault_init(void)
{
	zero_page = page_allocate(0, PAGE_KERNEL, PAGE_ZERO);
	if (zero_page == NULL)
		panic("vm: no memory at boot");
}
