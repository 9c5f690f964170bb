/*
 * What may sleep: caches, file systems, devices, the first process. Runs in a kernel thread with
 * all processors up.
 */
#include "boot/boot_internal.h"
#include "sched/worker.h"

#define CALL(f, why) { f, #f, why }

const struct init_call init_late[] = {
	CALL(log_thread_start, "from here on logging costs no time"),
	CALL(worker_init, "deferred work, which drivers use"),
	{ NULL, NULL, NULL },
};
