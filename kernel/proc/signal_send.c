/*
 * Sending signals: queues, who is woken, what is dropped at once.
 *
 * A signal goes to a task's own queue or to the process's shared one. A queue is a mask and a list
 * of entries that carry siginfo; an entry may be missing (sent by the kernel, or no memory), then
 * the number alone says it. Signals below 32 queue once, real-time ones as often as they are sent.
 *
 * A signal that will certainly end the process marks it at the sending: every task gets
 * pending_kill, so that killable sleeps end too. What stops or continues acts at the sending on the
 * opposite signals in the queues (signal(7)).
 *
 * Locking: process->lock, then sighand->lock, interrupts off (signal_lock). Callers may hold the
 * tree lock. Nothing here allocates under a lock.
 */
#include "proc/proc_internal.h"

#include "abi/capability.h"
#include "abi/errno.h"
#include "abi/wait.h"
#include "core/fail_point.h"
#include "lib/bits.h"
#include "lib/string.h"
#include "mem/slab.h"

#define MASK_STOP \
	(sigmask_of(SIGSTOP) | sigmask_of(SIGTSTP) | sigmask_of(SIGTTIN) | sigmask_of(SIGTTOU))
#define MASK_IGNORED_BY_DEFAULT                                                                   \
	(sigmask_of(SIGCONT) | sigmask_of(SIGCHLD) | sigmask_of(SIGWINCH) | sigmask_of(SIGURG))
#define MASK_CORE                                                                                 \
	(sigmask_of(SIGQUIT) | sigmask_of(SIGILL) | sigmask_of(SIGTRAP) | sigmask_of(SIGABRT) |   \
	 sigmask_of(SIGFPE) | sigmask_of(SIGSEGV) | sigmask_of(SIGBUS) | sigmask_of(SIGSYS) |     \
	 sigmask_of(SIGXCPU) | sigmask_of(SIGXFSZ))
#define MASK_FAULTS                                                                               \
	(sigmask_of(SIGSEGV) | sigmask_of(SIGBUS) | sigmask_of(SIGILL) | sigmask_of(SIGTRAP) |    \
	 sigmask_of(SIGFPE) | sigmask_of(SIGSYS))
#define SIGNAL_REALTIME_FIRST 32

static struct slab_cache *entry_cache, *sighand_cache;
static atomic32_t entries_queued;

void signal_caches_init(void)
{
	entry_cache = slab_cache_create("sigqueue", sizeof(struct sigqueue_entry), 8);
	sighand_cache = slab_cache_create("sighand", sizeof(struct sighand), 8);
}

bool signal_default_is_ignore(int signo)
{
	return (MASK_IGNORED_BY_DEFAULT & sigmask_of(signo)) != 0;
}

bool signal_default_is_stop(int signo)
{
	return (MASK_STOP & sigmask_of(signo)) != 0;
}

bool signal_default_is_core(int signo)
{
	return (MASK_CORE & sigmask_of(signo)) != 0;
}

/* --- queues ----------------------------------------------------------------------------------- */

struct sigqueue_entry *sigqueue_entry_create(const struct abi_siginfo *info)
{
	struct sigqueue_entry *entry;

	if (fail_point("sigqueue") || atomic32_load(&entries_queued) > 65536)
		return NULL;
	entry = slab_allocate(entry_cache);
	if (entry == NULL)
		return NULL;
	atomic32_add(&entries_queued, 1);
	list_init(&entry->node);
	entry->info = *info;
	entry->embedded = false;
	entry->queued = false;
	return entry;
}

void sigqueue_entry_free(struct sigqueue_entry *entry)
{
	if (entry == NULL || entry->embedded)
		return;
	(void)atomic32_sub_acq_rel(&entries_queued, 1);
	slab_free(entry_cache, entry);
}

static void entry_unqueue(struct sigqueue_entry *entry)
{
	list_remove(&entry->node);
	entry->queued = false;
	sigqueue_entry_free(entry);
}

void sigqueue_flush(struct sigqueue *q, uint64_t mask)
{
	struct sigqueue_entry *entry, *next;

	if ((q->mask & mask) == 0)
		return;
	q->mask &= ~mask;
	list_for_each_safe(entry, next, &q->entries, node) {
		if ((sigmask_of(entry->info.si_signo) & mask) != 0)
			entry_unqueue(entry);
	}
}

uint32_t sigqueue_count(const struct sigqueue *q)
{
	return (uint32_t)list_length(&q->entries);
}

