/*
 * Do the intrusive lists keep order, and survive removal during iteration?
 *
 * links:
 */
#include "host_test.h"
#include "lib/hlist.h"
#include "lib/list.h"

struct item {
	int value;
	struct list link;
	struct hlist_node hash_link;
};

static void make(struct item *items, int count, struct list *head)
{
	list_init(head);
	for (int i = 0; i < count; i++) {
		items[i].value = i;
		list_push_back(head, &items[i].link);
	}
}

TEST(list_keeps_order)
{
	struct item items[5], *item;
	struct list head = LIST_INIT(head);
	int expected = 0;

	CHECK(list_is_empty(&head));
	CHECK(list_first(&head, struct item, link) == NULL);
	make(items, 5, &head);
	list_for_each (item, &head, link)
		CHECK_EQUAL(item->value, expected++);
	CHECK_EQUAL(expected, 5);
	list_for_each_reverse (item, &head, link)
		CHECK_EQUAL(item->value, --expected);
	CHECK_EQUAL(list_first(&head, struct item, link)->value, 0);
	CHECK_EQUAL(list_last(&head, struct item, link)->value, 4);
	CHECK_EQUAL(list_length(&head), 5);
}

TEST(list_remove_is_idempotent)
{
	struct item items[3];
	struct list head;

	make(items, 3, &head);
	list_remove(&items[1].link);
	list_remove(&items[1].link);
	CHECK(list_is_empty(&items[1].link));
	CHECK_EQUAL(list_length(&head), 2);
	list_push_front(&head, &items[1].link);
	CHECK_EQUAL(list_first(&head, struct item, link)->value, 1);
	CHECK(list_pop_front(&head) == &items[1].link);
	list_remove(&items[0].link);
	CHECK(list_is_single(&head));
	CHECK(list_pop_front(&head) == &items[2].link);
	CHECK(list_pop_front(&head) == NULL);
}

TEST(list_safe_iteration_removes_all)
{
	struct item items[7], *item, *next;
	struct list head;

	make(items, 7, &head);
	list_for_each_safe (item, next, &head, link)
		list_remove(&item->link);
	CHECK(list_is_empty(&head));
}

TEST(list_splice_moves_everything_once)
{
	struct item a[2], b[3], *item;
	struct list to, from, empty = LIST_INIT(empty);
	int sum = 0;

	make(a, 2, &to);
	make(b, 3, &from);
	list_splice_back(&to, &from);
	list_splice_back(&to, &empty);
	CHECK(list_is_empty(&from));
	list_for_each (item, &to, link)
		sum = sum * 10 + item->value;
	CHECK_EQUAL(sum, 1012);
}

TEST(hlist_links_and_unlinks)
{
	struct hlist_head head = {NULL};
	struct item items[4] = {0}, *item, *next;
	int sum = 0;

	for (int i = 0; i < 4; i++) {
		items[i].value = i;
		CHECK(!hlist_is_linked(&items[i].hash_link));
		hlist_push_front(&head, &items[i].hash_link);
	}
	hlist_remove(&items[2].hash_link);
	hlist_remove(&items[2].hash_link);
	CHECK(!hlist_is_linked(&items[2].hash_link));
	hlist_for_each (item, &head, hash_link)
		sum = sum * 10 + item->value;
	CHECK_EQUAL(sum, 310);
	hlist_for_each_safe (item, next, &head, hash_link)
		hlist_remove(&item->hash_link);
	CHECK(hlist_is_empty(&head));
}
