/*
 * Page faults.
 *
 * Problem. The processor asks for a page at an address for an access. Which page, with which
 * permission, and without a lock held across what may sleep.
 *
 * Idea. A fault is a loop of steps. A step looks at the leaf entry under table_lock, on a path made
 * private; either it settles the matter there, or it names what is missing (a page, a page's
 * content, tables). That is got without the spin lock, then the entry is looked at again: if it is
 * as before, the page goes in, else the loop begins anew. So each wait is outside the lock and each
 * decision is made on what is there at the time.
 *
 * The permission of an area is the only truth; an entry may have less (after fork, after mprotect
 * added rights, before the first write to a shared file page), never more. A fault adds what the
 * area allows.
 *
 *	leaf entry	access	area		what happens
 *	none		read	anonymous	the zero page, shared by all, read-only
 *	none		write	anonymous	a cleared page or more of them: fault_anonymous.c
 *	none		read	object		the cache's page, read-only, and up to 15 neighbours
 *	none		write	private object	a copy of the cache's page
 *	any		write	shared object	the cache's page, writable, marked dirty
 *	page		read	any		rights are brought up to date
 *	page		write	private		ours alone (count 1): writable in place; else a copy
 *
 * Locking. space->lock for reading throughout; page locks and object->lock inside object.c;
 * table_lock for each look. Growing a stack needs space->lock for writing and starts again.
 *
 * Cost. Four tables walked; nothing is flushed unless a page or a table was replaced. A page that
 * is at hand is cleared or copied under table_lock, with preemption off: that takes less than
 * getting the lock and walking again would.
 */
#include "abi/errno.h"
#include "abi/signal.h"
#include "sched/thread.h"
#include "vm/fault_internal.h"
#include "vm/object_internal.h"

#define AROUND_PAGES 16U

static bool (*oom_handler)(struct space *space);

void vm_set_oom_handler(bool (*handler)(struct space *space))
{
	oom_handler = handler;
}

/* --- looking and installing ------------------------------------------------------------------- */

void fault_lacks_tables(struct fault *f)
{
	tlb_flush(&f->gather);
	spin_unlock(&f->space->table_lock);
	gather_release(&f->gather);
	f->need_tables = true;
}

bool fault_lock(struct fault *f)
{
	if (!fault_lock_upper(f))
		return false;
	if (fault_own_leaf(f))
		return true;
	fault_lacks_tables(f);
	return false;
}

pte_t fault_leaf(const struct fault *f, const struct page *page, bool writable)
{
	return pte_make(page_to_phys(page), ptable_leaf_flags(f->area->flags, writable));
}

/* Gives a present leaf what the area allows; more rights need no flush. */
static void leaf_refresh(const struct fault *f, const struct ptable_path *path, pte_t e,
			 bool writable)
{
	pte_t now = pte_make(pte_phys(e), (e.value & PTE_SPECIAL) |
			     ptable_leaf_flags(f->area->flags, writable));

	if (now.value != e.value)
		(void)pte_exchange(ptable_slot(path), now);
}

static bool index_is_inside(const struct object *object, uint64_t index)
{
	uint64_t size = read_once(object->size_bytes);

	return index < (size >> PAGE_SHIFT) + ((size & ~PAGE_MASK) != 0 ? 1 : 0);
}

/*
 * Puts `page` where `expected` was seen. Its reference moves on success; -EAGAIN: something else is
 * there now.
 */
static int fault_install(struct fault *f, pte_t expected, struct page *page, bool writable)
{
	pte_t e;
	int error = -EAGAIN;

	if (!fault_lock(f))
		return -EAGAIN;
	e = pte_load(ptable_slot(&f->path));
	if (pte_is_none(expected) && pte_is_none(e)) {
		/* A file may have become shorter while we copied. */
		if (f->area->object != NULL &&
		    !index_is_inside(f->area->object, area_index(f->area, f->address)))
			goto out;
		ptable_install(&f->path, fault_leaf(f, page, writable));
		error = 0;
	} else if (!pte_is_none(expected) && !pte_is_none(e) &&
		   pte_phys(expected).value == pte_phys(e).value) {
		ptable_replace(&f->path, fault_leaf(f, page, writable), &f->gather);
		error = 0;
	}
out:
	fault_unlock(f);
	return error;
}

