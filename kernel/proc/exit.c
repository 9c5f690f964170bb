/*
 * The end of tasks and processes.
 *
 * A task gives back what it holds in the order in which others may still need it: futexes and the
 * space, files, cwd. The last task of a process makes it a zombie: its children go to the nearest
 * subreaper or to PID 1, its parent is told, and whoever waits for it reaps it; when the parent
 * does not care (SIGCHLD ignored or SA_NOCLDWAIT), it is reaped here.
 *
 * Locking: the tree lock from the moment the children move until the parent knows, so that a waiter
 * sees either a running process or a complete zombie.
 *
 * Path: doc/paths/exit.md.
 */
#include "abi/errno.h"
#include "abi/wait.h"
#include "core/klog.h"
#include "core/trace.h"
#include "core/user_copy.h"
#include "lib/bits.h"
#include "mem/slab.h"
#include "proc/futex.h"
#include "proc/job.h"
#include "proc/proc_internal.h"
#include "proc/rusage.h"

/* --- what a task gives back ------------------------------------------------------------------- */

void vfork_release(struct task *task)
{
	struct process *p = task->process;
	irq_state_t state = spin_lock_irqsave(&p->lock);
	struct vfork_completion *vfork = task->vfork;

	task->vfork = NULL;
	spin_unlock_irqrestore(&p->lock, state);
	if (vfork == NULL)
		return;
	write_once(vfork->done, true);
	wake_up_all(&vfork->wait);
	if (refcount_put(&vfork->references))
		kfree(vfork);
}

void task_release_memory(struct task *task)
{
	struct space *space = task->thread.space;

	futex_exit(task, task->exiting);
	if (task->clear_child_tid.value != 0 && space != NULL &&
	    refcount_read(&space->references) > 1 &&
	    user_store32(task->clear_child_tid, 0) == 0)
		(void)futex_wake(task->clear_child_tid, false, 1, ~0u);
	task->clear_child_tid = user_addr(0);
	task->rseq = user_addr(0);
	vfork_release(task);
}

static void release_space(struct task *task)
{
	struct process *p = task->process;
	struct space *space = task->thread.space;
	irq_state_t state;
	uint64_t resident;

	if (space == NULL)
		return;
	resident = MAX(space->peak_resident, space_resident_pages(space)) * (PAGE_SIZE / 1024);
	state = spin_lock_irqsave(&p->lock);
	if (resident > p->max_rss_kib)
		p->max_rss_kib = resident;
	spin_unlock_irqrestore(&p->lock, state);
	task_set_space(task, NULL);
}

static void release_files(struct task *task)
{
	struct process *p = task->process;
	struct fdtable *files = task->fdtable;
	struct fs_state *fs = task->fs;
	irq_state_t state = spin_lock_irqsave(&p->lock);

	task->fdtable = NULL;
	task->fs = NULL;
	spin_unlock_irqrestore(&p->lock, state);
	fdtable_put(files);
	fs_state_put(fs);
}

/* --- the tree --------------------------------------------------------------------------------- */

static void (*process_gone)(uint32_t pid);

void process_set_gone_hook(void (*hook)(uint32_t pid))
{
	process_gone = hook;
}

/* References that existence held, to be dropped when no lock is held. */
static void drop_reaped(struct process *p)
{
	struct task *leader;
	irq_state_t state;

	if (process_gone != NULL && read_once(p->was_looked_up))
		process_gone(p->pid);
	state = spin_lock_irqsave(&p->lock);
	leader = p->leader;
	p->leader = NULL;
	spin_unlock_irqrestore(&p->lock, state);
	task_put(leader);
	process_put(p);
}

void process_drop_reaped(struct process *p)
{
	drop_reaped(p);
}

static bool parent_ignores_children(struct process *parent)
{
	const struct signal_action *action;
	irq_state_t state = signal_lock(parent);
	bool ignores;

	action = signal_action_locked(parent->sighand, SIGCHLD);
	ignores = action->handler == SIG_IGN || (action->flags & SA_NOCLDWAIT) != 0;
	signal_unlock(parent, state);
	return ignores;
}

