/*
 * Does the monitor name each situation that must not be, and only those?
 *
 * links: sched/monitor_rules.c
 */
#include <string.h>

#include "host_test.h"

#include "core/clock.h"
#include "sched/monitor_rules.h"
#include "sched/wait.h"

#define S NSEC_PER_SEC

static struct monitor_look before, now;
static struct monitor_verdict verdict;

/* A thread that is asleep for ever, by right, looked at half a second apart. */
static void fabricate(void)
{
	before = (struct monitor_look){
		.id = 7, .state = THREAD_SLEEPING, .wait_mode = WAIT_INTERRUPTIBLE,
		.dispatches = 20, .at_once = 1, .voluntary_switches = 9, .user_pc = 0x401000,
		.runnable_since_ns = 90 * S, .wait_deadline_ns = TIME_NEVER, .at_ns = 100 * S,
		.behind = 8,
	};
	now = before;
	now.at_ns += S / 2;
}

static bool judged(void) { return monitor_judge(&before, &now, &verdict); }

TEST(peace)
{
	fabricate();
	CHECK(!judged());
	now.wait_deadline_ns = before.wait_deadline_ns = 200 * S;
	CHECK(!judged());
	fabricate();
	before.state = now.state = THREAD_RUNNABLE;
	before.on_cpu = now.on_cpu = true;
	CHECK(!judged());
	fabricate();
	now.pending_signal = true;	/* just now: its wake-up is under way */
	CHECK(!judged());
	fabricate();
	before.wait_mode = now.wait_mode = WAIT_UNINTERRUPTIBLE;
	before.pending_signal = now.pending_signal = true;
	before.pending_kill = now.pending_kill = true;
	CHECK(!judged());
	fabricate();
	before.id = 263;		/* another thread's look */
	before.woken = now.woken = true;
	CHECK(!judged());
}

static void lost(const char *cause)
{
	CHECK(judged() && verdict.kind == FINDING_LOST_WAKE);
	CHECK(verdict.cause != NULL && strcmp(verdict.cause, cause) == 0);
	/* It ran in between: that was another sleep. */
	now.dispatches++;
	CHECK(!judged());
}

TEST(lost_wake)
{
	fabricate();
	before.woken = now.woken = true;
	lost("asleep with a wake-up's token");
	fabricate();
	before.pending_signal = now.pending_signal = true;
	lost("asleep with a signal pending");
	fabricate();
	before.wait_mode = now.wait_mode = WAIT_KILLABLE;
	before.pending_kill = now.pending_kill = true;
	lost("asleep with a fatal signal pending");
	fabricate();
	before.wait_deadline_ns = now.wait_deadline_ns = 98 * S;
	lost("asleep past its deadline");
	fabricate();
	before.state = now.state = THREAD_RUNNABLE;
	lost("woken, but on no queue");
}

TEST(waits_beyond_the_bound)
{
	fabricate();
	before.state = now.state = THREAD_RUNNABLE;
	before.on_queue = now.on_queue = true;
	before.runnable_since_ns = now.runnable_since_ns = 99 * S;
	CHECK(!judged());		/* within the bound */
	before.runnable_since_ns = now.runnable_since_ns = 98 * S;
	CHECK(judged() && verdict.kind == FINDING_WAITS);
	CHECK(verdict.evidence[0] == 5 * S / 2 && verdict.evidence[1] == 8);
	now.behind_rt = true;
	CHECK(judged() && strstr(verdict.cause, "real-time") != NULL);
	now.dispatches++;
	CHECK(!judged());
}

TEST(no_headway)
{
	fabricate();
	before.state = now.state = THREAD_RUNNABLE;
	now.at_once += MONITOR_AT_ONCE;
	now.dispatches += 3;
	CHECK(judged() && verdict.kind == FINDING_NO_HEADWAY);
	CHECK(verdict.evidence[0] == MONITOR_AT_ONCE && verdict.evidence[1] == 3);
	now.user_pc += 2;		/* it got somewhere */
	CHECK(!judged());
	now.user_pc -= 2;
	now.dispatches += 9;		/* most of them came to their end */
	CHECK(!judged());
	now.dispatches -= 9;
	now.at_once = before.at_once + MONITOR_AT_ONCE - 1;
	CHECK(!judged());
}

/* The monitor's own turn ended one of the dispatches before its timer did. */
TEST(no_headway_but_for_the_monitors_turn)
{
	fabricate();
	before.state = now.state = THREAD_RUNNABLE;
	before.at_once = 20;
	now.at_once = 39;
	now.dispatches += 20;
	CHECK(judged() && verdict.kind == FINDING_NO_HEADWAY);
	now.dispatches++;
	CHECK(!judged());
}
