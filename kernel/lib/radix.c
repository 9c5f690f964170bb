/*
 * Radix tree. The height follows the highest index: a tree of n levels holds the indices below
 * 64^n, grows by new roots above the old one and shrinks when the root has nothing but its slot 0.
 * A node that becomes empty is taken out at once, so an empty subtree never exists and `present` in
 * an upper node means that an item lies below.
 *
 * Walks keep the path in an array instead of parent pointers: at most 11 nodes, and a node has one
 * owner less to keep consistent.
 */
#include "abi/errno.h"
#include "lib/assert.h"
#include "lib/bits.h"
#include "lib/radix.h"
#include "lib/string.h"

struct path {
	struct radix_node *node[RADIX_LEVELS_MAX]; /* [0]: the lowest level */
};

static unsigned slot_of(uint64_t index, unsigned level)
{
	return (unsigned)(index >> (level * RADIX_BITS)) & (RADIX_WAYS - 1);
}

/* The levels that a tree needs to hold index: at least one. */
static unsigned levels_for(uint64_t index)
{
	return index == 0 ? 1 : ilog2(index) / RADIX_BITS + 1;
}

static bool fits(const struct radix_tree *tree, uint64_t index)
{
	return tree->levels >= levels_for(index);
}

unsigned radix_needed(const struct radix_tree *tree, uint64_t index)
{
	unsigned levels = levels_for(index), needed;
	struct radix_node *node = tree->root;

	if (node == NULL)
		return levels;
	/* Growing puts roots above the old one, and the new branch leaves the topmost of them. */
	if (levels > tree->levels)
		return levels - tree->levels + (levels - 1);
	for (needed = tree->levels - 1; needed > 0; needed--) {
		node = node->slot[slot_of(index, needed)];
		if (node == NULL)
			break;
	}
	return needed;
}

int radix_pool_fill(struct radix_pool *pool, unsigned count, radix_alloc_fn alloc, void *context)
{
	while (pool->count < count) {
		struct radix_node *node = alloc(context);

		if (node == NULL)
			return -ENOMEM;
		node->slot[0] = pool->free;
		pool->free = node;
		pool->count++;
	}
	return 0;
}

void radix_pool_drain(struct radix_pool *pool, radix_free_fn release, void *context)
{
	while (pool->free != NULL) {
		struct radix_node *node = pool->free;

		pool->free = node->slot[0];
		release(context, node);
	}
	pool->count = 0;
}

static struct radix_node *pool_take(struct radix_pool *pool)
{
	struct radix_node *node = pool->free;

	LIB_ASSERT(node != NULL && pool->count > 0);
	pool->free = node->slot[0];
	pool->count--;
	memset(node, 0, sizeof(*node));
	return node;
}

static void pool_give(struct radix_pool *pool, struct radix_node *node)
{
	node->slot[0] = pool->free;
	pool->free = node;
	pool->count++;
}

static void set_slot(struct radix_node *node, unsigned slot, void *what)
{
	node->slot[slot] = what;
	node->present |= BIT64(slot);
}

static void clear_slot(struct radix_node *node, unsigned slot)
{
	node->slot[slot] = NULL;
	node->present &= ~BIT64(slot);
	for (unsigned tag = 0; tag < RADIX_TAGS; tag++)
		node->tags[tag] &= ~BIT64(slot);
}

/* Puts one more root above the old one, with the old one's tags summed up. */
static void grow(struct radix_tree *tree, struct radix_pool *pool)
{
	struct radix_node *root = pool_take(pool), *old = tree->root;

	if (old != NULL) {
		set_slot(root, 0, old);
		for (unsigned tag = 0; tag < RADIX_TAGS; tag++)
			root->tags[tag] = old->tags[tag] != 0;
	}
	tree->root = root;
	tree->levels++;
}

int radix_insert(struct radix_tree *tree, struct radix_pool *pool, uint64_t index, void *item)
{
	struct radix_node *node;
	unsigned slot;

	LIB_ASSERT(item != NULL);
	if (radix_find(tree, index) != NULL)
		return -EEXIST;
	if (pool->count < radix_needed(tree, index))
		return -ENOMEM;

	/* Nothing below can fail. */
	if (tree->root == NULL) {
		tree->levels = levels_for(index);
		tree->root = pool_take(pool);
	}
	while (!fits(tree, index))
		grow(tree, pool);
	node = tree->root;
	for (unsigned level = tree->levels - 1; level > 0; level--) {
		slot = slot_of(index, level);
		if (node->slot[slot] == NULL)
			set_slot(node, slot, pool_take(pool));
		node = node->slot[slot];
	}
	set_slot(node, slot_of(index, 0), item);
	tree->count++;
	return 0;
}

