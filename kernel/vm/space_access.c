/*
 * The kernel's access to the memory of a space that need not be the current one: by frames, through
 * the direct map.
 *
 * A write needs a leaf that a write of the program itself would pass; with `force` (a debugger
 * planting a breakpoint in read-only text) a page that is private to the space is enough, and the
 * fault that makes it private gives the program no permission.
 *
 * Bytes move with space->lock held for reading and table_lock: a fork, which would make a private
 * page another's too, waits for the end, and so does a fault that would replace the page. Nothing
 * counts a page of anonymous memory but leaves and their copiers, so that a count of 1 is believed.
 * What is missing is got without the locks, then the leaf is looked at again.
 */
#include "abi/errno.h"
#include "lib/string.h"
#include "vm/object_internal.h"
#include "vm/space_internal.h"

/* The frame behind the address when the tables allow the access now, else NULL. */
static struct page *page_behind(struct space *space, uint64_t address, bool write, bool force)
	REQUIRES(&space->table_lock)
{
	struct page *page;
	bool writable;
	pte_t e = ptable_lookup(space_root(space), address, &writable);

	if (pte_is_none(e) || !(pte_is_present(e) || force))
		return NULL;
	page = pte_page(e);
	if (!write || writable)
		return page;
	return force && page->kind == PAGE_ANON && ptable_is_private(space_root(space), address) ?
	       page : NULL;
}

/* Write-back may have taken the leaf's write permission and the mark before the bytes came. */
static void mark_written(struct space *space, uint64_t address, struct page *page)
{
	const struct area *a = area_tree_find(space->areas, address);

	if (a != NULL && a->object != NULL)
		object_mark_dirty(a->object, page);
}

/* One page's part at `address`; false: the tables do not allow it now. */
static bool move_part(struct space *space, uint64_t address, char *buf, size_t n, bool write,
		      bool force)
{
	struct page *page, *dirty = NULL;
	char *data;

	rwlock_read_lock(&space->lock);
	spin_lock(&space->table_lock);
	page = page_behind(space, address, write, force);
	if (page != NULL) {
		data = (char *)page_address(page) + (address & ~PAGE_MASK);
		memcpy(write ? data : buf, write ? buf : data, n);
		if (write && page->kind == PAGE_CACHE) {
			dirty = page;
			page_get(dirty);
		}
	}
	spin_unlock(&space->table_lock);
	if (dirty != NULL) {
		mark_written(space, address, dirty);
		page_put(dirty);
	}
	rwlock_read_unlock(&space->lock);
	return page != NULL;
}

static int bring_in(struct space *space, uint64_t address, bool write, bool force)
{
	int si_code;

	return space_fault_force(space, address, write ? FAULT_WRITE : FAULT_READ, force,
				 &si_code);
}

static size_t transfer(struct space *space, uint64_t address, char *buf, size_t n, bool write,
		       bool force)
{
	size_t done = 0;

	while (done < n) {
		uint64_t at = address + done;
		size_t left = PAGE_SIZE - (at & ~PAGE_MASK);
		size_t part = n - done < left ? n - done : left;

		if (at < address || at >= USER_END)
			break;
		if (move_part(space, at, buf + done, part, write, force))
			done += part;
		else if (bring_in(space, at, write, force) != 0)
			break;
	}
	return done;
}

size_t space_read(struct space *space, uint64_t address, void *buf, size_t n)
{
	return transfer(space, address, buf, n, false, false);
}

size_t space_write(struct space *space, uint64_t address, const void *buf, size_t n, bool force)
{
	return transfer(space, address, (char *)buf, n, true, force);
}

int space_futex_key(struct space *space, uint64_t address, void **object, uint64_t *offset)
{
	const struct area *a;
	int error = -EFAULT;

	rwlock_read_lock(&space->lock);
	a = area_tree_find(space->areas, address);
	if (a != NULL && a->start <= address) {
		bool shared = (a->flags & AREA_SHARED) != 0 && a->object != NULL;

		*object = shared ? a->object : NULL;
		*offset = shared ? a->offset + (address - a->start) : address;
		error = 0;
	}
	rwlock_read_unlock(&space->lock);
	return error;
}