/* Removes the first entry of signo and clears its bit unless another one follows. */
static void queue_take(struct sigqueue *q, int signo, struct abi_siginfo *info)
{
	struct sigqueue_entry *entry, *found = NULL;
	bool more = false;

	list_for_each(entry, &q->entries, node) {
		if (entry->info.si_signo != signo)
			continue;
		if (found != NULL) {
			more = true;
			break;
		}
		found = entry;
	}
	if (!more)
		q->mask &= ~sigmask_of(signo);
	if (found != NULL) {
		*info = found->info;
		entry_unqueue(found);
		return;
	}
	memset(info, 0, sizeof(*info));
	info->si_signo = signo;
	info->si_code = SI_KERNEL;
}

/* Faults of the task itself come before anything else, then the lowest number. */
static int lowest_signal(uint64_t mask)
{
	uint64_t synchronous = mask & MASK_FAULTS;

	return (int)lowest_bit(synchronous != 0 ? synchronous : mask) + 1;
}

int signal_take_locked(struct task *task, uint64_t mask, struct abi_siginfo *info)
{
	struct sigqueue *shared = &task->process->shared_pending;
	int signo = 0;

	if ((task->pending.mask & mask) != 0) {
		signo = lowest_signal(task->pending.mask & mask);
		queue_take(&task->pending, signo, info);
	} else if ((shared->mask & mask) != 0) {
		signo = lowest_signal(shared->mask & mask);
		queue_take(shared, signo, info);
		if (signo == SIGALRM || info->si_code == SI_TIMER)
			itimer_signal_taken(task->process, signo, info);
	}
	return signo;
}

/* --- handlers --------------------------------------------------------------------------------- */

struct sighand *sighand_create(void)
{
	struct sighand *s = fail_point("sighand") ? NULL : slab_allocate(sighand_cache);

	if (s == NULL)
		return NULL;
	refcount_init(&s->references);
	spin_init(&s->lock, RANK_SIGHAND);
	wait_queue_init(&s->signalfd_wait);
	s->set = 0;
	return s;
}

void sighand_copy_actions(struct sighand *to, const struct sighand *from)
{
	to->set = from->set;
	for (uint64_t set = from->set; set != 0; set &= set - 1) {
		int i = __builtin_ctzl(set);

		to->actions[i] = from->actions[i];
	}
}

void sighand_reset_handlers(struct sighand *s)
{
	for (uint64_t set = s->set; set != 0; set &= set - 1) {
		struct signal_action *action = &s->actions[__builtin_ctzl(set)];

		if (action->handler == SIG_IGN)
			*action = (struct signal_action){ .handler = SIG_IGN };
		else
			s->set &= ~(set & -set);
	}
}

void sighand_put(struct sighand *s)
{
	if (refcount_put(&s->references))
		slab_free(sighand_cache, s);
}

const struct signal_action *signal_action_locked(const struct sighand *s, int signo)
{
	static const struct signal_action none = { .handler = SIG_DFL };

	return (s->set & sigmask_of(signo)) != 0 ? &s->actions[signo - 1] : &none;
}

void signal_reset_action_locked(struct sighand *s, int signo)
{
	if ((s->set & sigmask_of(signo)) != 0)
		s->actions[signo - 1].handler = SIG_DFL;
}

static bool is_ignored_locked(struct process *p, int signo)
{
	uint64_t handler = signal_action_locked(p->sighand, signo)->handler;

	return handler == SIG_IGN || (handler == SIG_DFL && signal_default_is_ignore(signo));
}

bool signal_is_ignored(struct process *p, int signo)
{
	irq_state_t state = signal_lock(p);
	bool ignored = signal_action_locked(p->sighand, signo)->handler == SIG_IGN;

	signal_unlock(p, state);
	return ignored;
}

/* --- waking ----------------------------------------------------------------------------------- */

/*
 * Makes a thread look at its signals: ends its sleep, or interrupts its user mode. pending_signal
 * is stored before the scheduler reads on_cpu; user_return() on the other side reads it with
 * interrupts off, so either it sees the flag or the interrupt arrives after it is back in user
 * mode.
 */
void signal_kick(struct thread *thread, bool fatal)
{
	write_once(thread->pending_signal, true);
	if (fatal)
		write_once(thread->pending_kill, true);
	full_barrier();
	(void)sched_wake_for_signal(thread, fatal);
}

