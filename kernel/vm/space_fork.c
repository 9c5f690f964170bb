/*
 * fork of an address space: two roots counted, one table copied, one flush; and copies of a few
 * pages that the parent will write next (fork_ahead.c).
 *
 * The parent's lock is held for writing from the sharing to the end of the flush: a thread of the
 * parent that still writes through an old translation writes to a page that is the parent's and the
 * child's, before the child runs and before any thread of the parent can have made a copy of it (a
 * fault needs the lock). So the write is in both, as if made before the fork, and none is lost.
 *
 * Areas that a child does not inherit as they are (DONTFORK, WIPEONFORK, locked) are dealt with in
 * the child after the sharing; space->fork_flags says whether any exist, so that others pay
 * nothing.
 *
 * fork=eager copies every private page instead, as kernels without copy-on-write did.
 */
#include "abi/errno.h"
#include "core/klog.h"
#include "lib/string.h"
#include "vm/fault_internal.h"

static void copy_fields(const struct space *parent, struct space *child)
{
	child->area_count = parent->area_count;
	child->brk_start = parent->brk_start;
	child->brk_end = parent->brk_end;
	child->mmap_top = parent->mmap_top;
	child->stack_top = parent->stack_top;
	child->mapped_pages = parent->mapped_pages;
	child->locked_pages = parent->locked_pages;
	child->data_pages = parent->data_pages;
	child->stack_pages = parent->stack_pages;
	child->arg_start = parent->arg_start;
	child->arg_end = parent->arg_end;
	child->env_start = parent->env_start;
	child->env_end = parent->env_end;
	child->code_start = parent->code_start;
	child->code_end = parent->code_end;
	child->data_start = parent->data_start;
	child->data_end = parent->data_end;
	child->exe_file = parent->exe_file;
	area_file_get(child->exe_file);
	child->auxv_words = parent->auxv_words;
	memcpy(child->auxv, parent->auxv, child->auxv_words * sizeof(child->auxv[0]));
	child->dumpable = parent->dumpable;
	child->huge_disabled = parent->huge_disabled;
	child->peak_resident = space_root(parent)->resident;
	child->limit_as_bytes = parent->limit_as_bytes;
	child->limit_data_bytes = parent->limit_data_bytes;
	child->limit_stack_bytes = parent->limit_stack_bytes;
	child->limit_memlock_bytes = parent->limit_memlock_bytes;
}

/* Under the parent's write lock: no fault, no unmapping runs in it. */
static void share_tables(struct space *parent, struct space *child, uint64_t stack)
{
	struct fault f;

	f.space = parent;
	f.stock.count = 0;
	gather_init(&f.gather, parent);
	spin_lock(&f.space->table_lock);
	if (ptable_share(space_root(parent), space_root(child)))
		gather_range(&f.gather, 0, USER_END);
	fork_copy_ahead(&f, stack);
	fault_unlock(&f);
}

/* One area of the child that is not inherited as it is; the child is nobody's yet. */
static int apply_fork_flags(struct space *child, const struct area *a)
{
	struct area_node *dead = NULL, *areas;
	uint64_t start = a->start, end = a->end;
	uint32_t flags = a->flags;
	int error;

	if ((flags & AREA_DONTFORK) != 0) {
		error = space_unmap_locked(child, start, end, &dead);
		area_tree_put(dead);
		return error;
	}
	if ((flags & AREA_WIPEONFORK) != 0) {
		error = space_prepare_cut(child, start, end);
		if (error != 0)
			return error;
		space_unmap_tables(child, start, end);
		child->fork_flags = true;
	}
	if ((flags & AREA_LOCKED) == 0)
		return 0;
	error = area_tree_change(child->areas, start, end, AREA_LOCKED, 0, &areas);
	if (error == 0)
		area_tree_put(space_commit_areas(child, areas, start, end));
	return error;
}

static int inherit_flags(struct space *child)
{
	const struct area *a;
	uint64_t address = 0;

	while ((a = area_tree_find(child->areas, address)) != NULL) {
		struct area copy = *a;
		int error = 0;

		address = copy.end;
		if ((copy.flags & (AREA_DONTFORK | AREA_WIPEONFORK | AREA_LOCKED)) != 0)
			error = apply_fork_flags(child, &copy);
		if (error != 0)
			return error;
	}
	return 0;
}

int space_fork(struct space *parent, uint64_t stack, struct space **out)
{
	struct space *child = space_create();
	int error = 0;

	if (child == NULL)
		return -ENOMEM;
	rwlock_write_lock(&parent->lock);
	copy_fields(parent, child);
	child->areas = area_tree_get(parent->areas);
	if (fork_is_eager)
		error = space_fork_tables_eager(parent, child);
	else
		share_tables(parent, child, stack);
	if (error == 0 && parent->fork_flags)
		error = inherit_flags(child);
	rwlock_write_unlock(&parent->lock);
	if (error != 0) {
		space_put(child);
		return error;
	}
	*out = child;
	return 0;
}

/* --- fork=eager ------------------------------------------------------------------------------- */

struct eager {
	struct ptable_stock stock;
	uint64_t copied, shared;	/* pages */
};

/* The child's own leaf for one of the parent's: a copy of a private page, the same shared one. */
static int copy_leaf(struct space *child, const struct area *a, uint64_t address, pte_t e,
		     struct eager *eager)
{
	struct ptable_path path;
	struct gather g;
	struct page *page = pte_page(e), *fresh = page;
	int error;

	if (!pte_is_special(e) && page->kind == PAGE_ANON && (a->flags & AREA_SHARED) == 0) {
		fresh = page_allocate(0, PAGE_ANON, 0);
		if (fresh == NULL)
			return -ENOMEM;
		arch_page_copy(page_address(fresh), page_address(page));
	} else if (!pte_is_special(e)) {
		page_get(page);
	}
	gather_init(&g, child);
	spin_lock(&child->table_lock);
	error = ptable_own(space_root(child), address, &path, &g, &eager->stock);
	if (error == 0)
		ptable_install(&path, pte_make(page_to_phys(fresh), pte_flags(e)));
	spin_unlock(&child->table_lock);
	if (error != 0 && !pte_is_special(e))
		page_put(fresh);
	if (error == 0 && fresh != page)
		eager->copied++;
	else if (error == 0)
		eager->shared++;
	return error;
}

static int copy_area(struct space *parent, struct space *child, const struct area *a,
		     struct eager *eager)
{
	uint64_t address = a->start;
	pte_t e;

	while (ptable_next(space_root(parent), &address, a->end, &e)) {
		int error = copy_leaf(child, a, address, e, eager);

		if (error == -EAGAIN) {
			error = ptable_stock_fill(&eager->stock);
			if (error == 0)
				continue;
		}
		if (error != 0)
			return error;
		address += PAGE_SIZE;
	}
	return 0;
}

/*
 * The parent's lock is held for writing: its tables are not shared with anybody (all forks were
 * eager) and no fault changes them. Its threads on other processors may write meanwhile; as on any
 * kernel that copies eagerly, a page is copied at some moment during the call.
 */
int space_fork_tables_eager(struct space *parent, struct space *child)
{
	struct eager eager = { .stock.count = 0 };
	uint64_t address = 0;
	const struct area *a;
	int error = 0;

	while (error == 0 && (a = area_tree_find(parent->areas, address)) != NULL) {
		error = copy_area(parent, child, a, &eager);
		address = a->end;
	}
	ptable_stock_drain(&eager.stock);
	log_info("fork=eager: %lu pages copied, %lu shared", eager.copied, eager.shared);
	return error;
}
