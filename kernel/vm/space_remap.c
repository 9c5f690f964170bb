/*
 * mremap(2): shrink, grow in place, or move. Moving takes leaf entries from one place to the other;
 * pages are not copied, and not counted again.
 *
 * A move prepares the new area tree and the tables of the new place, which may fail, and then moves
 * entry after entry, which cannot. As on Linux, what was mapped at a fixed new address is gone even
 * if the move then fails for lack of memory.
 */
#include "abi/errno.h"
#include "abi/mman.h"
#include "vm/space_internal.h"

#define MOVE_CHUNK 64

struct remap {
	struct space *space;
	uint64_t old, old_end;
	uint64_t new, new_end;
	bool keep_old;			/* MREMAP_DONTUNMAP: the old area stays, empty */
	bool duplicate;			/* old_bytes 0: the old area stays as it is */
};

/* Tables at the new place for each leaf of the old, and the old path private. */
static int prepare_tables(const struct remap *r)
{
	struct page *root = space_root(r->space);
	struct ptable_stock stock = { .count = 0 };
	struct ptable_path path;
	uint64_t address = r->old;
	struct gather g;
	int error = 0;
	pte_t e;

	gather_init(&g, r->space);
	for (;;) {
		bool more;

		spin_lock(&r->space->table_lock);
		more = ptable_next(root, &address, r->old_end, &e);
		if (more)
			error = ptable_own(root, address, &path, &g, &stock);
		if (more && error == 0)
			error = ptable_own(root, r->new + (address - r->old), &path, &g, &stock);
		tlb_flush(&g);
		spin_unlock(&r->space->table_lock);
		gather_release(&g);
		if (error == -EAGAIN)
			error = ptable_stock_fill(&stock);
		else
			address += PAGE_SIZE;
		if (!more || error != 0)
			break;
	}
	ptable_stock_drain(&stock);
	return error;
}

/* One chunk of entries; where to go on. */
static uint64_t move_chunk(const struct remap *r, uint64_t address)
{
	struct page *root = space_root(r->space);
	struct ptable_stock none = { .count = 0 };
	struct ptable_path from, to;
	struct gather g;
	pte_t e;

	gather_init(&g, r->space);
	spin_lock(&r->space->table_lock);
	for (int i = 0; i < MOVE_CHUNK && ptable_next(root, &address, r->old_end, &e); i++) {
		/* The paths are private since prepare_tables(): nothing is allocated. */
		VERIFY(ptable_own(root, address, &from, &g, &none) == 0);
		VERIFY(ptable_own(root, r->new + (address - r->old), &to, &g, &none) == 0);
		ptable_install(&to, ptable_take(&from, &g));
		address += PAGE_SIZE;
	}
	tlb_flush(&g);
	spin_unlock(&r->space->table_lock);
	gather_release(&g);
	return address;
}

/* The areas after the move. */
static int move_areas(const struct remap *r, const struct area *old, struct area_node **out)
{
	struct area fill = *old;
	struct area_node *moved;
	int error;

	if (old->object != NULL)
		fill.offset = old->offset + (r->old - old->start);
	fill.start = r->new;
	fill.end = r->new_end;
	error = area_tree_replace(r->space->areas, r->new, r->new_end, &fill, &moved);
	if (error != 0 || r->keep_old || r->duplicate) {
		*out = moved;
		return error;
	}
	error = area_tree_replace(moved, r->old, r->old_end, NULL, out);
	area_tree_put(moved);
	return error;
}

static struct area_node *commit_move(const struct remap *r, struct area_node *areas)
{
	uint64_t low = r->old < r->new ? r->old : r->new;
	uint64_t high = r->old_end > r->new_end ? r->old_end : r->new_end;

	return space_commit_areas(r->space, areas, low, high);
}

/* `dead` takes up to two old versions. */
static int move(const struct remap *r, const struct area *found, struct area_node **dead)
{
	struct area old = *found;	/* the tree changes under us */
	struct area_node *areas;
	uint64_t address = r->old;
	int error = space_unmap_locked(r->space, r->new, r->new_end, &dead[0]);

	if (error == 0)
		error = move_areas(r, &old, &areas);
	if (error != 0)
		return error;
	error = space_prepare_cut(r->space, r->old, r->old_end);
	if (error == 0 && area_tree_count(areas) > AREA_COUNT_MAX)
		error = -ENOMEM;
	if (error == 0 && !r->duplicate)
		error = prepare_tables(r);
	if (error != 0) {
		area_tree_put(areas);
		return error;
	}
	/* Nothing below can fail. */
	dead[1] = commit_move(r, areas);
	while (!r->duplicate && address < r->old_end)
		address = move_chunk(r, address);
	return 0;
}

static int check_flags(uint64_t old, uint64_t old_bytes, uint64_t new_bytes, int flags,
		       uint64_t new_address)
{
	if ((flags & ~(MREMAP_MAYMOVE | MREMAP_FIXED | MREMAP_DONTUNMAP)) != 0 ||
	    (old & ~PAGE_MASK) != 0 || new_bytes == 0 || new_bytes > USER_END ||
	    old_bytes > USER_END)
		return -EINVAL;
	if ((flags & (MREMAP_FIXED | MREMAP_DONTUNMAP)) != 0 && (flags & MREMAP_MAYMOVE) == 0)
		return -EINVAL;
	if ((flags & MREMAP_DONTUNMAP) != 0 && old_bytes != new_bytes)
		return -EINVAL;
	if ((flags & MREMAP_FIXED) == 0)
		return 0;
	if ((new_address & ~PAGE_MASK) != 0 || new_address > USER_END - new_bytes ||
	    (new_address < old + old_bytes && old < new_address + new_bytes))
		return -EINVAL;
	return new_address < USER_START ? -EPERM : 0;
}

