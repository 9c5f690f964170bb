/*
 * Changing what is mapped: rights, advice, locking in memory; and asking what is present.
 *
 * Rights that are added need no work on the tables: faults bring entries up to date. Rights that
 * are taken away are taken from the entries first: an entry with less than its area allows is
 * always right, so a failure half way needs no undoing. Only then the new areas are committed.
 */
#include "abi/errno.h"
#include "abi/mman.h"
#include "abi/signal.h"
#include "lib/string.h"
#include "vm/object_internal.h"
#include "vm/space_internal.h"

/* --- mprotect --------------------------------------------------------------------------------- */

/*
 * How far from `start` the rights may be given: *stop; the reason when that is not `end`. *taken:
 * some area loses rights.
 */
static int check_protect(struct space *space, uint64_t start, uint64_t end, uint32_t rights,
			 uint64_t *stop, bool *taken)
{
	uint64_t new_data = 0;

	*taken = false;
	for (*stop = start; start < end; *stop = start) {
		const struct area *a = area_tree_find(space->areas, start);
		uint32_t lost;

		if (a == NULL || a->start > start)
			return -ENOMEM;
		if ((rights & AREA_WRITE) != 0 && (a->flags & AREA_WRITE) == 0) {
			if ((a->flags & AREA_SPECIAL) != 0 ||
			    (a->flags & (AREA_SHARED | AREA_MAY_WRITE)) == AREA_SHARED)
				return -EACCES;
			if ((a->flags & AREA_SHARED) == 0) {
				uint64_t bytes = (a->end < end ? a->end : end) - start;

				if ((a->flags & AREA_NORESERVE) == 0 &&
				    space_overcommits(bytes >> PAGE_SHIFT))
					return -ENOMEM;
				new_data += bytes;
			}
		}
		lost = a->flags & AREA_RIGHTS & ~rights;
		*taken = *taken || lost != 0;
		if (new_data > 0 && space->limit_data_bytes != UINT64_MAX &&
		    (space->data_pages << PAGE_SHIFT) + new_data > space->limit_data_bytes)
			return -ENOMEM;
		start = a->end < end ? a->end : end;
	}
	return 0;
}

static int protect_part(struct space *space, uint64_t start, uint64_t end, uint32_t rights,
			bool taken, struct area_node **dead)
{
	int error = 0;

	if (taken)
		error = space_edit_tables(space, start, end, PTABLE_RESTRICT, rights, NULL, NULL);
	if (error != 0)
		return error;
	return space_change_areas(space, start, end, AREA_RIGHTS, rights, dead);
}

/* As Linux: what comes before the first area that refuses, or hole, is changed all the same. */
static int protect_locked(struct space *space, uint64_t start, uint64_t end, uint32_t rights,
			  struct area_node **dead)
{
	uint64_t stop;
	bool taken;
	int refused = check_protect(space, start, end, rights, &stop, &taken);
	int error = stop > start ? protect_part(space, start, stop, rights, taken, dead) : 0;

	return error != 0 ? error : refused;
}

/* Where the area of a stack whose part [start,end) is named begins. */
static int find_stack_start(struct space *space, uint64_t *start, uint64_t end)
{
	const struct area *a = area_tree_find(space->areas, *start);

	if (a == NULL || a->start >= end)
		return -ENOMEM;
	if ((a->flags & AREA_GROWSDOWN) == 0)
		return -EINVAL;
	*start = a->start;
	return 0;
}

int space_protect(struct space *space, uint64_t start, uint64_t end, uint32_t prot)
{
	struct area_node *dead = NULL;
	int error;

	if (!range_is_valid(start, end))
		return start == end ? 0 : -ENOMEM;
	rwlock_write_lock(&space->lock);
	error = (prot & AREA_GROWSDOWN) != 0 ? find_stack_start(space, &start, end) : 0;
	if (error == 0)
		error = protect_locked(space, start, end, prot & AREA_RIGHTS, &dead);
	rwlock_write_unlock(&space->lock);
	area_tree_put(dead);
	return error;
}

/* --- madvise ---------------------------------------------------------------------------------- */

/* -EINVAL for what must not be dropped (`keep`); -ENOMEM when nothing is mapped in the range. */
static int check_drop(struct space *space, uint64_t start, uint64_t end, uint32_t keep)
{
	const struct area *a = area_tree_find(space->areas, start);

	if (a == NULL || a->start >= end)
		return -ENOMEM;
	for (; a != NULL && a->start < end; a = area_tree_find(space->areas, a->end))
		if ((a->flags & keep) != 0)
			return -EINVAL;
	return 0;
}

/* Faults of other threads may fill pages again meanwhile: reading the lock is enough. */
static int advise_drop(struct space *space, uint64_t start, uint64_t end, uint32_t keep)
{
	int error;

	rwlock_read_lock(&space->lock);
	error = check_drop(space, start, end, keep);
	if (error == 0)
		error = space_prepare_cut(space, start, end);
	if (error == 0) {
		space_unmap_tables(space, start, end);
		if (!space_covers(space, start, end))
			error = -ENOMEM;
	}
	rwlock_read_unlock(&space->lock);
	return error;
}

