/*
 * Does the id map agree with an array, give every node back, and leave no trace of a failed
 * allocation?
 *
 * links: lib/idmap.c
 */
#include <stdlib.h>

#include "abi/errno.h"
#include "host_test.h"
#include "lib/bits.h"
#include "lib/idmap.h"

static int nodes;    /* that exist */
static int failures; /* one allocation in this many fails; 0: none */

static struct idmap_node *alloc(void *context)
{
	if (failures != 0 && host_test_below((uint64_t)failures) == 0)
		return NULL;
	nodes++;
	return malloc(sizeof(struct idmap_node));
}

static void release(void *context, struct idmap_node *node)
{
	nodes--;
	free(node);
}

static const struct idmap_memory memory = {alloc, release, NULL};

#define IDS 9000

static void *model[IDS];

static uint32_t model_free_from(uint32_t from, uint32_t last)
{
	while (from <= last && model[from] != NULL)
		from++;
	return from;
}

static void check_next(const struct idmap *map, uint32_t from, uint32_t last)
{
	uint32_t expected = from, id = from;
	void *found = idmap_next(map, &id);

	while (expected <= last && model[expected] == NULL)
		expected++;
	CHECK((found == NULL) == (expected > last));
	if (found != NULL) {
		CHECK_EQUAL(id, expected);
		CHECK(found == model[expected]);
	}
}

static void random_operations(uint32_t first, uint32_t last, int rounds)
{
	struct idmap map;
	uint32_t cursor = first, id;

	idmap_init(&map, first, last, memory);
	for (int round = 0; round < rounds; round++) {
		uint32_t some = first + (uint32_t)host_test_below(last - first + 1);
		void *pointer = (void *)(uintptr_t)(round + 1);
		bool cyclic = host_test_below(2);
		int error;

		switch (host_test_below(3)) {
		case 0:
			error = cyclic ? idmap_alloc_cyclic(&map, pointer, &id)
				       : idmap_alloc(&map, pointer, &id);
			if (error == 0) {
				uint32_t expected = model_free_from(cyclic ? cursor : first, last);

				if (expected > last)
					expected = model_free_from(first, last);
				CHECK_EQUAL(id, expected);
				model[id] = pointer;
				if (cyclic)
					cursor = id + 1;
			} else {
				CHECK(error == -ENOMEM || model_free_from(first, last) > last);
			}
			break;
		case 1:
			error = idmap_alloc_at(&map, some, pointer);
			CHECK(error == -ENOMEM || error == (model[some] != NULL ? -EEXIST : 0));
			if (error == 0)
				model[some] = pointer;
			break;
		default:
			CHECK(idmap_find(&map, some) == model[some]);
			if (model[some] != NULL && round % 3 != 0) {
				CHECK(idmap_free(&map, some) == model[some]);
				model[some] = NULL;
			}
		}
		check_next(&map, some, last);
	}
	idmap_fini(&map);
	for (uint32_t i = 0; i < IDS; i++)
		model[i] = NULL;
	CHECK_EQUAL(nodes, 0);
}

TEST(idmap_small_range_fills_up)
{
	random_operations(1, 70, 20000);
}

TEST(idmap_across_nodes)
{
	random_operations(300, IDS - 1, 20000);
}

TEST(idmap_allocation_failures)
{
	failures = 3;
	random_operations(1, IDS - 1, 20000);
	failures = 1;
	random_operations(1, 100, 100);
	failures = 0;
}

TEST(idmap_edges)
{
	struct idmap map;
	uint32_t id;

	idmap_init(&map, 2, IDMAP_LIMIT - 1, memory);
	CHECK_EQUAL(idmap_alloc_at(&map, 1, &map), -EINVAL);
	CHECK_EQUAL(idmap_alloc_at(&map, IDMAP_LIMIT, &map), -EINVAL);
	CHECK(idmap_find(&map, ~0U) == NULL);
	CHECK_EQUAL(idmap_alloc_at(&map, IDMAP_LIMIT - 1, &map), 0);
	CHECK_EQUAL(idmap_alloc_from(&map, IDMAP_LIMIT - 1, &map, &id), -EAGAIN);
	CHECK_EQUAL(idmap_alloc(&map, NULL, &id), 0);
	CHECK_EQUAL(id, 2);
	CHECK(idmap_find(&map, 2) == NULL);
	id = 0;
	CHECK(idmap_next(&map, &id) == &map);
	CHECK_EQUAL(id, IDMAP_LIMIT - 1);
	idmap_set(&map, 2, &id);
	CHECK(idmap_find(&map, 2) == &id);
	CHECK_EQUAL(map.count, 2);
	CHECK_ASSERTS(idmap_free(&map, 77));
	CHECK_ASSERTS(idmap_set(&map, 77, NULL));
	idmap_fini(&map);
	CHECK_EQUAL(nodes, 0);
}
