/*
 * The persistent page-table tree.
 *
 * Problem. fork must not cost in proportion to what is mapped, and the hardware reads the tables at
 * any time, on several processors.
 *
 * Idea. Every table is counted by the entries that point to it. fork copies the top table only and
 * counts what it points to; the processor ANDs the write bits along its walk, so clearing them in
 * the two top tables protects all that is below. A space changes only tables that are its own (one
 * reference, reached through its own tables); on the way down to a change, ptable_own() copies each
 * shared table. A table that is shared is never written, by nobody (the processor's accessed and
 * dirty bits are harmless: nothing depends on them).
 *
 * The table owns the reference to a page. Copying a table counts its children; dropping the last
 * reference to a table drops one reference of each.
 *
 * Copying, and the write bits. When T is copied to T', the children of T become shared although T's
 * entries may have their write bits set, and T may not be written, for others share it. So:
 *  - all entries of T' get their write bits cleared;
 *  - T gets PAGE_STALE_WRITE: its write bits are no longer to be believed.
 * That is safe while T is shared: a shared table is reached only through an entry whose write bit
 * is clear. Proof: T became shared by a copy of a parent; the copy's entry is clear, and the parent
 * is either a top table, whose entry was cleared (ptable_share), or is marked stale itself and is
 * reached through a clear entry by induction.
 *
 * Whoever later finds T with count 1 (it is its own again) and wants to set the write bit in the
 * entry that leads to T first sweeps T: where a child is shared (count > 1), or is a table marked
 * stale, the entry's write bit is cleared; then the mark goes. So the invariant
 *
 *	(W) an entry with its write bit set, reached through entries with theirs set, leads to
 *	    a table of count 1 without the mark, or to a page that may be written in place
 *
 * holds for every space at each release of its table_lock, and ptable_own() stops looking at a
 * child as soon as it sees the write bit.
 *
 * Ordering. The copier (1) counts the children, (2) sets T's mark, (3) drops its reference to T,
 * with release, later still: after its flush. The last owner reads the count with acquire: if it
 * reads 1, it has seen the drops of all others, hence their marks and the counts of the children.
 * If it reads more, it copies T as well; then T dies with the last drop, and the references its
 * entries held are dropped then: each copier counted its own. Two copiers only read T. A count of 1
 * cannot rise under the owner's hands: references to T are made only by copying its one parent,
 * which is the owner's, under the owner's lock.
 *
 * States of a table, and who may do what:
 *
 *	state			table_lock of the owner		without
 *	count 1, own path	read and write			hardware walks, sets A and D
 *	count > 1		read (copy), mark stale		hardware walks
 *	count 0			-				the last holder frees it
 *
 * Freeing. A reference to a table or frame is dropped only after the processors that may have used
 * it through that very entry are flushed (vm/tlb.c). At count 0 this holds for all former parents.
 *
 * Sums. `present` counts the entries of a table (of the user half in a root), `resident` the
 * counted leaves below it. Shared tables do not change, so neither do their sums; a change adds to
 * the four tables on its own path.
 *
 * Cost. fork: the entries of one table. First write after it: three tables copied, the lower two in
 * groups of 16 entries as they are touched (ptable_copy.c). Exit of a child
 * that wrote nothing: one reference for each top entry.
 *
 * Alternatives rejected. Clearing the write bits in T itself when it is copied (an AND on a shared
 * table): each copy would write a table that other spaces' processors walk and their owners may
 * concurrently make private. Counting every page at fork (Linux): proportional to what is present.
 * Sharing leaf tables only: still proportional, 1/512 of it, and as intricate.
 *
 * Locking. Functions that change need table_lock of the space; ptable_put needs none.
 */
#include "vm/ptable.h"

#include "abi/errno.h"
#include "core/schedule_point.h"
#include "lib/string.h"
#include "vm/ptable_internal.h"

/* --- allocation ------------------------------------------------------------------------------- */

