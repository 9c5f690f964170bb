/*
 * Another task's resources.
 */
#include "proc/task_access.h"

#include "abi/capability.h"
#include "proc/cred_change.h"
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

static bool same_ids(const struct cred *mine, const struct cred *theirs)
{
	return mine->uid == theirs->euid && mine->uid == theirs->suid &&
	       mine->uid == theirs->uid && mine->gid == theirs->egid &&
	       mine->gid == theirs->sgid && mine->gid == theirs->gid &&
	       (theirs->cap_permitted & ~mine->cap_permitted) == 0;
}

bool task_may_access(struct task *task)
{
	struct space *space;
	struct cred *theirs;
	bool may;

	if (task->process == process_current())
		return true;
	theirs = cred_of_task(task);
	may = same_ids(cred_current(), theirs);
	cred_put(theirs);
	space = task_get_space(task);
	if (space != NULL) {
		may &= space->dumpable;
		space_put(space);
	}
	return may || capable(CAP_SYS_PTRACE);
}
