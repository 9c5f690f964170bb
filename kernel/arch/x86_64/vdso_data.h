/*
 * The page that the kernel writes and the vDSO reads, mapped just below the vDSO's image. This
 * header is compiled for both sides.
 *
 * Two writers never meet (the kernel's lock); a reader tries again when `sequence` was odd or
 * changed while it read.
 */
#pragma once

#include <stdint.h>

struct vdso_data {
	uint32_t sequence;
	uint32_t has_rdtscp;		/* getcpu() may use it */
	uint64_t tsc_base, tsc_mult;	/* ns = (tsc - base) * mult >> 32 */
	uint64_t wall_offset_ns;	/* CLOCK_REALTIME less CLOCK_MONOTONIC */
};
