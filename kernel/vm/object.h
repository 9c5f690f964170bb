/*
 * Objects: what can be mapped. An object is a sparse array of pages with a way to fill them: the
 * page cache of a file, tmpfs content, shared anonymous memory. read/write and mmap use the same
 * pages. Private anonymous memory has no object: its pages belong to page tables alone.
 *
 * Locking: `lock` guards the tree of pages; a page is filled under PAGE_LOCKED without the lock.
 * The object holds one reference on each page in its tree.
 */
#pragma once

#include "core/spinlock.h"
#include "lib/radix.h"
#include "mem/page.h"
#include "sched/wait.h"

struct object;

struct object_ops {
	/* Fills a locked, not up to date page from the backing store (zeroes beyond the end).
	 * May sleep. NULL: pages begin as zeros (tmpfs, anonymous). 0 or -errno. */
	int (*read_page)(struct object *object, struct page *page);
	/* Writes `bytes` (less than a page at the end) of a locked dirty page back. NULL: memory
	 * is the store; pages are never clean, never reclaimed. */
	int (*write_page)(struct object *object, struct page *page, size_t bytes);
	/* Charges a new page against a limit (tmpfs): -ENOSPC. NULL: none. */
	int (*charge)(struct object *object, size_t pages);
	void (*uncharge)(struct object *object, size_t pages);
	void (*destroy)(struct object *object);		/* last reference; pages already dropped */
};

struct object {
	const struct object_ops *ops;
	struct refcount references;
	struct spinlock lock;
	struct radix_tree pages GUARDED_BY(&lock);
	uint64_t page_count GUARDED_BY(&lock);
	uint64_t size_bytes;		/* [a] end of file: faults beyond its page are SIGBUS */
	atomic32_t mapped;		/* areas that map it: truncation walks spaces when > 0 */
	atomic32_t mapped_writable;	/* those of them that are shared and may be written */
	bool write_sealed;		/* no shared mapping may write any more: memfd's seal */
	atomic32_t dirty_pages;
	struct list_head lru_node;	/* all reclaimable objects */
	uint64_t reclaim_cursor;	/* under the list's lock: where the next scan begins */
};

void object_init(struct object *object, const struct object_ops *ops);
/* Drops all pages; for the owner that embeds it. Never mapped any more. */
void object_fini(struct object *object);
static inline void object_get(struct object *o) { refcount_get(&o->references); }
void object_put(struct object *object);
/* Shared anonymous memory (mmap MAP_SHARED|MAP_ANONYMOUS). NULL: no memory. */
must_check struct object *object_create_anonymous(uint64_t bytes);

/*
 * The page at `index`, up to date, with a reference for the caller. `create`: makes it when the
 * store has none (holes); without, a hole of a memory object gives *out = NULL, 0.
 * -ENOMEM, -EIO, -ENOSPC, -EINTR. May sleep. Does not look at size_bytes.
 */
must_check int object_get_page(struct object *object, uint64_t index, bool create,
			       struct page **out);
/* The page if it is present and up to date, with a reference; NULL otherwise. Never sleeps. */
must_check struct page *object_find_page(struct object *object, uint64_t index);
/* For whole-page overwrites: a locked, counted page whose content the caller fills; then
 * object_page_unlock() and page_put(). */
must_check int object_grab_page(struct object *object, uint64_t index, struct page **out);
/* A new locked page only when none is there (read-ahead): counted; else, or without memory, NULL.
 * Never sleeps. The caller fills it, then object_page_unlock() and page_put(). */
must_check struct page *object_grab_absent(struct object *object, uint64_t index);
void object_page_unlock(struct page *page, bool uptodate);
void object_mark_dirty(struct object *object, struct page *page);
/*
 * Dirty pages cannot be reclaimed, so who makes them waits when there are many: writes back those
 * of this object if an eighth of memory is dirty. No lock of a space or page held; the inode's may
 * be.
 */
must_check int object_throttle(struct object *object);
/* Adopts a page the caller owns (count 1 moves to the object): initramfs without copying. */
must_check int object_adopt_page(struct object *object, uint64_t index, struct page *page);
/* Writes dirty pages in [start,end) back. */
must_check int object_sync(struct object *object, uint64_t start, uint64_t end);
/*
 * Sets the size; shrinking zeroes the tail of the last page, drops pages beyond, and unmaps them
 * from every space that maps the object (a later touch is SIGBUS; private copies go too).
 */
void object_truncate(struct object *object, uint64_t bytes);
/*
 * The store changed by itself, and is `bytes` long now: drops every clean, unlocked page; zeroes
 * and dirties nothing. Mapped pages stay mapped unless they lie beyond the end.
 */
void object_follow_store(struct object *object, uint64_t bytes);
/* Before the end moves up past a gap: what mappings stored behind it is not part of the file. */
void object_zero_tail(struct object *object);
/* Drops whole pages in [start,end) and zeroes partial ends: fallocate(PUNCH_HOLE). */
void object_punch(struct object *object, uint64_t start, uint64_t end);
/* First index >= start that has a page (data) or has none (hole). */
uint64_t object_next_data(struct object *object, uint64_t start_index, uint64_t end_index);
uint64_t object_next_hole(struct object *object, uint64_t start_index, uint64_t end_index);
/* Drops clean, unmapped pages everywhere: at most n, returns how many. */
size_t object_reclaim(size_t n);
/* Pages [index,index+n) as far as present and up to date, counted; NULL for others. How many. */
size_t object_find_pages(struct object *object, uint64_t index, size_t n, struct page **pages);
/* True while the page is still the object's at that index (it was not truncated away). */
static inline bool object_has_page(const struct object *object, const struct page *page,
				   uint64_t index)
{
	return read_once(page->object) == object && read_once(page->index) == index;
}
void object_init_system(void);		/* boot */
