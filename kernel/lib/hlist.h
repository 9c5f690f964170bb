/*
 * Intrusive list with a one-pointer head, for hash tables.
 *
 * A bucket costs one word instead of two. A link knows the pointer that points at it, so removal
 * needs no walk and no bucket. A zeroed head is an empty list and a zeroed link is on no list.
 *
 * Locking: none; the owner of the table says which lock covers a bucket.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "lib/container_of.h"

struct hlist_node {
	struct hlist_node *next;
	struct hlist_node **pprev; /* what points at this node; NULL: on no list */
};

struct hlist_head {
	struct hlist_node *first;
};

static inline bool hlist_is_linked(const struct hlist_node *node)
{
	return node->pprev != NULL;
}

static inline bool hlist_is_empty(const struct hlist_head *head)
{
	return head->first == NULL;
}

static inline void hlist_push_front(struct hlist_head *head, struct hlist_node *node)
{
	node->next = head->first;
	node->pprev = &head->first;
	if (node->next != NULL)
		node->next->pprev = &node->next;
	head->first = node;
}

/* Harmless on a node that is on no list. */
static inline void hlist_remove(struct hlist_node *node)
{
	if (node->pprev == NULL)
		return;
	*node->pprev = node->next;
	if (node->next != NULL)
		node->next->pprev = node->pprev;
	node->next = NULL;
	node->pprev = NULL;
}

#define hlist_entry(node, type, member) container_of(node, type, member)

#define hlist_entry_or_null(node, type, member)                                                  \
	({                                                                                       \
		struct hlist_node *hlist_node_ = (node);                                         \
		hlist_node_ != NULL ? hlist_entry(hlist_node_, type, member) : (type *)NULL;     \
	})

#define hlist_for_each(entry, head, member)                                                      \
	for (entry = hlist_entry_or_null((head)->first, typeof(*entry), member); entry != NULL;  \
	     entry = hlist_entry_or_null(entry->member.next, typeof(*entry), member))

#define hlist_for_each_safe(entry, following, head, member)                                      \
	for (entry = hlist_entry_or_null((head)->first, typeof(*entry), member);                 \
	     entry != NULL &&                                                                    \
	     (following = hlist_entry_or_null(entry->member.next, typeof(*entry), member), 1);   \
	     entry = following)
