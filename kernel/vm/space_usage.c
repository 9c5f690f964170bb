/*
 * What a space has in memory, leaf by leaf, and with how many others: for /proc/PID/smaps, status.
 *
 * There is no reverse map and no count of mappings. But each holder of a frame or of a table is
 * counted there: a frame's tables and its page cache, a table's parents. On the way from the root
 * to a leaf each count above one tells of others, and they add up: one who shares a table higher up
 * does not stand in the counts below, a table of his own below does. A holder of another table may
 * be several processes that share it in turn, which is not seen from here: the sum is the least
 * that there can be. It is exact where no sharer has forked since.
 */
#include "lib/bits.h"
#include "vm/ptable_internal.h"
#include "vm/space_internal.h"

static void add_leaf(pte_t e, uint64_t sharers, struct space_usage *out)
{
	const struct page *frame = pte_page(e);
	const bool cached = frame->kind == PAGE_CACHE && frame->object != NULL;
	const bool dirty = !cached || pte_is_dirty(e) ||
			   (atomic32_load(&frame->flags) & PAGE_DIRTY) != 0;

	/* A page cache does not map. Who reads or writes the frame just now may be counted. */
	sharers += page_count(frame) - 1 - (cached && page_count(frame) > 1);
	out->resident++;
	out->anonymous += frame->kind == PAGE_ANON;
	if (sharers > 1)
		*(dirty ? &out->shared_dirty : &out->shared_clean) += 1;
	else
		*(dirty ? &out->private_dirty : &out->private_clean) += 1;
	out->pss_bytes += PAGE_SIZE / sharers;
}

/*
 * Holders that a copy in progress (ptable_copy.c) adds to those counted at what its entry leads to:
 * the base's others stand for the base's reference.
 */
static int64_t base_sharers(const struct page *table, unsigned int index)
{
	const struct page *base = table_base(table);
	pte_t of_base;

	if (!table_is_part(table) || pte_is_none(of_base = pte_load(&entries_of(base)[index])))
		return 0;
	if (entry_is_of_base(table, index))
		return (int64_t)page_count(base) - 1;
	if (entry_child(of_base) == entry_child(pte_load(&entries_of(table)[index])))
		return (int64_t)page_count(base) - 2;
	return 0;
}

/* The table's leaves from `start` to `end`. */
static void add_leaves(const struct page *table, uint64_t start, uint64_t end, uint64_t sharers,
		       struct space_usage *out)
{
	unsigned int first = pte_index(start, 1), index = first;

	while ((index = table_next_seen(table, index)) < first + (end - start) / PAGE_SIZE) {
		pte_t e = table_entry(table, index);

		if (leaf_count(e) != 0)
			add_leaf(e, sharers + (uint64_t)base_sharers(table, index), out);
		index++;
	}
}

/* Adds what lies in the leaf table of `start`; returns where there may be more. */
static uint64_t add_some(const struct page *table, uint64_t start, uint64_t end,
			 struct space_usage *out)
{
	const uint64_t next = MIN((start & ~(pte_span(2) - 1)) + pte_span(2), end);
	uint64_t sharers = 1, before = out->resident;
	bool huge = false;

	for (unsigned int level = PTE_LEVELS; level > 1; level--) {
		unsigned int index = pte_index(start, level);
		pte_t e = table_entry(table, index);

		if (pte_is_none(e))
			return MIN(table_next_address(table, start), end);
		huge = pte_is_huge(e);
		sharers += (uint64_t)base_sharers(table, index);
		table = entry_child(e);
		sharers += page_count(table) - 1;
	}
	add_leaves(table, start, next, sharers, out);
	out->huge += huge ? out->resident - before : 0;
	return next;
}

void space_usage(struct space *space, uint64_t start, uint64_t end, struct space_usage *out)
{
	end = MIN(end, USER_END);
	while (start < end) {
		spin_lock(&space->table_lock);
		start = add_some(space_root(space), start, end, out);
		spin_unlock(&space->table_lock);
	}
}

/* Three levels deep at most. */
static uint64_t tables_below(const struct page *table)
{
	uint64_t n = 0;

	for (unsigned int i = 0; (i = table_next_seen(table, i)) < PTE_ENTRIES; i++) {
		const struct page *child = entry_child(table_entry(table, i));

		n += 1 + (child->level > 1 ? tables_below(child) : 0);
	}
	return n;
}

uint64_t space_table_pages(struct space *space)
{
	uint64_t n;

	spin_lock(&space->table_lock);
	n = tables_below(space_root(space));
	spin_unlock(&space->table_lock);
	return n;
}
