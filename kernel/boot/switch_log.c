/*
 * log=sync: a line at each switch, written to the serial port before the switch goes on. That is
 * what the kernel of the report did; its cost is what the lab measures.
 */
#include "arch/arch_down.h"
#include "boot/boot_internal.h"
#include "core/klog.h"
#include "sched/sched.h"
#include "vm/space.h"

static uint64_t root_of(const struct thread *t)
{
	return t->space != NULL ? t->space->root.value : arch_space_kernel_root().value;
}

static void log_switch(struct thread *prev, struct thread *next)
{
	const struct trap_frame *f;

	if (next->space == NULL) {
		klog(LOG_INFO, "switch %u -> %u (%s)", prev->id, next->id, next->name);
		return;
	}
	/* Where it will go on in user mode: the frame of its way into the kernel. */
	f = arch_user_frame(thread_stack_top(next));
	klog(LOG_INFO, "switch %u -> %u (%s): RIP=%#lx RSP=%#lx RAX=%#lx CR3=%#lx -> %#lx",
	     prev->id, next->id, next->name, frame_pc(f), frame_sp(f), frame_result(f),
	     root_of(prev), root_of(next));
}

void switch_log_start(void)
{
	if (klog_is_sync())
		sched_set_switch_log(log_switch);
}
