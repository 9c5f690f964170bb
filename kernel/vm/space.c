/*
 * Address spaces: life, accounting, the list of all.
 *
 * A space is a root of page tables and a root of areas (both persistent, see ptable.c, area_tree.c)
 * with two locks:
 *
 *	what			to read it		to change it
 *	areas, limits, brk	lock, either way	lock for writing
 *	page tables		table_lock		table_lock, and lock (faults: for reading;
 *							fork, unmap, protect, remap: for writing)
 *	a counted version	nothing			nobody does
 *
 * Order: lock, page locks of objects, object->lock, table_lock. The list of all spaces has its own
 * spin lock, held alone. A child is put on the list behind its parent, before it shares the
 * parent's tables: a walk that reaches the parent too early for the child's sake meets the child
 * later (vm/space_object.c).
 */
#include "abi/errno.h"
#include "core/cmdline.h"
#include "core/klog.h"
#include "lib/string.h"
#include "mem/slab.h"
#include "sched/thread.h"
#include "vm/space_internal.h"

bool fork_is_eager;

static struct slab_cache *space_cache;
static struct spinlock list_lock = SPINLOCK_INIT(RANK_SPACE);
static struct list_head all_spaces = LIST_HEAD_INIT(all_spaces);

void space_set_file_ops(void (*get)(void *file), void (*put)(void *file))
{
	area_set_file_ops(get, put);
}

struct space *space_create(void)
{
	struct space *space = slab_allocate_zeroed(space_cache);
	struct page *root;

	if (space == NULL)
		return NULL;
	root = ptable_root_create();
	if (root == NULL) {
		slab_free(space_cache, space);
		return NULL;
	}
	refcount_init(&space->references);
	refcount_init(&space->holders);
	rwlock_init(&space->lock);
	spin_init(&space->table_lock, RANK_SPACE);
	space->root = page_to_phys(root);
	space->mmap_top = USER_END;
	space->dumpable = true;
	space->limit_as_bytes = UINT64_MAX;
	space->limit_data_bytes = UINT64_MAX;
	space->limit_stack_bytes = 8UL << 20;
	space->limit_memlock_bytes = UINT64_MAX;
	spin_lock(&list_lock);
	list_push_back(&all_spaces, &space->all_node);
	spin_unlock(&list_lock);
	return space;
}

void space_put(struct space *space)
{
	if (space == NULL || !refcount_put(&space->references))
		return;
	spin_lock(&list_lock);
	list_remove(&space->all_node);
	spin_unlock(&list_lock);
	tlb_leave_space(space);
	ptable_root_destroy(space_root(space));
	area_tree_put(space->areas);
	area_file_put(space->exe_file);
	space_release(space);
}

void space_release(struct space *space)
{
	if (refcount_put(&space->holders))
		slab_free(space_cache, space);
}

/* The next living space after `space` (NULL: the first), counted. */
static struct space *next_space(struct space *space)
{
	struct list_head *link;
	struct space *found = NULL;

	spin_lock(&list_lock);
	link = space != NULL ? space->all_node.next : all_spaces.next;
	for (; link != &all_spaces; link = link->next) {
		found = list_entry(link, struct space, all_node);
		if (refcount_try_get(&found->references))
			break;
		found = NULL;
	}
	spin_unlock(&list_lock);
	return found;
}

void space_for_each(bool (*fn)(void *arg, struct space *space), void *arg)
{
	struct space *space = next_space(NULL), *next;

	while (space != NULL) {
		bool more = fn(arg, space);

		next = more ? next_space(space) : NULL;
		space_put(space);
		space = next;
	}
}

struct space *space_current(void)
{
	return thread_current()->space;
}

void space_switch_current(struct space *space)
{
	irq_state_t irq = arch_irq_save();
	struct thread *thread = thread_current();
	struct space *old = thread->space;

	thread->space = space;
	if (space != NULL)
		tlb_load_space(space);
	arch_irq_restore(irq);
	space_put(old);
}

/* --- areas ------------------------------------------------------------------------------------ */

static void account_area(struct space *space, const struct area *a, uint64_t bytes, bool add)
{
	uint64_t pages = bytes >> PAGE_SHIFT;

	if (!add)
		pages = -pages;
	space->mapped_pages += pages;
	if ((a->flags & AREA_LOCKED) != 0)
		space->locked_pages += pages;
	if ((a->flags & (AREA_STACK | AREA_GROWSDOWN)) != 0)
		space->stack_pages += pages;
	else if ((a->flags & (AREA_SHARED | AREA_WRITE)) == AREA_WRITE)
		space->data_pages += pages;
}

