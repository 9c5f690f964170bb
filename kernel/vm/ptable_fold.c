/*
 * 2 MiB leaves.
 *
 * Problem. A 2 MiB page is one entry for the processor, but a program may unmap, protect or, after
 * a fork, write 4 KiB of it; and it must not make fork or copy-on-write dearer, nor 2 MiB the unit
 * of copying.
 *
 * Idea. A 2 MiB leaf is not another kind of page. It is a leaf table like any other, full, with
 * frames in a row, *folded*: the entry of the level-2 table has PTE_HUGE and the first frame's
 * address instead of the table's, and page_folds remembers the table by its block. The entry holds
 * its reference to the table, the table those to the frames. So sharing, copying, counting and
 * dropping (ptable.c) treat a folded entry as an entry that leads to a table; frames are single
 * frames with a count each; and what changes a leaf first unfolds the entry, which needs no memory
 * and cannot fail. Nothing is folded again.
 *
 * Invariants. (F) While an entry is folded, its table is full, its frames lie in a row from a 2 MiB
 * border, all its leaves have the rights of the entry. Nobody breaks it: a table is changed by its
 * one owner through a path that ptable_own() made, hence after its entry was unfolded; a table with
 * several parents is not changed. (W) of ptable.c, for a folded entry with its write bit: the table
 * has count 1, no mark, and each leaf may be written.
 *
 *	level-2 entry	table		first write to it
 *	folded, W	count 1		- (the processor allows it)
 *	folded, no W	count 1		all frames ours alone: the bit is set; else unfolded
 *	folded, no W	count > 1	unfolded, the table copied, then one page
 *	ordinary			as ptable.c says
 *
 * Unfolding. Some processors go wrong when they hold a 2 MiB and a 4 KiB translation of one address
 * at a time (AMD's erratum 383, Intel's ITLB multihit), so the entry is empty during the flush. A
 * program that runs into the gap faults, waits for table_lock, and finds it settled.
 *
 * Cost. A fresh leaf: one table, 512 entries and descriptors to write besides the frames to clear
 * (1 % of it). Unfolding: one flush. Dropping: the counts are read, the block goes back whole.
 *
 * Alternatives rejected. A compound page counted as one: a part that stays shared after a copy then
 * needs a second count, and splitting needs memory. Copying 2 MiB on a write: 500 times the latency
 * and twice the memory of a snapshot.
 */
#include "lib/string.h"
#include "vm/ptable_internal.h"

bool table_is_run(const struct page *table)
{
	const pte_t *entries = entries_of(table);
	uint64_t base = pte_phys(entries[0]).value;

	if (table_is_part(table) || table->present != PTE_ENTRIES ||
	    table->resident != PTE_ENTRIES || (base & (FOLD_BYTES - 1)) != 0)
		return false;
	for (unsigned int i = 0; i < PTE_ENTRIES; i++)
		if (pte_phys(entries[i]).value != base + i * PAGE_SIZE)
			return false;
	return true;
}

void entry_unfold(pte_t *slot, uint64_t address, struct gather *g)
{
	uint64_t start = address & ~(FOLD_BYTES - 1);
	pte_t e = pte_exchange(slot, pte_none());

	ASSERT(pte_is_huge(e));
	gather_range(g, start, start + PAGE_SIZE);
	tlb_flush(g);
	pte_store(slot, pte_make(page_to_phys(entry_child(e)), PTE_PRESENT | PTE_USER |
				 PTE_ACCESSED | (e.value & PTE_WRITE)));
}

struct page *ptable_fold_create(uint64_t flags)
{
	struct page *block = page_allocate(FOLD_ORDER, PAGE_ANON, PAGE_ZERO | PAGE_TRY), *table;
	pte_t *entries;

	if (block == NULL)
		return NULL;
	table = table_allocate(PAGE_TRY);
	if (table == NULL) {
		page_put(block);
		return NULL;
	}
	page_split(block);
	entries = entries_of(table);
	for (unsigned int i = 0; i < PTE_ENTRIES; i++)
		entries[i] = pte_make(page_to_phys(block + i), flags);
	table->level = 1;
	table->present = PTE_ENTRIES;
	table->resident = PTE_ENTRIES;
	table->groups = UINT32_MAX;
	page_folds[(uint64_t)(block - page_array) >> FOLD_ORDER] = (uint32_t)(table - page_array);
	return table;
}

bool ptable_fold_install(const struct ptable_path *path, struct page *table)
{
	if (!ptable_fold_is_free(path))
		return false;
	pte_store(ptable_fold_slot(path), pte_with(entries_of(table)[0], PTE_HUGE));
	path->table[2]->present++;
	table_note(path->table[2], pte_index(path->address, 2));
	for (unsigned int level = 2; level <= PTE_LEVELS; level++)
		path->table[level]->resident += PTE_ENTRIES;
	return true;
}

bool ptable_fold_write(const struct ptable_path *path)
{
	pte_t *slot = ptable_fold_slot(path), e = pte_load(slot);
	struct page *table = entry_child(e);

	if (pte_is_writable(e))
		return true;
	if (page_count(table) != 1 || !table_sweep(table))
		return false;
	(void)pte_exchange(slot, pte_with(e, PTE_WRITE | PTE_DIRTY));
	return true;
}
