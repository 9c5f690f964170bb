/*
 * execve(2): the current process becomes another program.
 *
 * Everything that can fail is done on the side: the file is opened, strings are copied, the new
 * space is built and filled, credentials are made. Then the other threads are ended, and from the
 * point of no return on nothing can fail: the task takes the leader's id, leaves its old space,
 * closes and resets what exec(2) says, and its frame enters the new program.
 *
 * Path: doc/paths/exec.md.
 */
#include "abi/capability.h"
#include "abi/errno.h"
#include "abi/fcntl.h"
#include "abi/mount.h"
#include "abi/personality.h"
#include "core/trace.h"
#include "lib/bits.h"
#include "lib/format.h"
#include "lib/string.h"
#include "mem/slab.h"
#include "proc/cred_change.h"
#include "proc/exec_internal.h"
#include "vfs/mount.h"

#define STRINGS_LIMIT (6UL << 20)
#define STRINGS_LIMIT_MIN (128UL << 10)

/* --- opening ---------------------------------------------------------------------------------- */

static int check_executable(struct file *file)
{
	struct inode *inode = file->inode;
	int error;

	if (!S_ISREG(inode->mode) || (file->path.mount->flags & MS_NOEXEC) != 0)
		return -EACCES;
	error = inode_permission(inode, X_OK, &cred_current()->vfs);
	if (error == 0)
		error = inode_deny_write(inode);
	return error;
}

/* A program need not be readable to be run: opened as O_PATH first, then for the kernel. */
static int open_path(const struct path_base *base, const char *name, unsigned int lookup,
		     struct file **out)
{
	struct path path;
	int error = path_lookup(&base->ctx, name, lookup, &path);

	if (error != 0)
		return error;
	if (S_ISLNK(path_inode(&path)->mode))
		error = -ELOOP;
	else if (!S_ISREG(path_inode(&path)->mode))
		error = -EACCES;
	else
		error = inode_permission(path_inode(&path), X_OK, base->ctx.cred);
	if (error == 0)
		error = file_open_path(&path, O_RDONLY, &cred_root.vfs, out);
	path_put(&path);
	return error;
}

int exec_open(int dirfd, const char *name, int flags, struct file **out)
{
	unsigned int lookup = ((flags & AT_SYMLINK_NOFOLLOW) == 0 ? LOOKUP_FOLLOW : 0) |
			      ((flags & AT_EMPTY_PATH) != 0 ? LOOKUP_EMPTY : 0);
	struct path_base base;
	struct file *file;
	int error = path_base_get(dirfd, name, &base);

	if (error != 0)
		return error;
	error = open_path(&base, name, lookup, &file);
	path_base_put(&base);
	if (error != 0)
		return error;
	error = check_executable(file);
	if (error != 0) {
		file_put(file);
		return error;
	}
	file->denies_write = true;
	*out = file;
	return 0;
}

int exec_read_header(struct exec_load *load)
{
	ssize_t n = file_read_kernel(load->file, load->header, sizeof(load->header), 0);

	load->header_bytes = n > 0 ? (size_t)n : 0;
	return n < 0 ? (int)n : 0;
}

/* AT_EXECFN and scripts name a file by descriptor through /dev/fd. */
static char *exec_name(int dirfd, const char *name)
{
	char buf[32];

	if (name[0] == '/' || dirfd == AT_FDCWD)
		return kstrdup(name);
	if (name[0] == '\0') {
		format_string(buf, sizeof(buf), "/dev/fd/%d", dirfd);
		return kstrdup(buf);
	} else {
		size_t n = strlen(name) + 24;
		char *full = kmalloc(n);

		if (full != NULL)
			format_string(full, n, "/dev/fd/%d/%s", dirfd, name);
		return full;
	}
}

/* --- credentials ------------------------------------------------------------------------------ */

static int prepare_cred(struct exec_load *load)
{
	const struct cred *old = cred_current();
	struct inode *inode = load->file->inode;
	bool ignore = (load->file->path.mount->flags & MS_NOSUID) != 0 || old->no_new_privs ||
		      ptrace_is_traced(task_current());
	struct cred *cred = cred_copy(old);

	if (cred == NULL)
		return -ENOMEM;
	if (!ignore && (inode->mode & S_ISUID) != 0) {
		load->privileged |= inode->uid != cred->uid;
		cred->euid = inode->uid;
	}
	if (!ignore && (inode->mode & (S_ISGID | S_IXGRP)) == (S_ISGID | S_IXGRP)) {
		load->privileged |= inode->gid != cred->gid;
		cred->egid = inode->gid;
	}
	load->privileged |= cred->euid != cred->uid || cred->egid != cred->gid;
	cred_exec(cred, cred->euid != old->euid || cred->egid != old->egid);
	load->cred = cred;
	return 0;
}

/* --- prepare ---------------------------------------------------------------------------------- */