/* --- private memory --------------------------------------------------------------------------- */

/*
 * A private copy of `source` (NULL: zeros) in place of `expected`. The caller's reference to source
 * is dropped.
 */
static int fault_copy(struct fault *f, pte_t expected, struct page *source)
{
	struct page *fresh = page_allocate(0, PAGE_ANON, source == NULL ? PAGE_ZERO : 0);
	int error = -ENOMEM;

	if (fresh != NULL) {
		if (source != NULL) {
			arch_page_copy(page_address(fresh), page_address(source));
			atomic64_add(&f->space->copied_pages, 1);
		}
		error = fault_install(f, expected, fresh, true);
		if (error != 0)
			page_put(fresh);
	}
	if (source != NULL)
		page_put(source);
	return error;
}

/* A page that the leaf counts and nobody else: it may be written in place. */
static bool leaf_is_ours(pte_t e)
{
	const struct page *page = pte_page(e);

	return !pte_is_none(e) && !pte_is_special(e) && page->kind == PAGE_ANON &&
	       page_count(page) == 1;
}

/* fork_ahead.c; of a space that has not forked there is no room. */
static inline void note_copied(struct space *space, uint64_t address)
	REQUIRES(&space->table_lock)
{
	struct write_set *w = &space->written;

	if (w->room != 0) {
		w->room--;
		w->pages[w->count++] = address;
	}
}

bool fault_settle_write(struct fault *f, const struct ptable_path *path)
{
	pte_t e = pte_load(ptable_slot(path)), leaf;
	bool clear = pte_is_none(e) || pte_is_special(e);
	struct page *fresh;

	if (leaf_is_ours(e)) {
		leaf_refresh(f, path, e, true);
		return true;
	}
	ASSERT(!pte_is_writable(e));		/* else another processor may be writing to it */
	fresh = page_allocate(0, PAGE_ANON, PAGE_TRY | (clear ? PAGE_ZERO : 0));
	if (fresh == NULL)
		return false;
	leaf = fault_leaf(f, fresh, true);
	if (!clear) {
		arch_page_copy(page_address(fresh), page_address(pte_page(e)));
		atomic64_add(&f->space->copied_pages, 1);
		note_copied(f->space, path->address);
	}
	if (pte_is_none(e))
		ptable_install(path, leaf);
	else
		ptable_replace(path, leaf, &f->gather);
	return true;
}

int fault_settle_later(struct fault *f)
{
	pte_t e = pte_load(ptable_slot(&f->path));
	struct page *source = pte_is_none(e) || pte_is_special(e) ? NULL : pte_page(e);

	if (source != NULL)
		page_get(source);
	fault_unlock(f);
	return fault_copy(f, e, source);
}

int fault_present_private(struct fault *f, pte_t e)
{
	if (f->write && !fault_settle_write(f, &f->path))
		return fault_settle_later(f);
	if (!f->write)
		leaf_refresh(f, &f->path, e, pte_is_writable(e));
	fault_unlock(f);
	return 0;
}

/* --- objects ---------------------------------------------------------------------------------- */

struct around {
	uint64_t start;			/* address of pages[0] */
	uint64_t index;
	size_t count;
	struct page *pages[AROUND_PAGES];	/* counted, or NULL */
};

/* The page of the address and, for a read, those of its aligned block that are in the cache. */
static void around_collect(const struct fault *f, struct around *w)
{
	const struct area *a = f->area;
	uint64_t block = AROUND_PAGES * PAGE_SIZE;

	w->start = f->address;
	w->count = 1;
	if (!f->write) {
		uint64_t start = f->address & ~(block - 1), end = start + block;

		w->start = start > a->start ? start : a->start;
		w->count = ((end < a->end ? end : a->end) - w->start) >> PAGE_SHIFT;
	}
	w->index = area_index(a, w->start);
	object_find_pages(a->object, w->index, w->count, w->pages);
}

static void around_release(struct around *w)
{
	for (size_t i = 0; i < w->count; i++)
		if (w->pages[i] != NULL)
			page_put(w->pages[i]);
}

