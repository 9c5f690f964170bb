/*
 * Interrupt vectors and their handlers.
 *
 * A vector has a chain of handlers: one for a message-signalled interrupt, any number for a shared
 * line. Chains only grow, a node is filled before it is linked, so a handler walks its chain
 * without a lock. Vectors are given out round robin over the processors' numbers for MSI.
 *
 * Budget (Mogul and Ramakrishnan, "Eliminating Receive Livelock in an Interrupt-Driven Kernel",
 * 1997): a line that interrupts more than BUDGET times in a window is masked and its handlers are
 * called by a timer instead; after a while it is let go again, later each time while the storm
 * goes on. A line's interrupts all come to one processor, and so does its timer: what belongs to
 * the budget has no lock. A message-signalled interrupt is not masked, only reported.
 */
#include "core/irq.h"

#include "arch/arch_down.h"
#include "core/atomic.h"
#include "core/clock.h"
#include "core/finding.h"
#include "core/klog.h"
#include "core/spinlock.h"
#include "core/timer.h"
#include "abi/errno.h"
#include "lib/bits.h"
#include "lib/container_of.h"

#define HANDLERS_MAX 128
#define WINDOW_NS (10 * NSEC_PER_MSEC)
#define BUDGET 500u
#define POLL_NS NSEC_PER_MSEC
#define HOLD_MIN_NS (20 * NSEC_PER_MSEC)
#define HOLD_MAX_NS (1000 * NSEC_PER_MSEC)
#define VECTORS (IRQ_VECTOR_END - IRQ_VECTOR_FIRST)

struct irq_action {
	irq_handler_t handler;
	void *arg;
	struct irq_action *next;
};

struct irq_vector {
	struct irq_action *actions;	/* [a] published by a release store */
	atomic64_t count;
	uint64_t window_ns;		/* [c] from here to `polled`: the budget */
	uint32_t in_window;
	uint64_t hold_ns;		/* how long the next storm is polled, less a doubling */
	uint64_t release_ns;
	bool polled;
	struct timer poll;
	int32_t gsi;			/* -1: MSI */
};

static struct spinlock irq_lock = SPINLOCK_INIT(RANK_IPI);
static struct irq_vector vectors[VECTORS];
static struct irq_action action_pool[HANDLERS_MAX] GUARDED_BY(&irq_lock);
static uint32_t actions_used GUARDED_BY(&irq_lock);
static uint32_t vectors_used GUARDED_BY(&irq_lock);

static struct irq_action *action_take_locked(irq_handler_t handler, void *arg) REQUIRES(&irq_lock)
{
	struct irq_action *action;

	if (actions_used == HANDLERS_MAX)
		return NULL;
	action = &action_pool[actions_used++];
	action->handler = handler;
	action->arg = arg;
	return action;
}

static void action_link_locked(struct irq_vector *vector, struct irq_action *action)
	REQUIRES(&irq_lock)
{
	action->next = vector->actions;
	store_release(&vector->actions, action);
}

int irq_allocate_msi(irq_handler_t handler, void *arg, struct msi_message *out)
{
	irq_state_t state = spin_lock_irqsave(&irq_lock);
	struct irq_action *action = NULL;
	uint32_t index = vectors_used;

	if (index < VECTORS)
		action = action_take_locked(handler, arg);
	if (action == NULL) {
		spin_unlock_irqrestore(&irq_lock, state);
		return -ENOSPC;
	}
	vectors_used++;
	vectors[index].gsi = -1;
	action_link_locked(&vectors[index], action);
	spin_unlock_irqrestore(&irq_lock, state);
	arch_irq_msi(IRQ_VECTOR_FIRST + index, out);
	return 0;
}

/* The vector of a line, a fresh one when the line had none; VECTORS when there is none left. */
static uint32_t line_index_locked(uint32_t gsi, bool *fresh) REQUIRES(&irq_lock)
{
	*fresh = false;
	for (uint32_t i = 0; i < vectors_used; i++)
		if (vectors[i].gsi == (int32_t)gsi)
			return i;
	if (vectors_used == VECTORS)
		return VECTORS;
	*fresh = true;
	vectors[vectors_used].gsi = (int32_t)gsi;
	return vectors_used++;
}

int irq_register_line(uint32_t gsi, bool level, irq_handler_t handler, void *arg)
{
	irq_state_t state = spin_lock_irqsave(&irq_lock);
	struct irq_action *action = NULL;
	bool fresh;
	uint32_t index = line_index_locked(gsi, &fresh);

	if (index < VECTORS)
		action = action_take_locked(handler, arg);
	if (action != NULL)
		action_link_locked(&vectors[index], action);
	spin_unlock_irqrestore(&irq_lock, state);
	if (action == NULL)
		return -ENOSPC;
	return fresh ? arch_irq_route_line(gsi, level, IRQ_VECTOR_FIRST + index) : 0;
}

static void run_handlers(struct irq_vector *vector)
{
	struct irq_action *action = load_acquire(&vector->actions);

	for (; action != NULL; action = action->next)
		action->handler(action->arg);
}

static void poll(struct timer *timer)
{
	struct irq_vector *vector = container_of(timer, struct irq_vector, poll);
	uint64_t now = clock_ns();

	run_handlers(vector);
	if (now < vector->release_ns) {
		timer_arm(timer, now + POLL_NS);
		return;
	}
	vector->polled = false;
	vector->window_ns = now;
	vector->in_window = 0;
	arch_irq_mask_line((uint32_t)vector->gsi, false);
}

static void storm(struct irq_vector *vector, uint64_t now)
{
	finding_report(FINDING_IRQ_STORM, 0, cpu_self()->irq_pc, vector->gsi >= 0 ?
		       "a line beyond its budget: masked and polled" :
		       "a message-signalled interrupt beyond its budget",
		       IRQ_VECTOR_FIRST + (uint64_t)(vector - vectors), vector->in_window);
	vector->in_window = 0;
	if (vector->gsi < 0)
		return;
	vector->hold_ns = vector->hold_ns == 0 ? HOLD_MIN_NS :
						 MIN(2 * vector->hold_ns, HOLD_MAX_NS);
	vector->release_ns = now + vector->hold_ns;
	vector->polled = true;
	arch_irq_mask_line((uint32_t)vector->gsi, true);
	timer_init(&vector->poll, poll);
	timer_arm(&vector->poll, now + POLL_NS);
}

static void charge(struct irq_vector *vector)
{
	uint64_t now = clock_ns();

	if (now - vector->window_ns >= WINDOW_NS) {
		/* A calm window: the next storm begins anew. */
		if (vector->in_window < BUDGET / 2)
			vector->hold_ns = 0;
		vector->window_ns = now;
		vector->in_window = 0;
	}
	if (++vector->in_window > BUDGET && !vector->polled)
		storm(vector, now);
}

void irq_receive(uint32_t number)
{
	struct irq_vector *vector = &vectors[number - IRQ_VECTOR_FIRST];

	atomic64_add(&vector->count, 1);
	run_handlers(vector);
	charge(vector);
}

bool irq_stats_get(uint32_t index, struct irq_stats *out)
{
	if (index >= VECTORS || load_acquire(&vectors[index].actions) == NULL)
		return false;
	out->vector = IRQ_VECTOR_FIRST + index;
	out->count = atomic64_load(&vectors[index].count);
	out->gsi = vectors[index].gsi;
	return true;
}
