/*
 * Radix tree: 64-bit index -> non-NULL pointer, 64 ways a node, with tags.
 *
 * It is the page cache's index: sparse, dense in runs, walked in order, and changed under a spin
 * lock. Insertion therefore never allocates: it takes nodes from a pool that the caller filled
 * before taking the lock. The pattern:
 *
 *	spin_lock(lock);
 *	while ((error = radix_insert(tree, pool, index, item)) == -ENOMEM) {
 *		needed = radix_needed(tree, index);
 *		spin_unlock(lock);
 *		if (radix_pool_fill(pool, needed, alloc, context) != 0)
 *			return -ENOMEM;
 *		spin_lock(lock);
 *	}
 *
 * Removal gives emptied nodes back to a pool, which is drained after the lock is released.
 *
 * A tag is one bit an item, summed up in the levels above, so that the next dirty page is found
 * without looking at the clean ones. A zeroed tree and a zeroed pool are empty. Locking: none of
 * its own; the owner's lock covers the tree, and a pool belongs to one thread.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define RADIX_BITS 6
#define RADIX_WAYS (1U << RADIX_BITS)
#define RADIX_LEVELS_MAX 11 /* 11 * 6 >= 64 */

enum radix_tag { RADIX_DIRTY, RADIX_WRITEBACK, RADIX_TAGS };

struct radix_node {
	uint64_t present;           /* bit i: slot[i] is not NULL */
	uint64_t tags[RADIX_TAGS];  /* bit i: something in slot[i] has the tag */
	void *slot[RADIX_WAYS];     /* items in the lowest level, nodes above it */
};

struct radix_tree {
	struct radix_node *root;
	unsigned levels; /* of nodes; 0 when empty */
	uint64_t count;  /* items */
};

struct radix_pool {
	struct radix_node *free; /* linked through slot[0] */
	unsigned count;
};

typedef struct radix_node *(*radix_alloc_fn)(void *context);
typedef void (*radix_free_fn)(void *context, struct radix_node *node);

/* How many nodes an insertion at index would take from the pool now. */
unsigned radix_needed(const struct radix_tree *tree, uint64_t index);

/* Makes the pool hold at least count nodes. -ENOMEM; what it got until then stays in the pool. */
int radix_pool_fill(struct radix_pool *pool, unsigned count, radix_alloc_fn alloc, void *context);

/* Frees all nodes of the pool. */
void radix_pool_drain(struct radix_pool *pool, radix_free_fn release, void *context);

/* -EEXIST: something is there. -ENOMEM: the pool has too few nodes; the tree is as it was. */
int radix_insert(struct radix_tree *tree, struct radix_pool *pool, uint64_t index, void *item);

/* NULL when nothing is there. */
static inline void *radix_find(const struct radix_tree *tree, uint64_t index)
{
	unsigned shift = tree->levels * RADIX_BITS;
	void *what = tree->root;

	if (shift < 64 && index >> shift != 0)
		return NULL;
	while (shift > 0 && what != NULL) {
		shift -= RADIX_BITS;
		what = ((struct radix_node *)what)->slot[index >> shift & (RADIX_WAYS - 1)];
	}
	return what;
}

/*
 * Puts item in the place of another and keeps the tags. Returns the old item; NULL, changing
 * nothing, if none.
 */
void *radix_replace(struct radix_tree *tree, uint64_t index, void *item);

/* Returns the removed item, NULL if there was none. Emptied nodes go to the pool. */
void *radix_remove(struct radix_tree *tree, struct radix_pool *pool, uint64_t index);

/* The first item at *index or above, whose index is stored in *index; NULL when there is none. */
void *radix_next(const struct radix_tree *tree, uint64_t *index);
void *radix_next_tagged(const struct radix_tree *tree, uint64_t *index, enum radix_tag tag);

/* Tags of an index without an item: set and clear do nothing, has says false. */
void radix_tag_set(struct radix_tree *tree, uint64_t index, enum radix_tag tag);
void radix_tag_clear(struct radix_tree *tree, uint64_t index, enum radix_tag tag);
bool radix_tag_has(const struct radix_tree *tree, uint64_t index, enum radix_tag tag);

static inline bool radix_tag_any(const struct radix_tree *tree, enum radix_tag tag)
{
	return tree->root != NULL && tree->root->tags[tag] != 0;
}

static inline bool radix_is_empty(const struct radix_tree *tree)
{
	return tree->root == NULL;
}

/*
 * Iterates in ascending order over what is present at `index` or above; the body may remove the
 * current item. index is a uint64_t variable of the caller's. The walk ends after an item at the
 * highest index, 2^64-1.
 */
#define radix_for_each(item, tree, index)                                                        \
	for ((item) = radix_next(tree, &(index)); (item) != NULL;                                \
	     (item) = ++(index) == 0 ? NULL : radix_next(tree, &(index)))

#define radix_for_each_tagged(item, tree, index, tag)                                            \
	for ((item) = radix_next_tagged(tree, &(index), tag); (item) != NULL;                    \
	     (item) = ++(index) == 0 ? NULL : radix_next_tagged(tree, &(index), tag))
