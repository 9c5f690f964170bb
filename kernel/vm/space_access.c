/*
 * The kernel's access to the memory of a space that need not be the current one: by frames, through
 * the direct map. The frame is held by a reference, so it stays whatever the space does meanwhile.
 *
 * A write needs a leaf that a write of the program itself would pass; with `force` (a debugger
 * planting a breakpoint in read-only text) a page that is private to the space is enough, and the
 * fault that makes it private gives the program no permission.
 */
#include "abi/errno.h"
#include "lib/string.h"
#include "vm/space_internal.h"

/* The frame behind the address when the tables allow the access now; counted, NULL otherwise. */
static struct page *peek(struct space *space, uint64_t address, enum fault_access access,
			 bool force)
{
	struct page *page = NULL;
	bool writable, fits;
	pte_t e;

	spin_lock(&space->table_lock);
	e = ptable_lookup(space_root(space), address, &writable);
	if (!pte_is_none(e)) {
		page = pte_page(e);
		fits = pte_is_present(e) || force;
		if (access == FAULT_WRITE)
			fits = fits && (writable || (force && page->kind == PAGE_ANON &&
						     ptable_is_private(space_root(space),
								       address)));
		if (fits)
			page_get(page);
		else
			page = NULL;
	}
	spin_unlock(&space->table_lock);
	return page;
}

static int get_page(struct space *space, uint64_t address, enum fault_access access, bool force,
		    struct page **out)
{
	if (address >= USER_END)
		return -EFAULT;
	while ((*out = peek(space, address, access, force)) == NULL) {
		int si_code;
		int error = space_fault_force(space, address, access, force, &si_code);

		if (error != 0)
			return error == -EIO ? -EFAULT : error;
	}
	return 0;
}

int space_get_page(struct space *space, uint64_t address, enum fault_access access,
		   struct page **out)
{
	return get_page(space, address, access, false, out);
}

static size_t transfer(struct space *space, uint64_t address, char *buf, size_t n, bool write,
		       bool force)
{
	size_t done = 0;

	while (done < n) {
		size_t offset = (address + done) & ~PAGE_MASK;
		size_t part = n - done < PAGE_SIZE - offset ? n - done : PAGE_SIZE - offset;
		struct page *page;
		char *data;

		if (address + done < address ||
		    get_page(space, address + done, write ? FAULT_WRITE : FAULT_READ, force,
			     &page) != 0)
			break;
		data = (char *)page_address(page) + offset;
		if (write)
			memcpy(data, buf + done, part);
		else
			memcpy(buf + done, data, part);
		page_put(page);
		done += part;
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
