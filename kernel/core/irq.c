/*
 * Interrupt vectors and their handlers.
 *
 * A vector has a chain of handlers: one for a message-signalled interrupt, any number for a shared
 * line. Chains only grow, a node is filled before it is linked, so a handler walks its chain
 * without a lock. Vectors are given out round robin over the processors' numbers for MSI.
 */
#include "core/irq.h"

#include "arch/arch_down.h"
#include "core/atomic.h"
#include "core/klog.h"
#include "core/spinlock.h"
#include "abi/errno.h"

#define HANDLERS_MAX 128
#define VECTORS (IRQ_VECTOR_END - IRQ_VECTOR_FIRST)

struct irq_action {
	irq_handler_t handler;
	void *arg;
	struct irq_action *next;
};

struct irq_vector {
	struct irq_action *actions;	/* [a] published by a release store */
	atomic64_t count;
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

void irq_receive(uint32_t number)
{
	struct irq_vector *vector = &vectors[number - IRQ_VECTOR_FIRST];
	struct irq_action *action = load_acquire(&vector->actions);

	atomic64_add(&vector->count, 1);
	for (; action != NULL; action = action->next)
		action->handler(action->arg);
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