static int change_flags(struct space *space, uint64_t start, uint64_t end, uint32_t clear,
			uint32_t set)
{
	struct area_node *dead = NULL;
	int error;

	rwlock_write_lock(&space->lock);
	error = space_change_areas(space, start, end, clear, set, &dead);
	if (error == 0) {
		if ((set & (AREA_LOCKED | AREA_DONTFORK | AREA_WIPEONFORK)) != 0)
			space->fork_flags = true;
		if (!space_covers(space, start, end))
			error = -ENOMEM;
	}
	rwlock_write_unlock(&space->lock);
	area_tree_put(dead);
	return error;
}

static int check_wipe(struct space *space, uint64_t start, uint64_t end)
{
	const struct area *a;
	int error = 0;

	rwlock_read_lock(&space->lock);
	a = area_tree_find(space->areas, start);
	for (; a != NULL && a->start < end && error == 0;
	     a = area_tree_find(space->areas, a->end))
		if (a->object != NULL || (a->flags & (AREA_SHARED | AREA_SPECIAL)) != 0)
			error = -EINVAL;
	rwlock_read_unlock(&space->lock);
	return error;
}

static int check_remove(const struct area *a)
{
	if (a->object == NULL || (a->flags & AREA_LOCKED) != 0)
		return -EINVAL;
	if ((a->flags & (AREA_SHARED | AREA_MAY_WRITE)) != (AREA_SHARED | AREA_MAY_WRITE))
		return -EACCES;
	return a->object->ops->read_page != NULL ? -EINVAL : 0;
}

/* MADV_REMOVE: a hole in the object below each shared mapping of a writable file. */
static int advise_remove(struct space *space, uint64_t start, uint64_t end)
{
	while (start < end) {
		struct object *object = NULL;
		uint64_t offset = 0, stop = 0;
		const struct area *a;
		int error = -ENOMEM;

		rwlock_read_lock(&space->lock);
		a = area_tree_find(space->areas, start);
		if (a != NULL && a->start <= start)
			error = check_remove(a);
		if (error == 0) {
			stop = a->end < end ? a->end : end;
			object = a->object;
			object_get(object);
			offset = a->offset + (start - a->start);
		}
		rwlock_read_unlock(&space->lock);
		if (error != 0)
			return error;
		object_punch(object, offset, offset + (stop - start));
		object_put(object);
		start = stop;
	}
	return 0;
}

static int advise_nothing(struct space *space, uint64_t start, uint64_t end)
{
	bool covered;

	rwlock_read_lock(&space->lock);
	covered = space_covers(space, start, end);
	rwlock_read_unlock(&space->lock);
	return covered ? 0 : -ENOMEM;
}

/* MADV_POPULATE_*: unlike MAP_POPULATE it says what failed. */
static int advise_populate(struct space *space, uint64_t start, uint64_t end,
			   enum fault_access access)
{
	int si_code;

	for (; start < end; start += PAGE_SIZE) {
		int error = space_fault_force(space, start, access, false, &si_code);

		if (error == -EFAULT)
			return si_code == SEGV_ACCERR ? -EINVAL : -ENOMEM;
		if (error == -EIO)
			return -EFAULT;
		if (error != 0)
			return error;
	}
	return 0;
}

int space_advise(struct space *space, uint64_t start, uint64_t end, int advice)
{
	int error;

	if (start == end)
		return 0;
	if (!range_is_valid(start, end))
		return end > USER_END ? -ENOMEM : -EINVAL;
	switch (advice) {
	case MADV_DONTNEED:
	case MADV_FREE:
		return advise_drop(space, start, end, AREA_LOCKED | AREA_SPECIAL);
	case MADV_DONTNEED_LOCKED:
		return advise_drop(space, start, end, AREA_SPECIAL);
	case MADV_DONTFORK:
		return change_flags(space, start, end, 0, AREA_DONTFORK);
	case MADV_DOFORK:
		return change_flags(space, start, end, AREA_DONTFORK, 0);
	case MADV_WIPEONFORK:
		error = check_wipe(space, start, end);
		return error != 0 ? error : change_flags(space, start, end, 0, AREA_WIPEONFORK);
	case MADV_KEEPONFORK:
		return change_flags(space, start, end, AREA_WIPEONFORK, 0);
	case MADV_HUGEPAGE:
		return change_flags(space, start, end, AREA_NOHUGE, AREA_HUGE);
	case MADV_NOHUGEPAGE:
		return change_flags(space, start, end, AREA_HUGE, AREA_NOHUGE);
	case MADV_REMOVE:
		return advise_remove(space, start, end);
	case MADV_POPULATE_READ:
		return advise_populate(space, start, end, FAULT_READ);
	case MADV_POPULATE_WRITE:
		return advise_populate(space, start, end, FAULT_WRITE);
	case MADV_NORMAL:
	case MADV_RANDOM:
	case MADV_SEQUENTIAL:
	case MADV_WILLNEED:
	case MADV_MERGEABLE:
	case MADV_UNMERGEABLE:
	case MADV_DONTDUMP:
	case MADV_DODUMP:
	case MADV_COLD:
	case MADV_PAGEOUT:
		return advise_nothing(space, start, end);
	default:
		return -EINVAL;
	}
}

