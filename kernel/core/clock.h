/*
 * Time. Monotonic nanoseconds since boot; wall time is monotonic plus an offset.
 */
#pragma once

#include "core/types.h"

#define NSEC_PER_SEC 1000000000ULL
#define NSEC_PER_MSEC 1000000ULL
#define NSEC_PER_USEC 1000ULL
#define TIME_NEVER UINT64_MAX

uint64_t clock_ns(void);			/* CLOCK_MONOTONIC and CLOCK_BOOTTIME */
uint64_t clock_wall_ns(void);			/* CLOCK_REALTIME, since 1970 */
/* settimeofday(2). -EINVAL: before the machine's start, by the monotonic clock. */
must_check int clock_set_wall_ns(uint64_t now_ns);
void clock_init(void);				/* boot, when the counter is calibrated */
