/*
 * fork, vfork, clone, clone3: a new task, in a new process or in this one.
 *
 * process_clone() is prepare and commit. Prepare makes everything that can fail and shows nothing:
 * memory, the shared or copied parts, the id, the child's stack with a copy of the frame that this
 * call got (never of what was saved last). Commit links the child into the tree and makes it
 * runnable; it cannot fail. The child begins in thread_first_return(), like any other thread on its
 * way to user mode: no code asks which of the two it is.
 *
 * Path: doc/paths/fork.md.
 */
#include "abi/errno.h"
#include "abi/sched.h"
#include "core/fail_point.h"
#include "core/trace.h"
#include "core/user_copy.h"
#include "lib/string.h"
#include "mem/slab.h"
#include "proc/compare.h"
#include "proc/pidfd.h"
#include "proc/proc_internal.h"
#include "proc/step.h"

#define CLONE_NAMESPACES                                                                          \
	(CLONE_NEWNS | CLONE_NEWCGROUP | CLONE_NEWUTS | CLONE_NEWIPC | CLONE_NEWUSER |            \
	 CLONE_NEWPID | CLONE_NEWNET | CLONE_NEWTIME)

struct clone_plan {
	const struct clone_request *request;
	struct task *child;
	struct process *process;		/* the child's: counted for it */
	bool new_process;
	struct pid_entry *entry;
	struct vfork_completion *vfork;
	struct file *pidfd_file;
	int pidfd;
};

static int check_flags(const struct clone_request *r)
{
	uint64_t flags = r->flags;

	if ((flags & (CLONE_NEWNS | CLONE_FS)) == (CLONE_NEWNS | CLONE_FS))
		return -EINVAL;
	if ((flags & (CLONE_NEWUSER | CLONE_FS)) == (CLONE_NEWUSER | CLONE_FS))
		return -EINVAL;
	if ((flags & CLONE_THREAD) != 0 && (flags & CLONE_SIGHAND) == 0)
		return -EINVAL;
	if ((flags & CLONE_SIGHAND) != 0 && (flags & CLONE_VM) == 0)
		return -EINVAL;
	if ((flags & CLONE_PARENT) != 0 && process_current()->unkillable)
		return -EINVAL;
	if ((flags & CLONE_THREAD) != 0 && (flags & (CLONE_NEWUSER | CLONE_NEWPID)) != 0)
		return -EINVAL;
	if ((flags & CLONE_PIDFD) != 0 && (flags & (CLONE_DETACHED | CLONE_THREAD)) != 0)
		return -EINVAL;
	if ((flags & CLONE_CLEAR_SIGHAND) != 0 && (flags & CLONE_SIGHAND) != 0)
		return -EINVAL;
	/* There is one namespace of each kind. */
	if ((flags & CLONE_NAMESPACES) != 0)
		return capable(21 /* CAP_SYS_ADMIN */) ? -EINVAL : -EPERM;
	return 0;
}

/* RLIMIT_NPROC is the user's: root is exempt; the whole system is bounded by the ids. */
static int check_process_count(void)
{
	const struct cred *cred = task_current()->cred;
	uint32_t mine = 0;
	struct process *p;
	irq_state_t state;

	if (cred->uid == 0 || process_limit(RLIMIT_NPROC) >= pid_count())
		return 0;
	state = spin_lock_irqsave(&process_tree_lock);
	list_for_each(p, &process_all, all_node) {
		if (process_uid_locked(p) == cred->uid)
			mine += p->task_count;
	}
	spin_unlock_irqrestore(&process_tree_lock, state);
	return mine >= process_limit(RLIMIT_NPROC) ? -EAGAIN : 0;
}

/* --- prepare: the parts ----------------------------------------------------------------------- */

