/*
 * Delivering signals: user_return()'s part.
 *
 * Each pass takes one signal and either acts on it by default or plants a handler's frame on the
 * user's stack. A system call that was interrupted is first put back or turned into EINTR, before
 * the first frame is built: that is what the -ERESTART family asks for (signal(7)):
 *
 *	ERESTARTSYS		made anew if the handler has SA_RESTART, or when no handler runs
 *	ERESTARTNOINTR		always made anew
 *	ERESTARTNOHAND		made anew only when no handler runs
 *	ERESTART_RESTARTBLOCK	when no handler runs, goes on as restart_syscall(2)
 *
 * Job control: the task that takes a stop signal starts the stop of the process; every task stops
 * here, and the last one tells the parent.
 */
#include "proc/proc_internal.h"

#include "abi/errno.h"
#include "abi/unistd.h"
#include "abi/wait.h"
#include "core/klog.h"
#include "lib/string.h"
#include "proc/restart.h"

/* --- the mask --------------------------------------------------------------------------------- */

void signal_set_blocked(struct task *task, uint64_t mask)
{
	struct process *p = task->process;
	irq_state_t state = signal_lock(p);
	uint64_t newly_blocked;

	mask &= ~signal_unmaskable();
	newly_blocked = mask & ~task->blocked;
	task->blocked = mask;
	signal_recalculate_locked(task);
	if (unlikely((newly_blocked & p->shared_pending.mask) != 0))
		signal_hand_over_locked(task, newly_blocked);
	signal_unlock(p, state);
}

/* Signals of the process that this task will not take any more wake somebody who can. */
void signal_hand_over_locked(struct task *task, uint64_t mask)
{
	struct process *p = task->process;
	uint64_t left = p->shared_pending.mask & mask;
	struct task *other;

	if (left == 0 || p->task_count < 2)
		return;
	list_for_each(other, &p->tasks, process_node) {
		if (other != task && !other->exiting && (left & ~other->blocked) != 0) {
			left &= other->blocked;
			signal_kick(&other->thread, false);
		}
	}
}

void signal_task_exiting(struct task *task)
{
	struct process *p = task->process;
	irq_state_t state = signal_lock(p);

	task->exiting = true;
	signal_hand_over_locked(task, ~task->blocked);
	/* Under the lock: a timer's own entry may be among them, and go before the task does. */
	sigqueue_flush(&task->pending, ~0ULL);
	/* A stop that waits for this task need not any more. */
	if (p->stop_pending && p->stopped_count >= signal_live_tasks_locked(p))
		signal_stop_completed_locked(p);
	signal_unlock(p, state);
	signal_notify_stop(p);
}

/* --- restarting the interrupted call ---------------------------------------------------------- */

static bool is_restart_code(uint64_t result)
{
	return result >= (uint64_t)-ERESTART_RESTARTBLOCK && result <= (uint64_t)-ERESTARTSYS;
}

/* Before a handler's frame: `flags` are its sigaction's. */
static void restart_for_handler(struct trap_frame *frame, struct task *task, uint64_t flags)
{
	uint64_t result = frame_result(frame);

	if (task->syscall_nr == (uint64_t)-1 || !is_restart_code(result))
		return;
	task->syscall_nr = (uint64_t)-1;
	if (result == (uint64_t)-ERESTARTNOINTR ||
	    (result == (uint64_t)-ERESTARTSYS && (flags & SA_RESTART) != 0))
		frame_restart_syscall(frame, -1);
	else
		frame_set_result(frame, (uint64_t)-EINTR);
}

static void restart_without_handler(struct trap_frame *frame, struct task *task)
{
	uint64_t result = frame_result(frame);

	if (task->syscall_nr == (uint64_t)-1 || !is_restart_code(result))
		return;
	task->syscall_nr = (uint64_t)-1;
	frame_restart_syscall(frame, result == (uint64_t)-ERESTART_RESTARTBLOCK ?
				     ABI_NR_restart_syscall : -1);
}

/* --- handlers --------------------------------------------------------------------------------- */

static bool on_alternate_stack(const struct task *task, uint64_t sp)
{
	return task->alt_stack_size != 0 && sp > task->alt_stack_base &&
	       sp - task->alt_stack_base <= task->alt_stack_size;
}

