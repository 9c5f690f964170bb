/*
 * Object caches (Bonwick and Adams, 2001): slabs of equal objects, a magazine per CPU.
 * kmalloc serves odd sizes from power-of-two caches, larger ones from whole pages.
 */
#pragma once

#include "core/types.h"

struct slab_cache;

/* For the life of the kernel; panics when memory has ended (boot only). `name` must stay. */
struct slab_cache *slab_cache_create(const char *name, size_t size, size_t align);
must_check void *slab_allocate(struct slab_cache *cache);	/* undefined content; NULL */
must_check void *slab_allocate_zeroed(struct slab_cache *cache);
void slab_free(struct slab_cache *cache, void *object);		/* NULL is fine */

must_check void *kmalloc(size_t bytes);
must_check void *kzalloc(size_t bytes);
must_check void *kcalloc(size_t n, size_t bytes);		/* NULL on overflow too */
void kfree(void *p);						/* NULL is fine */
must_check char *kstrdup(const char *s);

/* What there is of a cache: for slabinfo, leaks. */
struct slab_stats {
	const char *name;
	size_t live, slabs;		/* objects given out; slabs with any or none of them */
	size_t object_bytes;		/* with what lies between two of them */
	size_t objects_per_slab, pages_per_slab;
};
void slab_for_each(void (*fn)(void *arg, const struct slab_stats *stats), void *arg);
