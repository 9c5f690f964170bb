/*
 * Wait queues: threads (or callbacks: epoll) waiting for something to become true.
 *
 * The pattern, always the macro's:
 *	error = wait_event_interruptible(&queue, condition);
 * The waiter is on the queue with its state set before the condition is looked at; the waker makes
 * the condition true first, then wakes. So no wake-up is lost.
 */
#pragma once

#include "core/clock.h"
#include "core/spinlock.h"
#include "lib/list.h"

struct thread;
struct wait_entry;

struct wait_queue {
	struct spinlock lock;			/* irqsave: woken from interrupt handlers */
	struct list_head entries GUARDED_BY(&lock);
};

/* `key`: the poll events that happened (0: unspecified). True: counts as woken (exclusive). */
typedef bool (*wait_callback_t)(struct wait_entry *entry, uint32_t key);

struct wait_entry {
	struct list_head node;
	struct thread *thread;
	wait_callback_t callback;
	bool exclusive;
};

#define WAIT_QUEUE_INIT(q) { SPINLOCK_INIT(RANK_WAIT_QUEUE), LIST_HEAD_INIT((q).entries) }
static inline void wait_queue_init(struct wait_queue *q)
{
	spin_init(&q->lock, RANK_WAIT_QUEUE);
	list_init(&q->entries);
}
void wait_entry_init(struct wait_entry *e, wait_callback_t callback);	/* NULL: wakes the thread */
void wait_queue_add(struct wait_queue *q, struct wait_entry *e);
void wait_queue_add_exclusive(struct wait_queue *q, struct wait_entry *e);
void wait_queue_remove(struct wait_queue *q, struct wait_entry *e);
bool wait_queue_is_empty(struct wait_queue *q);

void wake_up(struct wait_queue *q);			/* all non-exclusive, one exclusive */
void wake_up_all(struct wait_queue *q);
void wake_up_key(struct wait_queue *q, uint32_t key);	/* as wake_up, with poll events */

enum wait_mode {
	WAIT_UNINTERRUPTIBLE,	/* until woken */
	WAIT_INTERRUPTIBLE,	/* a signal ends it: -EINTR (-ERESTARTSYS for the call's restart) */
	WAIT_KILLABLE,		/* only a fatal signal ends it */
};

/* Sets the current thread's state and enters the queue; then look at the condition. */
void wait_prepare(struct wait_queue *q, struct wait_entry *e, enum wait_mode mode);
/*
 * Sleeps until woken or `deadline_ns`; 0 when woken, -ETIMEDOUT, -ERESTARTSYS when a signal is
 * pending (by the mode). A condition that became true wins over both: the loop looks first.
 */
int wait_sleep(enum wait_mode mode, uint64_t deadline_ns) EXCLUDES(&preempt_off);
void wait_finish(struct wait_queue *q, struct wait_entry *e);

#define wait_event_until(q, condition, mode, deadline_ns) __extension__({                         \
	struct wait_entry entry_;                                                                 \
	int error_ = 0;                                                                           \
	if (!(condition)) {                                                                       \
		wait_entry_init(&entry_, NULL);                                                   \
		for (;;) {                                                                        \
			wait_prepare((q), &entry_, (mode));                                       \
			if (condition) {                                                          \
				error_ = 0;                                                       \
				break;                                                            \
			}                                                                         \
			if (error_ != 0)                                                          \
				break;                                                            \
			error_ = wait_sleep((mode), (deadline_ns));                               \
		}                                                                                 \
		wait_finish((q), &entry_);                                                        \
	}                                                                                         \
	error_; })

#define wait_event(q, condition) \
	((void)wait_event_until((q), (condition), WAIT_UNINTERRUPTIBLE, TIME_NEVER))
#define wait_event_interruptible(q, condition) \
	wait_event_until((q), (condition), WAIT_INTERRUPTIBLE, TIME_NEVER)
#define wait_event_killable(q, condition) \
	wait_event_until((q), (condition), WAIT_KILLABLE, TIME_NEVER)