static int copy_strings(struct exec_load *load, user_addr_t argv, user_addr_t envp,
			size_t pointer_bytes)
{
	size_t limit = process_limit(RLIMIT_STACK) / 4;
	int error;

	limit = MAX(MIN(limit, STRINGS_LIMIT), STRINGS_LIMIT_MIN);
	load->argv.limit_bytes = limit;
	error = exec_strings_add_user(&load->argv, argv, pointer_bytes);
	if (error == 0 && load->argv.count == 0)
		error = exec_strings_add_kernel(&load->argv, "");
	if (error != 0)
		return error;
	load->envp.limit_bytes = limit - MIN(limit, load->argv.bytes + load->argv.count * 8);
	return exec_strings_add_user(&load->envp, envp, pointer_bytes);
}

static bool wants_random(void)
{
	return exec_random_allowed && (process_current()->personality & ADDR_NO_RANDOMIZE) == 0;
}

static void set_space_limits(struct space *space)
{
	space->limit_as_bytes = process_limit(RLIMIT_AS);
	space->limit_data_bytes = process_limit(RLIMIT_DATA);
	space->limit_stack_bytes = process_limit(RLIMIT_STACK);
	space->limit_memlock_bytes = process_limit(RLIMIT_MEMLOCK);
}

static int build_space(struct exec_load *load)
{
	int error;

	load->randomize = wants_random();
	load->space = space_create();
	if (load->space == NULL)
		return -ENOMEM;
	set_space_limits(load->space);
	load->space->huge_disabled = space_current() != NULL && space_current()->huge_disabled;
	exec_place_space(load);
	error = elf_load(load);
	if (error == 0)
		error = exec_build_stack(load);
	if (error != 0)
		return error;
	load->space->dumpable = !load->privileged;
	load->space->exe_file = load->file;
	file_get(load->file);
	return 0;
}

static int prepare_image(struct exec_load *load)
{
	int depth = 0, error;

	do {
		error = depth++ == 0 ? exec_read_header(load) : 0;
		if (error == 0)
			error = script_resolve(load);
	} while (error == 1 && depth <= EXEC_SCRIPT_DEPTH);
	if (error == 1)
		error = -ELOOP;
	if (error == 0)
		error = prepare_cred(load);
	if (error == 0)
		error = build_space(load);
	return error;
}

static void load_fini(struct exec_load *load)
{
	for (size_t i = 0; i < load->prefix_count; i++)
		kfree(load->prefix[i]);
	exec_strings_fini(&load->argv);
	exec_strings_fini(&load->envp);
	if (load->cred != NULL)
		cred_put(load->cred);
	if (load->space != NULL)
		space_put(load->space);
	if (load->file != NULL)
		file_put(load->file);
	kfree(load->name);
}

/* --- alone ------------------------------------------------------------------------------------ */

static bool is_alone(struct process *p)
{
	return read_once(p->task_count) == 1;
}

/* Ends all other tasks. -EAGAIN: the process is ending, or another task execs. */
static int end_other_tasks(struct process *p, struct task *self)
{
	struct task *task;
	irq_state_t state = signal_lock(p);

	if (p->exiting || p->exec_task != NULL) {
		signal_unlock(p, state);
		return -EAGAIN;
	}
	p->exec_task = self;
	list_for_each(task, &p->tasks, process_node) {
		if (task != self && !task->exiting) {
			task->exiting_for_exec = true;
			signal_kick(&task->thread, true);
		}
	}
	signal_leave_stop_locked(p);
	signal_unlock(p, state);
	if (wait_event_killable(&p->exit_wait, is_alone(p)) == 0)
		return 0;
	state = signal_lock(p);
	p->exec_task = NULL;
	signal_unlock(p, state);
	return -EAGAIN;
}

/* The ended leader's place and number become the current task's. Its own number is given back. */
static void take_over_leader(struct process *p, struct task *self)
{
	struct task *leader = p->leader;
	irq_state_t tree, state;

	if (leader == self)
		return;
	tree = spin_lock_irqsave(&process_tree_lock);
	task_unlink_locked(self);
	pid_find_locked(p->pid)->task = self;
	state = signal_lock(p);
	process_remove_task_locked(p, leader);
	self->thread.id = p->pid;
	p->leader = self;
	thread_get(&self->thread);
	signal_unlock(p, state);
	spin_unlock_irqrestore(&process_tree_lock, tree);
	task_put(leader);
}

/* --- commit ----------------------------------------------------------------------------------- */

static void set_name(struct task *task, const char *path)
{
	const char *slash = strrchr(path, '/');

	/* The trace takes all of it. */
	memset(task->thread.name, 0, sizeof(task->thread.name));
	strlcpy(task->thread.name, slash != NULL ? slash + 1 : path, sizeof(task->thread.name));
}

