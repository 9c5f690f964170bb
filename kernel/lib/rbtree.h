/*
 * Intrusive red-black tree, with an optional value kept per subtree.
 *
 * A `struct rb_node` lies in the object; container_of leads back. The order is the caller's:
 * rb_insert() takes a comparison, or the caller descends itself, remembers parent and link, and
 * calls rb_insert_at(). Equal elements are allowed and keep the order of insertion. No allocation,
 * no recursion; insert and erase are O(log n).
 *
 * Augmentation: a root with `update` calls it for a node whenever that node's children may have
 * changed, children before parents. update() recomputes the node's subtree value (a minimum
 * deadline, a largest gap) from the node and its children's values. When the caller alters a linked
 * node's own contribution, it calls rb_changed().
 *
 * A zeroed root is an empty tree. Locking: none; the owner of the root says which lock covers it.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/container_of.h"

struct rb_node {
	uintptr_t parent_and_color; /* bit 0: black. Own address: on no tree */
	struct rb_node *left;
	struct rb_node *right;
};

typedef void (*rb_update_fn)(struct rb_node *node);

struct rb_root {
	struct rb_node *node;
	rb_update_fn update; /* NULL: not augmented */
};

#define RB_ROOT_INIT {NULL, NULL}
#define RB_ROOT_AUGMENTED_INIT(update) {NULL, (update)}

/* Whether a comes strictly before b. */
typedef bool (*rb_less_fn)(const struct rb_node *a, const struct rb_node *b);

static inline void rb_node_init(struct rb_node *node)
{
	node->parent_and_color = (uintptr_t)node;
	node->left = NULL;
	node->right = NULL;
}

/* Only for a node that went through rb_node_init() or rb_erase(). */
static inline bool rb_is_linked(const struct rb_node *node)
{
	return node->parent_and_color != (uintptr_t)node;
}

static inline bool rb_is_empty(const struct rb_root *root)
{
	return root->node == NULL;
}

static inline struct rb_node *rb_parent(const struct rb_node *node)
{
	return (struct rb_node *)(node->parent_and_color & ~(uintptr_t)1);
}

void rb_insert(struct rb_root *root, struct rb_node *node, rb_less_fn less);

/*
 * Inserts node as the child of parent in the empty link (&parent->left or &parent->right;
 * &root->node and a NULL parent in an empty tree).
 */
void rb_insert_at(struct rb_root *root, struct rb_node *node, struct rb_node *parent,
		  struct rb_node **link);

/* Unlinks; the node is as after rb_node_init(). */
void rb_erase(struct rb_root *root, struct rb_node *node);

/* Puts `with` exactly where `node` is. The two must compare equal to all neighbours. */
void rb_replace(struct rb_root *root, struct rb_node *node, struct rb_node *with);

/* Recomputes the subtree values from node up to the root. */
void rb_changed(struct rb_root *root, struct rb_node *node);

/* In order; NULL past either end or in an empty tree. */
struct rb_node *rb_first(const struct rb_root *root);
struct rb_node *rb_last(const struct rb_root *root);
struct rb_node *rb_next(const struct rb_node *node);
struct rb_node *rb_prev(const struct rb_node *node);

#define rb_entry(node, type, member) container_of(node, type, member)

#define rb_entry_or_null(node, type, member)                                                     \
	({                                                                                       \
		struct rb_node *rb_node_ = (node);                                               \
		rb_node_ != NULL ? rb_entry(rb_node_, type, member) : (type *)NULL;              \
	})

#define rb_for_each(entry, root, member)                                                         \
	for (entry = rb_entry_or_null(rb_first(root), typeof(*entry), member); entry != NULL;    \
	     entry = rb_entry_or_null(rb_next(&entry->member), typeof(*entry), member))
