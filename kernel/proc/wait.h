/*
 * Waiting for children: what wait4 and waitid share.
 */
#pragma once

#include "abi/resource.h"
#include "proc/task.h"

struct wait_request {
	int type;			/* P_ALL, P_PID, P_PGID */
	uint32_t id;
	struct process *process;	/* P_PID by descriptor: this one; NULL otherwise */
	int options;			/* WNOHANG, WEXITED, WSTOPPED, WCONTINUED, WNOWAIT, __W* */
};

struct wait_result {
	uint32_t pid;			/* 0: nothing (WNOHANG) */
	uint32_t uid;
	int status;			/* wait status word */
	int code;			/* CLD_* */
	int value;			/* exit code or signal, for siginfo */
	struct abi_rusage usage;
};

/* 0 with *result, -ECHILD, -ERESTARTSYS. */
must_check int process_wait(const struct wait_request *request, struct wait_result *result);
