/*
 * The monitor's rules. Each names a state that the kernel's own rules exclude, or a bound that they
 * promise:
 *
 *  - no headway: a slice ended with the return to user mode itself, before an instruction retired
 *    (sched/switch.c), several times between the looks, for each dispatch at least once but for the
 *    one that the monitor itself may have ended, and the thread returned to one address only;
 *  - waits: runnable and not run for MONITOR_WAIT_NS, and not run between the looks;
 *  - lost wake-up: whether a sleeper's own condition is true only the sleeper can tell, but four
 *    conditions that end a sleep are the scheduler's own, and are looked at anew here: a token that
 *    was left (sleep_commit() does not sleep on one), a signal that the mode admits, a deadline,
 *    and "woken" itself (runnable, yet on no queue and no processor). Each must have been true
 *    for both looks, without a switch between them, so a wake-up under way is not taken for lost.
 */
#include "sched/monitor_rules.h"

#include "core/clock.h"
#include "sched/wait.h"

static bool conclude(struct monitor_verdict *out, enum finding_kind kind, const char *cause,
		     uint64_t evidence0, uint64_t evidence1)
{
	*out = (struct monitor_verdict){ kind, cause, { evidence0, evidence1 } };
	return true;
}

/* Why a thread asleep in this look should not be; NULL: it may. */
static const char *should_be_awake(const struct monitor_look *l)
{
	if (l->woken)
		return "asleep with a wake-up's token";
	if (l->pending_signal && l->wait_mode == WAIT_INTERRUPTIBLE)
		return "asleep with a signal pending";
	if (l->pending_kill && l->wait_mode != WAIT_UNINTERRUPTIBLE)
		return "asleep with a fatal signal pending";
	if (l->wait_deadline_ns != TIME_NEVER &&
	    l->at_ns > l->wait_deadline_ns + MONITOR_WAKE_NS)
		return "asleep past its deadline";
	return NULL;
}

static bool judge_sleeper(const struct monitor_look *before, const struct monitor_look *now,
			  struct monitor_verdict *out)
{
	const char *cause = should_be_awake(now);

	if (before->state != THREAD_SLEEPING || cause == NULL || now->on_cpu ||
	    should_be_awake(before) != cause)
		return false;
	return conclude(out, FINDING_LOST_WAKE, cause, now->at_ns - before->at_ns,
			now->wait_mode);
}

static bool judge_waiter(const struct monitor_look *before, const struct monitor_look *now,
			 struct monitor_verdict *out)
{
	uint64_t waited = now->at_ns > now->runnable_since_ns ?
				now->at_ns - now->runnable_since_ns : 0;

	if (before->state != THREAD_RUNNABLE || before->on_cpu)
		return false;
	if (!now->on_queue && !before->on_queue)
		return conclude(out, FINDING_LOST_WAKE, "woken, but on no queue", waited, 0);
	if (waited < MONITOR_WAIT_NS)
		return false;
	return conclude(out, FINDING_WAITS, now->behind_rt ?
			"runnable behind a real-time thread" : "runnable beyond the bound",
			waited, now->behind);
}

bool monitor_judge(const struct monitor_look *before, const struct monitor_look *now,
		   struct monitor_verdict *out)
{
	uint64_t at_once = now->at_once - before->at_once;
	uint64_t dispatches = now->dispatches - before->dispatches;

	if (before->id != now->id)
		return false;
	if (at_once >= MONITOR_AT_ONCE && at_once + 1 >= dispatches &&
	    before->user_pc == now->user_pc &&
	    before->voluntary_switches == now->voluntary_switches)
		return conclude(out, FINDING_NO_HEADWAY,
				"each slice ends where it began: the timer is pending at the "
				"return", at_once, dispatches);
	/* It ran between the looks: neither waits nor sleeps through both. */
	if (dispatches != 0 || now->on_cpu)
		return false;
	if (now->state == THREAD_SLEEPING)
		return judge_sleeper(before, now, out);
	return now->state == THREAD_RUNNABLE && judge_waiter(before, now, out);
}
