/*
 * What must be there before threads and other processors.
 */
#include "arch/arch_down.h"
#include "boot/boot_internal.h"
#include "core/clock.h"
#include "core/klog.h"
#include "core/random.h"
#include "core/timer.h"
#include "mem/page.h"
#include "sched/sched.h"

#define CALL(f, why) { f, #f, why }

const struct init_call init_early[] = {
	CALL(klog_init, "log= decides what all others say"),
	CALL(mem_init, "everything allocates"),
	CALL(machine_memory_init, "the machine's own allocations; needs slab caches"),
	CALL(arch_init_machine, "interrupt controllers and clock; maps devices, so after memory"),
	CALL(clock_init, "wall time; needs the counter"),
	CALL(random_start, "seeds from the processor and the time"),
	CALL(trace_rings_init, "before the first event worth having"),
	CALL(timer_system_init, "locks of the timer queues, before anything sleeps"),
	CALL(sched_init, "this stack becomes the idle thread; needs clock and timers"),
	CALL(sched_choose, "sched= and headway=, before the first thread"),
	{ NULL, NULL, NULL },
};