static int check_area(const struct area *a, uint64_t old, uint64_t old_bytes, uint64_t new_bytes,
		      int flags)
{
	if (a->end - old < old_bytes)
		return -EFAULT;
	if (old_bytes == 0 && (a->flags & AREA_SHARED) == 0)
		return -EINVAL;
	if ((flags & MREMAP_DONTUNMAP) != 0 && (a->flags & AREA_SPECIAL) != 0)
		return -EINVAL;
	if ((a->flags & AREA_SPECIAL) != 0 && new_bytes > old_bytes)
		return -EFAULT;
	if (a->object != NULL && a->offset + (old - a->start) + new_bytes < a->offset)
		return -EINVAL;
	return 0;
}

/* True: the space behind the area was free and is now part of it. */
static bool grow_in_place(struct space *space, const struct area *a, uint64_t old_end,
			  uint64_t new_end, struct area_node **dead)
{
	struct area more = *a;
	uint64_t found;

	if (a->end != old_end || new_end > USER_END || new_end < old_end ||
	    !area_tree_find_gap(space->areas, old_end, new_end, new_end - old_end, &found))
		return false;
	if (more.object != NULL)
		more.offset += area_bytes(a);
	more.start = old_end;
	more.end = new_end;
	return space_replace_areas(space, old_end, new_end, &more, &dead[0]) == 0;
}

static int remap_move(struct space *space, const struct area *a, struct remap *r, int flags,
		      uint64_t new_bytes, uint64_t *out, struct area_node **dead)
{
	uint64_t hint = (flags & MREMAP_DONTUNMAP) != 0 ? r->new : 0;
	int error;

	if ((flags & MREMAP_MAYMOVE) == 0)
		return -ENOMEM;
	if ((flags & MREMAP_FIXED) == 0)
		r->new = space_find_place(space, hint, new_bytes);
	if (r->new == 0)
		return -ENOMEM;
	r->new_end = r->new + new_bytes;
	error = move(r, a, dead);
	if (error == 0)
		*out = r->new;
	return error;
}

/* dead[]: as space_commit_areas. */
static int remap_locked(struct space *space, uint64_t old, uint64_t old_bytes,
			uint64_t new_bytes, int flags, uint64_t new_address, uint64_t *out,
			struct area_node **dead)
{
	const struct area *a = area_tree_find(space->areas, old);
	bool stays = (flags & (MREMAP_FIXED | MREMAP_DONTUNMAP)) == 0 && old_bytes != 0;
	struct remap r = {
		.space = space, .old = old, .old_end = old + old_bytes, .new = new_address,
		.keep_old = (flags & MREMAP_DONTUNMAP) != 0, .duplicate = old_bytes == 0,
	};
	int error;

	*out = old;
	if (a == NULL || a->start > old)
		return -EFAULT;
	if (new_bytes < old_bytes) {
		/* As on Linux the tail goes first, whether the rest moves or not, and over borders
		 * of areas and holes. */
		if (old_bytes > USER_END - old)
			return -EINVAL;
		error = space_unmap_locked(space, old + new_bytes, old + old_bytes, &dead[2]);
		if (error != 0)
			return error;
		old_bytes = new_bytes;
		r.old_end = old + new_bytes;
		a = area_tree_find(space->areas, old);
	}
	if (stays && new_bytes <= old_bytes)
		return 0;
	error = check_area(a, old, old_bytes, new_bytes, flags);
	if (error != 0)
		return error;
	if (new_bytes > old_bytes || r.keep_old) {
		uint64_t more = new_bytes - (r.keep_old ? 0 : old_bytes);

		error = space_check_limits(space, more >> PAGE_SHIFT, a->flags);
		if (error != 0)
			return error;
	}
	if (stays && grow_in_place(space, a, r.old_end, old + new_bytes, dead))
		return 0;
	return remap_move(space, a, &r, flags, new_bytes, out, dead);
}

int space_remap(struct space *space, uint64_t old, uint64_t old_bytes, uint64_t new_bytes,
		int flags, uint64_t new_address, uint64_t *out)
{
	struct area_node *dead[3] = { NULL, NULL, NULL };
	int error;

	if (new_bytes > USER_END || old_bytes > USER_END)
		return -EINVAL;
	old_bytes = page_round_up(old_bytes);
	new_bytes = page_round_up(new_bytes);
	error = check_flags(old, old_bytes, new_bytes, flags, new_address);
	if (error != 0)
		return error;
	rwlock_write_lock(&space->lock);
	error = remap_locked(space, old, old_bytes, new_bytes, flags, new_address, out, dead);
	rwlock_write_unlock(&space->lock);
	for (int i = 0; i < 3; i++)
		area_tree_put(dead[i]);
	return error;
}
