/*
 * Red-black tree: the algorithms of Cormen, Leiserson, Rivest and Stein (Introduction to
 * Algorithms, chapter 13), without the sentinel: a missing child is NULL and black, and the erase
 * fix-up is told its parent.
 *
 * Invariants: the root is black; a red node has black children; every path from the root down to a
 * missing child passes the same number of black nodes. Hence no path is more than twice as long as
 * another.
 */
#include "lib/assert.h"
#include "lib/rbtree.h"

#define BLACK ((uintptr_t)1)

static bool is_black(const struct rb_node *node)
{
	return node == NULL || (node->parent_and_color & BLACK) != 0;
}

static void set_black(struct rb_node *node)
{
	node->parent_and_color |= BLACK;
}

static void set_red(struct rb_node *node)
{
	node->parent_and_color &= ~BLACK;
}

static void copy_color(struct rb_node *to, const struct rb_node *from)
{
	to->parent_and_color =
		(to->parent_and_color & ~BLACK) | (from->parent_and_color & BLACK);
}

static void set_parent(struct rb_node *node, struct rb_node *parent)
{
	node->parent_and_color = (uintptr_t)parent | (node->parent_and_color & BLACK);
}

static void update(struct rb_root *root, struct rb_node *node)
{
	if (root->update != NULL)
		root->update(node);
}

/*
 * Upward from node, all the way: a node's unchanged value does not show that its ancestors' are
 * right.
 */
static void update_path(struct rb_root *root, struct rb_node *node)
{
	if (root->update == NULL)
		return;
	for (; node != NULL; node = rb_parent(node))
		root->update(node);
}

/* Makes the parent (or the root) of `old` point at `new` instead. */
static void replace_child(struct rb_root *root, struct rb_node *parent, struct rb_node *old,
			  struct rb_node *new)
{
	if (parent == NULL)
		root->node = new;
	else if (parent->left == old)
		parent->left = new;
	else
		parent->right = new;
}

static void rotate_left(struct rb_root *root, struct rb_node *node)
{
	struct rb_node *up = node->right, *parent = rb_parent(node);

	node->right = up->left;
	if (up->left != NULL)
		set_parent(up->left, node);
	up->left = node;
	set_parent(up, parent);
	set_parent(node, up);
	replace_child(root, parent, node, up);
	update(root, node);
	update(root, up);
}

static void rotate_right(struct rb_root *root, struct rb_node *node)
{
	struct rb_node *up = node->left, *parent = rb_parent(node);

	node->left = up->right;
	if (up->right != NULL)
		set_parent(up->right, node);
	up->right = node;
	set_parent(up, parent);
	set_parent(node, up);
	replace_child(root, parent, node, up);
	update(root, node);
	update(root, up);
}

/* node is red; its parent may be red too, and nothing else is wrong. */
static void fix_insert(struct rb_root *root, struct rb_node *node)
{
	struct rb_node *parent;

	while ((parent = rb_parent(node)) != NULL && !is_black(parent)) {
		/* A red parent is not the root, so there is a grandparent, and it is black. */
		struct rb_node *grand = rb_parent(parent);
		bool left = parent == grand->left;
		struct rb_node *uncle = left ? grand->right : grand->left;

		if (!is_black(uncle)) {
			set_black(parent);
			set_black(uncle);
			set_red(grand);
			node = grand;
			continue;
		}
		if (node == (left ? parent->right : parent->left)) {
			if (left)
				rotate_left(root, parent);
			else
				rotate_right(root, parent);
			parent = node;
		}
		set_black(parent);
		set_red(grand);
		if (left)
			rotate_right(root, grand);
		else
			rotate_left(root, grand);
		break;
	}
	set_black(root->node);
}

void rb_insert_at(struct rb_root *root, struct rb_node *node, struct rb_node *parent,
		  struct rb_node **link)
{
	LIB_ASSERT(*link == NULL);
	node->parent_and_color = (uintptr_t)parent;
	node->left = NULL;
	node->right = NULL;
	*link = node;
	update_path(root, node);
	fix_insert(root, node);
}

void rb_insert(struct rb_root *root, struct rb_node *node, rb_less_fn less)
{
	struct rb_node **link = &root->node, *parent = NULL;

	while (*link != NULL) {
		parent = *link;
		link = less(node, parent) ? &parent->left : &parent->right;
	}
	rb_insert_at(root, node, parent, link);
}

