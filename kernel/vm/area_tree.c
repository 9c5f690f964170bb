/*
 * The persistent tree of areas.
 *
 * Idea: an AVL tree whose only primitive is join(left, area, right); everything else is split and
 * join (Blelloch, Ferizovic, Sun: Just Join for Parallel Ordered Sets, 2016). A node with one
 * reference that the operation itself made is taken apart and its memory used again; a node with
 * more belongs to another version and is copied: one rule, in expose().
 *
 * Functions below consume the trees and areas they are given. When memory ends, node_make() drops
 * its arguments and notes the failure in the edit; the rest of the operation runs on with a tree
 * that has a hole, and finish() drops it. So no step but the last looks at errors.
 *
 * Recursion is bounded by the height: 1.44 log2(65530), at most 23.
 *
 * Cost: O(log n) nodes a version. Each node knows the span, the largest gap and the number of areas
 * below it, which makes placement O(log n).
 */
#include "vm/area_tree.h"

#include "abi/errno.h"
#include "lib/bits.h"
#include "mem/slab.h"
#include "vm/area_node.h"

struct edit {
	bool failed;
	struct area_node *spare;	/* taken apart, to be used again; linked through left */
};

static struct slab_cache *node_cache;
static void (*file_get)(void *file), (*file_put)(void *file);

void area_set_file_ops(void (*get)(void *file), void (*put)(void *file))
{
	file_get = get;
	file_put = put;
}

void area_file_get(void *file)
{
	if (file != NULL && file_get != NULL)
		file_get(file);
}

void area_file_put(void *file)
{
	if (file != NULL && file_put != NULL)
		file_put(file);
}

static bool writes_to_object(const struct area *a)
{
	return (a->flags & (AREA_SHARED | AREA_MAY_WRITE)) == (AREA_SHARED | AREA_MAY_WRITE);
}

void area_get(const struct area *a)
{
	area_file_get(a->file);
	if (a->object != NULL) {
		object_get(a->object);
		atomic32_add(&a->object->mapped, 1);
		if (writes_to_object(a))
			atomic32_add(&a->object->mapped_writable, 1);
	}
}

static void area_put(const struct area *a)
{
	if (a->object != NULL) {
		if (writes_to_object(a))
			atomic32_sub_acq_rel(&a->object->mapped_writable, 1);
		atomic32_sub_acq_rel(&a->object->mapped, 1);
		object_put(a->object);
	}
	area_file_put(a->file);
}

/* --- nodes ------------------------------------------------------------------------------------ */

struct area_node *area_tree_get(struct area_node *root)
{
	if (root != NULL)
		refcount_get(&root->references);
	return root;
}

void area_tree_put(struct area_node *n)
{
	while (n != NULL && refcount_put(&n->references)) {
		struct area_node *right = n->right;

		area_tree_put(n->left);
		area_put(&n->area);
		slab_free(node_cache, n);
		n = right;
	}
}

static struct area_node *node_make(struct edit *e, struct area_node *left, struct area area,
				   struct area_node *right)
{
	struct area_node *n = e->spare;

	if (n != NULL)
		e->spare = n->left;
	else
		n = area_node_allocate();
	if (n == NULL) {
		e->failed = true;
		area_put(&area);
		area_tree_put(left);
		area_tree_put(right);
		return NULL;
	}
	refcount_init(&n->references);
	n->left = left;
	n->right = right;
	n->area = area;
	node_update(n);
	return n;
}

/* Takes a node apart: its parts are the caller's, with references. */
static void expose(struct edit *e, struct area_node *n, struct area_node **left,
		   struct area *area, struct area_node **right)
{
	*left = n->left;
	*right = n->right;
	*area = n->area;
	if (refcount_read(&n->references) == 1) {
		n->left = e->spare;
		e->spare = n;
		return;
	}
	area_tree_get(*left);
	area_tree_get(*right);
	area_get(area);
	area_tree_put(n);
}

/* --- balance ---------------------------------------------------------------------------------- */

static struct area_node *rotate_left(struct edit *e, struct area_node *n)
{
	struct area_node *l, *r, *rl, *rr;
	struct area a, b;

	/* Only a failure leaves nothing to rotate. */
	if (n == NULL || n->right == NULL)
		return n;
	expose(e, n, &l, &a, &r);
	expose(e, r, &rl, &b, &rr);
	return node_make(e, node_make(e, l, a, rl), b, rr);
}