int ptable_stock_fill(struct ptable_stock *stock)
{
	while (stock->count < PTABLE_STOCK_MAX) {
		struct page *table = table_allocate(0);

		if (table == NULL)
			return -ENOMEM;
		stock->tables[stock->count++] = table;
	}
	return 0;
}

void ptable_stock_drain(struct ptable_stock *stock)
{
	while (stock->count > 0)
		table_free(stock->tables[--stock->count]);
}

static struct page *table_take(struct ptable_stock *stock, unsigned int level)
{
	struct page *table = stock->count > 0 ? stock->tables[--stock->count] :
						table_allocate(PAGE_ATOMIC);

	if (table != NULL)
		table->level = (uint16_t)level;
	return table;
}

/* --- dropping --------------------------------------------------------------------------------- */

static void branches_drop(pte_t *group)
{
	for (unsigned int i = 0; i < TABLE_GROUP; i++) {
		pte_t e = group[i];

		if (pte_is_none(e))
			continue;
		group[i] = pte_none();
		ptable_put(entry_child(e));
	}
}

static void leaves_drop(pte_t *group, char *array)
{
#pragma GCC unroll 4
	for (unsigned int i = 0; i < TABLE_GROUP; i++) {
		pte_t e = group[i];

		if (unlikely(pte_is_none(e)))
			continue;
		group[i] = pte_none();
		if (likely(!pte_is_special(e)))
			page_put((struct page *)(array + frame_offset(pte_phys(e).value)));
	}
}

/* Drops what the entries of a dead table hold. Recursion: at most one level a table level. */
static void table_drop_entries(struct page *table)
{
	pte_t *entries = entries_of(table);
	unsigned int level = table->level;

	if (level == 1 && table_is_run(table)) {
		struct page *first = pte_page(entries[0]);

		memset(entries, 0, PAGE_SIZE);
		page_put_run(first, FOLD_ORDER);
		return;
	}
	for (uint32_t groups = table->groups; groups != 0; groups &= groups - 1) {
		pte_t *group = entries + (unsigned int)__builtin_ctz(groups) * TABLE_GROUP;

		if (level > 1)
			branches_drop(group);
		else
			leaves_drop(group, (char *)page_array);
	}
	if (table_is_part(table))
		ptable_put(table_base(table));
}

void ptable_put(struct page *table)
{
	ASSERT(table->kind == PAGE_TABLE);
	schedule_point();
	if (atomic32_sub_acq_rel(&table->count, 1) != 0)
		return;
	table_drop_entries(table);
	if (table->level == PTE_LEVELS)
		ptable_root_free(table);
	else
		table_free(table);
}

void ptable_root_destroy(struct page *root)
{
	ASSERT(page_count(root) == 1 && root->level == PTE_LEVELS);
	ptable_put(root);
}

/* --- sharing ---------------------------------------------------------------------------------- */

bool ptable_share(struct page *parent, struct page *child)
{
	pte_t *from = entries_of(parent), *to = entries_of(child);
	bool had_write = false;

	ASSERT(child->present == 0);
	for (uint32_t groups = parent->groups; groups != 0; groups &= groups - 1) {
		unsigned int i = (unsigned int)__builtin_ctz(groups) * TABLE_GROUP;

		for (unsigned int end = i + TABLE_GROUP; i < end; i++) {
			pte_t e = pte_load(&from[i]);

			if (pte_is_none(e))
				continue;
			if (pte_is_writable(e)) {
				e = pte_fetch_clear(&from[i], PTE_WRITE);
				had_write = true;
			}
			page_get(pte_page(e));
			pte_store(&to[i], pte_without(e, PTE_WRITE));
		}
	}
	child->present = parent->present;
	child->groups = parent->groups;
	child->resident = parent->resident;
	return had_write;
}

static bool child_is_writable_in_place(pte_t e, unsigned int level)
{
	const struct page *child = entry_child(e);

	if (level == 1)
		return page_count(child) == 1;
	return page_count(child) == 1 &&
	       (atomic32_load(&child->flags) & PAGE_STALE_WRITE) == 0;
}

