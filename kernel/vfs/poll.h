/*
 * poll: one mechanism under poll, select and epoll. A file's poll operation calls poll_wait() for
 * each wait queue that wakes when its answer may change, then returns its present events.
 */
#pragma once

#include "abi/poll.h"
#include "core/annotate.h"
#include "sched/wait.h"

struct file;
struct poll_table;

struct poll_table {
	void (*enqueue)(struct poll_table *table, struct file *file, struct wait_queue *queue);
	uint32_t events;			/* asked for */
	/* While enqueue runs: what the queue lives in; NULL: the file. */
	const struct poll_holder *holder;
};

/* An object with a wait queue that may go before the file that is polled: a socket's peer. */
struct poll_holder {
	void *object;
	void (*get)(void *object);
	void (*put)(void *object);
};

static inline void poll_wait(struct file *file, struct wait_queue *queue, struct poll_table *table)
{
	if (table != NULL && table->enqueue != NULL)
		table->enqueue(table, file, queue);
}

/* As poll_wait for such a queue: the object is held as long as somebody waits on it. */
static inline void poll_wait_held(struct file *file, struct wait_queue *queue,
				  struct poll_table *table, const struct poll_holder *holder)
{
	if (table == NULL || table->enqueue == NULL)
		return;
	table->holder = holder;
	table->enqueue(table, file, queue);
	table->holder = NULL;
}

/* For those who enqueue: the hold of a new entry, and its end. */
static inline struct poll_holder poll_hold(const struct poll_table *table)
{
	struct poll_holder hold = { NULL, NULL, NULL };

	if (table->holder != NULL) {
		hold = *table->holder;
		hold.get(hold.object);
	}
	return hold;
}

static inline void poll_unhold(const struct poll_holder *hold)
{
	if (hold->object != NULL)
		hold->put(hold->object);
}

/*
 * One sleep on many files. The pattern of poll(2):
 *
 *	poll_session_init(&s);
 *	do {
 *		for each file: n += poll_session_ask(&s, file, events) != 0;
 *	} while (n == 0 && (error = poll_session_wait(&s, deadline)) == 0);
 *	poll_session_fini(&s);
 *
 * The caller holds the files until then. A file found ready in the first round:
 * poll_session_stop() saves registering the others.
 */
struct poll_session;

struct poll_entry {
	struct wait_entry wait;
	struct poll_session *session;
	struct wait_queue *queue;
	struct poll_holder hold;
	uint32_t events;
};

#define POLL_INLINE 6
#define POLL_BLOCK 60

struct poll_block {
	struct poll_block *next;
	size_t used;
	struct poll_entry entries[POLL_BLOCK];
};

struct poll_session {
	struct poll_table table;
	struct wait_queue queue;
	bool woken;
	int error;				/* -ENOMEM: a file could not be registered */
	size_t inline_used;
	struct poll_block *blocks;
	struct poll_entry entries[POLL_INLINE];
};

void poll_session_init(struct poll_session *s);
void poll_session_fini(struct poll_session *s);
/* Present events of the file, those asked for and errors; registers it in the first round. */
uint32_t poll_session_ask(struct poll_session *s, struct file *file, uint32_t events);
static inline void poll_session_stop(struct poll_session *s) { s->table.enqueue = NULL; }
/* 0: something happened, ask again; -ETIMEDOUT; -ERESTARTSYS; -ENOMEM. */
must_check int poll_session_wait(struct poll_session *s, uint64_t deadline_ns);