/* --- populate, lock, mincore ------------------------------------------------------------------ */

int space_populate(struct space *space, uint64_t start, uint64_t end)
{
	struct area a;
	int error, si_code;
	bool mapped;

	for (; start < end; start += PAGE_SIZE) {
		rwlock_read_lock(&space->lock);
		mapped = space_find_area(space, start, &a) && a.start <= start;
		rwlock_read_unlock(&space->lock);
		if (!mapped)
			return -ENOMEM;
		if ((a.flags & AREA_RIGHTS) == 0)
			continue;
		error = space_fault_force(space, start, (a.flags & AREA_WRITE) != 0 &&
					  (a.flags & AREA_SHARED) == 0 ? FAULT_WRITE : FAULT_READ,
					  false, &si_code);
		if (error != 0)
			return error;
	}
	return 0;
}

int space_lock_range(struct space *space, uint64_t start, uint64_t end, bool lock)
{
	int error;

	if (start == end)
		return 0;
	if (!range_is_valid(start, end))
		return -ENOMEM;
	if (!lock)
		return change_flags(space, start, end, AREA_LOCKED, 0);
	if (space->limit_memlock_bytes != UINT64_MAX &&
	    (space->locked_pages << PAGE_SHIFT) + (end - start) > space->limit_memlock_bytes)
		return -ENOMEM;
	error = change_flags(space, start, end, 0, AREA_LOCKED);
	if (error != 0)
		return error;
	/* As Linux: what could not be brought in is no reason to fail, lack of memory is. */
	error = space_populate(space, start, end);
	return error == -ENOMEM ? -EAGAIN : 0;
}

static bool page_is_present(struct space *space, const struct area *a, uint64_t address)
{
	bool writable, present;
	struct page *page;

	spin_lock(&space->table_lock);
	present = !pte_is_none(ptable_lookup(space_root(space), address, &writable));
	spin_unlock(&space->table_lock);
	if (present || a->object == NULL)
		return present;
	page = object_find_page(a->object, area_index(a, address));
	if (page != NULL)
		page_put(page);
	return page != NULL;
}

int space_mincore(struct space *space, uint64_t start, size_t pages, uint8_t *out)
{
	int error = 0;

	rwlock_read_lock(&space->lock);
	for (size_t i = 0; i < pages && error == 0; i++) {
		uint64_t address = start + ((uint64_t)i << PAGE_SHIFT);
		const struct area *a = area_tree_find(space->areas, address);

		if (a == NULL || a->start > address)
			error = -ENOMEM;
		else
			out[i] = page_is_present(space, a, address);
	}
	rwlock_read_unlock(&space->lock);
	return error;
}

/* --- msync ------------------------------------------------------------------------------------ */

/* The object to write back at `start`, counted, without space->lock: write-back takes it itself. */
static int sync_piece(struct space *space, uint64_t *start, uint64_t end, int flags)
{
	struct object *object = NULL;
	void *file = NULL;		/* holds the inode that the object is part of */
	uint64_t offset = 0, stop;
	const struct area *a;
	int error = 0;

	rwlock_read_lock(&space->lock);
	a = area_tree_find(space->areas, *start);
	if (a == NULL || a->start > *start) {
		rwlock_read_unlock(&space->lock);
		return -ENOMEM;
	}
	stop = a->end < end ? a->end : end;
	if ((flags & MS_INVALIDATE) != 0 && (a->flags & AREA_LOCKED) != 0)
		error = -EBUSY;
	if ((flags & MS_SYNC) != 0 && a->object != NULL && (a->flags & AREA_SHARED) != 0) {
		object = a->object;
		file = a->file;
		object_get(object);
		area_file_get(file);
		offset = a->offset + (*start - a->start);
	}
	rwlock_read_unlock(&space->lock);
	if (object != NULL) {
		if (error == 0)
			error = object_sync(object, offset, offset + (stop - *start));
		object_put(object);
		area_file_put(file);
	}
	*start = stop;
	return error;
}

void space_throttle(struct space *space, uint64_t address)
{
	struct object *object = NULL;
	const struct area *a;
	void *file = NULL;
	int error;

	rwlock_read_lock(&space->lock);
	a = area_tree_find(space->areas, address);
	if (a != NULL && a->start <= address && a->object != NULL &&
	    (a->flags & AREA_SHARED) != 0) {
		object = a->object;
		file = a->file;
		object_get(object);
		area_file_get(file);
	}
	rwlock_read_unlock(&space->lock);
	if (object == NULL)
		return;
	/* An error leaves the pages dirty, for msync() to report. */
	error = object_throttle(object);
	(void)error;
	object_put(object);
	area_file_put(file);
}

int space_sync(struct space *space, uint64_t start, uint64_t end, int flags)
{
	int error = 0;

	if (start == end)
		return 0;
	if (!range_is_valid(start, end))
		return -ENOMEM;
	while (start < end && error == 0)
		error = sync_piece(space, &start, end, flags);
	return error;
}
