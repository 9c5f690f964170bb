/*
 * Processes and tasks as objects: their making, their place in the tree, their end.
 *
 * A process lives from clone's commit until somebody has waited for it; then only references from
 * lookups keep the memory. Its leader's task stays in the id table until then, so that the number
 * is not given out again. The other tasks leave the table when they exit.
 *
 * References: a task counts its process, a process counts its leader; both are cut at the reaping.
 * Parents are not counted: a process that exits gives its children away first.
 */
#include "proc/proc_internal.h"

#include "abi/errno.h"
#include "abi/prctl.h"
#include "abi/sched.h"
#include "core/fail_point.h"
#include "lib/string.h"
#include "mem/slab.h"

struct list_head process_all = LIST_HEAD_INIT(process_all);

static struct slab_cache *process_cache, *task_cache, *fs_cache;

void process_caches_init(void)
{
	process_cache = slab_cache_create("process", sizeof(struct process), 64);
	task_cache = slab_cache_create("task", sizeof(struct task), 64);
	fs_cache = slab_cache_create("fs_state", sizeof(struct fs_state), 8);
}

/* --- processes ------------------------------------------------------------------------------- */

struct process *process_create(void)
{
	struct process *p = fail_point("process") ? NULL : slab_allocate_zeroed(process_cache);

	if (p == NULL)
		return NULL;
	refcount_init(&p->references);
	spin_init(&p->lock, RANK_PROCESS);
	list_init(&p->tasks);
	list_init(&p->children);
	list_init(&p->sibling_node);
	list_init(&p->group_node);
	list_init(&p->all_node);
	wait_queue_init(&p->child_wait);
	wait_queue_init(&p->stop_wait);
	wait_queue_init(&p->exit_wait);
	sigqueue_init(&p->shared_pending);
	p->start_ns = clock_ns();
	return p;
}

void process_put(struct process *p)
{
	if (!refcount_put(&p->references))
		return;
	ASSERT(list_is_empty(&p->tasks) && list_is_empty(&p->children));
	itimers_destroy(p);
	sigqueue_flush(&p->shared_pending, ~0ULL);
	if (p->sighand != NULL)
		sighand_put(p->sighand);
	slab_free(process_cache, p);
}

void process_set_parent_locked(struct process *p, struct process *parent)
{
	assert_held(&process_tree_lock);
	p->parent = parent;
	write_once(p->parent_pid, parent != NULL ? parent->pid : 0);
}

void process_link_locked(struct process *p, struct process *parent)
{
	assert_held(&process_tree_lock);
	process_set_parent_locked(p, parent);
	list_push_back(&process_all, &p->all_node);
	if (parent != NULL)
		list_push_back(&parent->children, &p->sibling_node);
}

void process_remove_task_locked(struct process *p, struct task *task)
{
	list_remove(&task->process_node);
}

/*
 * The last step of a process: out of the tree, the groups and the id table. The caller copied what
 * it wants to know and drops the reference that existence held, with process_put(), unlocked; so
 * too the leader's.
 */
void process_reap_locked(struct process *p)
{
	struct task *leader = p->leader;

	assert_held(&process_tree_lock);
	ASSERT(p->state == PROCESS_ZOMBIE);
	p->state = PROCESS_REAPED;
	list_remove(&p->sibling_node);
	list_remove(&p->all_node);
	process_set_parent_locked(p, NULL);
	process_set_group_locked(p, NULL);
	task_unlink_locked(leader);
	spin_lock(&p->lock);
	process_remove_task_locked(p, leader);
	spin_unlock(&p->lock);
}

uint64_t process_limit(int resource)
{
	return read_once(process_current()->limits[resource].rlim_cur);
}

struct task *process_next_task(struct process *p, uint32_t tid)
{
	irq_state_t state = spin_lock_irqsave(&p->lock);
	struct task *best = NULL, *task;

	list_for_each(task, &p->tasks, process_node) {
		if (task->thread.id >= tid && (best == NULL || task->thread.id < best->thread.id))
			best = task;
	}
	if (best != NULL)
		thread_get(&best->thread);
	spin_unlock_irqrestore(&p->lock, state);
	return best;
}

/* --- tasks ------------------------------------------------------------------------------------ */

static void task_destroy(struct thread *thread)
{
	struct task *task = task_of(thread);

	thread_fini(thread);
	task_free(task);
}

