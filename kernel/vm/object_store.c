/*
 * An object and its store: dirty pages, write-back, truncation, holes.
 *
 * A page becomes dirty through object_mark_dirty(): write(2), or the fault that gave a shared
 * mapping its write permission. Write-back clears the dirty mark, then takes the write permission
 * of every mapping away, then writes: whoever writes to the page after that faults first and marks
 * it dirty again, so no change is lost.
 *
 * Truncation takes pages out of the tree (page->object becomes NULL), then unmaps them from every
 * space; object.c says why a fault cannot slip in between.
 */
#include "abi/errno.h"
#include "lib/string.h"
#include "vm/object_internal.h"
#include "vm/space_object.h"

#define SYNC_BATCH 32

atomic64_t object_dirty_total;

void object_count_dirty(struct object *object, int change)
{
	atomic32_add(&object->dirty_pages, (uint32_t)change);
	atomic64_add(&object_dirty_total, (uint64_t)change);
}

int object_throttle(struct object *object)
{
	if (atomic32_load(&object->dirty_pages) < SYNC_BATCH || !object_dirt_is_excessive())
		return 0;
	return object_sync(object, 0, UINT64_MAX);
}

void object_mark_dirty(struct object *object, struct page *page)
{
	if (object->ops->write_page == NULL || page_has(page, PAGE_DIRTY))
		return;
	spin_lock(&object->lock);
	if (page->object == object && (atomic32_or(&page->flags, PAGE_DIRTY) & PAGE_DIRTY) == 0) {
		radix_tag_set(&object->pages, page->index, RADIX_DIRTY);
		object_count_dirty(object, 1);
	}
	spin_unlock(&object->lock);
}

/* The next dirty pages of [*index,end), counted, no longer marked. */
static size_t dirty_take(struct object *object, uint64_t *index, uint64_t end,
			 struct page **pages)
{
	struct page *page;
	size_t n = 0;

	spin_lock(&object->lock);
	radix_for_each_tagged(page, &object->pages, *index, RADIX_DIRTY) {
		if (*index >= end || n == SYNC_BATCH)
			break;
		page_get(page);
		pages[n++] = page;
		radix_tag_clear(&object->pages, *index, RADIX_DIRTY);
		if ((atomic32_and(&page->flags, ~PAGE_DIRTY) & PAGE_DIRTY) != 0)
			object_count_dirty(object, -1);
	}
	spin_unlock(&object->lock);
	return n;
}

static int page_write_back(struct object *object, struct page *page)
{
	int error = 0;

	page_lock(page);
	if (page->object == object) {
		uint64_t start = page->index << PAGE_SHIFT, size = read_once(object->size_bytes);

		if (start < size)
			error = object->ops->write_page(object, page, size - start < PAGE_SIZE ?
							size - start : PAGE_SIZE);
	}
	page_unlock(page);
	if (error != 0)
		object_mark_dirty(object, page);
	return error;
}

int object_sync(struct object *object, uint64_t start, uint64_t end)
{
	uint64_t index = start >> PAGE_SHIFT;
	uint64_t last = end > UINT64_MAX - PAGE_SIZE ? UINT64_MAX :
						       page_round_up(end) >> PAGE_SHIFT;
	struct page *pages[SYNC_BATCH];
	int error = 0, first_error = 0;
	size_t n;

	if (object->ops->write_page == NULL || atomic32_load(&object->dirty_pages) == 0)
		return 0;
	while (index < last && (n = dirty_take(object, &index, last, pages)) > 0) {
		if (atomic32_load(&object->mapped) > 0)
			space_clean_object(object, pages[0]->index, pages[n - 1]->index + 1);
		for (size_t i = 0; i < n; i++) {
			error = page_write_back(object, pages[i]);
			if (first_error == 0)
				first_error = error;
			page_put(pages[i]);
		}
		if (first_error != 0)
			break;
	}
	return first_error;
}

void object_drop_range(struct object *object, uint64_t first, uint64_t end)
{
	uint64_t index = first;
	struct page *page;

	while ((page = object_next_page(object, &index, end)) != NULL) {
		page_lock(page);
		if (page->object == object) {
			object_detach(object, page);
			page_unlock(page);
			page_put(page);		/* the tree's */
		} else {
			page_unlock(page);
		}
		page_put(page);
		if (++index == 0)
			break;
	}
}