bool table_sweep(struct page *table)
{
	pte_t *entries = entries_of(table);
	bool all = true;

	for (unsigned int i = table_next(table, 0); i < PTE_ENTRIES; i = table_next(table, i + 1)) {
		pte_t e = pte_load(&entries[i]);

		if (pte_is_writable(e) && !child_is_writable_in_place(e, table->level))
			e = pte_without(pte_fetch_clear(&entries[i], PTE_WRITE), PTE_WRITE);
		all = all && pte_is_writable(e);
	}
	atomic32_and(&table->flags, ~PAGE_STALE_WRITE);
	return all;
}

/* --- owning a path ---------------------------------------------------------------------------- */

static pte_t entry_for(const struct page *table)
{
	return pte_make(page_to_phys(table), PTE_PRESENT | PTE_WRITE | PTE_USER | PTE_ACCESSED);
}

/*
 * The slow part of owning a child: the entry has no write bit, or is folded. `part`: of a leaf
 * table the address's group will do.
 */
static int child_make_own(struct page *table, uint64_t address, bool part, struct gather *g,
			  struct ptable_stock *stock, struct page **out)
{
	pte_t *slot = entries_of(table) + pte_index(address, table->level);
	pte_t e = pte_load(slot);
	struct page *child, *copy;

	if (pte_is_huge(e)) {
		entry_unfold(slot, address, g);
		e = pte_load(slot);
		*out = pte_page(e);
		if (pte_is_writable(e))
			return 0;
	}
	if (!pte_is_none(e)) {
		child = pte_page(e);
		schedule_point();
		if (page_count(child) == 1) {
			if ((atomic32_load(&child->flags) & PAGE_STALE_WRITE) != 0)
				(void)table_sweep(child);
			pte_store(slot, entry_for(child));
			*out = child;
			return 0;
		}
	}
	copy = table_take(stock, table->level - 1u);
	if (copy == NULL)
		return -EAGAIN;
	if (pte_is_none(e)) {
		table->present++;
		table_note(table, pte_index(address, table->level));
	} else {
		/* The translations stay true; what is stale is a walker's way to the old table. */
		gather_range(g, page_round_down(address), page_round_down(address) + PAGE_SIZE);
		table_copy(pte_page(e), copy, part, g);
	}
	pte_store(slot, entry_for(copy));
	*out = copy;
	return 0;
}

/* The entry leads to a table that is our own already. */
static inline bool child_is_own(pte_t e, unsigned int level)
{
	bool own = (e.value & (PTE_WRITE | PTE_HUGE)) == PTE_WRITE;

	ASSERT(!own || child_is_writable_in_place(e, level));
	return own;
}

/*
 * The table that `table` (our own, of `level`) has for the address, made our own; `part`: as far as
 * the address's group. -EAGAIN.
 */
static inline int child_own(struct page *table, uint64_t address, unsigned int level, bool part,
			    struct gather *g, struct ptable_stock *stock, struct page **out)
{
	pte_t e = pte_load(entries_of(table) + pte_index(address, level));

	if (child_is_own(e, level)) {
		*out = pte_page(e);
	} else {
		int error = child_make_own(table, address, part, g, stock, out);

		if (error != 0)
			return error;
	}
	if (level - 1 <= PART_LEVEL_MAX && unlikely(table_is_part(*out))) {
		if (part)
			table_fill(*out, pte_index(address, level - 1), g);
		else
			table_complete(*out, g);
	}
	return 0;
}

static int own_upper(struct page *root, uint64_t address, bool part, struct ptable_path *path,
		     struct gather *g, struct ptable_stock *stock)
{
	path->address = address;
	path->table[PTE_LEVELS] = root;
	for (unsigned int level = PTE_LEVELS; level > 2; level--) {
		int error = child_own(path->table[level], address, level, part, g, stock,
				      &path->table[level - 1]);

		if (error != 0)
			return error;
	}
	return 0;
}

int ptable_own_upper(struct page *root, uint64_t address, struct ptable_path *path,
		     struct gather *g, struct ptable_stock *stock)
{
	return own_upper(root, address, true, path, g, stock);
}