/* SIGCHLD (or the clone's choice) with the facts, and a wake-up for wait4. Consumes entry. */
void process_notify_parent_locked(struct process *p, int signo, struct sigqueue_entry *entry,
				  const struct abi_siginfo *info)
{
	struct process *parent = p->parent;
	irq_state_t state;
	bool silent;

	assert_held(&process_tree_lock);
	if (parent == NULL || parent->state != PROCESS_RUNNING) {
		sigqueue_entry_free(entry);
		return;
	}
	if (entry != NULL) {
		entry->info = *info;
		entry->info.si_signo = signo;
		entry->info.child.pid = (int32_t)p->pid;
		entry->info.child.uid = process_uid_locked(p);
		entry->info.child.utime = (int64_t)(p->dead_user_ns / (NSEC_PER_SEC / 100));
		entry->info.child.stime = (int64_t)(p->dead_system_ns / (NSEC_PER_SEC / 100));
	}
	state = signal_lock(parent);
	/* clone(2) takes any number of eight bits: one that is no signal sends none. */
	silent = signo == 0 || signo > SIGNAL_COUNT ||
		 (info->si_code != CLD_EXITED && info->si_code != CLD_KILLED &&
		  info->si_code != CLD_DUMPED &&
		  (signal_action_locked(parent->sighand, SIGCHLD)->flags & SA_NOCLDSTOP) != 0);
	if (silent)
		sigqueue_entry_free(entry);
	else
		signal_post_locked(parent, NULL, signo, entry, true);
	signal_unlock(parent, state);
	wake_up_all(&parent->child_wait);
}

static struct abi_siginfo exit_info(const struct process *p)
{
	struct abi_siginfo info = { .si_signo = SIGCHLD };
	int status = p->exit_status;

	if ((status & 0x7f) == 0) {
		info.si_code = CLD_EXITED;
		info.child.status = status >> 8 & 0xff;
	} else {
		info.si_code = (status & 0x80) != 0 ? CLD_DUMPED : CLD_KILLED;
		info.child.status = status & 0x7f;
	}
	return info;
}

/* Tells the parent of a zombie; true when nobody will wait and it was reaped. */
static bool announce_zombie_locked(struct process *p, struct sigqueue_entry *entry)
	REQUIRES(&process_tree_lock)
{
	struct abi_siginfo info = exit_info(p);
	bool ignored = p->parent != NULL && p->exit_signal == SIGCHLD &&
		       parent_ignores_children(p->parent);

	assert_held(&process_tree_lock);
	process_notify_parent_locked(p, p->exit_signal, entry, &info);
	if (!ignored)
		return false;
	process_reap_locked(p);
	return true;
}

static struct process *find_reaper_locked(struct process *p) REQUIRES(&process_tree_lock)
{
	struct process *up;

	assert_held(&process_tree_lock);
	for (up = p->parent; up != NULL; up = up->parent) {
		if (up->is_subreaper && up->state == PROCESS_RUNNING)
			return up;
	}
	up = pid_find_locked(1)->task->process;
	return up != p ? up : NULL;
}

/* A group whose last connection to the session's job control goes away: its stopped members would
 * stay so for ever. POSIX: SIGHUP and SIGCONT. */
static void hang_up_orphaned_group_locked(struct process_group *g, struct process *ignoring)
	REQUIRES(&process_tree_lock)
{
	bool has_stopped = false;
	struct process *p;

	assert_held(&process_tree_lock);
	if (g == NULL || !group_is_orphaned_locked(g, ignoring))
		return;
	list_for_each(p, &g->members, group_node)
		has_stopped |= p != ignoring && p->stopped;
	if (!has_stopped)
		return;
	(void)signal_send_group(g, SIGHUP, NULL);
	(void)signal_send_group(g, SIGCONT, NULL);
}

static void send_death_signals_locked(struct process *child)
{
	irq_state_t state = signal_lock(child);
	struct task *task;

	list_for_each(task, &child->tasks, process_node) {
		if (task->parent_death_signal != 0 && !task->exiting)
			signal_post_locked(child, task, task->parent_death_signal, NULL, false);
	}
	signal_unlock(child, state);
}

/* Children go to the reaper. Those that were zombies are announced to it; reaped ones are
 * collected on `dead`. */
