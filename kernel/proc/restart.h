/*
 * What restart_syscall(2) goes on with: a sleep that a stop or a debugger interrupted continues to
 * the same deadline. task->restart_kind says which call, restart_args what it needs.
 */
#pragma once

enum restart_kind {
	RESTART_NONE,
	RESTART_NANOSLEEP,	/* args: user address of the remainder, its clock */
	RESTART_POLL,		/* args: user address of the array, its length */
	RESTART_FUTEX,		/* args: address, value, flags, bitset */
};

struct task;
long poll_restart(struct task *task);		/* syscall/poll.c */
