/*
 * Cross calls. A call lies on its caller's stack with one node per target; each target has a list
 * of nodes, pushed without a lock and taken whole by its owner. The interrupt is sent only for the
 * push that found the list empty.
 *
 * A caller that waits also serves its own list, so two processors that call each other never wait
 * for an interrupt that one of them holds off. That includes callers with interrupts off by
 * mistake: they still make progress.
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
	atomic32_t pending;		/* targets that have not finished */
};

struct call_node {
	struct call_node *next;
	struct call *call;
};

struct call_list {
	struct call_node *head;		/* [a] newest first */
};

static PERCPU(struct call_list, calls);

void ipi_reschedule(uint32_t cpu) { arch_ipi_send(cpu, IPI_RESCHEDULE); }

static void push(uint32_t cpu, struct call_node *node)
{
	struct call_list *list = cpu_of(calls, cpu);
	struct call_node *head = load_acquire(&list->head);

	do {
		node->next = head;
	} while (!__atomic_compare_exchange_n(&list->head, &head, node, false, __ATOMIC_SEQ_CST,
					      __ATOMIC_ACQUIRE));
	if (head == NULL)
		arch_ipi_send(cpu, IPI_CALL);
}

/* Interrupts off: a handler on this CPU would otherwise run a call in the middle of another. */
static void serve(void)
{
	struct call_node *node = __atomic_exchange_n(&this_cpu(calls)->head, NULL, __ATOMIC_ACQ_REL);

	while (node != NULL) {
		struct call_node *next = node->next;
		struct call *call = node->call;

		call->fn(call->arg);
		/* The node is the caller's stack: gone once the count says so. */
		(void)atomic32_sub_acq_rel(&call->pending, 1);
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

void ipi_call_wait(cpu_mask_t mask, void (*fn)(void *arg), void *arg)
{
	struct call_node nodes[CPU_MAX];
	struct call call = { .fn = fn, .arg = arg };

	preempt_disable();
	mask &= ~(1u << cpu_id());
	atomic32_store(&call.pending, popcount64(mask));
	for (uint32_t cpu = 0; cpu < CPU_MAX; cpu++) {
		if ((mask & (1u << cpu)) == 0)
			continue;
		ASSERT(cpus[cpu].online);
		nodes[cpu].call = &call;
		push(cpu, &nodes[cpu]);
	}
	while (atomic32_load_acquire(&call.pending) != 0) {
		serve_while_waiting();
		arch_pause();
	}
	preempt_enable();
}

void ipi_receive(enum ipi_kind kind)
{
	trace_event(TRACE_IPI, kind, 0);
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
