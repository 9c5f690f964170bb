/*
 * Page-table leaves changed one by one over a range (mprotect, write-back, holes in files), and the
 * check of a whole tree. ptable.c has the theory.
 */
#include "abi/errno.h"
#include "vm/ptable_internal.h"

/* --- editing ---------------------------------------------------------------------------------- */

uint64_t ptable_leaf_flags(uint32_t rights, bool writable)
{
	uint64_t flags = PTE_PRESENT | PTE_USER | PTE_ACCESSED;

	if ((rights & (AREA_READ | AREA_WRITE | AREA_EXEC)) == 0)
		return PTE_HIDDEN;
	if (writable && (rights & AREA_WRITE) != 0)
		flags |= PTE_WRITE | PTE_DIRTY;
	if ((rights & AREA_EXEC) == 0)
		flags |= PTE_NO_EXEC;
	return flags;
}

static void leaf_restrict(const struct ptable_path *path, uint32_t rights, struct gather *g)
{
	pte_t *slot = ptable_slot(path);
	uint64_t page = page_round_down(path->address);
	pte_t e = pte_load(slot);
	uint64_t kept = PTE_SPECIAL | (rights != 0 ? PTE_NO_EXEC : 0);
	pte_t wanted = pte_make(pte_phys(e), (e.value & kept) |
				ptable_leaf_flags(rights, pte_is_writable(e)));

	/* Nothing is added: a right to execute that comes in exchange is the fault's to give. */
	if (pte_flags(pte_without(wanted, PTE_DIRTY | PTE_ACCESSED)) ==
	    pte_flags(pte_without(e, PTE_DIRTY | PTE_ACCESSED)))
		return;
	/* A hidden page that becomes visible again waits for its fault, which knows the area. */
	if (!pte_is_present(e) && pte_is_present(wanted))
		return;
	(void)pte_exchange(slot, wanted);
	gather_range(g, page, page + PAGE_SIZE);
}

static void leaf_edit(const struct ptable_path *path, enum ptable_edit edit, uint32_t rights,
		      struct gather *g)
{
	uint64_t page = page_round_down(path->address);
	pte_t e;

	switch (edit) {
	case PTABLE_RESTRICT:
		leaf_restrict(path, rights, g);
		return;
	case PTABLE_CLEAN:
		if (pte_is_writable(pte_fetch_clear(ptable_slot(path), PTE_WRITE | PTE_DIRTY)))
			gather_range(g, page, page + PAGE_SIZE);
		return;
	case PTABLE_DROP:
		e = ptable_take(path, g);
		if (!pte_is_none(e) && !pte_is_special(e))
			gather_ref(g, pte_page(e));
		return;
	}
}

uint64_t ptable_edit(struct page *root, uint64_t start, uint64_t end, enum ptable_edit edit,
		     uint32_t rights, ptable_filter_t filter, void *arg, struct gather *g,
		     struct ptable_stock *stock, int *error)
{
	struct ptable_path path = { .address = UINT64_MAX };
	uint64_t owned = UINT64_MAX;		/* the leaf table that `path` leads to */
	pte_t e;

	*error = 0;
	while (ptable_next(root, &start, end, &e)) {
		if (gather_room(g) < GATHER_PATH)
			return start;
		if (filter == NULL || filter(e, start, arg)) {
			if (owned != start >> pte_shift(2)) {
				*error = ptable_own(root, start, &path, g, stock);
				if (*error != 0)
					return start;
				owned = start >> pte_shift(2);
			}
			path.address = start;
			leaf_edit(&path, edit, rights, g);
		}
		start += PAGE_SIZE;
	}
	return end;
}

/* --- checking --------------------------------------------------------------------------------- */

/* A folded entry says of all its frames what their table says. */
static void check_fold(pte_t e, bool writable)
{
	const uint64_t kept = PTE_PRESENT | PTE_USER | PTE_NO_EXEC | PTE_SPECIAL | PTE_HIDDEN;
	struct page *table = entry_child(e);

	VERIFY(table_is_run(table) && entry_child(entries_of(table)[0]) == pte_page(e));
	for (unsigned int i = 0; i < PTE_ENTRIES; i++) {
		pte_t leaf = entries_of(table)[i];

		VERIFY(((leaf.value ^ e.value) & kept) == 0);
		VERIFY(!writable || pte_is_writable(leaf));
	}
}

/* What a copy in progress stands on, and that its own groups cover the base's. */
static void check_base(const struct page *table)
{
	const struct page *base = table_base(table);

	VERIFY(table->level <= PART_LEVEL_MAX && base->kind == PAGE_TABLE &&
	       base->level == table->level);
	VERIFY(page_count(base) >= 1 && !table_is_part(base));
	for (unsigned int i = 0; i < PTE_ENTRIES; i++) {
		bool own = (table->groups & 1u << (i / TABLE_GROUP)) != 0;

		VERIFY(own || pte_is_none(entries_of(table)[i]));
		VERIFY(!own || pte_is_none(entries_of(base)[i]) ||
		       !pte_is_none(entries_of(table)[i]));
	}
}

/* Returns the counted leaves below; `writable`: all entries above have their write bits. */
static uint64_t check_below(struct page *table, bool writable)
{
	uint64_t resident = 0;
	uint32_t present = 0;

	VERIFY(table->kind == PAGE_TABLE && page_count(table) >= 1);
	VERIFY(!writable || (atomic32_load(&table->flags) & PAGE_STALE_WRITE) == 0 ||
	       table->level == PTE_LEVELS);
	if (table_is_part(table))
		check_base(table);
	for (unsigned int i = table_next_seen(table, 0); i < PTE_ENTRIES;
	     i = table_next_seen(table, i + 1)) {
		pte_t e = table_entry(table, i);
		bool through = writable && pte_is_writable(e);

		present++;
		if (table->level == 1) {
			resident += leaf_count(e);
			VERIFY(!through || pte_is_special(e) || page_count(pte_page(e)) == 1 ||
			       pte_page(e)->kind != PAGE_ANON);
			continue;
		}
		VERIFY(entry_child(e)->level == table->level - 1);
		VERIFY(pte_is_huge(e) || pte_flags(e) < PTE_HUGE);	/* branches_copy() */
		VERIFY(!through || page_count(entry_child(e)) == 1);
		resident += check_below(entry_child(e), through);
		if (pte_is_huge(e))
			check_fold(e, through);
	}
	VERIFY(present == table->present && resident == table->resident);
	return resident;
}

void ptable_check(struct page *root)
{
	check_below(root, true);
}