static int push_frame(struct trap_frame *frame, struct task *task, int signo,
		      const struct signal_action *action, const struct abi_siginfo *info)
{
	bool on_it = on_alternate_stack(task, frame_sp(frame));
	struct signal_delivery d = {
		.signo = signo,
		.handler = action->handler,
		.restorer = action->restorer,
		.flags = action->flags,
		.mask = task->restore_mask ? task->saved_mask : task->blocked,
		.info = info,
		.stack_base = task->alt_stack_base,
		.stack_size = task->alt_stack_size,
		.stack_flags = task->alt_stack_size == 0 ? SS_DISABLE :
			       (task->alt_stack_flags & SS_AUTODISARM) | (on_it ? SS_ONSTACK : 0),
		.switch_stack = (action->flags & SA_ONSTACK) != 0 && task->alt_stack_size != 0 &&
				(!on_it || (task->alt_stack_flags & SS_AUTODISARM) != 0),
		.trap_number = task->trap_number,
		.error_code = task->trap_error,
		.fault_address = task->trap_address,
	};

	return arch_signal_push(frame, &d);
}

static void run_handler(struct trap_frame *frame, struct task *task, int signo,
			const struct signal_action *action, const struct abi_siginfo *info)
{
	uint64_t mask = task->blocked | action->mask;

	restart_for_handler(frame, task, action->flags);
	rseq_signal_delivered(task, frame);
	if (push_frame(frame, task, signo, action, info) != 0) {
		signal_force_default(SIGSEGV, signo == SIGSEGV);
		return;
	}
	task->restore_mask = false;
	if ((action->flags & SA_NODEFER) == 0)
		mask |= sigmask_of(signo);
	if ((task->alt_stack_flags & SS_AUTODISARM) != 0 && task->alt_stack_size != 0) {
		task->alt_stack_size = 0;
		task->alt_stack_base = 0;
		task->alt_stack_flags = SS_DISABLE;
	}
	signal_set_blocked(task, mask);
}

/* A frame could not be written. `always`: the handler itself is at fault. */
void signal_force_default(int signo, bool always)
{
	struct process *p = process_current();
	struct abi_siginfo info = { .si_signo = signo, .si_code = SI_KERNEL };

	if (always) {
		irq_state_t state = signal_lock(p);

		signal_reset_action_locked(p->sighand, signo);
		signal_unlock(p, state);
	}
	signal_force(signo, &info);
}

/* --- stopping --------------------------------------------------------------------------------- */

uint32_t signal_live_tasks_locked(struct process *p)
{
	struct task *task;
	uint32_t live = 0;

	list_for_each(task, &p->tasks, process_node)
		live += !task->exiting;
	return live;
}

void signal_stop_completed_locked(struct process *p)
{
	p->stopped = true;
	p->stop_reported = false;
	p->stop_notify = true;
}

/* Tells the parent of a stop or continuation that was noted under the signal lock. */
void signal_notify_stop(struct process *p)
{
	struct abi_siginfo info = { .si_signo = SIGCHLD };
	struct sigqueue_entry *entry;
	bool stop_event, continue_event;
	irq_state_t state;

	if (!read_once(p->stop_notify) && !read_once(p->continue_notify))
		return;
	entry = sigqueue_entry_create(&info);
	state = spin_lock_irqsave(&process_tree_lock);
	spin_lock(&p->lock);
	spin_lock(&p->sighand->lock);
	stop_event = p->stop_notify;
	continue_event = p->continue_notify;
	p->stop_notify = p->continue_notify = false;
	info.si_code = stop_event ? CLD_STOPPED : CLD_CONTINUED;
	info.child.status = stop_event ? p->stop_signal : SIGCONT;
	spin_unlock(&p->sighand->lock);
	spin_unlock(&p->lock);
	if (stop_event || continue_event)
		process_notify_parent_locked(p, SIGCHLD, entry, &info);
	else
		sigqueue_entry_free(entry);
	spin_unlock_irqrestore(&process_tree_lock, state);
}

/* Nothing that stops the process holds any more: its tasks leave their stop. */
void signal_leave_stop_locked(struct process *p)
{
	p->stop_pending = false;
	p->stopped = false;
	p->stop_notify = false;
	wake_up_all(&p->stop_wait);
}

