/*
 * Another task's resources, counted, for those who look from outside (procfs, ptrace, kcmp).
 * NULL once the task has given them up. The pointers change under process->lock.
 */
#pragma once

#include "proc/task.h"

struct fdtable *task_get_fdtable(struct task *task);
struct fs_state *task_get_fs(struct task *task);
/* fs_state's two paths, counted. */
void fs_state_get_path(struct fs_state *fs, const struct path *which, struct path *out);
/* May the current task read and change `task` (ptrace(2), "Ptrace access mode checking")? The same
 * ids and a dumpable space, or the capability. */
bool task_may_access(struct task *task);
