/*
 * Objects: the page cache.
 *
 * Idea: one radix tree of pages per object; a page is found or made under `lock`, filled under its
 * own PAGE_LOCKED bit without the lock, and then PAGE_UPTODATE for ever. read(2), write(2) and
 * faults all come through object_get_page().
 *
 * States of a page in the cache:
 *
 *	in the tree	LOCKED	UPTODATE	what
 *	yes		yes	no		being filled by the lock's holder
 *	yes		no	no		its fill failed; who wants it next tries again
 *	yes		any	yes		content valid (LOCKED: written back, or overwritten)
 *	no		any	any		truncated: page->object is NULL, holders drop it
 *
 * page->object is cleared under the page's lock and `lock`, before spaces are told to unmap it. A
 * fault that installs the page looks at page->object under table_lock: either it installs first and
 * the unmapping walk removes it, or it sees NULL and starts again.
 *
 * Locking: `lock` (spin) guards tree and count; the page lock (a bit, waited for on hashed queues)
 * guards filling, write-back and removal. Order: page lock, then `lock`.
 */
#include "vm/object.h"

#include "abi/errno.h"
#include "lib/bits.h"
#include "mem/slab.h"
#include "vm/object_internal.h"
#include "vm/object_reclaim.h"

#define PAGE_WAIT_QUEUES 32

static struct wait_queue page_queues[PAGE_WAIT_QUEUES];
static struct slab_cache *radix_cache, *anonymous_cache;

/* --- page locks ------------------------------------------------------------------------------- */

static struct wait_queue *page_queue(const struct page *page)
{
	return &page_queues[(uint64_t)(page - page_array) % PAGE_WAIT_QUEUES];
}

bool page_try_lock(struct page *page)
{
	return (atomic32_or(&page->flags, PAGE_LOCKED) & PAGE_LOCKED) == 0;
}

int page_lock_killable(struct page *page)
{
	if (likely(page_try_lock(page)))
		return 0;
	return wait_event_killable(page_queue(page), page_try_lock(page)) != 0 ? -EINTR : 0;
}

void page_lock(struct page *page)
{
	if (unlikely(!page_try_lock(page)))
		wait_event(page_queue(page), page_try_lock(page));
}

void page_unlock(struct page *page)
{
	ASSERT(page_has(page, PAGE_LOCKED));
	atomic32_and(&page->flags, ~PAGE_LOCKED);
	full_barrier();		/* partner: wait_prepare(), before the condition is looked at */
	if (!wait_queue_is_empty(page_queue(page)))
		wake_up_all(page_queue(page));
}

/* --- the tree --------------------------------------------------------------------------------- */

struct radix_node *object_node_allocate(void *unused)
{
	(void)unused;
	return slab_allocate(radix_cache);
}

void object_node_free(void *unused, struct radix_node *node)
{
	(void)unused;
	slab_free(radix_cache, node);
}

/* Inserts a page whose reference the tree takes; -EEXIST, -ENOMEM. */
static int tree_insert(struct object *object, uint64_t index, struct page *page)
{
	struct radix_pool pool = { 0 };
	int error;

	page->object = object;
	page->index = index;
	spin_lock(&object->lock);
	while ((error = radix_insert(&object->pages, &pool, index, page)) == -ENOMEM) {
		unsigned int needed = radix_needed(&object->pages, index);

		spin_unlock(&object->lock);
		error = radix_pool_fill(&pool, needed, object_node_allocate, NULL);
		spin_lock(&object->lock);
		if (error != 0)
			break;
	}
	if (error == 0)
		object->page_count++;
	spin_unlock(&object->lock);
	radix_pool_drain(&pool, object_node_free, NULL);
	return error;
}