int ptable_own_leaf(struct ptable_path *path, struct gather *g, struct ptable_stock *stock)
{
	return child_own(path->table[2], path->address, 2, false, g, stock, &path->table[1]);
}

int ptable_own_group(struct ptable_path *path, struct gather *g, struct ptable_stock *stock)
{
	return child_own(path->table[2], path->address, 2, true, g, stock, &path->table[1]);
}

int ptable_own(struct page *root, uint64_t address, struct ptable_path *path, struct gather *g,
	       struct ptable_stock *stock)
{
	int error = own_upper(root, address, false, path, g, stock);

	return error != 0 ? error : ptable_own_leaf(path, g, stock);
}

static void path_add_resident(const struct ptable_path *path, uint64_t n)
{
	for (unsigned int level = 1; level <= PTE_LEVELS; level++)
		path->table[level]->resident += n;
}

void ptable_install(const struct ptable_path *path, pte_t entry)
{
	ASSERT(pte_is_none(*ptable_slot(path)) && !pte_is_none(entry));
	pte_store(ptable_slot(path), entry);
	path->table[1]->present++;
	table_note(path->table[1], pte_index(path->address, 1));
	path_add_resident(path, leaf_count(entry));
}

pte_t ptable_take(const struct ptable_path *path, struct gather *g)
{
	pte_t e = pte_exchange(ptable_slot(path), pte_none());
	uint64_t page = page_round_down(path->address);

	if (pte_is_none(e))
		return e;
	path->table[1]->present--;
	path_add_resident(path, -leaf_count(e));
	gather_range(g, page, page + PAGE_SIZE);
	return e;
}

void ptable_replace(const struct ptable_path *path, pte_t entry, struct gather *g)
{
	uint64_t page = page_round_down(path->address);
	pte_t old;

	if (g->grant_count == GATHER_GRANTS)
		tlb_flush(g);
	if (pte_is_writable(entry))
		g->grants[g->grant_count++] = ptable_slot(path);
	old = pte_exchange(ptable_slot(path), pte_without(entry, PTE_WRITE));
	ASSERT(!pte_is_none(old) && !pte_is_none(entry));
	path_add_resident(path, leaf_count(entry) - leaf_count(old));
	gather_range(g, page, page + PAGE_SIZE);
	if (!pte_is_special(old))
		gather_ref(g, pte_page(old));
}

/* --- looking ---------------------------------------------------------------------------------- */

pte_t ptable_lookup(struct page *root, uint64_t address, bool *writable)
{
	struct page *table = root;

	*writable = true;
	for (unsigned int level = PTE_LEVELS;; level--) {
		pte_t e = table_entry(table, pte_index(address, level));

		*writable = *writable && pte_is_writable(e);
		if (pte_is_none(e) || level == 1)
			return e;
		table = entry_child(e);
	}
}

bool ptable_is_private(struct page *root, uint64_t address)
{
	struct page *page = root;

	for (unsigned int level = PTE_LEVELS;; level--) {
		unsigned int index = pte_index(address, level);
		pte_t e = table_entry(page, index);

		if (pte_is_none(e) || (level == 1 && pte_is_special(e)))
			return false;
		if (entry_is_of_base(page, index) && page_count(table_base(page)) != 1)
			return false;
		page = entry_child(e);
		if (page_count(page) != 1)
			return false;
		if (level == 1)
			return true;
	}
}

bool ptable_next(struct page *root, uint64_t *address, uint64_t end, pte_t *entry)
{
	while (*address < end) {
		struct page *table = root;

		for (unsigned int level = PTE_LEVELS;; level--) {
			pte_t e = table_entry(table, pte_index(*address, level));

			if (pte_is_none(e)) {
				*address = table_next_address(table, *address);
				break;
			}
			if (level == 1) {
				*entry = e;
				return true;
			}
			table = entry_child(e);
		}
	}
	return false;
}

