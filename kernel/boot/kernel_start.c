/*
 * From the architecture's start to the first process: two tables of calls, run in order.
 *
 *   kernel_start()   boot stack, one processor, interrupts off: init_early, then this stack
 *                    becomes the idle thread of processor 0
 *   init_thread()    a kernel thread: init_late, in which calls may sleep, then the tests that
 *                    the command line asks for, then the first process
 *
 * The other processors are started between the two, and joined in the course of the second.
 */
#include "arch/arch_down.h"
#include "arch/arch_up.h"
#include "boot/boot_internal.h"
#include "boot/selftest.h"
#include "core/assert.h"
#include "core/clock.h"
#include "core/cmdline.h"
#include "core/klog.h"
#include "sched/sched.h"

static void run(const struct init_call *calls)
{
	for (; calls->call != NULL; calls++) {
		calls->call();
		log_debug("boot: %s", calls->name);
	}
}

static void init_thread(void *arg)
{
	(void)arg;
	run(init_late);
	selftest_run_if_asked();
	if (cmdline_flag("panic-test"))
		panic("panic-test on the command line");
	cmdline_log_unknown();
	log_info("boot: the first process at %llu us, %u processors",
		 (unsigned long long)clock_ns() / NSEC_PER_USEC, cpu_count);
	sched_charge_boot();
	first_process_start();
}

void kernel_start(void)
{
	struct thread *thread;

	run(init_early);
	arch_irq_enable();
	arch_start_processors();
	thread = thread_create_kernel("boot", init_thread, NULL);
	VERIFY(thread != NULL);
	sched_charge_boot();
	sched_start(thread);
	sched_idle_loop();
}

void cpu_secondary_start(void)
{
	sched_init_secondary();
	arch_irq_enable();
	sched_idle_loop();
}

void kernel_thread_returned(void) { sched_exit(); }