static struct area_node *rotate_right(struct edit *e, struct area_node *n)
{
	struct area_node *l, *r, *ll, *lr;
	struct area a, b;

	if (n == NULL || n->left == NULL)
		return n;
	expose(e, n, &l, &a, &r);
	expose(e, l, &ll, &b, &lr);
	return node_make(e, ll, b, node_make(e, lr, a, r));
}

/* left is higher than right by two or more. */
static struct area_node *join_right(struct edit *e, struct area_node *left, struct area area,
				    struct area_node *right)
{
	struct area_node *l, *c, *t;
	struct area k;

	expose(e, left, &l, &k, &c);
	if (height(c) <= height(right) + 1) {
		t = node_make(e, c, area, right);
		if (height(t) <= height(l) + 1)
			return node_make(e, l, k, t);
		return rotate_left(e, node_make(e, l, k, rotate_right(e, t)));
	}
	t = join_right(e, c, area, right);

	bool balanced = height(t) <= height(l) + 1;
	struct area_node *n = node_make(e, l, k, t);

	return balanced ? n : rotate_left(e, n);
}

static struct area_node *join_left(struct edit *e, struct area_node *left, struct area area,
				   struct area_node *right)
{
	struct area_node *c, *r, *t;
	struct area k;

	expose(e, right, &c, &k, &r);
	if (height(c) <= height(left) + 1) {
		t = node_make(e, left, area, c);
		if (height(t) <= height(r) + 1)
			return node_make(e, t, k, r);
		return rotate_right(e, node_make(e, rotate_left(e, t), k, r));
	}
	t = join_left(e, left, area, c);

	bool balanced = height(t) <= height(r) + 1;
	struct area_node *n = node_make(e, t, k, r);

	return balanced ? n : rotate_right(e, n);
}

static struct area_node *join(struct edit *e, struct area_node *left, struct area area,
			      struct area_node *right)
{
	if (height(left) > height(right) + 1)
		return join_right(e, left, area, right);
	if (height(right) > height(left) + 1)
		return join_left(e, left, area, right);
	return node_make(e, left, area, right);
}

/* --- split and concatenate -------------------------------------------------------------------- */

/* Removes the last area, which is the caller's. The tree is not empty. */
static struct area_node *split_last(struct edit *e, struct area_node *n, struct area *last)
{
	struct area_node *l, *r;
	struct area a;

	expose(e, n, &l, &a, &r);
	if (r == NULL) {
		*last = a;
		return l;
	}
	r = split_last(e, r, last);
	return join(e, l, a, r);
}

static struct area_node *split_first(struct edit *e, struct area_node *n, struct area *first)
{
	struct area_node *l, *r;
	struct area a;

	expose(e, n, &l, &a, &r);
	if (l == NULL) {
		*first = a;
		return r;
	}
	l = split_first(e, l, first);
	return join(e, l, a, r);
}

/* The upper part of an area cut at `address`; the lower keeps the references it has. */
static struct area area_cut(struct area *lower, uint64_t address)
{
	struct area upper = *lower;

	if (upper.object != NULL || (upper.flags & AREA_SPECIAL) != 0)
		upper.offset += address - lower->start;
	upper.start = address;
	lower->end = address;
	area_get(&upper);
	return upper;
}

/* Cuts the tree at an address, and the area there in two. */
static void split(struct edit *e, struct area_node *n, uint64_t address, struct area_node **left,
		  struct area_node **right)
{
	struct area_node *l, *r, *middle;
	struct area a;

	*left = *right = NULL;
	if (n == NULL)
		return;
	expose(e, n, &l, &a, &r);
	if (address <= a.start) {
		split(e, l, address, left, &middle);
		*right = join(e, middle, a, r);
	} else if (address >= a.end) {
		split(e, r, address, &middle, right);
		*left = join(e, l, a, middle);
	} else {
		struct area upper = area_cut(&a, address);

		*left = join(e, l, a, NULL);
		*right = join(e, NULL, upper, r);
	}
}

static const struct area *first_of(const struct area_node *n)
{
	while (n->left != NULL)
		n = n->left;
	return &n->area;
}

static const struct area *last_of(const struct area_node *n)
{
	while (n->right != NULL)
		n = n->right;
	return &n->area;
}

/* All of left, then all of right; the areas that meet are merged when they fit. */
static struct area_node *concatenate(struct edit *e, struct area_node *left,
				     struct area_node *right)
{
	struct area a, b;

	if (left == NULL)
		return right;
	if (right == NULL)
		return left;

