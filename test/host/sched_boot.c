/*
 * Exploration as a check of the test harness, with the numbers that were visited as a comment.
 */
#include <stdio.h>

#include "host_test.h"
#include "sched_boot.h"

/* A bound keeps the run short on a machine that others use; what was visited is said. */
#define SCHEDULES_MAX 60000u

static uint32_t booted;

void boot_once(uint32_t cpus)
{
	if (booted == 0)
		host_boot(cpus);
	booted = booted == 0 ? cpus : booted;
}

void explore_all(const struct scenario *s, uint32_t bound)
{
	struct explore_options o = { STRATEGY_EXHAUSTIVE, SCHEDULES_MAX, bound, 1 };
	struct explore_result r;

	boot_once(2);
	r = explore(s, &o);
	printf("# %s: %u schedules, up to %u decisions, at most %u preemptions%s\n", s->name,
	       r.schedules, r.decisions_max, bound, r.complete ? ", all of them" : "");
	CHECK(!r.failed);
}

void explore_random(const struct scenario *s, uint32_t schedules)
{
	struct explore_options random = { STRATEGY_RANDOM, schedules / 2, 0, 1 };
	struct explore_options pct = { STRATEGY_PCT, schedules / 2, 3, 2 };
	struct explore_result a, b;

	boot_once(2);
	a = explore(s, &random);
	b = a.failed ? a : explore(s, &pct);
	printf("# %s: %u random schedules, %u by PCT\n", s->name, a.schedules,
	       a.failed ? 0 : b.schedules);
	CHECK(!a.failed && !b.failed);
}

void expect_caught(const struct scenario *s, uint32_t bound)
{
	struct explore_options all = { STRATEGY_EXHAUSTIVE, SCHEDULES_MAX, bound, 1 };
	struct explore_options random = { STRATEGY_RANDOM, 20000, 0, 3 };

	boot_once(2);
	CHECK(explore_fails(s, &all) || explore_fails(s, &random));
}
