/*
 * Mapping and unmapping; the heap's end; growing the stack.
 *
 * Each operation prepares (a new version of the area tree, private copies of the tables that a
 * border cuts: both may fail, neither shows) and then commits: the new root, the accounts, the
 * unmapped entries. Old versions are dropped after space->lock is released, since that may close
 * files.
 */
#include "abi/errno.h"
#include "vm/space_internal.h"

/* --- placement -------------------------------------------------------------------------------- */

static bool range_is_free(struct space *space, uint64_t start, uint64_t end)
{
	uint64_t found;

	return area_tree_find_gap(space->areas, start, end, end - start, &found);
}

uint64_t space_find_place(struct space *space, uint64_t hint, uint64_t bytes)
{
	uint64_t start;

	hint = page_round_down(hint);
	if (hint >= USER_START && hint <= USER_END - bytes &&
	    range_is_free(space, hint, hint + bytes))
		return hint;
	if (area_tree_find_gap(space->areas, USER_START, space->mmap_top, bytes, &start))
		return start;
	/* The usual region is full: what lies above it, up to the stack and beyond. */
	if (area_tree_find_gap(space->areas, space->mmap_top, USER_END, bytes, &start))
		return start;
	return 0;
}

/* Whole 2 MiB of private memory go to a 2 MiB border, so that large leaves fit. */
static uint64_t find_place_of(struct space *space, const struct area *what)
{
	uint64_t bytes = area_bytes(what), more = FOLD_BYTES - PAGE_SIZE, start;

	if (what->object == NULL && (what->flags & (AREA_SHARED | AREA_NOHUGE)) == 0 &&
	    what->start == 0 && bytes % FOLD_BYTES == 0 && bytes <= USER_END - more &&
	    area_tree_find_gap(space->areas, USER_START, space->mmap_top, bytes + more, &start))
		return (start + more) & ~(FOLD_BYTES - 1);
	return space_find_place(space, what->start, bytes);
}

static int place(struct space *space, struct area *what, enum map_where where)
{
	uint64_t bytes = area_bytes(what);
	const struct area *there;

	if (where == MAP_ANYWHERE) {
		what->start = find_place_of(space, what);
		what->end = what->start + bytes;
		return what->start != 0 ? 0 : -ENOMEM;
	}
	if (what->start < USER_START)
		return -EPERM;
	there = area_tree_find(space->areas, what->start);
	if (where == MAP_AT_NOREPLACE && there != NULL && there->start < what->end)
		return -EEXIST;
	return 0;
}

/* --- map and unmap ---------------------------------------------------------------------------- */

/* [start,end) gets `fill` (NULL: nothing) in place of what is there. */
static int replace_locked(struct space *space, uint64_t start, uint64_t end,
			  const struct area *fill, struct area_node **dead)
{
	const struct area *there = area_tree_find(space->areas, start);
	bool occupied = there != NULL && there->start < end;
	int error = occupied ? space_prepare_cut(space, start, end) : 0;

	if (error == 0)
		error = space_replace_areas(space, start, end, fill, dead);
	if (error != 0)
		return error;
	/* Nothing below can fail. */
	if (occupied) {
		(void)space_resident_pages(space);
		space_unmap_tables(space, start, end);
	}
	return 0;
}

int space_unmap_locked(struct space *space, uint64_t start, uint64_t end,
		       struct area_node **dead)
{
	const struct area *there = area_tree_find(space->areas, start);

	*dead = NULL;
	if (there == NULL || there->start >= end)
		return 0;
	return replace_locked(space, start, end, NULL, dead);
}

static int map_locked(struct space *space, struct area *what, enum map_where where,
		      struct area_node **dead)
{
	int error = place(space, what, where);

	if (error == 0)
		error = space_check_limits(space, area_bytes(what) >> PAGE_SHIFT, what->flags);
	if (error == 0)
		error = replace_locked(space, what->start, what->end, what, dead);
	if (error == 0 && (what->flags & (AREA_LOCKED | AREA_DONTFORK | AREA_WIPEONFORK)) != 0)
		space->fork_flags = true;
	return error;
}