void object_detach(struct object *object, struct page *page)
{
	struct radix_pool pool = { 0 };

	ASSERT(page_has(page, PAGE_LOCKED) && page->object == object);
	spin_lock(&object->lock);
	radix_remove(&object->pages, &pool, page->index);
	object->page_count--;
	write_once(page->object, NULL);
	spin_unlock(&object->lock);
	radix_pool_drain(&pool, object_node_free, NULL);
	if ((atomic32_and(&page->flags, ~PAGE_DIRTY) & PAGE_DIRTY) != 0)
		object_count_dirty(object, -1);
	if (object->ops->uncharge != NULL)
		object->ops->uncharge(object, 1);
}

static struct page *tree_find(struct object *object, uint64_t index)
{
	struct page *page;

	spin_lock(&object->lock);
	page = radix_find(&object->pages, index);
	if (page != NULL)
		page_get(page);
	spin_unlock(&object->lock);
	return page;
}

struct page *object_next_page(struct object *object, uint64_t *index, uint64_t end)
{
	struct page *page;

	spin_lock(&object->lock);
	page = radix_next(&object->pages, index);
	if (page != NULL && *index < end)
		page_get(page);
	else
		page = NULL;
	spin_unlock(&object->lock);
	return page;
}

/* --- getting pages ---------------------------------------------------------------------------- */

static int charge(struct object *object)
{
	return object->ops->charge != NULL ? object->ops->charge(object, 1) : 0;
}

static void uncharge(struct object *object)
{
	if (object->ops->uncharge != NULL)
		object->ops->uncharge(object, 1);
}

/* A new locked page in the tree, counted for the caller too. -EEXIST: somebody was faster. */
static int page_create(struct object *object, uint64_t index, unsigned int flags,
		       struct page **out)
{
	struct page *page;
	int error = charge(object);

	if (error != 0)
		return error;
	page = page_allocate(0, PAGE_CACHE, flags);
	if (page == NULL) {
		uncharge(object);
		return -ENOMEM;
	}
	atomic32_store(&page->flags, PAGE_LOCKED);
	page_get(page);
	error = tree_insert(object, index, page);
	if (error != 0) {
		uncharge(object);
		page_put(page);
		page_put(page);
		return error;
	}
	*out = page;
	return 0;
}

/* Fills a locked page that is not up to date. */
static int page_fill(struct object *object, struct page *page)
{
	int error = 0;

	if (object->ops->read_page != NULL)
		error = object->ops->read_page(object, page);
	else
		arch_page_clear(page_address(page));
	if (error == 0)
		atomic32_or(&page->flags, PAGE_UPTODATE);
	return error;
}

/* An existing page, made up to date; -EAGAIN: it was truncated meanwhile. */
static int page_make_current(struct object *object, struct page *page)
{
	int error = page_lock_killable(page);

	if (error != 0)
		return error;
	if (page->object != object)
		error = -EAGAIN;
	else if (!page_has(page, PAGE_UPTODATE))
		error = page_fill(object, page);
	page_unlock(page);
	return error;
}

static int page_create_filled(struct object *object, uint64_t index, struct page **out)
{
	struct page *page;
	int error = page_create(object, index, 0, &page);

	if (error != 0)
		return error;
	error = page_fill(object, page);
	page_unlock(page);
	if (error != 0)
		page_put(page);
	else
		*out = page;
	return error;
}

int object_get_page(struct object *object, uint64_t index, bool create, struct page **out)
{
	for (;;) {
		struct page *page = tree_find(object, index);
		int error;

		*out = page;
		if (page != NULL && likely(page_has(page, PAGE_UPTODATE))) {
			if (!page_has(page, PAGE_REFERENCED))
				atomic32_or(&page->flags, PAGE_REFERENCED);
			return 0;
		}
		if (page == NULL) {
			if (!create && object->ops->read_page == NULL)
				return 0;
			error = page_create_filled(object, index, out);
			if (error == -EEXIST)
				continue;
			return error;
		}
		error = page_make_current(object, page);
		if (error == 0)
			return 0;
		page_put(page);
		*out = NULL;
		if (error != -EAGAIN)
			return error;
	}
}

