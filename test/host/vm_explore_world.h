/*
 * The whole of mem/, sched/ and vm/ for explored tests.
 */
#pragma once

#include "explore.h"

void world_boot_once(uint32_t cpus);
/* A word of the running program's; it must be mapped. */
uint32_t load(uint64_t address);
void store(uint64_t address, uint32_t value);