/* The address's own page is among them afterwards: -EIO beyond the end, or the store's error. */
static int around_complete(struct fault *f, struct around *w)
{
	struct object *object = f->area->object;
	uint64_t index = area_index(f->area, f->address);
	struct page **mine = &w->pages[index - w->index];

	if (!index_is_inside(object, index))
		return -EIO;
	if (*mine != NULL)
		return 0;
	if (object->ops->read_page != NULL)
		atomic64_add(&f->space->major_faults, 1);
	return object_get_page(object, index, true, mine);
}

/* Under table_lock: the neighbours go where nothing is. What goes in leaves the window. */
static void around_install(struct fault *f, struct around *w, bool writable)
{
	struct ptable_path path = f->path;

	for (size_t i = 0; i < w->count; i++) {
		struct page *page = w->pages[i];
		uint64_t index = w->index + i;

		path.address = w->start + i * PAGE_SIZE;
		if (page == NULL || !pte_is_none(pte_load(ptable_slot(&path))) ||
		    !object_has_page(f->area->object, page, index) ||
		    !index_is_inside(f->area->object, index))
			continue;
		ptable_install(&path, fault_leaf(f, page, writable));
		w->pages[i] = NULL;
	}
}

static bool own_page_is_current(const struct fault *f, const struct page *page)
{
	uint64_t index = area_index(f->area, f->address);

	return object_has_page(f->area->object, page, index) &&
	       index_is_inside(f->area->object, index);
}

/* A private area, nothing there yet. */
static int fault_private_object(struct fault *f)
{
	struct around w;
	struct page *mine;
	int error;

	around_collect(f, &w);
	error = around_complete(f, &w);
	if (error == 0 && f->write) {
		mine = w.pages[0];
		w.pages[0] = NULL;
		if (own_page_is_current(f, mine))
			return fault_copy(f, pte_none(), mine);
		page_put(mine);
		return -EAGAIN;
	}
	if (error == 0) {
		mine = w.pages[area_index(f->area, f->address) - w.index];
		error = -EAGAIN;
		if (fault_lock(f)) {
			if (own_page_is_current(f, mine)) {
				around_install(f, &w, false);
				error = 0;
			}
			fault_unlock(f);
		}
	}
	around_release(&w);
	return error;
}

/* The three below are never_inline: an anonymous fault's code lies on fewer pages then. */
static never_inline int fault_private(struct fault *f)
{
	pte_t e;

	if (!fault_lock(f))
		return -EAGAIN;
	e = pte_load(ptable_slot(&f->path));
	if (!pte_is_none(e))
		return fault_present_private(f, e);
	fault_unlock(f);
	return fault_private_object(f);
}

/* The leaf gets the object's page with the rights of the area. table_lock held. */
static void shared_settle(struct fault *f, struct page *mine, bool writable)
{
	pte_t e = pte_load(ptable_slot(&f->path));

	if (pte_is_none(e)) {
		page_get(mine);
		ptable_install(&f->path, fault_leaf(f, mine, writable));
	} else if (pte_page(e) == mine) {
		leaf_refresh(f, &f->path, e, writable || pte_is_writable(e));
	} else {
		page_get(mine);
		ptable_replace(&f->path, fault_leaf(f, mine, writable), &f->gather);
	}
}

/*
 * Write permission comes with the first write only, when there is a store that must learn of it.
 * The mark is set before (so that write-back, which removes permissions, cannot miss the page) and
 * once more after (so that a write-back in between does not leave a writable page unmarked).
 */
static never_inline int fault_shared(struct fault *f)
{
	struct object *object = f->area->object;
	bool memory = object->ops->write_page == NULL && !read_once(object->write_sealed);
	struct around w;
	struct page *mine;
	int error;

	around_collect(f, &w);
	error = around_complete(f, &w);
	/* A mapping that was made while the object was sealed: its rights came too late. */
	if (error == 0 && f->write && read_once(object->write_sealed))
		error = -EFAULT;
	if (error != 0)
		goto out;
	mine = w.pages[area_index(f->area, f->address) - w.index];
	page_get(mine);
	if (f->write)
		object_mark_dirty(object, mine);
	error = -EAGAIN;
	if (fault_lock(f)) {
		if (own_page_is_current(f, mine)) {
			shared_settle(f, mine, f->write || memory);
			around_install(f, &w, memory);
			error = 0;
		}
		fault_unlock(f);
	}
	if (f->write)
		object_mark_dirty(object, mine);
	page_put(mine);
out:
	around_release(&w);
	return error;
}

