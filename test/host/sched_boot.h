/*
 * What the explored tests of sched/ share: booting virtual processors once, and one check for each
 * way to explore.
 */
#pragma once

#include "arch/host/host.h"

/* As many processors as any scenario uses; the first call decides. */
void boot_once(uint32_t cpus);
/* Every schedule with at most `bound` preemptions. */
void explore_all(const struct scenario *s, uint32_t bound);
/* Half of them random, half by PCT with three changes of priority. */
void explore_random(const struct scenario *s, uint32_t schedules);
/* A mutated kernel: some schedule must fail. */
void expect_caught(const struct scenario *s, uint32_t bound);
