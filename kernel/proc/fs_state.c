/*
 * pivot_root(2): whoever stood at the old root stands at the new one afterwards.
 */
#include "proc/fs_state.h"

#include "proc/proc_internal.h"
#include "proc/task_access.h"

static void replace_one(struct fs_state *fs, struct path *which, const struct path *from,
			const struct path *to)
{
	struct path now;

	fs_state_get_path(fs, which, &now);
	if (path_equal(&now, from))
		fs_state_set(fs, which, to);
	path_put(&now);
}

static void replace_in_process(struct process *p, const struct path *from, const struct path *to)
{
	struct task *t;
	uint32_t tid = 0;

	while ((t = process_next_task(p, tid)) != NULL) {
		struct fs_state *fs = task_get_fs(t);

		tid = t->thread.id + 1;
		task_put(t);
		if (fs == NULL)
			continue;
		replace_one(fs, &fs->root, from, to);
		replace_one(fs, &fs->cwd, from, to);
		fs_state_put(fs);
	}
}

void fs_state_replace_all(const struct path *from, const struct path *to)
{
	struct process *p;
	uint32_t pid = 1;

	while ((p = process_next(pid)) != NULL) {
		pid = p->pid + 1;
		replace_in_process(p, from, to);
		process_put(p);
	}
}
