/*
 * The whole of mem/, sched/ and vm/ for explored tests.
 */
#pragma once

#include "explore.h"

void world_boot_once(uint32_t cpus);
