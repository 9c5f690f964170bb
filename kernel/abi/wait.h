/*
 * Waiting for children: options, id types, and how a status word is made.
 */
#pragma once

#include "abi/types.h"

#define WNOHANG 0x1
#define WUNTRACED 0x2
#define WSTOPPED 0x2
#define WEXITED 0x4
#define WCONTINUED 0x8
#define WNOWAIT 0x1000000
#define __WNOTHREAD 0x20000000
#define __WALL 0x40000000
#define __WCLONE 0x80000000U

#define P_ALL 0
#define P_PID 1
#define P_PGID 2
#define P_PIDFD 3

/*
 * The status word of wait4: exit code, killing signal with the core flag, stop signal, continued.
 */
static inline int wait_status_exited(int code)
{
	return (code & 0xff) << 8;
}

static inline int wait_status_signaled(int signal, int core_dumped)
{
	return (signal & 0x7f) | (core_dumped ? 0x80 : 0);
}

static inline int wait_status_stopped(int signal)
{
	return (signal & 0xffff) << 8 | 0x7f;
}

#define WAIT_STATUS_CONTINUED 0xffff