static int prepare_thread(struct clone_plan *plan)
{
	struct task *self = task_current(), *child = task_create();
	int error;

	if (child == NULL)
		return -ENOMEM;
	error = thread_init(&child->thread, self->thread.name);
	if (error != 0) {
		task_free(child);
		return error;
	}
	plan->child = child;		/* from here on one put undoes it */
	error = arch_thread_init_user(&child->thread.arch, true);
	if (error != 0)
		return error;
	child->cred = self->cred;
	cred_get(child->cred);
	child->blocked = self->blocked;
	if (self->sched_reset_on_fork) {
		if (self->thread.policy == SCHED_FIFO || self->thread.policy == SCHED_RR)
			sched_set_policy(&child->thread, SCHED_OTHER, 0);
		if (child->thread.nice < 0 || child->thread.policy != self->thread.policy)
			sched_set_nice(&child->thread, 0);
	}
	child->timer_slack_ns = self->timer_slack_ns;
	/* Else what programs with few calls do would never be sampled. */
	child->sample_count = self->sample_count;
	child->machine_check_policy = self->machine_check_policy;
	return 0;
}

static int prepare_files(struct clone_plan *plan)
{
	struct task *self = task_current(), *child = plan->child;

	if ((plan->request->flags & CLONE_FILES) != 0) {
		child->fdtable = self->fdtable;
		fdtable_get(child->fdtable);
	} else {
		child->fdtable = fdtable_copy(self->fdtable);
	}
	if ((plan->request->flags & CLONE_FS) != 0) {
		child->fs = self->fs;
		fs_state_get(child->fs);
	} else {
		child->fs = fs_state_copy(self->fs);
	}
	return child->fdtable == NULL || child->fs == NULL ? -ENOMEM : 0;
}

static int prepare_space(struct clone_plan *plan, const struct trap_frame *frame)
{
	struct task *self = task_current(), *child = plan->child;
	struct space *space = self->thread.space;
	int error;

	if ((plan->request->flags & CLONE_VM) != 0) {
		space_get(space);
	} else {
		error = space_fork(self->thread.space, frame_sp(frame), &space);
		if (error != 0)
			return error;
	}
	child->thread.space = child->space_view = space;
	/* The alternate stack belongs to the memory; a thread in the same memory gets none. */
	if ((plan->request->flags & (CLONE_VM | CLONE_VFORK)) != CLONE_VM) {
		child->alt_stack_base = self->alt_stack_base;
		child->alt_stack_size = self->alt_stack_size;
		child->alt_stack_flags = self->alt_stack_flags;
	}
	/* rseq follows the memory too: a forked child keeps the registration. */
	if ((plan->request->flags & CLONE_VM) == 0) {
		child->rseq = self->rseq;
		child->rseq_bytes = self->rseq_bytes;
		child->rseq_signature = self->rseq_signature;
		child->rseq_cpu = self->rseq_cpu;
	}
	return 0;
}

static struct sighand *sighand_copy(struct process *from, bool clear)
{
	struct sighand *copy = sighand_create();
	irq_state_t state;

	if (copy == NULL)
		return NULL;
	state = signal_lock(from);
	sighand_copy_actions(copy, from->sighand);
	signal_unlock(from, state);
	if (clear)
		sighand_reset_handlers(copy);
	return copy;
}

static int prepare_process(struct clone_plan *plan)
{
	struct process *self = process_current(), *p;
	uint64_t flags = plan->request->flags;
	irq_state_t state;

	if ((flags & CLONE_THREAD) != 0) {
		process_get(self);
		plan->child->process = plan->process = self;
		return 0;
	}
	p = process_create();
	if (p == NULL)
		return -ENOMEM;
	plan->new_process = true;
	plan->child->process = plan->process = p;
	if ((flags & CLONE_SIGHAND) != 0) {
		p->sighand = self->sighand;
		sighand_get(p->sighand);
	} else {
		p->sighand = sighand_copy(self, (flags & CLONE_CLEAR_SIGHAND) != 0);
		if (p->sighand == NULL)
			return -ENOMEM;
	}
	state = spin_lock_irqsave(&self->lock);
	memcpy(p->limits, self->limits, sizeof(p->limits));
	spin_unlock_irqrestore(&self->lock, state);
	p->personality = self->personality;
	p->oom_score_adj = self->oom_score_adj;
	p->exit_signal = (flags & CLONE_PARENT) != 0 ? self->exit_signal :
						       plan->request->exit_signal;
	return p->limits[RLIMIT_CPU].rlim_cur != RLIM_INFINITY ? itimers_inherit(p) : 0;
}

