/*
 * The thread that writes the log out, so that whoever logs never waits for the serial port.
 */
#include "boot/boot_internal.h"
#include "core/assert.h"
#include "core/klog.h"
#include "sched/sched.h"
#include "sched/wait.h"

static struct wait_queue log_queue = WAIT_QUEUE_INIT(log_queue);

static void wake(void) { wake_up_all(&log_queue); }

static void log_thread(void *arg)
{
	(void)arg;
	for (;;) {
		klog_flush();
		wait_event(&log_queue, klog_has_undrained());
	}
}

void log_thread_start(void)
{
	struct thread *thread = thread_create_kernel("log", log_thread, NULL);

	VERIFY(thread != NULL);
	sched_start(thread);
	klog_set_drainer(wake);
}
