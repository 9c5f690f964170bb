/*
 * Another task's resources.
 */
#include "proc/task_access.h"

#include "proc/proc_internal.h"

struct fdtable *task_get_fdtable(struct task *task)
{
	irq_state_t state = spin_lock_irqsave(&task->process->lock);
	struct fdtable *table = task->fdtable;

	if (table != NULL)
		fdtable_get(table);
	spin_unlock_irqrestore(&task->process->lock, state);
	return table;
}

struct fs_state *task_get_fs(struct task *task)
{
	irq_state_t state = spin_lock_irqsave(&task->process->lock);
	struct fs_state *fs = task->fs;

	if (fs != NULL)
		fs_state_get(fs);
	spin_unlock_irqrestore(&task->process->lock, state);
	return fs;
}

void fs_state_get_path(struct fs_state *fs, const struct path *which, struct path *out)
{
	spin_lock(&fs->lock);
	*out = *which;
	path_get(out);
	spin_unlock(&fs->lock);
}
