/*
 * Does the tree stay a red-black tree, in order, with right subtree values, whatever is inserted
 * and erased?
 *
 * links: lib/rbtree.c
 */
#include <stdlib.h>
#include <string.h>

#include "host_test.h"
#include "lib/bits.h"
#include "lib/rbtree.h"

struct item {
	struct rb_node node;
	int key;
	int load;
	int load_min; /* of the subtree */
};

static struct item *item_of(const struct rb_node *node)
{
	return rb_entry((struct rb_node *)(uintptr_t)node, struct item, node);
}

static bool less(const struct rb_node *a, const struct rb_node *b)
{
	return item_of(a)->key < item_of(b)->key;
}

static int min_of(struct item *item)
{
	int min = item->load;

	if (item->node.left != NULL)
		min = MIN(min, item_of(item->node.left)->load_min);
	if (item->node.right != NULL)
		min = MIN(min, item_of(item->node.right)->load_min);
	return min;
}

static void update(struct rb_node *node)
{
	item_of(node)->load_min = min_of(item_of(node));
}

/* The black height below node; checks order, colours, parents and subtree values on the way. */
static int check_subtree(const struct rb_node *node, const struct rb_node *parent)
{
	int left, right;
	bool black;

	if (node == NULL)
		return 1;
	black = node->parent_and_color & 1;
	CHECK(rb_parent(node) == parent);
	if (!black && parent != NULL)
		CHECK(parent->parent_and_color & 1);
	if (node->left != NULL)
		CHECK(!less(node, node->left));
	if (node->right != NULL)
		CHECK(!less(node->right, node));
	CHECK_EQUAL(item_of(node)->load_min, min_of(item_of(node)));
	left = check_subtree(node->left, node);
	right = check_subtree(node->right, node);
	CHECK_EQUAL(left, right);
	return left + black;
}

static void check_tree(const struct rb_root *root, unsigned count)
{
	const struct rb_node *node, *previous = NULL;
	unsigned seen = 0;

	check_subtree(root->node, NULL);
	CHECK(root->node == NULL || (root->node->parent_and_color & 1));
	for (node = rb_first(root); node != NULL; previous = node, node = rb_next(node), seen++) {
		CHECK(rb_prev(node) == previous);
		CHECK(previous == NULL || !less(node, previous));
	}
	CHECK(rb_last(root) == previous);
	CHECK_EQUAL(seen, count);
}

static void random_operations(unsigned population, unsigned rounds, int keys)
{
	struct rb_root root = RB_ROOT_AUGMENTED_INIT(update);
	struct item *items = calloc(population, sizeof(*items));
	unsigned count = 0;

	for (unsigned i = 0; i < population; i++)
		rb_node_init(&items[i].node);
	for (unsigned round = 0; round < rounds; round++) {
		struct item *item = &items[host_test_below(population)];

		if (!rb_is_linked(&item->node)) {
			item->key = (int)host_test_below((uint64_t)keys);
			item->load = (int)host_test_below(1000);
			rb_insert(&root, &item->node, less);
			count++;
		} else if (host_test_below(4) == 0) {
			item->load = (int)host_test_below(1000);
			rb_changed(&root, &item->node);
		} else {
			rb_erase(&root, &item->node);
			CHECK(!rb_is_linked(&item->node));
			count--;
		}
		check_tree(&root, count);
	}
	free(items);
}

TEST(rbtree_small)
{
	random_operations(8, 20000, 8);
}

TEST(rbtree_large)
{
	random_operations(300, 3000, 1 << 20);
}

TEST(rbtree_equal_keys)
{
	random_operations(60, 5000, 3);
}

TEST(rbtree_equal_keys_keep_insertion_order)
{
	struct rb_root root = RB_ROOT_INIT;
	struct item items[20] = {0}, *item;
	int expected = 0;

	for (int i = 0; i < 20; i++) {
		items[i].load = i;
		rb_insert(&root, &items[i].node, less);
	}
	rb_for_each (item, &root, node)
		CHECK_EQUAL(item->load, expected++);
	CHECK_EQUAL(expected, 20);
}

TEST(rbtree_replace)
{
	struct rb_root root = RB_ROOT_AUGMENTED_INIT(update);
	struct item items[10] = {0}, other = {0};

	for (int i = 0; i < 10; i++) {
		items[i].key = i;
		items[i].load = i + 5;
		rb_insert(&root, &items[i].node, less);
	}
	other.key = 4;
	other.load = 1;
	rb_replace(&root, &items[4].node, &other.node);
	CHECK(!rb_is_linked(&items[4].node));
	check_tree(&root, 10);
	CHECK_EQUAL(item_of(root.node)->load_min, 1);
}
