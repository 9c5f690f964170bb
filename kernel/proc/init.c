/*
 * The beginning: proc's own tables, and PID 1.
 *
 * PID 1 is made like any user task, by hand where there is no parent to copy from. Its first act,
 * before it enters user mode, is to open the console and execve its program; that runs in
 * thread_first_return(), on the stack whose top is the frame of the new program.
 */
#include "abi/errno.h"
#include "abi/fcntl.h"
#include "core/klog.h"
#include "lib/container_of.h"
#include "lib/string.h"
#include "proc/compare.h"
#include "proc/cred_change.h"
#include "proc/exec_internal.h"
#include "proc/fail_nth.h"
#include "proc/futex.h"
#include "proc/step.h"
#include "vfs/mount.h"

static struct {
	const char *path;
	const char *const *argv, *const *envp;
} first;

static struct path root_path;

/* --- tables ----------------------------------------------------------------------------------- */

static struct cred *cred_of(const struct vfs_cred *vfs)
{
	return container_of((struct vfs_cred *)vfs, struct cred, vfs);
}

static const struct vfs_cred *file_cred_get(const struct vfs_cred *vfs)
{
	cred_get(cred_of(vfs));
	return vfs;
}

static void file_cred_put(const struct vfs_cred *vfs)
{
	cred_put(cred_of(vfs));
}

void proc_init(void)
{
	pid_init();
	process_caches_init();
	signal_caches_init();
	futex_init();
	fail_nth_init();
	step_init();
	compare_init();
	exec_random_init();
	file_set_cred_hooks(file_cred_get, file_cred_put);
}

void process_set_root(const struct path *root)
{
	root_path = *root;
	path_get(&root_path);
}

/* --- PID 1 ------------------------------------------------------------------------------------ */

static void open_console(void)
{
	struct path_base base;
	struct file *file;

	if (path_base_get(AT_FDCWD, "/dev/console", &base) != 0)
		return;
	if (file_open(&base.ctx, "/dev/console", O_RDWR, 0, &file) == 0) {
		if (fd_add(file, false) == 0) {
			(void)!fd_dup_to(0, 1, false);
			(void)!fd_dup_to(0, 2, false);
		}
	} else {
		log_warn("init: /dev/console does not open: no standard input and output");
	}
	path_base_put(&base);
}

static void run_first(void)
{
	int error;

	open_console();
	error = process_exec_kernel(first.path, first.argv, first.envp);
	if (error != 0)
		panic("init: %s cannot be executed: error %d", first.path, -error);
	task_current()->first_run = NULL;
}

static const struct abi_rlimit initial_limits[RLIM_NLIMITS] = {
	[RLIMIT_CPU] = { RLIM_INFINITY, RLIM_INFINITY },
	[RLIMIT_FSIZE] = { RLIM_INFINITY, RLIM_INFINITY },
	[RLIMIT_DATA] = { RLIM_INFINITY, RLIM_INFINITY },
	[RLIMIT_STACK] = { 8UL << 20, RLIM_INFINITY },
	[RLIMIT_CORE] = { 0, RLIM_INFINITY },
	[RLIMIT_RSS] = { RLIM_INFINITY, RLIM_INFINITY },
	[RLIMIT_NPROC] = { 16384, 16384 },
	[RLIMIT_NOFILE] = { 1024, 4096 },
	[RLIMIT_MEMLOCK] = { 8UL << 20, 8UL << 20 },
	[RLIMIT_AS] = { RLIM_INFINITY, RLIM_INFINITY },
	[RLIMIT_LOCKS] = { RLIM_INFINITY, RLIM_INFINITY },
	[RLIMIT_SIGPENDING] = { 16384, 16384 },
	[RLIMIT_MSGQUEUE] = { 819200, 819200 },
	[RLIMIT_NICE] = { 0, 0 },
	[RLIMIT_RTPRIO] = { 0, 0 },
	[RLIMIT_RTTIME] = { RLIM_INFINITY, RLIM_INFINITY },
};

static struct task *make_first_task(struct process *p)
{
	struct task *task = task_create();

	void *top;

	if (task == NULL || thread_init(&task->thread, "init") != 0)
		return NULL;
	top = thread_stack_top(&task->thread);
	task->thread.affinity = UINT32_MAX;
	task->process = p;
	task->cred = &cred_root;
	cred_get(&cred_root);
	cred_derive(&cred_root);
	task->fdtable = fdtable_create();
	task->fs = fs_state_create(&root_path);
	task->first_run = run_first;
	if (task->fdtable == NULL || task->fs == NULL ||
	    arch_thread_init_user(&task->thread.arch, false) != 0)
		return NULL;
	frame_init_user(arch_user_frame(top), 0, 0);	/* exec fills it in */
	arch_thread_prepare_user(&task->thread.arch, top, arch_user_frame(top));
	return task;
}

/* At boot there is nobody to give memory back to: a failure ends the boot. */
int process_start_init(const char *path, const char *const argv[], const char *const envp[])
{
	struct process *p = process_create();
	struct pid_entry *entry;
	struct task *task;
	irq_state_t state;

	if (p == NULL || (p->sighand = sighand_create()) == NULL)
		return -ENOMEM;
	memcpy(p->limits, initial_limits, sizeof(p->limits));
	task = make_first_task(p);
	if (task == NULL || pid_allocate(1, &entry) != 0)
		return -ENOMEM;
	first.path = path;
	first.argv = argv;
	first.envp = envp;
	p->pid = task->thread.id = 1;
	p->unkillable = true;
	p->exit_signal = SIGCHLD;
	p->leader = task;
	thread_get(&task->thread);
	process_get(p);
	state = spin_lock_irqsave(&process_tree_lock);
	process_link_locked(p, NULL);
	process_add_task_locked(p, task);
	pid_publish_task_locked(entry, task);
	spin_unlock_irqrestore(&process_tree_lock, state);
	if (process_start_session(p) != 0)
		return -ENOMEM;
	sched_start(&task->thread);
	return 0;
}

/* --- another task's parts --------------------------------------------------------------------- */

/* The view changes first, under the lock: whoever finds it there may still count it. */
void task_set_space(struct task *task, struct space *space)
{
	irq_state_t state = spin_lock_irqsave(&task->process->lock);

	task->space_view = space;
	spin_unlock_irqrestore(&task->process->lock, state);
	space_switch_current(space);
}

struct space *task_get_space(struct task *task)
{
	irq_state_t state = spin_lock_irqsave(&task->process->lock);
	struct space *space = task->space_view;

	if (space != NULL)
		space_get(space);
	spin_unlock_irqrestore(&task->process->lock, state);
	return space;
}
