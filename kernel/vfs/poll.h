/*
 * poll: one mechanism under poll, select and epoll. A file's poll operation calls poll_wait() for
 * each wait queue that wakes when its answer may change, then returns its present events.
 */
#pragma once

#include "abi/poll.h"
#include "sched/wait.h"

struct file;
struct poll_table;

struct poll_table {
	void (*enqueue)(struct poll_table *table, struct file *file, struct wait_queue *queue);
	uint32_t events;			/* asked for */
};

static inline void poll_wait(struct file *file, struct wait_queue *queue, struct poll_table *table)
{
	if (table != NULL && table->enqueue != NULL)
		table->enqueue(table, file, queue);
}
