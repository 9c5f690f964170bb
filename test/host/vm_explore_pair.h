/*
 * A parent and a child and programs that run in them, of which the last one looks at what is there.
 */
#pragma once

#include "host_test.h"
#include "mem/page.h"
#include "vm_explore_world.h"

#define A 0x400000UL

static struct space *parent, *child;
static uint32_t flag;
static bool wrote_after;

static inline void map_page(struct space *s, uint64_t address)
{
	struct area what = { .start = address, .end = address + PAGE_SIZE,
			     .flags = AREA_READ | AREA_WRITE | AREA_MAY_WRITE };

	HOST_EXPECT(space_map(s, &what, MAP_AT) == 0);
}

static uint32_t programs;
static void (*at_the_end)(void);	/* by the last program: a shoot-down needs a sender */

/* The thread's own reference goes with it. */
static inline void leave(void)
{
	space_switch_current(NULL);
	if (__atomic_sub_fetch(&programs, 1, __ATOMIC_ACQ_REL) != 0)
		return;
	at_the_end();
	page_drain_caches();		/* tables kept for reuse are not leaked ones */
}

static inline void spawn_in(cpu_mask_t mask, const char *name, void (*entry)(void *arg))
{
	programs++;
	space_get(parent);
	host_spawn(mask, name, entry, NULL);
}

/* A scenario's start: an empty parent. `end`: what the last program looks at. */
static inline void begin(void (*end)(void))
{
	at_the_end = end;
	note_what_is_used();
	flag = 0;
	programs = 0;
	child = NULL;
	parent = space_create();
	HOST_EXPECT(parent != NULL);
}

/* The same with a page that holds 1, written by nobody's processor. */
static inline void begin_with_page(void (*end)(void))
{
	uint32_t one = 1;

	begin(end);
	map_page(parent, A);
	HOST_EXPECT(space_write(parent, A, &one, sizeof(one), false) == sizeof(one));
}

static inline void end_unmap(void)
{
	space_put(parent);
}

/* The programs that `setup` makes, under each schedule with one preemption and some with more. */
static inline void explore_pair(const char *name, void (*setup)(void))
{
	const struct scenario s = { name, setup, check_nothing_left, 0 };

	world_boot_once(3);
	explore_all(&s, 1);
	explore_random(&s, 600);
}
