/*
 * What restart_syscall(2) goes on with, one function a kind (proc/restart.h).
 */
#pragma once

struct task;

long futex_restart(struct task *task);
long nanosleep_restart(struct task *task);
long poll_restart(struct task *task);