static uint64_t resident_below(struct page *table, uint64_t start, uint64_t end)
{
	unsigned int level = table->level;
	uint64_t span = pte_span(level), sum = 0;

	while (start < end) {
		uint64_t next = (start & ~(span - 1)) + span;
		pte_t e = table_entry(table, pte_index(start, level));
		bool whole = (start & (span - 1)) == 0 && next <= end;

		if (next > end)
			next = end;
		if (!pte_is_none(e)) {
			if (level == 1)
				sum += leaf_count(e);
			else
				sum += whole ? entry_child(e)->resident :
					       resident_below(entry_child(e), start, next);
		}
		start = next;
	}
	return sum;
}

uint64_t ptable_resident_in(struct page *root, uint64_t start, uint64_t end)
{
	return resident_below(root, start, end);
}

/* --- unmapping -------------------------------------------------------------------------------- */

static int own_cut(struct page *root, uint64_t address, struct gather *g,
		   struct ptable_stock *stock)
{
	struct page *table = root;

	for (unsigned int level = PTE_LEVELS; level > 1; level--) {
		int error;

		if ((address & (pte_span(level) - 1)) == 0 ||
		    pte_is_none(pte_load(entries_of(table) + pte_index(address, level))))
			return 0;
		error = child_own(table, address, level, false, g, stock, &table);
		if (error != 0)
			return error;
	}
	return 0;
}

int ptable_prepare_cut(struct page *root, uint64_t start, uint64_t end, struct gather *g,
		       struct ptable_stock *stock)
{
	int error = own_cut(root, start, g, stock);

	return error != 0 ? error : own_cut(root, end, g, stock);
}

/* Takes a whole entry, leaf or subtree, out of the table; the counted leaves it held. */
static uint64_t entry_remove(struct page *table, pte_t *slot, uint64_t start, uint64_t end,
			     struct gather *g)
{
	pte_t e = pte_exchange(slot, pte_none());
	bool leaf = table->level == 1;
	uint64_t n = leaf ? leaf_count(e) : entry_child(e)->resident;

	table->present--;
	/* One invalidation drops a 2 MiB translation, and walkers' ways to any table. */
	gather_range(g, start, pte_is_huge(e) ? start + PAGE_SIZE : end);
	if (!leaf || !pte_is_special(e))
		gather_ref(g, entry_child(e));
	return n;
}

/* Where it stopped; *removed: counted leaves that left. */
static uint64_t unmap_below(struct page *table, uint64_t start, uint64_t end, struct gather *g,
			    uint64_t *removed)
{
	unsigned int level = table->level;
	uint64_t span = pte_span(level);

	*removed = 0;
	ASSERT(!table_is_part(table));
	while (start < end && gather_room(g) > PTE_LEVELS) {
		uint64_t next = (start & ~(span - 1)) + span, stopped, below;
		pte_t *slot = entries_of(table) + pte_index(start, level);
		pte_t e = pte_load(slot);

		if (pte_is_none(e)) {
			next = table_next_address(table, start);
			start = next < end ? next : end;
			continue;
		}
		if ((start & (span - 1)) == 0 && next <= end) {
			*removed += entry_remove(table, slot, start, next, g);
			start = next;
			continue;
		}
		if (next > end)
			next = end;
		/* A fault may have filled it since the cut was prepared (madvise). */
		if (pte_is_huge(e)) {
			entry_unfold(slot, start, g);
			e = pte_load(slot);
		}
		ASSERT(level > 1 && !pte_is_huge(e) && child_is_writable_in_place(e, level));
		stopped = unmap_below(pte_page(e), start, next, g, &below);
		*removed += below;
		start = stopped;
		if (pte_page(e)->present == 0)
			*removed += entry_remove(table, slot, start & ~(PAGE_SIZE - 1),
						 (start & ~(PAGE_SIZE - 1)) + PAGE_SIZE, g);
		if (stopped != next)
			break;
	}
	table->resident -= *removed;
	return start;
}

uint64_t ptable_unmap(struct page *root, uint64_t start, uint64_t end, struct gather *g)
{
	uint64_t removed;

	return unmap_below(root, start, end, g, &removed);
}