/* The page with a reference; NULL: none, or one without content yet. */
static inline struct page *find_get_locked(struct object *object, uint64_t index)
	REQUIRES(&object->lock)
{
	struct page *page = radix_find(&object->pages, index);

	if (page == NULL || !page_has(page, PAGE_UPTODATE))
		return NULL;
	page_get(page);
	return page;
}

struct page *object_find_page(struct object *object, uint64_t index)
{
	struct page *page;

	spin_lock(&object->lock);
	page = find_get_locked(object, index);
	spin_unlock(&object->lock);
	return page;
}

size_t object_find_pages(struct object *object, uint64_t index, size_t n, struct page **pages)
{
	size_t found = 0;

	spin_lock(&object->lock);
	for (size_t i = 0; i < n; i++) {
		pages[i] = find_get_locked(object, index + i);
		found += pages[i] != NULL;
	}
	spin_unlock(&object->lock);
	return found;
}

int object_grab_page(struct object *object, uint64_t index, struct page **out)
{
	for (;;) {
		struct page *page = tree_find(object, index);
		int error;

		if (page == NULL) {
			error = page_create(object, index, 0, out);
			if (error == -EEXIST)
				continue;
			return error;
		}
		error = page_lock_killable(page);
		if (error == 0 && page->object == object) {
			*out = page;
			return 0;
		}
		if (error == 0)
			page_unlock(page);
		page_put(page);
		if (error != 0)
			return error;
	}
}

struct page *object_grab_absent(struct object *object, uint64_t index)
{
	struct page *page = tree_find(object, index);

	if (page != NULL) {
		page_put(page);
		return NULL;
	}
	return page_create(object, index, PAGE_ATOMIC, &page) == 0 ? page : NULL;
}

void object_page_unlock(struct page *page, bool uptodate)
{
	struct object *object = page->object;

	if (!uptodate && object != NULL && object->ops->read_page == NULL &&
	    !page_has(page, PAGE_UPTODATE)) {
		arch_page_clear(page_address(page));
		uptodate = true;
	}
	if (uptodate)
		atomic32_or(&page->flags, PAGE_UPTODATE);
	page_unlock(page);
}

int object_adopt_page(struct object *object, uint64_t index, struct page *page)
{
	int error = charge(object);

	if (error != 0)
		return error;
	if (page->kind == PAGE_RESERVED)
		page_adopt(page, PAGE_CACHE);
	else
		page_set_kind(page, PAGE_CACHE);
	atomic32_store(&page->flags, PAGE_UPTODATE);
	error = tree_insert(object, index, page);
	if (error != 0)
		uncharge(object);
	return error;
}

/* --- life ------------------------------------------------------------------------------------- */

void object_init(struct object *object, const struct object_ops *ops)
{
	*object = (struct object){ .ops = ops };
	refcount_init(&object->references);
	spin_init(&object->lock, RANK_OBJECT);
	list_init(&object->lru_node);
	if (object_is_reclaimable(object))
		object_reclaim_register(object);
}

void object_fini(struct object *object)
{
	ASSERT(atomic32_load(&object->mapped) == 0);
	object_reclaim_unregister(object);
	object_drop_range(object, 0, UINT64_MAX);
}

void object_put(struct object *object)
{
	if (!refcount_put(&object->references))
		return;
	object_fini(object);
	object->ops->destroy(object);
}

static void anonymous_destroy(struct object *object)
{
	slab_free(anonymous_cache, object);
}

static const struct object_ops anonymous_ops = { .destroy = anonymous_destroy };

struct object *object_create_anonymous(uint64_t bytes)
{
	struct object *object = slab_allocate(anonymous_cache);

	if (object != NULL) {
		object_init(object, &anonymous_ops);
		object->size_bytes = bytes;
	}
	return object;
}

void object_init_system(void)
{
	for (unsigned int i = 0; i < PAGE_WAIT_QUEUES; i++)
		wait_queue_init(&page_queues[i]);
	radix_cache = slab_cache_create("radix_node", sizeof(struct radix_node), 16);
	anonymous_cache = slab_cache_create("shared_memory", sizeof(struct object), 16);
	page_set_reclaim(object_reclaim);
}