/* What is stopped takes nothing before it goes on, except its end. */
static bool task_takes(struct task *task, int signo)
{
	if (task->exiting || (task->blocked & sigmask_of(signo)) != 0)
		return false;
	return signo == SIGKILL || !task->process->stopped;
}

/* Who is to handle a signal of the process: the leader if it can, else anybody who can. */
static struct task *choose_task(struct process *p, int signo)
{
	struct task *task;

	if (p->leader != NULL && task_takes(p->leader, signo))
		return p->leader;
	list_for_each(task, &p->tasks, process_node) {
		if (task_takes(task, signo))
			return task;
	}
	return NULL;
}

void signal_kill_process_locked(struct process *p, int status)
{
	struct task *task;

	if (!p->exiting) {
		p->exiting = true;
		p->exit_status = status;
	}
	signal_leave_stop_locked(p);
	list_for_each(task, &p->tasks, process_node) {
		if (!task->exiting)
			signal_kick(&task->thread, true);
	}
}

/* --- posting ---------------------------------------------------------------------------------- */

static void flush_everywhere(struct process *p, uint64_t mask)
{
	struct task *task;

	sigqueue_flush(&p->shared_pending, mask);
	list_for_each(task, &p->tasks, process_node)
		sigqueue_flush(&task->pending, mask);
}

/* The side effects that a signal has whether or not it is blocked or handled. */
static void act_on_sending(struct process *p, int signo)
{
	if (signal_default_is_stop(signo)) {
		flush_everywhere(p, sigmask_of(SIGCONT));
	} else if (signo == SIGCONT) {
		flush_everywhere(p, MASK_STOP);
		signal_continue_locked(p);
	}
}

/* Linux: dropped when ignored and nobody may unblock it later to see it. */
static bool is_dropped(struct process *p, struct task *t, int signo, bool force)
{
	uint64_t handler = signal_action_locked(p->sighand, signo)->handler;
	struct task *asked = t != NULL ? t : p->leader;

	if (p->unkillable && !force && handler == SIG_DFL)
		return true;
	if (ptrace_is_traced(asked) && signo != SIGKILL)
		return false;
	if (asked != NULL && ((asked->blocked | asked->real_blocked) & sigmask_of(signo)) != 0)
		return false;
	return is_ignored_locked(p, signo);
}

/* True when the default action is to end the process and nothing can prevent it. */
static bool is_certain_death(struct process *p, struct task *receiver, int signo)
{
	if (signo == SIGKILL)
		return true;
	if (signal_action_locked(p->sighand, signo)->handler != SIG_DFL ||
	    signal_default_is_ignore(signo) || signal_default_is_stop(signo) ||
	    signal_default_is_core(signo))
		return false;
	return !ptrace_is_traced(receiver) &&
	       ((receiver->blocked | receiver->real_blocked) & sigmask_of(signo)) == 0;
}

void signal_post_locked(struct process *p, struct task *t, int signo, struct sigqueue_entry *entry,
			bool force)
{
	struct sigqueue *q = t != NULL ? &t->pending : &p->shared_pending;
	struct task *receiver;

	ASSERT(signo >= 1 && signo <= SIGNAL_COUNT);
	assert_held(&p->sighand->lock);
	if (p->state != PROCESS_RUNNING) {
		sigqueue_entry_free(entry);
		return;
	}
	act_on_sending(p, signo);
	if (is_dropped(p, t, signo, force) ||
	    (signo < SIGNAL_REALTIME_FIRST && (q->mask & sigmask_of(signo)) != 0)) {
		sigqueue_entry_free(entry);
		return;
	}
	q->mask |= sigmask_of(signo);
	if (entry != NULL) {
		entry->queued = true;
		list_push_back(&q->entries, &entry->node);
	}
	trace_signal_send((uint64_t)signo, p->pid, t != NULL ? t->thread.id : 0);
	wake_up_all(&p->sighand->signalfd_wait);
	receiver = t != NULL ? (signo == SIGKILL || task_takes(t, signo) ? t : NULL) :
			       choose_task(p, signo);
	if (signo == SIGKILL && receiver == NULL)
		receiver = p->leader;
	if (receiver == NULL)
		return;
	if (is_certain_death(p, receiver, signo))
		signal_kill_process_locked(p, wait_status_signaled(signo, false));
	else
		signal_kick(&receiver->thread, false);
}

