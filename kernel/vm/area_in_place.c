/*
 * Changes of the area tree in place.
 *
 * Most changes of a running program move one border, add one area or take one away, in a tree that
 * no other space shares (any more). Then the nodes on the way are changed directly, as in an
 * ordinary AVL tree. What may be changed is checked before anything is: the nodes on the path and,
 * for a removal, those that a rotation may take from beside it. So nothing fails half way.
 *
 * The caller holds space->lock for writing, and *root is the space's own reference.
 */
#include "vm/area_node.h"

static bool is_private(const struct area_node *n)
{
	return n == NULL || refcount_read(&n->references) == 1;
}

bool area_tree_resize(struct area_node *n, uint64_t start, uint64_t new_start, uint64_t new_end)
{
	bool done;

	if (n == NULL || refcount_read(&n->references) != 1)
		return false;
	if (start < n->area.start) {
		done = area_tree_resize(n->left, start, new_start, new_end);
	} else if (start > n->area.start) {
		done = area_tree_resize(n->right, start, new_start, new_end);
	} else {
		if (n->area.object != NULL || (n->area.flags & AREA_SPECIAL) != 0)
			n->area.offset += new_start - n->area.start;
		n->area.start = new_start;
		n->area.end = new_end;
		done = true;
	}
	if (done)
		node_update(n);
	return done;
}

/* --- insertion and removal ----------------------------------------------------------------- */

static struct area_node *turn_left(struct area_node *n)
{
	struct area_node *r = n->right;

	n->right = r->left;
	r->left = n;
	node_update(n);
	node_update(r);
	return r;
}

static struct area_node *turn_right(struct area_node *n)
{
	struct area_node *l = n->left;

	n->left = l->right;
	l->right = n;
	node_update(n);
	node_update(l);
	return l;
}

static struct area_node *rebalance(struct area_node *n)
{
	struct area_node *l = n->left, *r = n->right;

	if (height(l) > height(r) + 1) {
		if (height(l->left) < height(l->right))
			n->left = turn_left(l);
		return turn_right(n);
	}
	if (height(r) > height(l) + 1) {
		if (height(r->right) < height(r->left))
			n->right = turn_right(r);
		return turn_left(n);
	}
	node_update(n);
	return n;
}

static struct area_node *insert_below(struct area_node *n, struct area_node *fresh)
{
	if (n == NULL)
		return fresh;
	if (fresh->area.start < n->area.start)
		n->left = insert_below(n->left, fresh);
	else
		n->right = insert_below(n->right, fresh);
	return rebalance(n);
}

/* Rotations of an insertion stay on its path. */
static bool path_is_private(const struct area_node *n, uint64_t start)
{
	for (; n != NULL; n = start < n->area.start ? n->left : n->right)
		if (!is_private(n))
			return false;
	return true;
}

static bool insert(struct area_node **root, const struct area *fill)
{
	struct area_node *fresh;

	if (!path_is_private(*root, fill->start) || area_tree_count(*root) >= AREA_COUNT_MAX)
		return false;
	fresh = area_node_allocate();
	if (fresh == NULL)
		return false;
	area_get(fill);
	refcount_init(&fresh->references);
	fresh->left = fresh->right = NULL;
	fresh->area = *fill;
	node_update(fresh);
	*root = insert_below(*root, fresh);
	return true;
}

/* A subtree gets lower: its sibling and that one's inner child may be rotated. */
static bool side_is_private(const struct area_node *sibling, const struct area_node *inner)
{
	return is_private(sibling) && is_private(inner);
}

static bool removal_is_private(const struct area_node *n, uint64_t start)
{
	const struct area_node *l, *r;
	bool found = false;

	while (n != NULL) {
		l = n->left;
		r = n->right;
		if (!is_private(n))
			return false;
		if (!found && start >= n->area.start) {
			if (!side_is_private(l, l != NULL ? l->right : NULL))
				return false;
			/* What was found is replaced by the first of its right subtree. */
			found = start == n->area.start;
			n = r;
		} else {
			if (!side_is_private(r, r != NULL ? r->left : NULL))
				return false;
			n = l;
		}
	}
	return true;
}

static struct area_node *detach_first(struct area_node *n, struct area_node **first)
{
	if (n->left == NULL) {
		*first = n;
		return n->right;
	}
	n->left = detach_first(n->left, first);
	return rebalance(n);
}

static struct area_node *remove_below(struct area_node *n, uint64_t start,
				      struct area_node **removed)
{
	struct area_node *next;

