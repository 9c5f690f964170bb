/*
 * Tracing another task: where it would stop. No task is ever traced: ptrace(2) is not offered yet,
 * so the questions that signals and exec ask have one answer.
 */
#include "proc/proc_internal.h"

bool ptrace_is_traced(const struct task *task)
{
	return task != NULL && task->ptrace != NULL;
}

void ptrace_stop_if_asked(struct task *task, struct trap_frame *frame)
{
}

int ptrace_signal(struct task *task, struct trap_frame *frame, int signo, struct abi_siginfo *info,
		  struct signal_action *action)
{
	return signo;
}
