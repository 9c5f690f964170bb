/*
 * Time and resources used: what getrusage, times, wait4 and the CPU clocks tell.
 */
#pragma once

#include "abi/resource.h"
#include "proc/task.h"

/* User and system time of one task; the sum is exact, the division sampled (rusage.c). */
void task_times(struct task *task, uint64_t *user_ns, uint64_t *system_ns);
/* Of all tasks, ended ones included. */
void process_times(struct process *p, uint64_t *user_ns, uint64_t *system_ns);
uint64_t process_run_ns(struct process *p);
/* who: RUSAGE_SELF, RUSAGE_CHILDREN; RUSAGE_THREAD is the current task. */
void rusage_get(struct process *p, int who, struct abi_rusage *out);
/* The sums of a zombie and of what it waited for: wait4's rusage. */
void rusage_get_zombie(struct process *p, struct abi_rusage *out);
/* A task leaves; process and sighand lock held. */
void rusage_add_dead_locked(struct process *p, struct task *task);
/* A reaped child's sums become its parent's. */
void rusage_add_child(struct process *parent, struct process *child);