/*
 * The paths through node (NULL: the missing child that was left behind) under parent are short of
 * one black node. The sibling cannot be missing: its side has at least the black node that this
 * side lost.
 */
static void fix_erase(struct rb_root *root, struct rb_node *node, struct rb_node *parent)
{
	while (parent != NULL && is_black(node)) {
		bool left = node == parent->left;
		struct rb_node *sibling = left ? parent->right : parent->left;

		if (!is_black(sibling)) {
			set_black(sibling);
			set_red(parent);
			if (left)
				rotate_left(root, parent);
			else
				rotate_right(root, parent);
			sibling = left ? parent->right : parent->left;
		}
		if (is_black(sibling->left) && is_black(sibling->right)) {
			set_red(sibling);
			node = parent;
			parent = rb_parent(node);
			continue;
		}
		if (is_black(left ? sibling->right : sibling->left)) {
			set_black(left ? sibling->left : sibling->right);
			set_red(sibling);
			if (left)
				rotate_right(root, sibling);
			else
				rotate_left(root, sibling);
			sibling = left ? parent->right : parent->left;
		}
		copy_color(sibling, parent);
		set_black(parent);
		set_black(left ? sibling->right : sibling->left);
		if (left)
			rotate_left(root, parent);
		else
			rotate_right(root, parent);
		return;
	}
	if (node != NULL)
		set_black(node);
}

/* Unlinks a node with at most one child; returns whether its paths lost a black node. */
static bool unlink_simple(struct rb_root *root, struct rb_node *node, struct rb_node **child,
			  struct rb_node **parent)
{
	*child = node->left != NULL ? node->left : node->right;
	*parent = rb_parent(node);
	if (*child != NULL)
		set_parent(*child, *parent);
	replace_child(root, *parent, node, *child);
	return is_black(node);
}

void rb_replace(struct rb_root *root, struct rb_node *node, struct rb_node *with)
{
	*with = *node;
	replace_child(root, rb_parent(node), node, with);
	if (with->left != NULL)
		set_parent(with->left, with);
	if (with->right != NULL)
		set_parent(with->right, with);
	rb_node_init(node);
	update_path(root, with);
}

void rb_erase(struct rb_root *root, struct rb_node *node)
{
	struct rb_node *child, *parent, *successor = NULL;
	bool short_of_black;

	LIB_ASSERT(rb_is_linked(node));
	if (node->left != NULL && node->right != NULL) {
		/* The successor has no left child: take it out, then let it stand in for node. */
		for (successor = node->right; successor->left != NULL;)
			successor = successor->left;
		short_of_black = unlink_simple(root, successor, &child, &parent);
		*successor = *node;
		replace_child(root, rb_parent(node), node, successor);
		set_parent(successor->left, successor);
		if (successor->right != NULL)
			set_parent(successor->right, successor);
		if (parent == node)
			parent = successor;
	} else {
		short_of_black = unlink_simple(root, node, &child, &parent);
	}
	update_path(root, parent);
	if (short_of_black)
		fix_erase(root, child, parent);
	rb_node_init(node);
}

void rb_changed(struct rb_root *root, struct rb_node *node)
{
	update_path(root, node);
}

struct rb_node *rb_first(const struct rb_root *root)
{
	struct rb_node *node = root->node;

	while (node != NULL && node->left != NULL)
		node = node->left;
	return node;
}

struct rb_node *rb_last(const struct rb_root *root)
{
	struct rb_node *node = root->node;

	while (node != NULL && node->right != NULL)
		node = node->right;
	return node;
}

struct rb_node *rb_next(const struct rb_node *node)
{
	struct rb_node *parent;

	if (node->right != NULL) {
		for (node = node->right; node->left != NULL;)
			node = node->left;
		return (struct rb_node *)(uintptr_t)node;
	}
	while ((parent = rb_parent(node)) != NULL && node == parent->right)
		node = parent;
	return parent;
}

struct rb_node *rb_prev(const struct rb_node *node)
{
	struct rb_node *parent;

	if (node->left != NULL) {
		for (node = node->left; node->right != NULL;)
			node = node->right;
		return (struct rb_node *)(uintptr_t)node;
	}
	while ((parent = rb_parent(node)) != NULL && node == parent->left)
		node = parent;
	return parent;
}
