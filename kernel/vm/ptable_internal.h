/*
 * Between the files of the page-table tree.
 */
#pragma once

#include "vm/ptable.h"

static inline pte_t *entries_of(const struct page *table) { return page_address(table); }

/*
 * What an entry holds a reference to: a table above level 1 (that of a folded entry is found by its
 * block), a frame at level 1, where PTE_HUGE is never set.
 */
static inline struct page *entry_child(pte_t e)
{
	if (pte_is_huge(e))
		return &page_array[page_folds[pte_phys(e).value / FOLD_BYTES]];
	return pte_page(e);
}

/* A table of level 1 whose entries are counted frames in a row that begins at a 2 MiB border. */
bool table_is_run(const struct page *table);
/* Makes the write bits of an own table true again (invariant W); all its entries keep theirs. */
bool table_sweep(struct page *table);
/* A folded entry of an own table becomes an ordinary one. Flushes. */
void entry_unfold(pte_t *slot, uint64_t address, struct gather *g);

static inline uint64_t leaf_count(pte_t e)
{
	return pte_is_special(e) ? 0 : 1;
}

#define TABLE_GROUP PTABLE_GROUP

/*
 * From a frame's address to its descriptor in page_array, in bytes: a table has 512 to be counted,
 * and the compiler would read page_array anew for each.
 */
static inline uint64_t frame_offset(uint64_t address)
{
	_Static_assert(PAGE_SIZE / sizeof(struct page) == 1 << 7, "frame to descriptor: one shift");
	return address >> 7;
}

/*
 * A table that is a copy in progress (ptable_copy.c): of the groups it does not have itself it has
 * what `base` has, without write bits.
 */
#define PART_LEVEL_MAX 2u
/* What making a path private gathers at most (tables, bases), and one for what is done there. */
#define GATHER_PATH (PTE_LEVELS - 1 + PART_LEVEL_MAX + 1)
static inline bool table_is_part(const struct page *table) { return table->base != 0; }
static inline struct page *table_base(const struct page *table) { return &page_array[table->base]; }
static inline bool entry_is_of_base(const struct page *table, unsigned int index)
{
	return table_is_part(table) && pte_is_none(pte_load(&entries_of(table)[index]));
}

/* The entry as it is for the program; the processor finds it missing when it is of the base. */
static inline pte_t table_entry(const struct page *table, unsigned int index)
{
	if (entry_is_of_base(table, index))
		return pte_without(pte_load(&entries_of(table_base(table))[index]), PTE_WRITE);
	return pte_load(&entries_of(table)[index]);
}

/*
 * Copies `from`, shared, whose reference the caller had through the entry: it goes to the gather,
 * or stays with the copy. `part`: up to PART_LEVEL_MAX it may be copied in part.
 */
void table_copy(struct page *from, struct page *to, bool part, struct gather *g);
/* An own copy in progress gets the group of `index`; all groups. */
void table_fill(struct page *table, unsigned int index, struct gather *g);
void table_complete(struct page *table, struct gather *g);

/* An entry is about to be used: whoever walks the table finds it. */
static inline void table_note(struct page *table, unsigned int index)
{
	table->groups |= 1u << (index / TABLE_GROUP);
}

/*
 * The first entry in use at or above `index`, PTE_ENTRIES when there is none. Groups of entries
 * that were never used are skipped; of a root only the user half is ever noted.
 */
static inline unsigned int table_next(const struct page *table, unsigned int index)
{
	const pte_t *entries = entries_of(table);

	for (; index < PTE_ENTRIES; index++) {
		if (index % TABLE_GROUP == 0) {
			uint32_t rest = table->groups >> (index / TABLE_GROUP);

			if (rest == 0)
				return PTE_ENTRIES;
			index += (unsigned int)__builtin_ctz(rest) * TABLE_GROUP;
		}
		if (!pte_is_none(pte_load(&entries[index])))
			return index;
	}
	return PTE_ENTRIES;
}

/* The same for the program, the base's entries included. */
static inline unsigned int table_next_seen(const struct page *table, unsigned int index)
{
	unsigned int own = table_next(table, index), other = own;

	if (table_is_part(table))
		other = table_next(table_base(table), index);
	return own < other ? own : other;
}

/* The address of the first entry in use behind that for `address`; the table's end without one. */
static inline uint64_t table_next_address(const struct page *table, uint64_t address)
{
	unsigned int index = pte_index(address, table->level);
	uint64_t span = pte_span(table->level);

	return (address & ~(span - 1)) + (table_next_seen(table, index + 1) - index) * span;
}

/* A table without entries (ptable_pool.c): count 1, level for the caller to set; or NULL. */
struct page *table_allocate(unsigned int flags);
/* A table with count 0 or 1 that nobody walks and whose entries are none. */
void table_free(struct page *table);
void ptable_root_free(struct page *root);