struct task *task_create(void)
{
	struct task *task = fail_point("task") ? NULL : slab_allocate_zeroed(task_cache);

	if (task == NULL)
		return NULL;
	task->thread.destroy = task_destroy;
	list_init(&task->process_node);
	sigqueue_init(&task->pending);
	task->syscall_nr = (uint64_t)-1;
	task->timer_slack_ns = 50000;
	task->machine_check_policy = PR_MCE_KILL_DEFAULT;
	return task;
}

/* For one whose thread was never initialised, or is finished. */
void task_free(struct task *task)
{
	sigqueue_flush(&task->pending, ~0ULL);
	if (task->cred != NULL)
		cred_put(task->cred);
	if (task->process != NULL)
		process_put(task->process);
	slab_free(task_cache, task);
}

uint64_t task_forks GUARDED_BY(&process_tree_lock);

void task_unlink_locked(struct task *task)
{
	struct pid_entry *entry = pid_find_locked(task->thread.id);

	assert_held(&process_tree_lock);
	ASSERT(entry != NULL && entry->task == task);
	entry->task = NULL;
	pid_release_locked(entry);
}

/* --- cwd, root, umask ------------------------------------------------------------------------- */

struct fs_state *fs_state_create(const struct path *root)
{
	struct fs_state *fs = slab_allocate_zeroed(fs_cache);

	if (fs == NULL)
		return NULL;
	refcount_init(&fs->references);
	spin_init(&fs->lock, RANK_FILE);
	fs->root = fs->cwd = *root;
	path_get(&fs->root);
	path_get(&fs->cwd);
	fs->umask = 022;
	return fs;
}

struct fs_state *fs_state_copy(struct fs_state *from)
{
	struct fs_state *fs = fail_point("fs_state") ? NULL : slab_allocate_zeroed(fs_cache);

	if (fs == NULL)
		return NULL;
	refcount_init(&fs->references);
	spin_init(&fs->lock, RANK_FILE);
	spin_lock(&from->lock);
	fs->root = from->root;
	fs->cwd = from->cwd;
	fs->umask = from->umask;
	path_get(&fs->root);
	path_get(&fs->cwd);
	spin_unlock(&from->lock);
	return fs;
}

void fs_state_put(struct fs_state *fs)
{
	if (!refcount_put(&fs->references))
		return;
	path_put(&fs->root);
	path_put(&fs->cwd);
	slab_free(fs_cache, fs);
}

int fs_unshare(void)
{
	struct task *task = task_current();
	struct fs_state *old = task->fs, *mine;
	irq_state_t state;

	if (refcount_read(&old->references) == 1)
		return 0;
	mine = fs_state_copy(old);
	if (mine == NULL)
		return -ENOMEM;
	state = spin_lock_irqsave(&task->process->lock);
	task->fs = mine;
	spin_unlock_irqrestore(&task->process->lock, state);
	fs_state_put(old);
	return 0;
}

/* Replaces one of the two by a counted path. */
void fs_state_set(struct fs_state *fs, struct path *which, const struct path *to)
{
	struct path old;

	path_get(to);
	spin_lock(&fs->lock);
	old = *which;
	*which = *to;
	spin_unlock(&fs->lock);
	path_put(&old);
}

static int base_from_descriptor(int dirfd, struct path *out)
{
	struct fd_ref ref;

	if (!fd_get_any(dirfd, &ref))
		return -EBADF;
	*out = ref.file->path;
	path_get(out);
	fd_put(&ref);
	return 0;
}

int path_base_get(int dirfd, const char *name, struct path_base *out)
{
	struct task *task = task_current();
	struct fs_state *fs = task->fs;
	bool wants_fd = dirfd != -100 /* AT_FDCWD */ && (name == NULL || name[0] != '/');
	int error;

	if (wants_fd) {
		error = base_from_descriptor(dirfd, &out->base);
		if (error != 0)
			return error;
	}
	spin_lock(&fs->lock);
	out->root = fs->root;
	path_get(&out->root);
	if (!wants_fd) {
		out->base = fs->cwd;
		path_get(&out->base);
	}
	spin_unlock(&fs->lock);
	out->ctx.root = &out->root;
	out->ctx.base = &out->base;
	out->ctx.cred = &task->cred->vfs;
	return 0;
}

void path_base_put(struct path_base *b)
{
	path_put(&b->base);
	path_put(&b->root);
}