/* The vDSO's frames: known, never counted, never written. */
static never_inline int fault_special(struct fault *f)
{
	phys_t frame = phys(f->area->offset + (f->address - f->area->start));
	pte_t e;

	if (f->write)
		return -EFAULT;
	if (!fault_lock(f))
		return -EAGAIN;
	e = pte_load(ptable_slot(&f->path));
	if (pte_is_none(e))
		ptable_install(&f->path, pte_make(frame, PTE_SPECIAL |
						  ptable_leaf_flags(f->area->flags, false)));
	else
		leaf_refresh(f, &f->path, e, false);
	fault_unlock(f);
	return 0;
}

/* --- the fault -------------------------------------------------------------------------------- */

static int fault_step(struct fault *f)
{
	if ((f->area->flags & AREA_SPECIAL) != 0)
		return fault_special(f);
	if (f->area->object == NULL)
		return fault_anonymous(f);
	if ((f->area->flags & AREA_SHARED) != 0)
		return fault_shared(f);
	return fault_private(f);
}

static int fault_resolve(struct fault *f)
{
	int error;

	while ((error = fault_step(f)) == -EAGAIN) {
		if (!f->need_tables)
			continue;
		f->need_tables = false;
		error = ptable_stock_fill(&f->stock);
		if (error != 0)
			break;
	}
	if (unlikely(f->stock.count > 0))
		ptable_stock_drain(&f->stock);
	return error;
}

static bool access_is_allowed(const struct area *a, enum fault_access access, bool force)
{
	switch (access) {
	case FAULT_WRITE:
		return (a->flags & AREA_WRITE) != 0 ||
		       (force && (a->flags & (AREA_SHARED | AREA_SPECIAL)) == 0);
	case FAULT_EXEC:
		return (a->flags & AREA_EXEC) != 0;
	case FAULT_READ:
		/* The processor has no write-only or execute-only pages. */
		return force || (a->flags & AREA_RIGHTS) != 0;
	}
	return false;
}

/* space->lock held for reading. *grow: the area above may be extended to the address. */
static int fault_under_lock(struct space *space, uint64_t address, enum fault_access access,
			    bool force, int *si_code, bool *grow)
{
	const struct area *a = area_tree_find(space->areas, address);
	struct fault f;

	*grow = false;
	*si_code = SEGV_MAPERR;
	if (a == NULL || a->start > address) {
		*grow = a != NULL && (a->flags & AREA_GROWSDOWN) != 0;
		return -EFAULT;
	}
	if (!access_is_allowed(a, access, force)) {
		*si_code = SEGV_ACCERR;
		return -EFAULT;
	}
	f.space = space;
	f.area = a;
	f.address = page_round_down(address);
	f.write = access == FAULT_WRITE;
	f.no_fold = false;
	f.need_tables = false;
	f.stock.count = 0;
	gather_init(&f.gather, space);
	return fault_resolve(&f);
}

/* A fatal signal ended a wait: the thread will not come back to its program, whatever is said. */
static int fault_interrupted(int *si_code)
{
	*si_code = SEGV_MAPERR;
	return -EFAULT;
}

int space_fault_force(struct space *space, uint64_t address, enum fault_access access, bool force,
		      int *si_code)
{
	bool grow;
	int error;

	atomic64_add(&space->minor_faults, 1);
	for (;;) {
		rwlock_read_lock(&space->lock);
		error = fault_under_lock(space, address, access, force, si_code, &grow);
		rwlock_read_unlock(&space->lock);
		if (grow && space_grow_stack(space, address))
			continue;
		if (access == FAULT_WRITE && error == 0 && object_dirt_is_excessive())
			space_throttle(space, address);
		if (error == -EINTR)
			return fault_interrupted(si_code);
		/* Only where the program itself waits for the page; callers of ours get -ENOMEM. */
		if (error == -ENOMEM && space == space_current() && oom_handler != NULL &&
		    !thread_current()->pending_kill && oom_handler(space))
			return 0;
		return error == -ENOSPC || error > 0 ? -EIO : error;
	}
}

int space_fault(struct space *space, uint64_t address, enum fault_access access, int *si_code)
{
	if (address >= USER_END) {
		*si_code = SEGV_MAPERR;
		return -EFAULT;
	}
	return space_fault_force(space, address, access, false, si_code);
}