/* The sender's limit: the queue entries of one user. One's own system calls are charged. */
static bool over_queue_limit(struct process *p, int signo, const struct abi_siginfo *info)
{
	return signo >= SIGNAL_REALTIME_FIRST && info->si_code < 0 &&
	       sigqueue_count(&p->shared_pending) >= p->limits[RLIMIT_SIGPENDING].rlim_cur;
}

static int send(struct process *p, struct task *t, int signo, const struct abi_siginfo *info,
		bool force)
{
	struct sigqueue_entry *entry = NULL;
	irq_state_t state;
	int error = 0;

	if (info != NULL) {
		entry = sigqueue_entry_create(info);
		if (entry == NULL && signo >= SIGNAL_REALTIME_FIRST && info->si_code != SI_USER &&
		    info->si_code < 0)
			return -EAGAIN;
	}
	state = signal_lock(p);
	if (info != NULL && over_queue_limit(p, signo, info)) {
		sigqueue_entry_free(entry);
		error = -EAGAIN;
	} else {
		signal_post_locked(p, t, signo, entry, force || info == NULL);
	}
	signal_unlock(p, state);
	return error;
}

int signal_send_process(struct process *p, int signo, const struct abi_siginfo *info)
{
	return send(p, NULL, signo, info, false);
}

int signal_send_task(struct task *t, int signo, const struct abi_siginfo *info)
{
	return send(t->process, t, signo, info, false);
}

/*
 * To each member of a group. The members are walked under the tree lock, so entries cannot be
 * allocated there: siginfo-less signals (terminals) go that way; those with siginfo are sent one
 * process after the other by number.
 */
int signal_send_group(struct process_group *g, int signo, const struct abi_siginfo *info)
{
	struct process *p;
	int result = -ESRCH;

	assert_held(&process_tree_lock);
	list_for_each(p, &g->members, group_node) {
		irq_state_t state = signal_lock(p);

		signal_post_locked(p, NULL, signo, NULL, true);
		signal_unlock(p, state);
		result = 0;
	}
	return result;
}

int signal_send_group_id(uint32_t pgid, int signo)
{
	irq_state_t state = spin_lock_irqsave(&process_tree_lock);
	struct process_group *g = group_find_locked(pgid);
	int error = g != NULL ? signal_send_group(g, signo, NULL) : -ESRCH;

	spin_unlock_irqrestore(&process_tree_lock, state);
	return error;
}

/* --- permission ------------------------------------------------------------------------------- */

bool cred_may_signal(const struct cred *mine, const struct cred *theirs)
{
	return mine->euid == theirs->suid || mine->euid == theirs->uid ||
	       mine->uid == theirs->suid || mine->uid == theirs->uid ||
	       cred_capable(mine, CAP_KILL);
}

int signal_permission(struct process *p, int signo)
{
	const struct cred *mine = cred_current();
	struct process *self = process_current();
	irq_state_t state;
	int error = 0;

	if (p == self)
		return 0;
	state = spin_lock_irqsave(&process_tree_lock);
	spin_lock(&p->lock);
	if (p->leader != NULL && p->leader->cred != NULL) {
		const struct cred *theirs = p->leader->cred;

		if (!cred_may_signal(mine, theirs))
			error = -EPERM;
	}
	spin_unlock(&p->lock);
	if (error != 0 && signo == SIGCONT && p->group != NULL &&
	    p->group->session == self->group->session)
		error = 0;
	spin_unlock_irqrestore(&process_tree_lock, state);
	return error;
}

/* --- faults ----------------------------------------------------------------------------------- */

void signal_force(int signo, const struct abi_siginfo *info)
{
	struct task *task = task_current();
	struct process *p = task->process;
	struct sigqueue_entry *entry = info != NULL ? sigqueue_entry_create(info) : NULL;
	irq_state_t state = signal_lock(p);
	const struct signal_action *action = signal_action_locked(p->sighand, signo);
	bool blocked = (task->blocked & sigmask_of(signo)) != 0;

	if (blocked || action->handler == SIG_IGN) {
		signal_reset_action_locked(p->sighand, signo);
		task->blocked &= ~sigmask_of(signo);
	}
	/* A fault that nobody handles ends even PID 1: it could only fault again. */
	if (action->handler == SIG_DFL)
		task->forced_signal = signo;
	signal_post_locked(p, task, signo, entry, true);
	signal_recalculate_locked(task);
	signal_unlock(p, state);
}