void signal_continue_locked(struct process *p)
{
	bool was = p->stopped;

	p->continue_count++;
	if (was || p->stop_pending) {
		signal_leave_stop_locked(p);
		if (was) {
			p->continued_pending = true;
			p->continue_notify = true;
			/* The continued task itself tells the parent, on its way out. */
			if (p->leader != NULL)
				signal_kick(&p->leader->thread, false);
		}
	}
}

static void start_stop_locked(struct process *p, int signo)
{
	struct task *task;

	p->stop_pending = true;
	p->stop_signal = signo;
	p->continued_pending = false;
	list_for_each(task, &p->tasks, process_node) {
		if (!task->exiting && &task->thread != thread_current())
			signal_kick(&task->thread, false);
	}
}

/* The current task takes part in its process's stop until it ends. */
static void stop_here(struct task *task)
{
	struct process *p = task->process;
	irq_state_t state = signal_lock(p);

	if (!p->stop_pending) {
		signal_unlock(p, state);
		return;
	}
	p->stopped_count++;
	if (p->stopped_count >= signal_live_tasks_locked(p) && !p->stopped)
		signal_stop_completed_locked(p);
	signal_unlock(p, state);
	signal_notify_stop(p);
	(void)wait_event_killable(&p->stop_wait, !read_once(p->stop_pending));
	state = signal_lock(p);
	p->stopped_count--;
	signal_recalculate_locked(task);
	signal_unlock(p, state);
	signal_notify_stop(p);
}

/* SIGTSTP and its like have no effect in an orphaned group: nobody could continue it. Nor has a
 * stop that a SIGCONT followed after it was taken, when there were `continues` of them. */
static void act_stop(struct task *task, int signo, uint32_t continues)
{
	struct process *p = task->process;
	irq_state_t state;

	if (signo != SIGSTOP) {
		bool orphaned;

		state = spin_lock_irqsave(&process_tree_lock);
		orphaned = group_is_orphaned_locked(p->group, NULL);
		spin_unlock_irqrestore(&process_tree_lock, state);
		if (orphaned)
			return;
	}
	state = signal_lock(p);
	if (!p->exiting && p->continue_count == continues)
		start_stop_locked(p, signo);
	signal_unlock(p, state);
}

/* --- one pass --------------------------------------------------------------------------------- */

static void act_terminate(struct task *task, int signo)
{
	log_debug("pid %u (%s): ended by signal %d", task->process->pid, task->thread.name, signo);
	process_exit_group(wait_status_signaled(signo, false));	/* no core is written */
}

static void act_default(struct task *task, int signo, uint32_t continues)
{
	if (signal_default_is_ignore(signo))
		return;
	if (task->process->unkillable && task->forced_signal != signo && signo != SIGKILL)
		return;
	if (signal_default_is_stop(signo))
		act_stop(task, signo, continues);
	else
		act_terminate(task, signo);
}

/* Takes a signal, its action as it stands now, and the count of SIGCONTs; 0: none. */
static int take_next(struct task *task, struct abi_siginfo *info, struct signal_action *action,
		     uint32_t *continues)
{
	struct process *p = task->process;
	irq_state_t state = signal_lock(p);
	int signo = 0;

	if (!p->exiting && !task->exiting_for_exec && !p->stop_pending)
		signo = signal_take_locked(task, ~task->blocked, info);
	*continues = p->continue_count;
	if (signo != 0) {
		*action = *signal_action_locked(p->sighand, signo);
		if (action->handler > SIG_IGN && (action->flags & SA_RESETHAND) != 0)
			signal_reset_action_locked(p->sighand, signo);
	}
	signal_recalculate_locked(task);
	signal_unlock(p, state);
	return signo;
}

