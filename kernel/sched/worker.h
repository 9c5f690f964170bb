/*
 * Deferred work: functions that need a thread (may sleep), run by a kernel thread per CPU.
 */
#pragma once

#include "lib/list.h"

struct work {
	struct list_head node;
	void (*run)(struct work *work);
	bool queued;
};

void work_init(struct work *work, void (*run)(struct work *work));
/* From any context; false when it is already queued. */
bool work_queue(struct work *work);
void worker_init(void);
