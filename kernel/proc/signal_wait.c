/*
 * Waiting for signals: sigsuspend, sigtimedwait, the temporary masks of ppoll and its like;
 * kill(2).
 */
#include "proc/kill.h"

#include "abi/errno.h"
#include "proc/proc_internal.h"

void signal_use_mask(uint64_t mask)
{
	struct task *task = task_current();

	task->saved_mask = task->blocked;
	task->restore_mask = true;
	signal_set_blocked(task, mask);
}

void signal_restore_mask(bool interrupted)
{
	struct task *task = task_current();

	if (interrupted || !task->restore_mask)
		return;
	task->restore_mask = false;
	signal_set_blocked(task, task->saved_mask);
}

uint64_t signal_pending_blocked(void)
{
	struct task *task = task_current();
	irq_state_t state = signal_lock(task->process);
	uint64_t pending = task->pending.mask | task->process->shared_pending.mask;

	signal_unlock(task->process, state);
	return pending & task->blocked;
}

int signal_suspend(uint64_t mask)
{
	struct task *task = task_current();
	struct wait_queue nobody = WAIT_QUEUE_INIT(nobody);

	signal_use_mask(mask);
	while (!read_once(task->thread.pending_signal))
		(void)wait_event_interruptible(&nobody, false);
	return -ERESTARTNOHAND;
}

static int try_take(struct task *task, uint64_t mask, struct abi_siginfo *info)
{
	irq_state_t state = signal_lock(task->process);
	int signo = signal_take_locked(task, mask, info);

	signal_recalculate_locked(task);
	signal_unlock(task->process, state);
	return signo;
}

/*
 * The awaited signals are taken out of the blocked set while asleep, so that a sender chooses and
 * wakes this task; pending_signal then ends the sleep like any signal, and the queue is looked at
 * first.
 */
int signal_wait_for(uint64_t mask, struct abi_siginfo *info, uint64_t deadline_ns)
{
	struct task *task = task_current();
	struct wait_queue nobody = WAIT_QUEUE_INIT(nobody);
	uint64_t before = task->blocked;
	int signo, error;

	mask &= ~signal_unmaskable();
	signo = try_take(task, mask, info);
	if (signo != 0)
		return signo;
	if (deadline_ns == 0)
		return -EAGAIN;
	task->real_blocked = before;
	signal_set_blocked(task, before & ~mask);
	error = wait_event_until(&nobody, false, WAIT_INTERRUPTIBLE, deadline_ns);
	signo = try_take(task, mask, info);
	signal_set_blocked(task, before);
	task->real_blocked = 0;
	if (signo != 0)
		return signo;
	return error == -ETIMEDOUT ? -EAGAIN : -EINTR;
}

/* --- kill(2) to many -------------------------------------------------------------------------- */

struct kill_request {
	int signo;
	const struct abi_siginfo *info;
	struct list_head entries;	/* one for each receiver, made before the lock */
	size_t entry_count;
	size_t found, allowed;
	int error;
};

static bool entries_make(struct kill_request *r, size_t count)
{
	while (r->entry_count < count) {
		struct sigqueue_entry *entry = sigqueue_entry_create(r->info);

		if (entry == NULL)
			return false;
		list_push_back(&r->entries, &entry->node);
		r->entry_count++;
	}
	return true;
}

static struct sigqueue_entry *entries_take(struct kill_request *r)
{
	struct sigqueue_entry *entry = list_first(&r->entries, struct sigqueue_entry, node);

	if (entry != NULL) {
		list_remove(&entry->node);
		r->entry_count--;
	}
	return entry;
}

static bool permitted_locked(struct process *p, int signo)
{
	const struct cred *mine = cred_current();
	bool may;

	if (p == process_current())
		return true;
	spin_lock(&p->lock);
	may = cred_may_signal(mine, p->leader->cred);
	spin_unlock(&p->lock);
	return may || (signo == SIGCONT && p->group->session == process_current()->group->session);
}

