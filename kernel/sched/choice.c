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
#include "lib/string.h"
#include "sched/sched_internal.h"

#define HZ_DEFAULT 100

/* True for key=wanted; another value is named. */
static bool chosen(const char *key, const char *wanted)
{
	const char *value = cmdline_get(key);

	if (value == NULL || strcmp(value, wanted) == 0)
		return value != NULL;
	log_warn("%s=%s: not known, only %s=%s is", key, value, key, wanted);
	return false;
}

static void choose_round_robin(void)
{
	const char *timer = cmdline_get("timer");
	uint64_t hz = HZ_DEFAULT;

	sched_is_round_robin = true;
	(void)cmdline_get_uint("hz", &hz);
	sched_slice_ns = timer != NULL && strcmp(timer, "pit") == 0 ? 0 :
			 NSEC_PER_SEC / (hz != 0 ? hz : HZ_DEFAULT);
}

void sched_choose(void)
{
	if (chosen("sched", "rr"))
		choose_round_robin();
	headway_is_off = chosen("headway", "off");
	if (headway_is_off)
		log_warn("headway=off: threads may starve, for the lab only");
	signal_wakes_are_lost = chosen("wake", "lost");
}
