/*
 * Id map: hands out small integers and remembers a pointer for each.
 *
 * For pids, timer ids, watch descriptors: ids lie in [first, last] within 0..IDMAP_LIMIT-1.
 * Allocation is either lowest-first or cyclic (the first free id behind the one handed out last, so
 * that a pid is not used again at once). An id may be taken before its object is ready to be found:
 * allocate with NULL, idmap_set() later; find and next skip it until then.
 *
 * Three levels of 64-way nodes with two bitmaps each, found in constant time. Nodes come from the
 * caller's `alloc`, called during allocation under the caller's lock (so it must not sleep if that
 * lock spins), and go back to its `release` as soon as they are empty. Locking: the owner's.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#define IDMAP_LIMIT (1U << 18)

struct idmap_node {
	uint64_t used;     /* bit i: some id below slot i is taken */
	uint64_t full;     /* bit i: every id below slot i is taken */
	void *slot[64];    /* lowest level: the caller's pointers; else nodes */
};

struct idmap_memory {
	struct idmap_node *(*alloc)(void *context); /* NULL when there is none */
	void (*release)(void *context, struct idmap_node *node);
	void *context;
};

struct idmap {
	struct idmap_node *root; /* NULL when no id is taken */
	uint32_t first, last;    /* [I] */
	uint32_t cursor;         /* where a cyclic search starts */
	uint32_t count;          /* ids taken */
	struct idmap_memory memory;
};

/* first <= last < IDMAP_LIMIT. */
void idmap_init(struct idmap *map, uint32_t first, uint32_t last, struct idmap_memory memory);

/*
 * Forgets all ids and gives all nodes back; the caller has taken care of what the pointers lead to.
 */
void idmap_fini(struct idmap *map);

/* 0 with *id; -EAGAIN: all ids are taken; -ENOMEM: no node. */
int idmap_alloc(struct idmap *map, void *pointer, uint32_t *id);
int idmap_alloc_cyclic(struct idmap *map, void *pointer, uint32_t *id);

/* The lowest free id that is at least `from`. The same errors. */
int idmap_alloc_from(struct idmap *map, uint32_t from, void *pointer, uint32_t *id);

/* This very id. -EEXIST: taken; -EINVAL: outside the range; -ENOMEM. */
int idmap_alloc_at(struct idmap *map, uint32_t id, void *pointer);

/* Changes what a taken id leads to. */
void idmap_set(struct idmap *map, uint32_t id, void *pointer);

/* NULL when the id is free, out of range, or has no pointer yet. */
void *idmap_find(const struct idmap *map, uint32_t id);

/* The first pointer at *id or above, with its id in *id; NULL at the end. */
void *idmap_next(const struct idmap *map, uint32_t *id);

/* Frees a taken id and returns its pointer. */
void *idmap_free(struct idmap *map, uint32_t id);
