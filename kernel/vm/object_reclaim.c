/*
 * Getting clean pages back when memory is short.
 *
 * A clock over objects: the list's first object is looked at, a bounded stretch of its pages from
 * where the last look ended, and goes to the end of the list. A page that was used since the last
 * look loses its mark and stays; one that is clean, unlocked and held by the cache alone goes.
 * Mapped pages are held by their tables and stay.
 *
 * Locking: the list's lock is held throughout a look at one object, so that an object which is on
 * the list is alive; object->lock is taken under it. Nothing here allocates or sleeps.
 */
#include "vm/object_reclaim.h"

#include "vm/object_internal.h"

#define SCAN_PAGES 256
#define VICTIMS_MAX 32

static struct spinlock list_lock = SPINLOCK_INIT(RANK_OBJECT_LIST);
static struct list_head objects = LIST_HEAD_INIT(objects);
static uint64_t object_total;		/* list_lock */

void object_reclaim_register(struct object *object)
{
	spin_lock(&list_lock);
	list_push_back(&objects, &object->lru_node);
	object_total++;
	spin_unlock(&list_lock);
}

void object_reclaim_unregister(struct object *object)
{
	spin_lock(&list_lock);
	if (!list_is_empty(&object->lru_node)) {
		list_remove(&object->lru_node);
		object_total--;
	}
	spin_unlock(&list_lock);
}

/* Only the tree holds it, nobody fills, writes or changed it; second chance. object->lock held. */
static bool page_is_victim(struct page *page)
{
	if (page_count(page) != 1 || page_has(page, PAGE_LOCKED | PAGE_DIRTY))
		return false;
	return (atomic32_and(&page->flags, ~PAGE_REFERENCED) & PAGE_REFERENCED) == 0;
}

/*
 * With object->lock held and a count of 1 nobody can gain a reference: all come from the tree,
 * under the lock, or from tables, which would be counted.
 */
static size_t collect_victims(struct object *object, struct radix_pool *pool, size_t max,
			      struct page **victims) REQUIRES(&object->lock)
{
	uint64_t index = object->reclaim_cursor;
	struct page *page;
	size_t n = 0, scanned = 0;

	radix_for_each(page, &object->pages, index) {
		if (n == max || scanned++ == SCAN_PAGES)
			break;
		if (!page_is_victim(page))
			continue;
		radix_remove(&object->pages, pool, index);
		object->page_count--;
		page->object = NULL;
		victims[n++] = page;
	}
	object->reclaim_cursor = page == NULL ? 0 : index;
	return n;
}

/* One look at the next object; pages freed. *pages: it has pages at all. */
static size_t reclaim_one(size_t max)
{
	struct page *victims[VICTIMS_MAX];
	struct radix_pool pool = { 0 };
	struct object *object;
	size_t n = 0;

	spin_lock(&list_lock);
	object = list_first(&objects, struct object, lru_node);
	if (object != NULL) {
		list_remove(&object->lru_node);
		list_push_back(&objects, &object->lru_node);
		spin_lock(&object->lock);
		n = collect_victims(object, &pool, max < VICTIMS_MAX ? max : VICTIMS_MAX,
				    victims);
		spin_unlock(&object->lock);
	}
	spin_unlock(&list_lock);
	for (size_t i = 0; i < n; i++)
		page_put(victims[i]);
	radix_pool_drain(&pool, object_node_free, NULL);
	return n;
}

size_t object_reclaim(size_t n)
{
	size_t freed = 0;
	/* Twice round: the first may only take the marks of use away. */
	uint64_t looks = 2 * read_once(object_total) + 2 * (n / VICTIMS_MAX) + 2;

	while (freed < n && looks-- > 0)
		freed += reclaim_one(n - freed);
	return freed;
}
