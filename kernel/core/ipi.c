/*
 * Cross calls. A call lies on its caller's stack with one node per target; each target has a list
 * of nodes, pushed without a lock and taken whole by its owner. The interrupt is sent only for the
 * push that found the list empty.
 *
 * A caller that waits also serves its own list, so two processors that call each other never wait
 * for an interrupt that one of them holds off. That includes callers with interrupts off by
 * mistake: they still make progress.
 *
 * A caller spins for a while, then halts, and the target that finishes last wakes it: where virtual
 * processors outnumber real ones, a spinning caller keeps the very target it waits for from
 * running, for milliseconds. `state` holds both the targets left and whether the caller halts, so
 * that the last target learns it from its own decrement and touches the call no more.
 */
#include "core/ipi.h"

#include "arch/arch_down.h"
#include "arch/arch_up.h"
#include "core/assert.h"
#include "core/atomic.h"
#include "core/klog.h"
#include "core/trace.h"
#include "lib/bits.h"

struct call {
	void (*fn)(void *arg);
	void *arg;
	atomic32_t state;		/* targets that have not finished, and CALLER_HALTS */
	uint32_t caller;
};

#define CALLER_HALTS 0x10000u
#define TARGETS 0xffffu
#define SPINS 300

struct call_node {
	struct call_node *next;
	struct call *call;
};

struct call_list {
	struct call_node *head;		/* [a] newest first */
};

static PERCPU(struct call_list, calls);

static void send(uint32_t cpu, enum ipi_kind kind)
{
	trace_ipi_send(cpu, kind);
	arch_ipi_send(cpu, kind);
}

void ipi_reschedule(uint32_t cpu) { send(cpu, IPI_RESCHEDULE); }

static void push(uint32_t cpu, struct call_node *node)
{
	struct call_list *list = cpu_of(calls, cpu);
	struct call_node *head = load_acquire(&list->head);

	do {
		node->next = head;
	} while (!__atomic_compare_exchange_n(&list->head, &head, node, false, __ATOMIC_SEQ_CST,
					      __ATOMIC_ACQUIRE));
	if (head == NULL)
		send(cpu, IPI_CALL);
}

/* Interrupts off: a handler on this CPU would otherwise run a call in the middle of another. */
static void serve(void)
{
	struct call_list *list = this_cpu(calls);
	struct call_node *node = __atomic_exchange_n(&list->head, NULL, __ATOMIC_ACQ_REL);

	while (node != NULL) {
		struct call_node *next = node->next;
		struct call *call = node->call;
		uint32_t caller = call->caller;

		call->fn(call->arg);
		/* The node is the caller's stack: gone once the count says so. */
		if (atomic32_sub_acq_rel(&call->state, 1) == CALLER_HALTS)
			send(caller, IPI_CALL);
		node = next;
	}
}

static void serve_while_waiting(void)
{
	irq_state_t state;

	if (load_acquire(&this_cpu(calls)->head) == NULL)
		return;
	state = arch_irq_save();
	serve();
	arch_irq_restore(state);
}

static bool is_finished(const struct call *call)
{
	return (atomic32_load_acquire(&call->state) & TARGETS) == 0;
}

/* Halts until an interrupt, unless the call is finished or something waits to be served. */
static void halt(struct call *call)
{
	(void)atomic32_or(&call->state, CALLER_HALTS);
	arch_irq_disable();
	if (is_finished(call) || load_acquire(&this_cpu(calls)->head) != NULL)
		arch_irq_enable();
	else
		arch_idle();
}

static void wait(struct call *call)
{
	bool may_halt = arch_irq_enabled();

	for (uint32_t spins = 0; !is_finished(call); spins++) {
		serve_while_waiting();
		if (may_halt && spins > SPINS)
			halt(call);
		else
			arch_pause();
	}
}

void ipi_call_wait(cpu_mask_t mask, void (*fn)(void *arg), void *arg)
{
	struct call_node nodes[CPU_MAX];
	struct call call = { .fn = fn, .arg = arg };

	preempt_disable();
	call.caller = cpu_id();
	mask &= ~(1u << call.caller);
	atomic32_store(&call.state, popcount64(mask));
	for (uint32_t cpu = 0; cpu < CPU_MAX; cpu++) {
		if ((mask & (1u << cpu)) == 0)
			continue;
		ASSERT(cpus[cpu].online);
		nodes[cpu].call = &call;
		push(cpu, &nodes[cpu]);
	}
	wait(&call);
	preempt_enable();
}

void ipi_receive(enum ipi_kind kind)
{
	trace_ipi(kind);
	switch (kind) {
	case IPI_RESCHEDULE:
		klog_wake_drainer();
		sched_ipi();
		break;
	case IPI_CALL:
		serve();
		break;
	case IPI_STOP:
		arch_stop_this_cpu();
	}
}
