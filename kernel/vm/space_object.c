/*
 * The walk over spaces that map an object.
 *
 * There is no list of an object's mappings: each space is looked at, and in it the areas of the
 * object. It is rare (truncation of a mapped file, write-back of shared mappings) and it lets fork,
 * mmap and exit do without a reverse map.
 *
 * A forked child cannot be missed: it stands behind its parent on the list of spaces, and takes its
 * tables under the parent's lock. If the walk changed the parent before the fork, the child shares
 * the changed tables; if after, the walk has yet to come to the child. Nor can a fault: fault.c
 * looks at page->object and the size under table_lock, and both were changed before the walk began.
 *
 * When memory for private tables ends, the space keeps its entries for the rest of the area: the
 * pages stay owned by the tables, so this is a mapping that outlives a truncation, not a leak.
 *
 * Locking: space->lock for reading, one space at a time; the caller holds none of them.
 */
#include "vm/space_object.h"

#include "vm/space_internal.h"

struct walk {
	struct object *object;
	uint64_t first, last;		/* page indices */
	bool clean;			/* write permission only */
	bool copies;
};

static bool entry_is_writable(pte_t e, uint64_t address, void *arg)
{
	(void)address;
	(void)arg;
	return pte_is_writable(e);
}

static bool entry_is_cache_page(pte_t e, uint64_t address, void *arg)
{
	(void)address;
	(void)arg;
	return !pte_is_special(e) && pte_page(e)->kind == PAGE_CACHE;
}

/* The part of the area that maps pages of the walk; false: none. */
static bool area_part(const struct walk *w, const struct area *a, uint64_t *start, uint64_t *end)
{
	uint64_t base = a->offset >> PAGE_SHIFT;
	uint64_t pages = area_bytes(a) >> PAGE_SHIFT;

	if (a->object != w->object || w->last <= base || w->first >= base + pages)
		return false;
	*start = a->start + (w->first > base ? (w->first - base) << PAGE_SHIFT : 0);
	*end = w->last >= base + pages ? a->end : a->start + ((w->last - base) << PAGE_SHIFT);
	return true;
}

static void walk_area(const struct walk *w, struct space *space, const struct area *a)
{
	uint64_t start, end;
	int error;

	if (!area_part(w, a, &start, &end))
		return;
	if (w->clean) {
		if ((a->flags & (AREA_SHARED | AREA_WRITE)) == (AREA_SHARED | AREA_WRITE))
			error = space_edit_tables(space, start, end, PTABLE_CLEAN, 0,
						  entry_is_writable, NULL);
		return;
	}
	if (!w->copies) {
		error = space_edit_tables(space, start, end, PTABLE_DROP, 0, entry_is_cache_page,
					  NULL);
		(void)error;
		return;
	}
	error = space_prepare_cut(space, start, end);
	if (error == 0)
		space_unmap_tables(space, start, end);
}

static bool walk_space(void *arg, struct space *space)
{
	const struct walk *w = arg;
	const struct area *a;
	uint64_t address = 0;

	rwlock_read_lock(&space->lock);
	while ((a = area_tree_find(space->areas, address)) != NULL) {
		address = a->end;
		if (a->object == w->object)
			walk_area(w, space, a);
	}
	rwlock_read_unlock(&space->lock);
	return true;
}

void space_unmap_object_pages(struct object *object, uint64_t first, uint64_t last, bool copies)
{
	struct walk w = { .object = object, .first = first, .last = last, .copies = copies };

	space_for_each(walk_space, &w);
}

void space_clean_object(struct object *object, uint64_t first, uint64_t last)
{
	struct walk w = { .object = object, .first = first, .last = last, .clean = true };

	space_for_each(walk_space, &w);
}

void space_unmap_object(struct object *object, uint64_t first_index, uint64_t last_index)
{
	space_unmap_object_pages(object, first_index, last_index, true);
}
