/*
 * Page locks, shared by the files of the page cache.
 */
#pragma once

#include "vm/object.h"

/* Sleeps until the page is ours. -EINTR: a fatal signal came first (killable only). */
must_check int page_lock_killable(struct page *page);
void page_lock(struct page *page);
must_check bool page_try_lock(struct page *page);
void page_unlock(struct page *page);

static inline bool page_has(const struct page *page, uint32_t flag)
{
	return (atomic32_load_acquire(&page->flags) & flag) != 0;
}

static inline bool object_is_reclaimable(const struct object *object)
{
	return object->ops->read_page != NULL;
}

extern atomic64_t object_dirty_total;		/* pages, of all objects */

/* An eighth of memory is dirty. */
static inline bool object_dirt_is_excessive(void)
{
	return atomic64_load(&object_dirty_total) > page_total() / 8;
}

/* The object has one dirty page more or less. */
void object_count_dirty(struct object *object, int change);

struct radix_node *object_node_allocate(void *unused);
void object_node_free(void *unused, struct radix_node *node);
/* The first page at or above *index, counted; NULL: none below end. */
struct page *object_next_page(struct object *object, uint64_t *index, uint64_t end);
/* Takes a locked page out of the tree; the tree's reference becomes the caller's. */
void object_detach(struct object *object, struct page *page);
/* Takes every page of [first,end) out and drops it; waits for those under I/O. */
void object_drop_range(struct object *object, uint64_t first, uint64_t end);