int space_map(struct space *space, struct area *what, enum map_where where)
{
	struct area_node *dead = NULL;
	int error;

	if (what->start >= what->end || ((what->start | what->end) & ~PAGE_MASK) != 0 ||
	    (what->offset & ~PAGE_MASK) != 0)
		return -EINVAL;
	if (area_bytes(what) > USER_END || (where != MAP_ANYWHERE && what->end > USER_END))
		return -ENOMEM;
	rwlock_write_lock(&space->lock);
	error = map_locked(space, what, where, &dead);
	rwlock_write_unlock(&space->lock);
	if (error != 0)
		return error;
	area_tree_put(dead);
	/* The tree counts its own. */
	if (what->object != NULL)
		object_put(what->object);
	area_file_put(what->file);
	return 0;
}

int space_unmap(struct space *space, uint64_t start, uint64_t end)
{
	struct area_node *dead;
	int error;

	if (!range_is_valid(start, end))
		return -EINVAL;
	rwlock_write_lock(&space->lock);
	error = space_unmap_locked(space, start, end, &dead);
	rwlock_write_unlock(&space->lock);
	if (error == 0)
		area_tree_put(dead);
	return error;
}

/* --- the heap --------------------------------------------------------------------------------- */

static int brk_grow(struct space *space, uint64_t from, uint64_t to, struct area_node **dead)
{
	struct area heap = {
		.start = from, .end = to,
		.flags = AREA_READ | AREA_WRITE | AREA_MAY_WRITE | AREA_HEAP,
	};
	int error = space_check_limits(space, (to - from) >> PAGE_SHIFT, heap.flags);

	if (error != 0)
		return error;
	if (to > USER_END || !range_is_free(space, from, to))
		return -ENOMEM;
	return replace_locked(space, from, to, &heap, dead);
}

int space_set_brk(struct space *space, uint64_t address, uint64_t *out)
{
	struct area_node *dead = NULL;
	uint64_t old_end, new_end;
	int error = 0;

	rwlock_write_lock(&space->lock);
	if (address >= space->brk_start && address < USER_END && space->brk_start != 0) {
		old_end = page_round_up(space->brk_end);
		new_end = page_round_up(address);
		if (new_end > old_end)
			error = brk_grow(space, old_end, new_end, &dead);
		else if (new_end < old_end)
			error = space_unmap_locked(space, new_end, old_end, &dead);
		if (error == 0)
			space->brk_end = address;
	}
	*out = space->brk_end;
	rwlock_write_unlock(&space->lock);
	area_tree_put(dead);
	return 0;
}

/* --- the stack -------------------------------------------------------------------------------- */

/* Linux's stack_guard_gap: nothing accessible within 256 pages below the new end. */
static bool stack_may_grow(struct space *space, const struct area *stack, uint64_t new_start)
{
	const struct area *below = area_tree_find_below(space->areas, stack->start);

	if (new_start < USER_START + PAGE_SIZE)
		return false;
	if (stack->end - new_start > space->limit_stack_bytes)
		return false;
	if (below != NULL && (below->flags & AREA_RIGHTS) != 0 &&
	    (below->flags & AREA_GROWSDOWN) == 0 && below->end + STACK_GUARD_BYTES > new_start)
		return false;
	if (below != NULL && below->end > new_start)
		return false;
	return space_check_limits(space, (stack->start - new_start) >> PAGE_SHIFT,
				  stack->flags) == 0;
}

static bool grow_locked(struct space *space, uint64_t address, struct area_node **dead)
{
	const struct area *a = area_tree_find(space->areas, address);
	uint64_t new_start = page_round_down(address);
	struct area more;

	if (a == NULL)
		return false;
	if (a->start <= address)
		return true;		/* another thread was faster */
	if ((a->flags & AREA_GROWSDOWN) == 0 || !stack_may_grow(space, a, new_start))
		return false;
	more = *a;
	more.end = a->start;
	more.start = new_start;
	return replace_locked(space, more.start, more.end, &more, dead) == 0;
}

bool space_grow_stack(struct space *space, uint64_t address)
{
	struct area_node *dead = NULL;
	bool grown;

	rwlock_write_lock(&space->lock);
	grown = grow_locked(space, address, &dead);
	rwlock_write_unlock(&space->lock);
	area_tree_put(dead);
	return grown;
}
