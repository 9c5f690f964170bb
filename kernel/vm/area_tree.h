/*
 * The tree of areas: which addresses of a space are mapped, to what.
 *
 * Persistent: a version is a counted root; an operation makes a new version that shares all nodes
 * it did not have to touch, and never changes the old one. So fork counts a root, and an operation
 * that fails drops what it built and nothing has happened.
 *
 * Nodes count the objects and files of their areas (and object->mapped). Locking: a version held by
 * a count needs no lock to be read; the root pointer of a space is guarded by space->lock.
 */
#pragma once

#include "vm/space.h"

/* Linux's default vm.max_map_count. */
#define AREA_COUNT_MAX 65530
/* Kept free below a growing stack, so that it cannot grow into a neighbour unnoticed. */
#define STACK_GUARD_BYTES (256 * PAGE_SIZE)

void area_tree_init(void);
void area_set_file_ops(void (*get)(void *file), void (*put)(void *file));
void area_file_get(void *file);
void area_file_put(void *file);

static inline uint64_t area_bytes(const struct area *a) { return a->end - a->start; }
/* Where a page of the area lies in its object. */
static inline uint64_t area_index(const struct area *a, uint64_t address)
{
	return (a->offset + (page_round_down(address) - a->start)) >> PAGE_SHIFT;
}

struct area_node *area_tree_get(struct area_node *root);	/* NULL is the empty tree */
void area_tree_put(struct area_node *root);
uint64_t area_tree_count(const struct area_node *root);

/* The first area that ends above `address` (contains or follows it); NULL: none. */
const struct area *area_tree_find(const struct area_node *root, uint64_t address);
/* The last area that begins below `address`; NULL: none. */
const struct area *area_tree_find_below(const struct area_node *root, uint64_t address);
/* The highest free range of `bytes` in [low,high): its start; false: none. */
bool area_tree_find_gap(const struct area_node *root, uint64_t low, uint64_t high,
			uint64_t bytes, uint64_t *start);

/*
 * New versions; `root` stays the caller's and unchanged. Areas that straddle a border are cut,
 * areas that fit together afterwards are merged (as Linux does). -ENOMEM.
 */

/* [start,end) holds `fill` alone (NULL: nothing). The references in `fill` stay the caller's. */
must_check int area_tree_replace(struct area_node *root, uint64_t start, uint64_t end,
				 const struct area *fill, struct area_node **out);
/* Flags of everything mapped in [start,end): cleared, then set. */
must_check int area_tree_change(struct area_node *root, uint64_t start, uint64_t end,
				uint32_t clear, uint32_t set, struct area_node **out);
/*
 * Moves the borders of the area at `start` in place, when no other version shares the path to it;
 * false: it does (use area_tree_replace). The caller knows that the new range is free.
 */
must_check bool area_tree_resize(struct area_node *root, uint64_t start, uint64_t new_start,
				 uint64_t new_end);
/*
 * The same operations on the one version that *root is, when they touch few nodes and no other
 * version shares those: true, and done, without failing. False: nothing was done, for whatever
 * reason; make a new version. *dead: what is to be dropped later, as an old version is.
 */
must_check bool area_tree_replace_in_place(struct area_node **root, uint64_t start, uint64_t end,
					   const struct area *fill, struct area_node **dead);
must_check bool area_tree_change_in_place(struct area_node *root, uint64_t start, uint64_t end,
					  uint32_t clear, uint32_t set);
/* Debug: order, balance, sums; panics. */
void area_tree_check(const struct area_node *root);