static void kill_one_locked(struct kill_request *r, struct process *p)
{
	irq_state_t state;

	if (p->state == PROCESS_REAPED || p->group == NULL)
		return;
	r->found++;
	if (r->signo < 0 || r->signo > SIGNAL_COUNT) {
		r->error = -EINVAL;
		return;
	}
	if (!permitted_locked(p, r->signo)) {
		r->error = -EPERM;
		return;
	}
	r->allowed++;
	if (r->signo == 0)
		return;
	state = signal_lock(p);
	signal_post_locked(p, NULL, r->signo, entries_take(r), false);
	signal_unlock(p, state);
}

static size_t group_size_locked(uint32_t pgid) REQUIRES(&process_tree_lock)
{
	struct process_group *g = group_find_locked(pgid);

	assert_held(&process_tree_lock);
	return g != NULL ? list_length(&g->members) : 0;
}

static void kill_group_locked(struct kill_request *r, uint32_t pgid) REQUIRES(&process_tree_lock)
{
	struct process_group *g = group_find_locked(pgid);
	struct process *p;

	assert_held(&process_tree_lock);
	if (g == NULL)
		return;
	list_for_each(p, &g->members, group_node)
		kill_one_locked(r, p);
}

/* Everything but PID 1 and the caller itself. */
static void kill_all_locked(struct kill_request *r)
{
	struct process *p;

	list_for_each(p, &process_all, all_node) {
		if (p->pid != 1 && p != process_current())
			kill_one_locked(r, p);
	}
}

/* pgid 0: all. Under one hold of the tree lock, so that a fork in progress does not slip by. */
static int kill_many(uint32_t pgid, int signo, const struct abi_siginfo *info)
{
	struct kill_request r = { .signo = signo, .info = info };
	bool sends = signo > 0 && signo <= SIGNAL_COUNT;
	size_t need = sends ? 8 : 0;

	list_init(&r.entries);
	for (;;) {
		irq_state_t state;
		size_t size;

		bool enough = entries_make(&r, need);

		state = spin_lock_irqsave(&process_tree_lock);
		size = pgid != 0 ? group_size_locked(pgid) : list_length(&process_all);
		if (!sends || !enough || size <= r.entry_count) {
			if (pgid != 0)
				kill_group_locked(&r, pgid);
			else
				kill_all_locked(&r);
			spin_unlock_irqrestore(&process_tree_lock, state);
			break;
		}
		spin_unlock_irqrestore(&process_tree_lock, state);
		need = size + 8;
	}
	while (r.entry_count > 0)
		sigqueue_entry_free(entries_take(&r));
	if (r.found == 0)
		return -ESRCH;
	return r.allowed > 0 || (pgid == 0 && r.error != -EINVAL) ? 0 : r.error;
}

static int kill_process(uint32_t pid, int signo, const struct abi_siginfo *info)
{
	struct process *p = process_lookup(pid);
	int error;

	if (p == NULL) {
		/* kill(2) takes any thread's number for its process. */
		struct task *task = task_lookup(pid);

		if (task == NULL)
			return -ESRCH;
		p = task->process;
		process_get(p);
		task_put(task);
	}
	error = signo < 0 || signo > SIGNAL_COUNT ? -EINVAL : signal_permission(p, signo);
	if (error == 0 && signo != 0)
		error = signal_send_process(p, signo, info);
	process_put(p);
	return error;
}

/* As on Linux a wrong number is found out by the first receiver: without one it is -ESRCH. */
int signal_kill(int pid, int signo, const struct abi_siginfo *info)
{
	if (pid == INT32_MIN)
		return -ESRCH;
	if (pid > 0)
		return kill_process((uint32_t)pid, signo, info);
	if (pid == -1)
		return kill_many(0, signo, info);
	return kill_many(pid == 0 ? (uint32_t)process_get_group(0) : (uint32_t)-pid, signo, info);
}

/* tgkill(2); tgid 0: any process (tkill). */
int signal_kill_task(uint32_t tgid, uint32_t tid, int signo, const struct abi_siginfo *info)
{
	struct task *task = task_lookup(tid);
	int error = -ESRCH;

	if (task != NULL && (tgid == 0 || task->process->pid == tgid))
		error = signo < 0 || signo > SIGNAL_COUNT ? -EINVAL :
			signal_permission(task->process, signo);
	if (error == 0 && signo != 0)
		error = signal_send_task(task, signo, info);
	if (task != NULL)
		task_put(task);
	return error;
}