	bool fit = areas_fit(last_of(left), first_of(right));

	left = split_last(e, left, &a);
	if (fit) {
		right = split_first(e, right, &b);
		a.end = b.end;
		area_put(&b);
	}
	return join(e, left, a, right);
}

static int finish(struct edit *e, struct area_node *root, struct area_node **out)
{
	while (e->spare != NULL) {
		struct area_node *n = e->spare;

		e->spare = n->left;
		slab_free(node_cache, n);
	}
	if (e->failed) {
		area_tree_put(root);
		return -ENOMEM;
	}
	*out = root;
	return 0;
}

/* --- the operations --------------------------------------------------------------------------- */

int area_tree_replace(struct area_node *root, uint64_t start, uint64_t end,
		      const struct area *fill, struct area_node **out)
{
	struct edit e = { 0 };
	struct area_node *left, *rest, *middle, *right, *fresh = NULL;

	split(&e, area_tree_get(root), start, &left, &rest);
	split(&e, rest, end, &middle, &right);
	area_tree_put(middle);
	if (fill != NULL) {
		area_get(fill);
		fresh = node_make(&e, NULL, *fill, NULL);
	}
	left = concatenate(&e, left, fresh);
	return finish(&e, concatenate(&e, left, right), out);
}

int area_tree_change(struct area_node *root, uint64_t start, uint64_t end, uint32_t clear,
		     uint32_t set, struct area_node **out)
{
	struct edit e = { 0 };
	struct area_node *left, *rest, *middle, *right;
	struct area a;

	split(&e, area_tree_get(root), start, &left, &rest);
	split(&e, rest, end, &middle, &right);
	while (middle != NULL) {
		middle = split_first(&e, middle, &a);
		a.flags = (a.flags & ~clear) | set;
		left = concatenate(&e, left, node_make(&e, NULL, a, NULL));
	}
	return finish(&e, concatenate(&e, left, right), out);
}

/* --- looking ---------------------------------------------------------------------------------- */

uint64_t area_tree_count(const struct area_node *root)
{
	return root != NULL ? root->count : 0;
}

const struct area *area_tree_find(const struct area_node *n, uint64_t address)
{
	const struct area *best = NULL;

	while (n != NULL) {
		if (n->area.end > address) {
			best = &n->area;
			n = n->left;
		} else {
			n = n->right;
		}
	}
	return best;
}

const struct area *area_tree_find_below(const struct area_node *n, uint64_t address)
{
	const struct area *best = NULL;

	while (n != NULL) {
		if (n->area.start < address) {
			best = &n->area;
			n = n->right;
		} else {
			n = n->left;
		}
	}
	return best;
}

/* The subtree lies between free [low, ...) and [..., high): the highest fitting start in there. */
static bool find_gap(const struct area_node *n, uint64_t low, uint64_t high, uint64_t bytes,
		     uint64_t *start)
{
	if (low >= high || high - low < bytes)
		return false;
	if (n == NULL) {
		*start = high - bytes;
		return true;
	}
	if (n->gap < bytes && distance(low, n->low) < bytes && distance(n->high, high) < bytes)
		return false;
	return find_gap(n->right, MAX(low, n->area.end), high, bytes, start) ||
	       find_gap(n->left, low, MIN(high, guarded_start(&n->area)), bytes, start);
}

bool area_tree_find_gap(const struct area_node *root, uint64_t low, uint64_t high,
			uint64_t bytes, uint64_t *start)
{
	return find_gap(root, low, high, bytes, start);
}

void area_tree_check(const struct area_node *n)
{
	struct area_node copy;

	if (n == NULL)
		return;
	area_tree_check(n->left);
	area_tree_check(n->right);
	VERIFY(refcount_read(&n->references) >= 1);
	VERIFY(n->area.start < n->area.end);
	VERIFY(n->left == NULL || last_of(n->left)->end <= n->area.start);
	VERIFY(n->right == NULL || first_of(n->right)->start >= n->area.end);
	VERIFY(height(n->left) <= height(n->right) + 1 && height(n->right) <= height(n->left) + 1);
	copy = *n;
	node_update(&copy);
	VERIFY(copy.height == n->height && copy.count == n->count && copy.low == n->low &&
	       copy.high == n->high && copy.gap == n->gap);
}

struct area_node *area_node_allocate(void)
{
	return slab_allocate(node_cache);
}

void area_tree_init(void)
{
	node_cache = slab_cache_create("area_node", sizeof(struct area_node), 16);
}
