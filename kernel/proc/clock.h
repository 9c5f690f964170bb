/*
 * The clocks of clock_gettime(2): those of the kernel, and processor time of processes and threads.
 */
#pragma once

#include "core/annotate.h"
#include "core/types.h"

/* Reads a clock of clock_gettime(2); -EINVAL for one that does not exist. */
must_check int clock_read(int clock, uint64_t *ns);
/* The monotonic time at which `clock` (REALTIME, MONOTONIC, BOOTTIME, TAI) shows `ns`. */
uint64_t clock_to_monotonic(int clock, uint64_t ns);