static void account_range(struct space *space, const struct area_node *areas, uint64_t start,
			  uint64_t end, bool add)
{
	while (start < end) {
		const struct area *a = area_tree_find(areas, start);

		if (a == NULL || a->start >= end)
			return;
		if (a->start > start)
			start = a->start;

		uint64_t stop = a->end < end ? a->end : end;

		account_area(space, a, stop - start, add);
		start = stop;
	}
}

struct area_node *space_commit_areas(struct space *space, struct area_node *areas,
				     uint64_t start, uint64_t end)
{
	struct area_node *old = space->areas;

	account_range(space, old, start, end, false);
	account_range(space, areas, start, end, true);
	space->areas = areas;
	space->area_count = area_tree_count(areas);
	return old;
}

/* A new version, unless it has too many areas. */
static int commit_new(struct space *space, struct area_node *areas, uint64_t start, uint64_t end,
		      struct area_node **dead)
{
	if (area_tree_count(areas) > AREA_COUNT_MAX) {
		area_tree_put(areas);
		return -ENOMEM;
	}
	*dead = space_commit_areas(space, areas, start, end);
	return 0;
}

int space_replace_areas(struct space *space, uint64_t start, uint64_t end,
			const struct area *fill, struct area_node **dead)
{
	struct area_node *areas;
	int error;

	account_range(space, space->areas, start, end, false);
	if (area_tree_replace_in_place(&space->areas, start, end, fill, dead)) {
		account_range(space, space->areas, start, end, true);
		space->area_count = area_tree_count(space->areas);
		return 0;
	}
	account_range(space, space->areas, start, end, true);
	error = area_tree_replace(space->areas, start, end, fill, &areas);
	return error != 0 ? error : commit_new(space, areas, start, end, dead);
}

int space_change_areas(struct space *space, uint64_t start, uint64_t end, uint32_t clear,
		       uint32_t set, struct area_node **dead)
{
	struct area_node *areas;
	int error;

	*dead = NULL;
	account_range(space, space->areas, start, end, false);
	if (area_tree_change_in_place(space->areas, start, end, clear, set)) {
		account_range(space, space->areas, start, end, true);
		return 0;
	}
	account_range(space, space->areas, start, end, true);
	error = area_tree_change(space->areas, start, end, clear, set, &areas);
	return error != 0 ? error : commit_new(space, areas, start, end, dead);
}

bool space_covers(struct space *space, uint64_t start, uint64_t end)
{
	while (start < end) {
		const struct area *a = area_tree_find(space->areas, start);

		if (a == NULL || a->start > start)
			return false;
		start = a->end;
	}
	return true;
}

static bool passes(uint64_t pages, uint64_t more, uint64_t limit_bytes)
{
	return limit_bytes != UINT64_MAX && pages + more > limit_bytes >> PAGE_SHIFT;
}

uint64_t space_overcommit;

bool space_overcommits(uint64_t pages)
{
	return pages > page_total() && read_once(space_overcommit) != 1;
}

int space_check_limits(const struct space *space, uint64_t pages, uint32_t flags)
{
	if ((flags & (AREA_SHARED | AREA_WRITE | AREA_NORESERVE)) == AREA_WRITE &&
	    space_overcommits(pages))
		return -ENOMEM;
	if (passes(space->mapped_pages, pages, space->limit_as_bytes))
		return -ENOMEM;
	if ((flags & (AREA_SHARED | AREA_WRITE | AREA_STACK | AREA_GROWSDOWN)) == AREA_WRITE &&
	    passes(space->data_pages, pages, space->limit_data_bytes))
		return -ENOMEM;
	return 0;
}

bool space_find_area(struct space *space, uint64_t address, struct area *out)
{
	const struct area *a = area_tree_find(space->areas, address);

	if (a != NULL)
		*out = *a;
	return a != NULL;
}

void space_init(void)
{
	fork_is_eager = cmdline_choice("fork", "eager") == 0;
	space_cache = slab_cache_create("space", sizeof(struct space), 64);
	area_tree_init();
	ptable_init();
	object_init_system();
	fault_init();
	tlb_init();
}