/* Fills in the nodes from the root down to index. False when there is no item at index. */
static bool find_path(const struct radix_tree *tree, uint64_t index, struct path *path)
{
	struct radix_node *node = tree->root;

	if (!fits(tree, index))
		return false;
	for (unsigned level = tree->levels; level-- > 0;) {
		if (node == NULL)
			return false;
		path->node[level] = node;
		node = node->slot[slot_of(index, level)];
	}
	return node != NULL;
}

void *radix_replace(struct radix_tree *tree, uint64_t index, void *item)
{
	struct path path;
	void *old;

	LIB_ASSERT(item != NULL);
	if (!find_path(tree, index, &path))
		return NULL;
	old = path.node[0]->slot[slot_of(index, 0)];
	path.node[0]->slot[slot_of(index, 0)] = item;
	return old;
}

/* The slot above lost or kept its last tagged item: carries that upward until nothing changes. */
static void tag_clear_path(struct radix_tree *tree, struct path *path, uint64_t index,
			   enum radix_tag tag)
{
	for (unsigned level = 0; level < tree->levels; level++) {
		path->node[level]->tags[tag] &= ~BIT64(slot_of(index, level));
		if (path->node[level]->tags[tag] != 0)
			break;
	}
}

static void shrink(struct radix_tree *tree, struct radix_pool *pool)
{
	while (tree->levels > 1 && tree->root->present == 1) {
		struct radix_node *old = tree->root;

		tree->root = old->slot[0];
		tree->levels--;
		pool_give(pool, old);
	}
}

void *radix_remove(struct radix_tree *tree, struct radix_pool *pool, uint64_t index)
{
	struct path path;
	void *item;
	unsigned level;

	if (!find_path(tree, index, &path))
		return NULL;
	item = path.node[0]->slot[slot_of(index, 0)];
	for (unsigned tag = 0; tag < RADIX_TAGS; tag++)
		tag_clear_path(tree, &path, index, tag);
	for (level = 0; level < tree->levels; level++) {
		clear_slot(path.node[level], slot_of(index, level));
		if (path.node[level]->present != 0)
			break;
		pool_give(pool, path.node[level]);
	}
	if (level == tree->levels) {
		tree->root = NULL;
		tree->levels = 0;
	} else {
		shrink(tree, pool);
	}
	tree->count--;
	return item;
}

static uint64_t candidates(const struct radix_node *node, int tag)
{
	return tag < 0 ? node->present : node->tags[tag];
}

/*
 * The walk goes down while the wanted slot has something at or above it, and where it has not,
 * restarts from the root behind the subtree that was exhausted. Each restart moves at least one
 * slot on in some level, and a subtree that the bitmaps promise holds an item, so there are at most
 * `levels` restarts.
 */
static void *next(const struct radix_tree *tree, uint64_t *index, int tag)
{
	uint64_t at = *index;

	while (tree->root != NULL && fits(tree, at)) {
		struct radix_node *node = tree->root;
		unsigned level = tree->levels - 1;

		for (;; level--) {
			unsigned slot = slot_of(at, level), shift = level * RADIX_BITS;
			uint64_t rest = candidates(node, tag) >> slot;

			if (rest == 0)
				break;
			if ((rest & 1) == 0) {
				slot += lowest_bit(rest);
				at = (at >> shift >> RADIX_BITS << RADIX_BITS | slot) << shift;
			}
			if (level == 0) {
				*index = at;
				return node->slot[slot];
			}
			node = node->slot[slot];
		}
		/* Nothing more in this node: on to the first index behind all that it covers. */
		if (level + 1 >= tree->levels)
			return NULL;
		level++;
		at = ((at >> (level * RADIX_BITS)) + 1) << (level * RADIX_BITS);
		if (at == 0)
			return NULL;
	}
	return NULL;
}

void *radix_next(const struct radix_tree *tree, uint64_t *index)
{
	return next(tree, index, -1);
}

void *radix_next_tagged(const struct radix_tree *tree, uint64_t *index, enum radix_tag tag)
{
	return next(tree, index, (int)tag);
}

void radix_tag_set(struct radix_tree *tree, uint64_t index, enum radix_tag tag)
{
	struct path path;

	if (!find_path(tree, index, &path))
		return;
	for (unsigned level = 0; level < tree->levels; level++)
		path.node[level]->tags[tag] |= BIT64(slot_of(index, level));
}

void radix_tag_clear(struct radix_tree *tree, uint64_t index, enum radix_tag tag)
{
	struct path path;

	if (find_path(tree, index, &path))
		tag_clear_path(tree, &path, index, tag);
}

bool radix_tag_has(const struct radix_tree *tree, uint64_t index, enum radix_tag tag)
{
	struct path path;

	return find_path(tree, index, &path) &&
	       (path.node[0]->tags[tag] & BIT64(slot_of(index, 0))) != 0;
}