static void object_drop_clean(struct object *object)
{
	uint64_t index = 0;
	struct page *page;

	while ((page = object_next_page(object, &index, UINT64_MAX)) != NULL) {
		if (!page_has(page, PAGE_DIRTY) && page_try_lock(page)) {
			bool ours = page->object == object && !page_has(page, PAGE_DIRTY);

			if (ours)
				object_detach(object, page);
			page_unlock(page);
			if (ours)
				page_put(page);
		}
		page_put(page);
		index++;
	}
}

/* Zeroes bytes [from,to) of one page, if it is there: what is read from the store is zero there. */
static void zero_part(struct object *object, uint64_t index, size_t from, size_t to)
{
	struct page *page = object_find_page(object, index);

	if (page == NULL)
		return;
	page_lock(page);
	if (page->object == object) {
		memset((char *)page_address(page) + from, 0, to - from);
		object_mark_dirty(object, page);
	}
	page_unlock(page);
	page_put(page);
}

void object_zero_tail(struct object *object)
{
	uint64_t end = read_once(object->size_bytes);

	if ((end & ~PAGE_MASK) != 0)
		zero_part(object, end >> PAGE_SHIFT, end & ~PAGE_MASK, PAGE_SIZE);
}

/* The first page that holds nothing of so many bytes. */
static uint64_t page_index_up(uint64_t bytes)
{
	return (bytes >> PAGE_SHIFT) + ((bytes & ~PAGE_MASK) != 0 ? 1 : 0);
}

void object_truncate(struct object *object, uint64_t bytes)
{
	uint64_t old = read_once(object->size_bytes);
	uint64_t first = page_index_up(bytes);

	if (bytes > old)
		object_zero_tail(object);
	write_once(object->size_bytes, bytes);
	full_barrier();			/* partner: a fault looks at the size, then at the tree */
	if (bytes >= old)
		return;
	if ((bytes & ~PAGE_MASK) != 0)
		zero_part(object, bytes >> PAGE_SHIFT, bytes & ~PAGE_MASK, PAGE_SIZE);
	object_drop_range(object, first, UINT64_MAX);
	if (atomic32_load(&object->mapped) > 0)
		space_unmap_object_pages(object, first, UINT64_MAX, true);
}

void object_follow_store(struct object *object, uint64_t bytes)
{
	uint64_t old = read_once(object->size_bytes);

	/* First, so that no page at the old or the new end is there to be zeroed and written. */
	object_drop_clean(object);
	write_once(object->size_bytes, bytes);
	full_barrier();			/* as in object_truncate() */
	if (bytes >= old)
		return;
	object_drop_range(object, page_index_up(bytes), UINT64_MAX);
	if (atomic32_load(&object->mapped) > 0)
		space_unmap_object_pages(object, page_index_up(bytes), UINT64_MAX, true);
}

void object_punch(struct object *object, uint64_t start, uint64_t end)
{
	uint64_t first = page_index_up(start);
	uint64_t last = end >> PAGE_SHIFT;

	if (start >= end)
		return;
	if (first > last) {
		zero_part(object, last, start & ~PAGE_MASK, end & ~PAGE_MASK);
		return;
	}
	if ((start & ~PAGE_MASK) != 0)
		zero_part(object, first - 1, start & ~PAGE_MASK, PAGE_SIZE);
	if ((end & ~PAGE_MASK) != 0)
		zero_part(object, last, 0, end & ~PAGE_MASK);
	if (first >= last)
		return;
	object_drop_range(object, first, last);
	if (atomic32_load(&object->mapped) > 0)
		space_unmap_object_pages(object, first, last, false);
}

uint64_t object_next_data(struct object *object, uint64_t start_index, uint64_t end_index)
{
	uint64_t index = start_index;
	bool found;

	spin_lock(&object->lock);
	found = radix_next(&object->pages, &index) != NULL;
	spin_unlock(&object->lock);
	return found && index < end_index ? index : end_index;
}

uint64_t object_next_hole(struct object *object, uint64_t start_index, uint64_t end_index)
{
	uint64_t index = start_index;

	while (index < end_index) {
		spin_lock(&object->lock);
		bool present = radix_find(&object->pages, index) != NULL;
		spin_unlock(&object->lock);

		if (!present)
			break;
		index++;
	}
	return index;
}
