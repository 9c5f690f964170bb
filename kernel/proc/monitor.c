/*
 * The monitor: a kernel thread that looks at every task twice a second and says which of them does
 * not get on, and why (sched/monitor_rules.c). It reads the scheduler's own fields without their
 * locks: a look may be torn, but a finding needs two that agree.
 *
 * It has a real-time priority, so that what keeps others from running does not keep it. What it
 * cannot see because nothing runs is seen elsewhere: interrupts off (core/timer.c), a lock held
 * (core/spinlock.c), a storm (core/irq.c), a fault loop (fault.c).
 *
 * The looks before are kept by task number in a small table; of two tasks in one place, one is
 * looked at anew. Costs nothing on any other path than a store at each sleep.
 */
#include "proc/monitor.h"

#include "core/cmdline.h"
#include "core/klog.h"
#include "proc/proc_internal.h"
#include "sched/monitor_rules.h"

#define INTERVAL_NS (500 * NSEC_PER_MSEC)
#define LOOKS 256u
#define LOOKS_A_ROUND 128u

static struct monitor_look looks[LOOKS];	/* [o] the monitor's */

static void look_at(struct task *task, struct monitor_look *out)
{
	const struct thread *t = &task->thread;
	struct monitor_look look = {
		.id = t->id,
		.state = read_once(t->state),
		.wait_mode = t->wait_mode,
		.on_cpu = read_once(t->on_cpu),
		.on_queue = read_once(t->on_queue),
		.woken = read_once(t->woken),
		.pending_signal = read_once(t->pending_signal),
		.pending_kill = read_once(t->pending_kill),
		.dispatches = read_once(t->headway.dispatches),
		.at_once = read_once(t->headway.at_once),
		.voluntary_switches = t->voluntary_switches,
		.user_pc = read_once(t->user_pc),
		.runnable_since_ns = read_once(t->runnable_since_ns),
		.wait_deadline_ns = read_once(t->wait_deadline_ns),
		.at_ns = clock_ns(),
	};

	sched_running_on(t->cpu, &look.behind, &look.behind_rt);
	*out = look;
}

static void examine(struct task *task)
{
	struct monitor_look *before = &looks[task->thread.id % LOOKS], now;
	struct monitor_verdict v;

	look_at(task, &now);
	if (monitor_judge(before, &now, &v))
		finding_report(v.kind, now.id, now.user_pc, v.cause, v.evidence[0],
			       v.evidence[1]);
	*before = now;
}

/* Where the last round stopped. A round is bounded: a process with very many threads takes several,
 * since finding its next thread costs a walk of all. */
static struct { uint32_t pid, tid; } cursor;	/* [o] */

static void examine_process(struct process *p, uint32_t *left)
{
	struct task *t;

	while (*left != 0 && (t = process_next_task(p, cursor.tid)) != NULL) {
		examine(t);
		cursor.tid = t->thread.id + 1;
		task_put(t);
		(*left)--;
	}
}

static void examine_some(void)
{
	uint32_t left = LOOKS_A_ROUND;
	struct process *p;

	while ((p = process_next(cursor.pid)) != NULL) {
		if (p->pid != cursor.pid)
			cursor.tid = 0;
		cursor.pid = p->pid;
		examine_process(p, &left);
		process_put(p);
		if (left == 0)
			return;
		cursor.pid++;
		cursor.tid = 0;
	}
	cursor.pid = cursor.tid = 0;
}

static void monitor_main(void *arg)
{
	sched_set_policy(thread_current(), SCHED_FIFO, 99);
	for (;;) {
		(void)!sched_sleep_until(clock_ns() + INTERVAL_NS, false);
		examine_some();
		finding_log_new();
	}
}

void monitor_start(void)
{
	struct thread *t;

	if (cmdline_flag("nomonitor"))
		return;
	t = thread_create_kernel("monitor", monitor_main, NULL);
	if (t == NULL)
		log_warn("monitor: no memory for its thread");
	else
		sched_start(t);
}
