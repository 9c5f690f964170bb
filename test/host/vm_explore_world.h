/*
 * The whole of mem/, sched/ and vm/ for explored tests.
 */
#pragma once

#include "explore.h"
#include "vm/space.h"

void world_boot_once(uint32_t cpus);
/* A word of the running program's; it must be mapped. */
uint32_t load(uint64_t address);
void store(uint64_t address, uint32_t value);
/* A word of any space's, as another process would read it. */
uint32_t look(struct space *space, uint64_t address);

/* The pages in use at a scenario's start; at its end there are as many. */
void note_what_is_used(void);
void check_nothing_left(void);
