/*
 * kill(2) and its family: the current task sends to processes by number.
 */
#pragma once

#include "proc/job.h"
#include "proc/signal.h"

/* pid > 0: a process; 0: the own group; -1: all but PID 1 and oneself; < -1: a group.
 * -ESRCH, -EPERM, -EINVAL. */
must_check int signal_kill(int pid, int signo, const struct abi_siginfo *info);
must_check int signal_kill_task(uint32_t tgid, uint32_t tid, int signo,
				const struct abi_siginfo *info);