static void give_children_away_locked(struct process *p, struct list_head *dead)
	REQUIRES(&process_tree_lock)
{
	struct process *reaper = find_reaper_locked(p);
	struct process *child, *next;

	assert_held(&process_tree_lock);
	list_for_each_safe(child, next, &p->children, sibling_node) {
		list_remove(&child->sibling_node);
		process_set_parent_locked(child, reaper);
		child->exit_signal = SIGCHLD;
		if (reaper == NULL)
			continue;
		list_push_back(&reaper->children, &child->sibling_node);
		send_death_signals_locked(child);
		if (child->state == PROCESS_ZOMBIE) {
			if (announce_zombie_locked(child, NULL))
				list_push_back(dead, &child->sibling_node);
		} else if (child->group != NULL && child->group != p->group) {
			hang_up_orphaned_group_locked(child->group, NULL);
		}
	}
}

/* --- the last task of a process --------------------------------------------------------------- */

static void drop_all_reaped(struct list_head *dead)
{
	struct process *p, *next;

	list_for_each_safe(p, next, dead, sibling_node) {
		list_remove(&p->sibling_node);
		drop_reaped(p);
	}
}

static void become_zombie(struct process *p)
{
	struct abi_siginfo blank = { .si_signo = SIGCHLD };
	struct sigqueue_entry *entry = sigqueue_entry_create(&blank);
	struct list_head dead = LIST_HEAD_INIT(dead);
	irq_state_t state;
	bool reaped;

	state = spin_lock_irqsave(&process_tree_lock);
	give_children_away_locked(p, &dead);
	/* Its group loses what it had through p only where p's parent is outside; the look takes
	 * as long as the group is large. */
	if (p->parent != NULL && p->parent->group != p->group)
		hang_up_orphaned_group_locked(p->group, p);
	if (!p->exiting)
		p->exit_status = p->leader->exit_code;
	p->state = PROCESS_ZOMBIE;
	trace_exit(p->pid, (uint64_t)(uint32_t)p->exit_status);
	reaped = announce_zombie_locked(p, entry);
	if (p->parent == NULL && !reaped) {
		process_reap_locked(p);
		reaped = true;
	}
	/* Under the lock: a waiter that has seen the state may free p only after it. */
	wake_up_all(&p->exit_wait);
	spin_unlock_irqrestore(&process_tree_lock, state);
	drop_all_reaped(&dead);
	if (reaped)
		drop_reaped(p);
}

/*
 * Out of the process. True for the last live one. A thread that is not the leader leaves no trace.
 */
static bool leave_process(struct task *task)
{
	struct process *p = task->process;
	irq_state_t tree = spin_lock_irqsave(&process_tree_lock);
	irq_state_t state = signal_lock(p);
	bool is_leader = p->leader == task;
	bool last = --p->task_count == 0;

	rusage_add_dead_locked(p, task);
	if (!is_leader)
		process_remove_task_locked(p, task);
	signal_unlock(p, state);
	if (!is_leader)
		task_unlink_locked(task);
	if (read_once(p->exec_task) != NULL)
		wake_up_all(&p->exit_wait);
	spin_unlock_irqrestore(&process_tree_lock, tree);
	return last;
}

/* True when every other task is on its way out: the process's own things may go. */
static bool is_last_to_exit(struct process *p)
{
	irq_state_t state = signal_lock(p);
	bool last = signal_live_tasks_locked(p) == 0;

	signal_unlock(p, state);
	return last;
}

static bool is_only_task(struct process *p)
{
	return read_once(p->task_count) == 1;
}

void task_exit(int status)
{
	struct task *task = task_current();
	struct process *p = task->process;

	if (p->pid == 1 && is_only_task(p))
		panic("init has exited with status %x", (unsigned int)status);
	task->exit_code = status;
	trace_thread_exit(task->thread.id, p->pid, trace_chars(task->thread.name, 0),
			  trace_chars(task->thread.name, 1));
	signal_task_exiting(task);
	itimers_thread_exit(task);
	if (is_last_to_exit(p)) {
		itimers_exit(p);
		session_leader_exit(p);
	}
	task_release_memory(task);
	release_space(task);
	release_files(task);
	/* A reference of its own until sched_exit(): a parent may reap it right away. */
	if (leave_process(task))
		become_zombie(p);
	sched_exit();
}

void process_exit_group(int status)
{
	struct process *p = process_current();
	irq_state_t state = signal_lock(p);

	if (p->exec_task == NULL || p->exec_task == task_current())
		signal_kill_process_locked(p, status);
	status = p->exiting ? p->exit_status : status;
	signal_unlock(p, state);
	task_exit(status);
}
