/*
 * Does the radix tree agree with a sorted array, need exactly the nodes it says, and keep its tags
 * right?
 *
 * links: lib/radix.c
 */
#include <stdlib.h>

#include "abi/errno.h"
#include "host_test.h"
#include "lib/bits.h"
#include "lib/radix.h"

static int nodes;

static struct radix_node *alloc(void *context)
{
	nodes++;
	return malloc(sizeof(struct radix_node));
}

static struct radix_node *alloc_none(void *context)
{
	return NULL;
}

static void release(void *context, struct radix_node *node)
{
	nodes--;
	free(node);
}

#define SLOTS 200

/* The model: a fixed set of indices, each with an item or NULL, and its tags. */
static uint64_t indices[SLOTS];
static void *items[SLOTS];
static bool tagged[SLOTS][RADIX_TAGS];

static int compare(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return (x > y) - (x < y);
}

/* Dense runs, sparse giants, and both ends of the range. */
static void make_indices(unsigned bits)
{
	for (int i = 0; i < SLOTS; i++)
		indices[i] = i % 2 ? (uint64_t)i * 3
				   : host_test_random() >> (64 - bits) >> host_test_below(bits);
	indices[0] = UINT64_MAX >> (64 - bits);
	indices[2] = 0;
	qsort(indices, SLOTS, sizeof(*indices), compare);
	for (int i = 1; i < SLOTS; i++) /* make them distinct, from the top down where they clash */
		if (indices[i] <= indices[i - 1])
			indices[i] = indices[i - 1] + 1;
	for (int i = SLOTS - 1; i > 0 && indices[i - 1] >= indices[i]; i--)
		indices[i - 1] = indices[i] - 1;
}

static int model_next(uint64_t from, int tag)
{
	for (int i = 0; i < SLOTS; i++)
		if (indices[i] >= from && items[i] != NULL && (tag < 0 || tagged[i][tag]))
			return i;
	return -1;
}

static void check_next(const struct radix_tree *tree, uint64_t from, int tag)
{
	uint64_t index = from;
	void *found = tag < 0 ? radix_next(tree, &index)
			      : radix_next_tagged(tree, &index, (enum radix_tag)tag);
	int expected = model_next(from, tag);

	CHECK((found == NULL) == (expected < 0));
	if (found != NULL && expected >= 0) {
		CHECK_EQUAL(index, indices[expected]);
		CHECK(found == items[expected]);
	}
}

static void insert(struct radix_tree *tree, int slot)
{
	struct radix_pool pool = {NULL, 0};
	unsigned needed = radix_needed(tree, indices[slot]);
	void *item = (void *)(uintptr_t)(slot + 1);

	if (items[slot] != NULL) {
		CHECK_EQUAL(radix_insert(tree, &pool, indices[slot], item), -EEXIST);
		return;
	}
	if (needed > 0) {
		CHECK_EQUAL(radix_pool_fill(&pool, needed - 1, alloc, NULL), 0);
		CHECK_EQUAL(radix_insert(tree, &pool, indices[slot], item), -ENOMEM);
		CHECK_EQUAL(radix_pool_fill(&pool, needed, alloc_none, NULL), -ENOMEM);
	}
	CHECK_EQUAL(radix_pool_fill(&pool, needed, alloc, NULL), 0);
	CHECK_EQUAL(radix_insert(tree, &pool, indices[slot], item), 0);
	CHECK_EQUAL(pool.count, 0);
	CHECK_EQUAL(radix_needed(tree, indices[slot]), 0);
	items[slot] = item;
}

static void remove_item(struct radix_tree *tree, int slot)
{
	struct radix_pool pool = {NULL, 0};

	CHECK(radix_remove(tree, &pool, indices[slot]) == items[slot]);
	radix_pool_drain(&pool, release, NULL);
	items[slot] = NULL;
	for (int tag = 0; tag < RADIX_TAGS; tag++)
		tagged[slot][tag] = false;
}

