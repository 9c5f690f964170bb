/*
 * schedule_point(): a place where the order of two processors can matter, beside the spin locks
 * (which are such places by themselves): an atomic operation that decides something, a flag that
 * another processor reads. In the kernel it is nothing; on arch/host, where processors are
 * coroutines, it lets the explorer choose which of them goes on.
 *
 * The architecture's inline header provides arch_schedule_point().
 */
#pragma once

#include "core/percpu.h"

#ifdef ARCH_HAS_SCHEDULE_POINT
static inline void schedule_point(void) { arch_schedule_point(); }
#else
static inline void schedule_point(void) { }
#endif
