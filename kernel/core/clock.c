/*
 * Time: the architecture's counter in nanoseconds since boot; wall time adds one offset, which the
 * vDSO's data page holds too.
 */
#include "core/clock.h"

#include "arch/arch_down.h"
#include "core/atomic.h"

static atomic64_t wall_offset_ns;

uint64_t clock_ns(void) { return arch_clock_ns(); }

uint64_t clock_wall_ns(void) { return clock_ns() + atomic64_load(&wall_offset_ns); }

void clock_set_wall_ns(uint64_t now_ns)
{
	uint64_t offset = now_ns - clock_ns();

	atomic64_store(&wall_offset_ns, offset);
	arch_vdso_set_wall_offset(offset);
}

void clock_init(void)
{
	clock_set_wall_ns(arch_wall_seconds_at_boot() * NSEC_PER_SEC + clock_ns());
}