static int prepare_id(struct clone_plan *plan)
{
	const struct clone_request *r = plan->request;
	int error;

	if (r->set_tid_count > 1)
		return -EINVAL;
	if (r->set_tid_count == 1 && (r->set_tid[0] == 0 || !capable(21 /* CAP_SYS_ADMIN */)))
		return r->set_tid[0] == 0 ? -EINVAL : -EPERM;
	error = pid_allocate(r->set_tid_count == 1 ? r->set_tid[0] : 0, &plan->entry);
	if (error != 0)
		return error;
	plan->child->thread.id = plan->entry->id;
	if (plan->new_process)
		plan->process->pid = plan->entry->id;
	return 0;
}

static int prepare_vfork(struct clone_plan *plan)
{
	struct vfork_completion *vfork;

	if ((plan->request->flags & CLONE_VFORK) == 0)
		return 0;
	vfork = kmalloc(sizeof(*vfork));
	if (vfork == NULL)
		return -ENOMEM;
	refcount_init(&vfork->references);
	vfork->done = false;
	wait_queue_init(&vfork->wait);
	plan->vfork = vfork;
	return 0;
}

/*
 * The descriptor is in the parent's table already, empty; the number is told before the child runs.
 */
static int prepare_pidfd(struct clone_plan *plan)
{
	int error;

	if ((plan->request->flags & CLONE_PIDFD) == 0)
		return 0;
	error = pidfd_create_file(plan->process, 0, &plan->pidfd_file);
	if (error != 0)
		return error;
	plan->pidfd = fd_reserve(0, true);
	if (plan->pidfd < 0) {
		file_put(plan->pidfd_file);
		return plan->pidfd;
	}
	if (user_store32(plan->request->pidfd, (uint32_t)plan->pidfd) != 0) {
		fd_cancel(plan->pidfd);
		file_put(plan->pidfd_file);
		plan->pidfd = -1;
		return -EFAULT;
	}
	return 0;
}

/* The child's user registers: the caller's as they were at this call, with result 0. */
static void prepare_frame(struct clone_plan *plan, const struct trap_frame *frame)
{
	const struct clone_request *r = plan->request;
	struct thread *thread = &plan->child->thread;
	void *top = thread_stack_top(thread);
	struct trap_frame *planted;

	arch_thread_prepare_user(&thread->arch, top, frame);
	planted = arch_user_frame(top);
	frame_set_result(planted, 0);
	step_child(planted);
	thread->user_pc = frame_pc(planted);	/* where the monitor says it is */
	if (r->stack != 0)
		frame_set_sp(planted, r->stack + r->stack_size);
	if ((r->flags & CLONE_SETTLS) != 0)
		thread->arch.fs_base = r->tls;
	if ((r->flags & CLONE_CHILD_SETTID) != 0)
		plan->child->set_child_tid = r->child_tid;
	if ((r->flags & CLONE_CHILD_CLEARTID) != 0)
		plan->child->clear_child_tid = r->child_tid;
}

/* --- undo ------------------------------------------------------------------------------------- */

static void undo(struct clone_plan *plan)
{
	struct task *child = plan->child;

	if (plan->pidfd >= 0) {
		fd_cancel(plan->pidfd);
		file_put(plan->pidfd_file);
	}
	kfree(plan->vfork);
	if (plan->entry != NULL)
		pid_cancel(plan->entry);
	if (child == NULL)
		return;
	if (plan->new_process)
		itimers_exit(plan->process);
	if (child->thread.space != NULL)
		space_put(child->thread.space);
	if (child->fdtable != NULL)
		fdtable_put(child->fdtable);
	if (child->fs != NULL)
		fs_state_put(child->fs);
	child->thread.space = NULL;
	thread_put(&child->thread);		/* its process and credentials with it */
}

