/*
 * Wait queues. The order that loses no wake-up:
 *
 *	waiter: token off, enter the queue, (fence) look at the condition, sleep unless token
 *	waker:  make the condition true, (fence) look at the queue, wake: state or token
 *
 * If the waker finds the queue empty without its lock, the waiter's look at the condition comes
 * after the fences and sees it true. If it finds the waiter, the waiter sleeps and is woken, or has
 * not slept yet and finds the token.
 *
 * A waiter that sched_wake() really woke is taken off the queue after the call; its own
 * wait_finish() needs the queue's lock unless it sees that done. So the queue's lock, or the
 * removal, keeps the thread and the entry on its stack alive while the waker uses them.
 *
 * Waits may nest (a condition that itself sleeps): an inner wait may eat the outer one's token, so
 * each wait leaves one behind, and the outer sleep returns at once and looks again.
 */
#include "core/schedule_point.h"
#include "sched/sched_internal.h"
#include "sched/wait.h"

void wait_entry_init(struct wait_entry *e, wait_callback_t callback)
{
	list_init(&e->node);
	e->thread = thread_current();
	e->callback = callback;
	e->exclusive = false;
}

void wait_queue_add(struct wait_queue *q, struct wait_entry *e)
{
	irq_state_t irq = spin_lock_irqsave(&q->lock);

	/* Non-exclusive ones in front: wake_up() stops at the first exclusive one it woke. */
	if (list_is_empty(&e->node))
		list_push_front(&q->entries, &e->node);
	spin_unlock_irqrestore(&q->lock, irq);
}

void wait_queue_add_exclusive(struct wait_queue *q, struct wait_entry *e)
{
	irq_state_t irq = spin_lock_irqsave(&q->lock);

	e->exclusive = true;
	if (list_is_empty(&e->node))
		list_push_back(&q->entries, &e->node);
	spin_unlock_irqrestore(&q->lock, irq);
}

void wait_queue_remove(struct wait_queue *q, struct wait_entry *e)
{
	irq_state_t irq = spin_lock_irqsave(&q->lock);

	list_remove(&e->node);
	spin_unlock_irqrestore(&q->lock, irq);
}

/* Without the lock: the order of writes and fences above decides. */
bool wait_queue_is_empty(struct wait_queue *q) NO_LOCK_ANALYSIS
{
	full_barrier();
	return read_once(q->entries.next) == &q->entries;
}

static bool wake_entry(struct wait_entry *e, uint32_t key)
{
	if (e->callback != NULL)
		return e->callback(e, key);
	if (!sched_wake(e->thread))
		return false;
	/* The last access to the entry: its thread may be gone as soon as it sees this. */
	list_remove(&e->node);
	return true;
}

static void wake(struct wait_queue *q, uint32_t key, bool all)
{
	struct wait_entry *e, *following;
	irq_state_t irq;

	schedule_point();
	if (wait_queue_is_empty(q))
		return;
	irq = spin_lock_irqsave(&q->lock);
	list_for_each_safe(e, following, &q->entries, node) {
		bool exclusive = e->exclusive;

		if (wake_entry(e, key) && exclusive && !all)
			break;
	}
	spin_unlock_irqrestore(&q->lock, irq);
}

void wake_up(struct wait_queue *q)
{
	wake(q, 0, false);
}

void wake_up_all(struct wait_queue *q)
{
	wake(q, 0, true);
}

void wake_up_key(struct wait_queue *q, uint32_t key)
{
	wake(q, key, false);
}

void wait_prepare(struct wait_queue *q, struct wait_entry *e, enum wait_mode mode)
{
	struct thread *t = thread_current();

	t->wait_mode = (uint8_t)mode;
	t->wait_reason = q;
	write_once(t->woken, false);
	schedule_point();
	if (e->exclusive)
		wait_queue_add_exclusive(q, e);
	else
		wait_queue_add(q, e);
	/* Before the look at the condition; pairs with wait_queue_is_empty() in the waker. */
	full_barrier();
	schedule_point();
}

/* True when the waker took the entry off and is done with it: both links were written. */
static bool removed_by_waker(const struct wait_entry *e)
{
	const struct list_head *node = &e->node;

	return load_acquire(&node->next) == node && load_acquire(&node->prev) == node;
}

void wait_finish(struct wait_queue *q, struct wait_entry *e)
{
	struct thread *t = thread_current();

	schedule_point();
	if (!removed_by_waker(e))
		wait_queue_remove(q, e);
	t->wait_reason = NULL;
	write_once(t->woken, true);
}