	if (start < n->area.start) {
		n->left = remove_below(n->left, start, removed);
	} else if (start > n->area.start) {
		n->right = remove_below(n->right, start, removed);
	} else {
		*removed = n;
		if (n->left == NULL || n->right == NULL)
			return n->left != NULL ? n->left : n->right;
		n->right = detach_first(n->right, &next);
		next->left = n->left;
		next->right = n->right;
		n = next;
	}
	return rebalance(n);
}

static bool remove(struct area_node **root, uint64_t start, struct area_node **dead)
{
	if (!removal_is_private(*root, start))
		return false;
	*root = remove_below(*root, start, dead);
	(*dead)->left = (*dead)->right = NULL;
	return true;
}

/* --- the operations ------------------------------------------------------------------------ */

/* Takes [start,end), which lies in the area `a`, out of it. */
static bool cut_out(struct area_node **root, const struct area *a, uint64_t start, uint64_t end,
		    struct area_node **dead)
{
	if (a->start == start && a->end == end)
		return remove(root, start, dead);
	if (a->start == start)
		return area_tree_resize(*root, start, end, a->end);
	if (a->end == end)
		return area_tree_resize(*root, a->start, a->start, start);
	return false;
}

/* [fill->start, fill->end) is free. */
static bool put_in(struct area_node **root, const struct area *fill)
{
	const struct area *below = area_tree_find_below(*root, fill->start);
	const struct area *above = area_tree_find(*root, fill->end);
	bool fits_below = below != NULL && areas_fit(below, fill);
	bool fits_above = above != NULL && areas_fit(fill, above);

	if (fits_below && fits_above)
		return false;
	if (fits_below)
		return area_tree_resize(*root, below->start, below->start, fill->end);
	if (fits_above)
		return area_tree_resize(*root, above->start, fill->start, above->end);
	return insert(root, fill);
}

bool area_tree_replace_in_place(struct area_node **root, uint64_t start, uint64_t end,
				const struct area *fill, struct area_node **dead)
{
	const struct area *there = area_tree_find(*root, start);
	bool occupied = there != NULL && there->start < end;

	*dead = NULL;
	if (fill != NULL)
		return !occupied && put_in(root, fill);
	return occupied && there->start <= start && there->end >= end &&
	       cut_out(root, there, start, end, dead);
}

static bool set_flags(struct area_node *n, uint64_t start, uint32_t flags)
{
	while (is_private(n)) {
		if (start == n->area.start) {
			/* A stack's guard would change the sums above. */
			if (((n->area.flags ^ flags) & AREA_GROWSDOWN) != 0)
				return false;
			n->area.flags = flags;
			return true;
		}
		n = start < n->area.start ? n->left : n->right;
	}
	return false;
}

/* The part [start,end) of `a` goes over to the neighbour that it fits. */
static bool move_border(struct area_node *root, const struct area *a, uint64_t start,
			uint64_t end, const struct area *below, const struct area *above)
{
	uint64_t a_start = a->start, a_end = a->end;

	if (below != NULL && a_start == start && a_end > end && path_is_private(root, a_start))
		return area_tree_resize(root, below->start, below->start, end) &&
		       area_tree_resize(root, a_start, end, a_end);
	if (above != NULL && a_end == end && a_start < start && path_is_private(root, a_start))
		return area_tree_resize(root, above->start, start, above->end) &&
		       area_tree_resize(root, a_start, a_start, start);
	return false;
}

bool area_tree_change_in_place(struct area_node *root, uint64_t start, uint64_t end,
			       uint32_t clear, uint32_t set)
{
	const struct area *a = area_tree_find(root, start);
	const struct area *below = area_tree_find_below(root, start);
	const struct area *above = area_tree_find(root, end);
	struct area part;

	if (a == NULL || a->start > start || a->end < end)
		return false;
	part = *a;
	part.flags = (a->flags & ~clear) | set;
	if (part.flags == a->flags)
		return true;
	if (a->object != NULL || (a->flags & AREA_SPECIAL) != 0)
		part.offset += start - a->start;
	part.start = start;
	part.end = end;
	if (below == NULL || !areas_fit(below, &part))
		below = NULL;
	if (above == NULL || !areas_fit(&part, above))
		above = NULL;
	if (a->start == start && a->end == end)
		return below == NULL && above == NULL && set_flags(root, start, part.flags);
	return (below == NULL) != (above == NULL) &&
	       move_border(root, a, start, end, below, above);
}