static void reset_task(struct task *task)
{
	task->robust_list = user_addr(0);
	task->set_child_tid = user_addr(0);
	task->alt_stack_base = task->alt_stack_size = 0;
	task->alt_stack_flags = 0;
	task->restart_kind = 0;
	arch_thread_reset_user(&task->thread.arch);
}

/* What signal_lock() holds is given back by name: the process's handlers change in between. */
static void replace_handlers(struct process *p, struct sighand *handlers) NO_LOCK_ANALYSIS
{
	irq_state_t state = signal_lock(p);
	struct sighand *old = p->sighand;

	sighand_copy_actions(handlers, old);
	spin_unlock(&old->lock);
	p->sighand = handlers;
	spin_unlock_irqrestore(&p->lock, state);
	sighand_put(old);
}

/* Nothing here can fail. */
/* The task has the leader's number from here on. */
static never_inline void trace_new_program(struct task *task, uint64_t entry)
{
	irq_state_t irq = arch_irq_save();

	trace_set_thread(task->thread.id);
	task_trace_name(task);
	trace_exec(task->process->pid, entry);
	arch_irq_restore(irq);
}

static void commit(struct exec_load *load, struct sighand *handlers)
{
	struct task *task = task_current();
	struct process *p = task->process;
	struct trap_frame *frame = arch_user_frame(thread_stack_top(&task->thread));
	irq_state_t state;

	task_release_memory(task);	/* first: locks in memory name it by its own number */
	take_over_leader(p, task);
	task_set_space(task, load->space);
	load->space = NULL;
	itimers_exec(p);
	if (handlers != NULL)
		replace_handlers(p, handlers);
	signal_reset_for_exec(p);
	fdtable_close_on_exec(task->fdtable);
	cred_commit(load->cred);
	load->cred = NULL;
	task->thread.space->dumpable = !load->privileged;
	if (load->privileged)
		task->parent_death_signal = 0;
	set_name(task, load->name);
	reset_task(task);
	p->did_exec = true;
	p->exit_signal = SIGCHLD;
	state = signal_lock(p);
	p->exec_task = NULL;
	signal_unlock(p, state);
	task->syscall_nr = (uint64_t)-1;
	frame_init_user(frame, load->entry, load->stack_pointer);
	if (unlikely(trace_is_on()))
		trace_new_program(task, load->entry);
}

static int prepare_tables(struct task *task, struct sighand **handlers)
{
	int error = fdtable_unshare();

	if (error == 0)
		error = fdtable_prepare_exec(task->fdtable);
	*handlers = NULL;
	if (error == 0 && refcount_read(&task->process->sighand->references) > 1) {
		*handlers = sighand_create();
		error = *handlers != NULL ? 0 : -ENOMEM;
	}
	return error;
}

static int exec_loaded(struct exec_load *load)
{
	struct task *task = task_current();
	struct sighand *handlers;
	int error = prepare_image(load);

	if (error != 0)
		return error;
	error = prepare_tables(task, &handlers);
	if (error != 0)
		return error;
	error = end_other_tasks(task->process, task);
	if (error != 0) {
		if (handlers != NULL)
			sighand_put(handlers);
		return error;
	}
	commit(load, handlers);
	return 0;
}

int process_exec(int dirfd, const char *name, user_addr_t argv, user_addr_t envp,
		 size_t pointer_bytes, int flags)
{
	struct exec_load *load = kzalloc(sizeof(*load));
	int error;

	if (load == NULL)
		return -ENOMEM;
	error = exec_open(dirfd, name, flags, &load->file);
	if (error == 0) {
		load->name = exec_name(dirfd, name);
		error = load->name != NULL ? 0 : -ENOMEM;
	}
	if (error == 0)
		error = copy_strings(load, argv, envp, pointer_bytes);
	if (error == 0)
		error = exec_loaded(load);
	load_fini(load);
	kfree(load);
	return error;
}

/* --- from the kernel: PID 1 ------------------------------------------------------------------- */

static int add_kernel_strings(struct exec_strings *s, const char *const vector[])
{
	int error = 0;

	s->limit_bytes = STRINGS_LIMIT_MIN;
	for (size_t i = 0; vector[i] != NULL && error == 0; i++)
		error = exec_strings_add_kernel(s, vector[i]);
	return error;
}

int process_exec_kernel(const char *name, const char *const argv[], const char *const envp[])
{
	struct exec_load *load = kzalloc(sizeof(*load));
	int error;

	if (load == NULL)
		return -ENOMEM;
	error = exec_open(AT_FDCWD, name, 0, &load->file);
	load->name = kstrdup(name);
	if (error == 0 && load->name == NULL)
		error = -ENOMEM;
	if (error == 0)
		error = add_kernel_strings(&load->argv, argv);
	if (error == 0)
		error = add_kernel_strings(&load->envp, envp);
	if (error == 0)
		error = exec_loaded(load);
	load_fini(load);
	kfree(load);
	return error;
}