static void tag_item(struct radix_tree *tree, int slot)
{
	enum radix_tag tag = (enum radix_tag)host_test_below(RADIX_TAGS);
	bool set = host_test_below(2);

	if (set)
		radix_tag_set(tree, indices[slot], tag);
	else
		radix_tag_clear(tree, indices[slot], tag);
	tagged[slot][tag] = set && items[slot] != NULL;
}

static void random_operations(unsigned bits, int rounds)
{
	struct radix_tree tree = {0};

	make_indices(bits);
	for (int round = 0; round < rounds; round++) {
		int slot = (int)host_test_below(SLOTS), other = (int)host_test_below(SLOTS);
		/* Fill up and empty out in turns. */
		bool filling = round / 500 % 2 == 0;

		switch (host_test_below(4)) {
		case 0:
			tag_item(&tree, slot);
			break;
		case 1:
			if (filling)
				remove_item(&tree, slot);
			else
				insert(&tree, slot);
			break;
		default:
			if (filling)
				insert(&tree, slot);
			else
				remove_item(&tree, slot);
		}
		CHECK(radix_find(&tree, indices[other]) == items[other]);
		for (int tag = 0; tag < RADIX_TAGS; tag++)
			CHECK_EQUAL(radix_tag_has(&tree, indices[other], (enum radix_tag)tag),
				    tagged[other][tag]);
		for (int tag = -1; tag < RADIX_TAGS; tag++) {
			check_next(&tree, indices[other], tag);
			check_next(&tree, indices[other] + 1, tag);
			check_next(&tree, host_test_random() >> host_test_below(64), tag);
		}
	}
	for (int slot = 0; slot < SLOTS; slot++)
		remove_item(&tree, slot);
	CHECK(radix_is_empty(&tree));
	CHECK_EQUAL(tree.count, 0);
	CHECK_EQUAL(nodes, 0);
}

TEST(radix_page_cache_sized)
{
	random_operations(20, 8000);
}

TEST(radix_whole_range)
{
	random_operations(64, 8000);
}

TEST(radix_iterates_to_the_last_index)
{
	struct radix_tree tree = {0};
	struct radix_pool pool = {NULL, 0};
	uint64_t index = 0;
	unsigned seen = 0;
	void *item;

	CHECK_EQUAL(radix_pool_fill(&pool, 40, alloc, NULL), 0);
	CHECK_EQUAL(radix_insert(&tree, &pool, 5, &tree), 0);
	CHECK_EQUAL(radix_insert(&tree, &pool, UINT64_MAX, &pool), 0);
	radix_for_each (item, &tree, index)
		seen++;
	CHECK_EQUAL(seen, 2);
	/* Behind the last item of the last node there is nothing, not the first item again. */
	CHECK(radix_remove(&tree, &pool, UINT64_MAX) == &pool);
	CHECK_EQUAL(radix_insert(&tree, &pool, UINT64_MAX - 1, &pool), 0);
	index = UINT64_MAX;
	CHECK(radix_next(&tree, &index) == NULL);
	CHECK_EQUAL(tree.levels, RADIX_LEVELS_MAX);
	CHECK(radix_remove(&tree, &pool, UINT64_MAX - 1) == &pool);
	CHECK_EQUAL(tree.levels, 1); /* it shrinks */
	CHECK_EQUAL(radix_insert(&tree, &pool, UINT64_MAX, &pool), 0);
	CHECK(radix_replace(&tree, 5, &seen) == &tree);
	CHECK(radix_replace(&tree, 6, &seen) == NULL);
	CHECK(radix_remove(&tree, &pool, 5) == &seen);
	CHECK(radix_remove(&tree, &pool, 5) == NULL);
	CHECK(radix_remove(&tree, &pool, UINT64_MAX) == &pool);
	CHECK_EQUAL(pool.count, 40);
	radix_pool_drain(&pool, release, NULL);
	CHECK_EQUAL(nodes, 0);
}