static int prepare(struct clone_plan *plan, const struct trap_frame *frame)
{
	int error = check_flags(plan->request);

	if (error == 0)
		error = check_process_count();
	if (error == 0)
		error = prepare_thread(plan);
	if (error == 0)
		error = prepare_process(plan);
	if (error == 0)
		error = prepare_files(plan);
	if (error == 0)
		error = prepare_space(plan, frame);
	if (error == 0)
		error = prepare_vfork(plan);
	if (error == 0)
		error = prepare_id(plan);
	if (error == 0)
		error = prepare_pidfd(plan);
	if (error == 0)
		prepare_frame(plan, frame);
	return error;
}

/* --- commit ----------------------------------------------------------------------------------- */

/*
 * A signal that came for the whole process or group must not miss a child that was made while it
 * was sent: with one pending the call is made anew after it (as Linux does).
 */
static int may_commit_locked(struct clone_plan *plan)
{
	struct task *self = task_current();

	if (read_once(self->thread.pending_signal))
		return -ERESTARTNOINTR;
	if (!plan->new_process && (plan->process->exiting || plan->process->exec_task != NULL))
		return -EAGAIN;
	return 0;
}

static void link_process_locked(struct clone_plan *plan) REQUIRES(&process_tree_lock)
{
	struct process *p = plan->process, *self = process_current();
	struct process *parent = (plan->request->flags & CLONE_PARENT) != 0 ? self->parent : self;

	assert_held(&process_tree_lock);
	process_link_locked(p, parent);
	process_set_group_locked(p, self->group);
	p->leader = plan->child;
	thread_get(&plan->child->thread);
	process_get(p);			/* existence, until it is reaped */
}

static int commit(struct clone_plan *plan)
{
	struct process *p = plan->process;
	struct task *child = plan->child;
	irq_state_t tree = spin_lock_irqsave(&process_tree_lock), state;
	int error;

	state = signal_lock(p);
	error = may_commit_locked(plan);
	if (error == 0) {
		/* Nothing below can fail. */
		process_add_task_locked(p, child);
		signal_recalculate_locked(child);
		child->vfork = plan->vfork;
		if (plan->vfork != NULL)
			refcount_get(&plan->vfork->references);
	}
	signal_unlock(p, state);
	if (error == 0) {
		if (plan->new_process)
			link_process_locked(plan);
		pid_publish_task_locked(plan->entry, child);
	}
	spin_unlock_irqrestore(&process_tree_lock, tree);
	return error;
}

/* A parent that is killed stops waiting; the child goes on in the memory that it holds itself. */
static void wait_for_vfork(struct vfork_completion *vfork)
{
	(void)wait_event_killable(&vfork->wait, read_once(vfork->done));
	if (refcount_put(&vfork->references))
		kfree(vfork);
}

long process_clone(const struct clone_request *request, const struct trap_frame *frame)
{
	struct clone_plan plan = { .request = request, .pidfd = -1 };
	uint32_t tid;
	int error;

	trace_process_fork_prepare(process_current()->pid, request->flags);
	error = prepare(&plan, frame);
	if (error == 0) {
		tid = plan.entry->id;
		error = commit(&plan);
	}
	if (error != 0) {
		undo(&plan);
		return error;
	}
	trace_process_fork_commit(process_current()->pid, tid, plan.child->process->pid);
	task_trace_name(plan.child);
	compare_fork(plan.child, frame);
	if (plan.pidfd >= 0)
		fd_install(plan.pidfd, plan.pidfd_file);
	if ((request->flags & CLONE_PARENT_SETTID) != 0)
		(void)!user_store32(request->parent_tid, tid);
	sched_start(&plan.child->thread);
	if (plan.vfork != NULL)
		wait_for_vfork(plan.vfork);
	return tid;
}
