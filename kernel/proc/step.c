/*
 * step=fork (proc/step.h). IRET restores the trap flag from the frame, so a child stays under it
 * through its calls. INT clears the flag for the handler and IRET's own trap comes after the next
 * instruction (SDM 3B 17.3.1.4): the instruction after `int 0x80` is told, INT itself is not.
 */
#include "proc/step.h"

#include "abi/signal.h"
#include "core/cmdline.h"
#include "core/klog.h"
#include "proc/proc_internal.h"

bool steps_children;

void step_init(void)
{
	steps_children = cmdline_choice("step", "fork") == 0;
}

bool step_take(const struct trap_frame *frame, const struct exception *e)
{
	if (likely(!steps_children) || e->signo != SIGTRAP || e->code != TRAP_TRACE)
		return false;
	log_info("step: thread %u RIP=%#lx RSP=%#lx RAX=%#lx", thread_current()->id,
		 frame_pc(frame), frame_sp(frame), frame_result(frame));
	return true;
}
