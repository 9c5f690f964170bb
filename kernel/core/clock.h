/*
 * Time. Monotonic nanoseconds since boot; wall time is monotonic plus an offset.
 */
#pragma once

#include "core/atomic.h"

#define NSEC_PER_SEC 1000000000ULL
#define NSEC_PER_MSEC 1000000ULL
#define NSEC_PER_USEC 1000ULL
#define TIME_NEVER UINT64_MAX

extern atomic64_t clock_wall_offset_ns, clock_noted_ns;	/* clock.c */

uint64_t clock_ns(void);			/* CLOCK_MONOTONIC and CLOCK_BOOTTIME */
uint64_t clock_wall_ns(void);			/* CLOCK_REALTIME, since 1970 */
/* As that, without reading the counter: as of the latest timer, some seconds ago at most. */
static inline uint64_t clock_wall_coarse_ns(void)
{
	return atomic64_load(&clock_noted_ns) + atomic64_load(&clock_wall_offset_ns);
}
/* Timers tell what they read. */
static inline void clock_note(uint64_t now_ns) { atomic64_store(&clock_noted_ns, now_ns); }
/* settimeofday(2). -EINVAL: before the machine's start, by the monotonic clock. */
must_check int clock_set_wall_ns(uint64_t now_ns);
void clock_init(void);				/* boot, when the counter is calibrated */