void signal_deliver(struct trap_frame *frame)
{
	struct task *task = task_current();
	struct process *p = task->process;
	struct signal_action action;
	struct abi_siginfo info;
	uint32_t continues;
	int signo;

	for (;;) {
		if (read_once(p->exiting) || read_once(task->exiting_for_exec))
			task_exit(p->exit_status);
		signal_notify_stop(p);
		ptrace_stop_if_asked(task, frame);
		if (read_once(p->stop_pending)) {
			stop_here(task);
			continue;
		}
		signo = take_next(task, &info, &action, &continues);
		if (signo == 0) {
			if (read_once(p->exiting) || read_once(p->stop_pending) ||
			    read_once(task->exiting_for_exec))
				continue;
			break;
		}
		signo = ptrace_signal(task, frame, signo, &info, &action);
		if (signo == 0 || action.handler == SIG_IGN)
			continue;
		trace_signal_deliver((uint64_t)signo, action.handler);
		if (action.handler != SIG_DFL) {
			run_handler(frame, task, signo, &action, &info);
			return;
		}
		act_default(task, signo, continues);
		task->forced_signal = 0;
	}
	restart_without_handler(frame, task);
	if (task->restore_mask) {
		task->restore_mask = false;
		signal_set_blocked(task, task->saved_mask);
	}
}

/* --- rt_sigreturn ----------------------------------------------------------------------------- */

long signal_return(struct trap_frame *frame)
{
	struct task *task = task_current();
	struct signal_restore restore;

	task->syscall_nr = (uint64_t)-1;	/* whatever the frame holds is no restart code */
	if (arch_signal_pop(frame, &restore) != 0) {
		signal_force_default(SIGSEGV, false);
		return 0;
	}
	signal_set_blocked(task, restore.mask);
	(void)signal_set_alt_stack(task, frame_sp(frame), restore.stack_base, restore.stack_size,
				   restore.stack_flags);
	return (long)frame_result(frame);
}

int signal_set_alt_stack(struct task *task, uint64_t sp, uint64_t base, uint64_t size,
			 uint32_t flags)
{
	uint32_t mode = flags & ~SS_AUTODISARM;

	if (base == task->alt_stack_base && size == task->alt_stack_size &&
	    flags == task->alt_stack_flags)
		return 0;
	if (on_alternate_stack(task, sp) && (task->alt_stack_flags & SS_AUTODISARM) == 0)
		return -EPERM;
	if (mode != 0 && mode != SS_DISABLE && mode != SS_ONSTACK)
		return -EINVAL;
	if (mode == SS_DISABLE) {
		base = 0;
		size = 0;
	} else if (size < MINSIGSTKSZ) {
		return -ENOMEM;
	}
	task->alt_stack_base = base;
	task->alt_stack_size = size;
	task->alt_stack_flags = flags;
	return 0;
}

void signal_get_alt_stack(struct task *task, uint64_t sp, struct abi_stack *out)
{
	memset(out, 0, sizeof(*out));
	out->ss_sp = task->alt_stack_base;
	out->ss_size = task->alt_stack_size;
	if (task->alt_stack_size == 0)
		out->ss_flags = SS_DISABLE;
	else if (on_alternate_stack(task, sp))
		out->ss_flags = SS_ONSTACK;
	out->ss_flags |= (int32_t)(task->alt_stack_flags & SS_AUTODISARM);
}

/* --- rt_sigaction, exec ----------------------------------------------------------------------- */

int signal_set_action(int signo, const struct signal_action *action, struct signal_action *old)
{
	struct task *task = task_current();
	struct process *p = task->process;
	irq_state_t state;

	if (signo < 1 || signo > SIGNAL_COUNT ||
	    (action != NULL && (sigmask_of(signo) & signal_unmaskable()) != 0))
		return -EINVAL;
	state = signal_lock(p);
	*old = *signal_action_locked(p->sighand, signo);
	if (action != NULL) {
		struct signal_action *slot = &p->sighand->actions[signo - 1];

		*slot = *action;
		slot->mask &= ~signal_unmaskable();
		p->sighand->set |= sigmask_of(signo);
		if (slot->handler == SIG_IGN ||
		    (slot->handler == SIG_DFL && signal_default_is_ignore(signo))) {
			struct task *each;

			sigqueue_flush(&p->shared_pending, sigmask_of(signo));
			list_for_each(each, &p->tasks, process_node)
				sigqueue_flush(&each->pending, sigmask_of(signo));
			signal_recalculate_locked(task);
		}
	}
	signal_unlock(p, state);
	return 0;
}

void signal_reset_for_exec(struct process *p)
{
	irq_state_t state = signal_lock(p);

	sighand_reset_handlers(p->sighand);
	signal_unlock(p, state);
}
