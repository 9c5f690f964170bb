/*
 * Intrusive, circular, doubly linked list.
 *
 * A `struct list` is either a list's head or a link inside an object; container_of leads back to
 * the object. An empty list, and a link that is on no list, points at itself, so list_remove() of
 * an unlinked (but initialised) link is harmless and list_is_empty(link) tells whether an object is
 * queued. Nothing here allocates or fails.
 *
 * Locking: none; the owner of the head says which lock covers it.
 * In `list_for_each_safe` the body may remove the current object, and no other.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "lib/container_of.h"

struct list {
	struct list *next;
	struct list *prev;
};

#define LIST_INIT(name) {&(name), &(name)}

/* The same type under the name that most headers use: a list's head, or a link of that type. */
#define list_head list
#define LIST_HEAD_INIT(name) LIST_INIT(name)

static inline void list_init(struct list *list)
{
	list->next = list;
	list->prev = list;
}

static inline bool list_is_empty(const struct list *list)
{
	return list->next == list;
}

static inline bool list_is_single(const struct list *head)
{
	return head->next != head && head->next == head->prev;
}

static inline void list_insert_between(struct list *link, struct list *prev, struct list *next)
{
	link->prev = prev;
	link->next = next;
	prev->next = link;
	next->prev = link;
}

/* Inserts link behind position: at the front of the list when position is the head. */
static inline void list_insert_after(struct list *position, struct list *link)
{
	list_insert_between(link, position, position->next);
}

/* Inserts link before position: at the end of the list when position is the head. */
static inline void list_insert_before(struct list *position, struct list *link)
{
	list_insert_between(link, position->prev, position);
}

static inline void list_push_front(struct list *head, struct list *link)
{
	list_insert_after(head, link);
}

static inline void list_push_back(struct list *head, struct list *link)
{
	list_insert_before(head, link);
}

/*
 * Unlinks and leaves the link pointing at itself, so that it may be asked, removed again or
 * inserted anew.
 */
static inline void list_remove(struct list *link)
{
	link->prev->next = link->next;
	link->next->prev = link->prev;
	list_init(link);
}

/* NULL when the list is empty. */
static inline struct list *list_pop_front(struct list *head)
{
	struct list *link = head->next;

	if (link == head)
		return NULL;
	list_remove(link);
	return link;
}

/* Moves everything of `from` to the end of `to`; `from` is empty afterwards. */
static inline void list_splice_back(struct list *to, struct list *from)
{
	if (list_is_empty(from))
		return;
	from->next->prev = to->prev;
	to->prev->next = from->next;
	from->prev->next = to;
	to->prev = from->prev;
	list_init(from);
}

static inline size_t list_length(const struct list *head)
{
	size_t length = 0;

	for (const struct list *link = head->next; link != head; link = link->next)
		length++;
	return length;
}

#define list_entry(link, type, member) container_of(link, type, member)

/* The object at the front or the end, NULL when the list is empty. */
#define list_first(head, type, member)                                                           \
	(list_is_empty(head) ? (type *)NULL : list_entry((head)->next, type, member))
#define list_last(head, type, member)                                                            \
	(list_is_empty(head) ? (type *)NULL : list_entry((head)->prev, type, member))

#define list_for_each(entry, head, member)                                                       \
	for (entry = list_entry((head)->next, typeof(*entry), member); &entry->member != (head); \
	     entry = list_entry(entry->member.next, typeof(*entry), member))

#define list_for_each_reverse(entry, head, member)                                               \
	for (entry = list_entry((head)->prev, typeof(*entry), member); &entry->member != (head); \
	     entry = list_entry(entry->member.prev, typeof(*entry), member))

#define list_for_each_safe(entry, following, head, member)                                       \
	for (entry = list_entry((head)->next, typeof(*entry), member),                           \
	    following = list_entry(entry->member.next, typeof(*entry), member);                  \
	     &entry->member != (head);                                                           \
	     entry = following, following = list_entry(entry->member.next, typeof(*entry), member))
