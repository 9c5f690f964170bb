/*
 * Copying a page-table page.
 *
 * Problem. The first write after a fork copies the tables on its path (ptable.c). A full leaf table
 * has 512 pages to count, though the writer wants to change one entry, and often no second one; the
 * level-2 table of a large process 512 tables, whose descriptors lie far apart.
 *
 * Idea. A table of these two levels is copied in groups of entries, as they are needed. The copy
 * keeps the reference to what it is a copy of, its *base*. A group that was copied is the copy's
 * own, its pages (or tables) counted; a group that was not is the base's, which holds the
 * references. The processor finds nothing in such a group, faults, and the group is copied then.
 * Readers look through (table_entry()).
 *
 * Invariants. (B) A base is not changed while anybody else holds it: whoever reaches it by a path
 * finds its count above 1. It has no base itself. Its mark PAGE_STALE_WRITE is set when the first
 * copy begins and stays until no copy has it as base. (G) Bit g of the copy's `groups`: the group
 * is its own; without it all 16 entries are none. An own group covers the base's: an entry is
 * never emptied in a copy in progress. `present` and `resident` are those of the whole.
 *
 * The end of it. Whoever wants more than a group (unmapping, mprotect, the leaf of a file)
 * completes the copy first. So does the fault that would make a third group own: to go on in such
 * steps costs more than to copy the rest, and a base keeps what its copies have replaced, which is
 * no more than what lies below two groups then. When the base's count is 1, those who shared it
 * are gone: the next fault moves its entries over instead of counting them, and what both have is
 * ours alone again.
 *
 *	table		base's count	fault in an own group	in another group
 *	whole		-		nothing			-
 *	in progress	> 1		nothing			copied; the third: completed
 *	in progress	1		completed by moving	completed by moving
 *
 * A copy in progress may become shared in its turn. A copy of it has the same base: bases do not
 * form chains.
 *
 * Ordering is that of ptable.c: the mark is set before a child is counted, the reference to the
 * base is dropped last, after a flush. Whoever reads 1 has seen both.
 *
 * Cost. A group is about 200 instructions, a full leaf table 6,000; of a level-2 table under
 * emulation up to 16 misses for the descriptors, against 512. Pages replaced while a base lives
 * stay until its copies are completed or gone: one in sixteen at most.
 *
 * Alternatives rejected. Copying all entries and leaving the pages to the base: 2,000 instructions
 * each time, and it keeps all pages. The same for the tables above level 2: most have one entry.
 */
#include "core/schedule_point.h"
#include "lib/bits.h"
#include "vm/ptable_internal.h"

/* A table that uses fewer groups is copied at once. */
#define PART_LEAF_GROUPS_MIN 16u
#define PART_TABLE_GROUPS_MIN 4u
#define PART_GROUPS_MAX 2u	/* own groups of a copy in progress */

/* A group of entries of a leaf table: counts what they hold, copies them without write bits. */
static void leaves_copy(const pte_t *from, pte_t *to, char *array)
{
#pragma GCC unroll 4
	for (unsigned int i = 0; i < TABLE_GROUP; i++) {
		pte_t e = pte_load(&from[i]);

		if (likely(!pte_is_none(e)) && likely(!pte_is_special(e)))
			page_get((struct page *)(array + frame_offset(pte_phys(e).value)));
		pte_store(&to[i], pte_without(e, PTE_WRITE));
	}
}

/*
 * The same of a table above. Entries that lead to tables are present and have no flag above
 * PTE_HUGE (entry_for()): the low byte, as a number, says that, and all else is the address.
 */
static void branches_copy(const pte_t *from, pte_t *to, char *array)
{
	_Static_assert(PTE_PRESENT == 1 && PTE_HUGE == 1 << 7, "the sign of the low byte");
#pragma GCC unroll 4
	for (unsigned int i = 0; i < TABLE_GROUP; i++) {
		pte_t e = pte_load(&from[i]);

		if (likely((int8_t)e.value > 0))
			page_get((struct page *)(array + frame_offset(e.value)));
		else if (!pte_is_none(e))
			page_get(entry_child(e));
		pte_store(&to[i], pte_without(e, PTE_WRITE));
	}
}

static void groups_copy(const struct page *from, struct page *to, uint32_t groups)
{
	const pte_t *source = entries_of(from);
	pte_t *target = entries_of(to);
	char *array = (char *)page_array;

	to->groups |= groups;
	for (; groups != 0; groups &= groups - 1) {
		unsigned int i = (unsigned int)__builtin_ctz(groups) * TABLE_GROUP;

		if (to->level == 1)
			leaves_copy(source + i, target + i, array);
		else
			branches_copy(source + i, target + i, array);
	}
}

static bool is_worth_part(const struct page *table)
{
	unsigned int least = table->level == 1 ? PART_LEAF_GROUPS_MIN : PART_TABLE_GROUPS_MIN;

	return table->level <= PART_LEVEL_MAX && !table_is_part(table) &&
	       popcount64(table->groups) >= least;
}

void table_copy(struct page *from, struct page *to, bool part, struct gather *g)
{
	bool keeps = part && is_worth_part(from);

	to->present = from->present;
	to->resident = from->resident;
	if (keeps) {
		to->base = (uint32_t)(from - page_array);
	} else {
		groups_copy(from, to, from->groups);
		if (table_is_part(from)) {
			to->base = from->base;
			page_get(table_base(to));
			if (!part)
				table_complete(to, g);
		}
		gather_ref(g, from);
	}
	schedule_point();
	atomic32_or(&from->flags, PAGE_STALE_WRITE);
	schedule_point();
}

/*
 * A group of a base that only we have: entries that are not our own yet move over, what both have
 * is counted once. What stays is what we have replaced.
 */
static void group_take(const struct page *base, struct page *table, unsigned int first)
{
	pte_t *from = entries_of(base) + first, *to = entries_of(table) + first;

	for (unsigned int i = 0; i < TABLE_GROUP; i++) {
		pte_t e = from[i], mine = to[i];

		if (pte_is_none(e))
			continue;
		if (pte_is_none(mine))
			pte_store(&to[i], pte_without(e, PTE_WRITE));
		else if (entry_child(e) != entry_child(mine))
			continue;
		else if (table->level > 1)
			ptable_put(entry_child(e));
		else if (!pte_is_special(e))
			page_put(pte_page(e));
		from[i] = pte_none();
	}
}

void table_complete(struct page *table, struct gather *g)
{
	struct page *base = table_base(table);

	schedule_point();
	if (page_count(base) == 1) {
		for (uint32_t groups = base->groups; groups != 0; groups &= groups - 1)
			group_take(base, table, (unsigned int)__builtin_ctz(groups) * TABLE_GROUP);
		table->groups |= base->groups;
	} else {
		groups_copy(base, table, base->groups & ~table->groups);
	}
	table->base = 0;
	gather_ref(g, base);
}

void table_fill(struct page *table, unsigned int index, struct gather *g)
{
	const struct page *base = table_base(table);
	uint32_t group = 1u << (index / TABLE_GROUP);

	schedule_point();
	if (page_count(base) == 1 || popcount64(table->groups | group) > PART_GROUPS_MAX)
		table_complete(table, g);
	else
		groups_copy(base, table, base->groups & group & ~table->groups);
}

unsigned int ptable_room(const struct ptable_path *path)
{
	unsigned int index = pte_index(path->address, 1);

	if (table_is_part(path->table[1]))
		index %= PTABLE_GROUP;
	return (table_is_part(path->table[1]) ? PTABLE_GROUP : PTE_ENTRIES) - 1 - index;
}
