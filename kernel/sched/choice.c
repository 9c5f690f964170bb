/*
 * What the command line chooses of the scheduler, for the lab (doc/headway.md):
 *
 *   sched=rr      one list, first come first served; a slice lasts to the next tick of timer=pit,
 *                 or 1/hz s without it
 *   headway=off   the end of a slice always switches, as in the kernel of the report
 *   wake=lost     a signal that does not kill wakes no sleeper but init: something to find
 *
 * Without these words nothing of it runs: a thread is on the lists by its own field, set where its
 * policy is.
 */
#include "core/cmdline.h"
#include "core/klog.h"
#include "sched/sched_internal.h"

#define HZ_DEFAULT 100
#define HZ_MAX 1000

static void choose_round_robin(uint64_t hz)
{
	sched_is_round_robin = true;
	sched_slice_ns = cmdline_choice("timer", "pit") == 0 ? 0 : NSEC_PER_SEC / hz;
}

void sched_choose(void)
{
	uint64_t hz = HZ_DEFAULT;

	/* Read where nothing uses it too: else the log would not know the word. */
	(void)cmdline_get_uint("hz", 1, HZ_MAX, &hz);
	if (cmdline_choice("sched", "rr") == 0)
		choose_round_robin(hz);
	headway_is_off = cmdline_choice("headway", "off") == 0;
	if (headway_is_off)
		log_warn("headway=off: threads may starve, for the lab only");
	signal_wakes_are_lost = cmdline_choice("wake", "lost") == 0;
}
