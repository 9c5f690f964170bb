/*
 * Steps that the tests of single situations are made of: a space at the start, what it touches, and
 * the counts at its end.
 */
#pragma once

#include "host_test.h"
#include "vm_world.h"

#define BASE (1UL << 30)		/* where a level-2 table begins */

static struct world_counts before;

static unsigned int stride = 1;	/* in pages, from one that the steps speak of to the next */

static uint64_t at(unsigned int page) { return BASE + (uint64_t)page * stride * PAGE_SIZE; }

static struct space *begin(void)
{
	static bool done;

	if (!done)
		world_boot(16 << 20);
	done = true;
	world_use_cpu(0);
	world_count(&before);
	return space_create();
}

static void end(struct space *space)
{
	struct world_counts after;

	for (uint32_t i = 0; i < WORLD_CPUS; i++) {
		world_use_cpu(i);
		world_run(NULL);
	}
	world_use_cpu(0);
	space_put(space);
	world_count(&after);
	CHECK_EQUAL(after.anon, before.anon);
	CHECK_EQUAL(after.table, before.table);
	CHECK_EQUAL(after.cache, before.cache);
	CHECK_EQUAL(after.slab_objects, before.slab_objects);
}

/* May be more than the little memory there is. */
static void map_anonymous(struct space *space, unsigned int page, unsigned int count)
{
	struct area a = { .start = at(page), .end = at(page + count),
			  .flags = AREA_READ | AREA_WRITE | AREA_NORESERVE };

	CHECK_EQUAL(space_map(space, &a, MAP_AT), 0);
}

static void poke(struct space *space, unsigned int page, uint64_t value)
{
	CHECK_EQUAL(world_write(space, at(page), value), 0);
}

static uint64_t peek(struct space *space, unsigned int page)
{
	uint64_t value = ~0UL;

	CHECK_EQUAL(world_read(space, at(page), &value), 0);
	return value;
}

static struct space *fork_of(struct space *space)
{
	struct space *child = NULL;

	CHECK_EQUAL(space_fork(space, 0, &child), 0);
	return child;
}
