/*
 * What the monitor concludes from two looks at a thread. Pure: the looks are taken elsewhere, by
 * proc/monitor.c, and made up by the host test.
 */
#pragma once

#include "core/finding.h"
#include "sched/thread.h"

/* A runnable thread waits no longer than this; real-time threads may make others wait by right. */
#define MONITOR_WAIT_NS (2 * 1000000000ULL)
/* A sleeper whose deadline has passed, or whose signal is pending, is gone by then. */
#define MONITOR_WAKE_NS (1 * 1000000000ULL)
#define MONITOR_AT_ONCE 3u

struct monitor_look {
	uint32_t id;
	uint8_t state, wait_mode;
	bool on_cpu, on_queue, woken, pending_signal, pending_kill;
	uint64_t dispatches, voluntary_switches, at_once;
	uint64_t user_pc;
	uint64_t runnable_since_ns;
	uint64_t wait_deadline_ns;	/* TIME_NEVER: sleeps without one */
	uint64_t at_ns;			/* when it was taken */
	uint32_t behind;		/* who runs on its processor */
	bool behind_rt;
};

struct monitor_verdict {
	enum finding_kind kind;
	const char *cause;
	uint64_t evidence[2];
};

/* `before` is an earlier look at the same thread. False: nothing to say. */
bool monitor_judge(const struct monitor_look *before, const struct monitor_look *now,
		   struct monitor_verdict *out);
