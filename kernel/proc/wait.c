/*
 * wait4(2) and waitid(2): the current process looks for a child that changed.
 *
 * Zombies are reaped under the tree lock in the same look that finds them, so two waiting threads
 * never get the same child. A child cloned with another exit signal than SIGCHLD is seen with
 * __WCLONE or __WALL only.
 */
#include "proc/wait.h"

#include "abi/errno.h"
#include "abi/wait.h"
#include "proc/proc_internal.h"
#include "proc/rusage.h"

static bool is_asked_for(const struct wait_request *r, const struct process *child)
{
	bool is_clone = child->exit_signal != SIGCHLD;

	if ((r->options & __WALL) == 0 && is_clone != ((r->options & (int)__WCLONE) != 0))
		return false;
	if (r->process != NULL)
		return child == r->process;
	switch (r->type) {
	case P_PID:
		return child->pid == r->id;
	case P_PGID:
		return child->group != NULL && child->group->id == r->id;
	default:
		return true;
	}
}

static void result_begin(struct wait_result *result, struct process *child)
	REQUIRES(&process_tree_lock)
{
	assert_held(&process_tree_lock);
	result->pid = child->pid;
	result->uid = process_uid_locked(child);
	rusage_get_zombie(child, &result->usage);
}

/* A zombie's facts; reaped unless the caller only looks. *reaped is to be dropped unlocked. */
static void take_zombie_locked(const struct wait_request *r, struct process *child,
			       struct wait_result *result, struct process **reaped)
	REQUIRES(&process_tree_lock)
{
	int status = child->exit_status;

	assert_held(&process_tree_lock);
	result_begin(result, child);
	result->status = status;
	if ((status & 0x7f) == 0) {
		result->code = CLD_EXITED;
		result->value = status >> 8 & 0xff;
	} else {
		result->code = (status & 0x80) != 0 ? CLD_DUMPED : CLD_KILLED;
		result->value = status & 0x7f;
	}
	if ((r->options & WNOWAIT) != 0)
		return;
	rusage_add_child(process_current(), child);
	process_reap_locked(child);
	*reaped = child;
}

static bool take_stop_locked(const struct wait_request *r, struct process *child,
			     struct wait_result *result)
	REQUIRES(&process_tree_lock)
{
	irq_state_t state = signal_lock(child);
	bool found = false, keep = (r->options & WNOWAIT) != 0;

	if ((r->options & WSTOPPED) != 0 && child->stopped && !child->stop_reported) {
		child->stop_reported = !keep;
		result->status = wait_status_stopped(child->stop_signal);
		result->code = CLD_STOPPED;
		result->value = child->stop_signal;
		found = true;
	} else if ((r->options & WCONTINUED) != 0 && child->continued_pending) {
		child->continued_pending = keep;
		result->status = WAIT_STATUS_CONTINUED;
		result->code = CLD_CONTINUED;
		result->value = SIGCONT;
		found = true;
	}
	signal_unlock(child, state);
	if (found)
		result_begin(result, child);
	return found;
}

/* 1: found; 0: there are such children, none has changed; -ECHILD. */
static int scan_locked(const struct wait_request *r, struct wait_result *result,
		       struct process **reaped)
	REQUIRES(&process_tree_lock)
{
	struct process *child;
	int found = -ECHILD;

	assert_held(&process_tree_lock);
	list_for_each(child, &process_current()->children, sibling_node) {
		if (!is_asked_for(r, child))
			continue;
		if (child->state == PROCESS_ZOMBIE) {
			if ((r->options & WEXITED) == 0)
				continue;
			take_zombie_locked(r, child, result, reaped);
			return 1;
		}
		found = 0;
		if (take_stop_locked(r, child, result))
			return 1;
	}
	return found;
}

static int scan(const struct wait_request *r, struct wait_result *result)
{
	struct process *reaped = NULL;
	irq_state_t state = spin_lock_irqsave(&process_tree_lock);
	int found = scan_locked(r, result, &reaped);

	spin_unlock_irqrestore(&process_tree_lock, state);
	if (reaped != NULL)
		process_drop_reaped(reaped);
	return found;
}

int process_wait(const struct wait_request *request, struct wait_result *result)
{
	struct process *self = process_current();
	int found = 0, error;

	result->pid = 0;
	result->status = 0;
	if ((request->options & WNOHANG) != 0) {
		found = scan(request, result);
		return found < 0 ? found : 0;
	}
	error = wait_event_interruptible(&self->child_wait,
					 (found = scan(request, result)) != 0);
	if (found < 0)
		return found;
	return found > 0 ? 0 : error;
}
