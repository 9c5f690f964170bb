/*
 * The node of the area tree, between its two files.
 */
#pragma once

#include "lib/bits.h"
#include "vm/area_tree.h"

struct area_node {
	struct refcount references;
	uint16_t height;
	uint32_t count;			/* areas in this subtree */
	struct area_node *left, *right;
	struct area area;
	uint64_t low, high;		/* span of the subtree, stack guards included */
	uint64_t gap;			/* largest gap between two neighbours of the subtree */
};

struct area_node *area_node_allocate(void);	/* NULL: no memory */
/* References to the object and file of an area that a node holds. */
void area_get(const struct area *a);

static inline unsigned int height(const struct area_node *n) { return n != NULL ? n->height : 0; }

static inline uint64_t guarded_start(const struct area *a)
{
	if ((a->flags & AREA_GROWSDOWN) == 0)
		return a->start;
	return a->start > STACK_GUARD_BYTES ? a->start - STACK_GUARD_BYTES : 0;
}

static inline uint64_t distance(uint64_t from, uint64_t to) { return to > from ? to - from : 0; }

static inline void node_update(struct area_node *n)
{
	const struct area_node *l = n->left, *r = n->right;
	uint64_t start = guarded_start(&n->area);

	n->height = (uint16_t)(1 + MAX(height(l), height(r)));
	n->count = 1 + (l != NULL ? l->count : 0) + (r != NULL ? r->count : 0);
	n->low = l != NULL ? l->low : start;
	n->high = r != NULL ? r->high : n->area.end;
	n->gap = 0;
	if (l != NULL)
		n->gap = MAX(l->gap, distance(l->high, start));
	if (r != NULL)
		n->gap = MAX(n->gap, MAX(r->gap, distance(n->area.end, r->low)));
}

static inline bool areas_fit(const struct area *a, const struct area *b)
{
	return a->end == b->start && a->flags == b->flags && a->object == b->object &&
	       a->file == b->file && (a->flags & AREA_SPECIAL) == 0 &&
	       (a->object == NULL || a->offset + area_bytes(a) == b->offset);
}
