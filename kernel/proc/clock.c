/*
 * The clocks that programs name by number. All wall clocks are one here: there are no leap seconds,
 * and the machine does not sleep. Coarse ones are not coarser.
 */
#include "proc/clock.h"

#include "abi/errno.h"
#include "abi/time.h"
#include "core/clock.h"
#include "lib/bits.h"
#include "proc/proc_internal.h"
#include "proc/rusage.h"

/* clock_gettime(2)'s encoding of another process's or thread's clock: ~id << 3 | bits. */
static int read_dynamic_clock(int clock, uint64_t *ns)
{
	uint32_t id = ~((uint32_t)clock >> 3) & 0x1fffffff;
	bool is_thread = (clock & 4) != 0;
	struct task *task;

	if ((clock & 3) == 3 || (clock & 3) > 2)
		return -EINVAL;
	if (id == 0) {
		*ns = is_thread ? sched_thread_run_ns(thread_current()) :
				  process_run_ns(process_current());
		return 0;
	}
	task = task_lookup(id);
	if (task == NULL)
		return -EINVAL;
	if (is_thread)
		*ns = sched_thread_run_ns(&task->thread);
	else
		*ns = process_run_ns(task->process);
	task_put(task);
	return 0;
}

int clock_read(int clock, uint64_t *ns)
{
	switch (clock) {
	case CLOCK_REALTIME:
	case CLOCK_REALTIME_COARSE:
	case CLOCK_REALTIME_ALARM:
	case CLOCK_TAI:
		*ns = clock_wall_ns();
		return 0;
	case CLOCK_MONOTONIC:
	case CLOCK_MONOTONIC_RAW:
	case CLOCK_MONOTONIC_COARSE:
	case CLOCK_BOOTTIME:
	case CLOCK_BOOTTIME_ALARM:
		*ns = clock_ns();
		return 0;
	case CLOCK_PROCESS_CPUTIME_ID:
		*ns = process_run_ns(process_current());
		return 0;
	case CLOCK_THREAD_CPUTIME_ID:
		*ns = sched_thread_run_ns(thread_current());
		return 0;
	default:
		return clock < 0 ? read_dynamic_clock(clock, ns) : -EINVAL;
	}
}

uint64_t clock_to_monotonic(int clock, uint64_t ns)
{
	uint64_t wall;

	if (clock != CLOCK_REALTIME && clock != CLOCK_REALTIME_ALARM && clock != CLOCK_TAI)
		return ns;
	wall = clock_wall_ns();
	if (ns <= wall)
		return 0;
	return clock_ns() + MIN(ns - wall, TIME_NEVER / 2);
}
