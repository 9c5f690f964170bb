/*
 * Process groups and sessions: setpgid, setsid, orphans, the controlling terminal.
 * All of it is under process_tree_lock.
 */
#include "proc/job.h"

#include "abi/errno.h"
#include "mem/slab.h"
#include "proc/proc_internal.h"

static const struct session_tty_ops *tty_ops;	/* [I] after the terminals start */

static struct session *session_create(uint32_t id)
{
	struct session *s = kzalloc(sizeof(*s));

	if (s == NULL)
		return NULL;
	refcount_init(&s->references);
	s->id = id;
	return s;
}

static struct process_group *group_create(uint32_t id)
{
	struct process_group *g = kzalloc(sizeof(*g));

	if (g == NULL)
		return NULL;
	refcount_init(&g->references);
	g->id = id;
	list_init(&g->members);
	list_init(&g->session_node);
	return g;
}

static void session_put_locked(struct session *s) REQUIRES(&process_tree_lock)
{
	struct pid_entry *entry;

	assert_held(&process_tree_lock);
	if (!refcount_put(&s->references))
		return;
	entry = pid_find_locked(s->id);
	entry->session = NULL;
	pid_release_locked(entry);
	kfree(s);
}

void group_put_locked(struct process_group *g)
{
	struct pid_entry *entry;

	assert_held(&process_tree_lock);
	if (!refcount_put(&g->references))
		return;
	entry = pid_find_locked(g->id);
	entry->group = NULL;
	pid_release_locked(entry);
	session_put_locked(g->session);
	kfree(g);
}

struct process_group *group_find_locked(uint32_t id)
{
	struct pid_entry *entry = pid_find_locked(id);

	assert_held(&process_tree_lock);
	return entry != NULL ? entry->group : NULL;
}

/* Membership counts the group; NULL: leaves. */
void process_set_group_locked(struct process *p, struct process_group *g)
{
	struct process_group *old = p->group;

	assert_held(&process_tree_lock);
	if (g != NULL)
		refcount_get(&g->references);
	if (old != NULL)
		list_remove(&p->group_node);
	p->group = g;
	if (g != NULL)
		list_push_back(&g->members, &p->group_node);
	if (old != NULL)
		group_put_locked(old);
}

/* Publishes a new group in a session and moves p into it. */
static void group_start_locked(struct process_group *g, struct session *s, struct process *p)
	REQUIRES(&process_tree_lock)
{
	assert_held(&process_tree_lock);
	refcount_get(&s->references);
	g->session = s;
	pid_find_locked(g->id)->group = g;
	process_set_group_locked(p, g);
	group_put_locked(g);		/* creation's reference: the member holds it now */
}

bool group_is_orphaned_locked(struct process_group *g, struct process *ignoring)
{
	struct process *p;

	assert_held(&process_tree_lock);
	list_for_each(p, &g->members, group_node) {
		struct process *parent = p->parent;

		if (p == ignoring || p->state != PROCESS_RUNNING || parent == NULL)
			continue;
		if (parent->pid == 1)
			continue;
		if (parent->group != g && parent->group != NULL &&
		    parent->group->session == g->session)
			return false;
	}
	return true;
}

/* PID 1: a group and a session of its own. */
int process_start_session(struct process *p)
{
	struct session *s = session_create(p->pid);
	struct process_group *g = group_create(p->pid);
	irq_state_t state;

	if (s == NULL || g == NULL) {
		kfree(s);
		kfree(g);
		return -ENOMEM;
	}
	state = spin_lock_irqsave(&process_tree_lock);
	s->leader = p;
	pid_find_locked(p->pid)->session = s;
	group_start_locked(g, s, p);
	session_put_locked(s);
	spin_unlock_irqrestore(&process_tree_lock, state);
	return 0;
}

static int may_set_group_locked(struct process *p, struct process *self)
{
	if (p == NULL || p->state != PROCESS_RUNNING)
		return -ESRCH;
	if (p != self) {
		if (p->parent != self)
			return -ESRCH;
		if (p->group->session != self->group->session)
			return -EPERM;
		if (p->did_exec)
			return -EACCES;
	}
	if (p->group->session->leader == p)
		return -EPERM;
	return 0;
}

static struct process *find_process_locked(uint32_t pid) REQUIRES(&process_tree_lock)
{
	struct pid_entry *entry = pid_find_locked(pid);

	assert_held(&process_tree_lock);
	if (entry == NULL || entry->task == NULL || entry->task->process->pid != pid)
		return NULL;
	return entry->task->process;
}

static int set_group_locked(struct process *p, uint32_t pgid, struct process_group **fresh)
	REQUIRES(&process_tree_lock)
{
	struct process *self = process_current();
	struct process_group *g;
	int error = may_set_group_locked(p, self);

	assert_held(&process_tree_lock);
	if (error != 0)
		return error;
	g = group_find_locked(pgid);
	if (g != NULL) {
		if (g->session != self->group->session)
			return -EPERM;
		process_set_group_locked(p, g);
		return 0;
	}
	if (pgid != p->pid)
		return -EPERM;
	group_start_locked(*fresh, self->group->session, p);
	*fresh = NULL;
	return 0;
}

long process_set_group(uint32_t pid, uint32_t pgid)
{
	struct process *p, *self = process_current();
	struct process_group *fresh;
	irq_state_t state;
	int error;

	if (pid == 0)
		pid = self->pid;
	if (pgid == 0)
		pgid = pid;
	if ((int32_t)pgid < 0)
		return -EINVAL;
	fresh = group_create(pgid);
	if (fresh == NULL)
		return -ENOMEM;
	state = spin_lock_irqsave(&process_tree_lock);
	p = find_process_locked(pid);
	error = set_group_locked(p, pgid, &fresh);
	spin_unlock_irqrestore(&process_tree_lock, state);
	kfree(fresh);
	return error;
}

long process_get_group(uint32_t pid)
{
	irq_state_t state = spin_lock_irqsave(&process_tree_lock);
	struct process *p = pid == 0 ? process_current() : NULL;
	struct pid_entry *entry = pid_find_locked(pid);
	long id = -ESRCH;

	if (p == NULL && entry != NULL && entry->task != NULL)
		p = entry->task->process;
	if (p != NULL && p->group != NULL)
		id = p->group->id;
	spin_unlock_irqrestore(&process_tree_lock, state);
	return id;
}

long process_get_session(uint32_t pid)
{
	irq_state_t state = spin_lock_irqsave(&process_tree_lock);
	struct process *p = pid == 0 ? process_current() : NULL;
	struct pid_entry *entry = pid_find_locked(pid);
	long id = -ESRCH;

	if (p == NULL && entry != NULL && entry->task != NULL)
		p = entry->task->process;
	if (p != NULL && p->group != NULL)
		id = p->group->session->id;
	spin_unlock_irqrestore(&process_tree_lock, state);
	return id;
}

long process_set_session(void)
{
	struct process *p = process_current();
	struct session *s = session_create(p->pid);
	struct process_group *g = group_create(p->pid);
	irq_state_t state;
	long result = -EPERM;

	if (s == NULL || g == NULL) {
		kfree(s);
		kfree(g);
		return -ENOMEM;
	}
	state = spin_lock_irqsave(&process_tree_lock);
	if (group_find_locked(p->pid) == NULL && pid_find_locked(p->pid)->session == NULL) {
		s->leader = p;
		pid_find_locked(p->pid)->session = s;
		group_start_locked(g, s, p);
		session_put_locked(s);
		s = NULL;
		g = NULL;
		result = p->pid;
	}
	spin_unlock_irqrestore(&process_tree_lock, state);
	kfree(s);
	kfree(g);
	return result;
}

/* --- the controlling terminal ----------------------------------------------------------------- */

void session_set_tty_ops(const struct session_tty_ops *ops)
{
	tty_ops = ops;
}

uint32_t process_current_group_id(void)
{
	return (uint32_t)process_get_group(0);
}

uint32_t process_current_session_id(void)
{
	return (uint32_t)process_get_session(0);
}

bool process_current_is_session_leader(void)
{
	struct process *p = process_current();
	irq_state_t state = spin_lock_irqsave(&process_tree_lock);
	bool leads = p->group->session->leader == p;

	spin_unlock_irqrestore(&process_tree_lock, state);
	return leads;
}

struct tty *session_current_tty(void)
{
	irq_state_t state = spin_lock_irqsave(&process_tree_lock);
	struct tty *tty = process_current()->group->session->tty;

	spin_unlock_irqrestore(&process_tree_lock, state);
	return tty;
}

void process_identify_tty(struct process *p, uint64_t *device, int64_t *foreground)
{
	irq_state_t state = spin_lock_irqsave(&process_tree_lock);
	struct tty *tty = p->group != NULL ? p->group->session->tty : NULL;

	spin_unlock_irqrestore(&process_tree_lock, state);
	*device = 0;
	*foreground = -1;
	if (tty != NULL)
		tty_ops->identify(tty, device, foreground);
}

int session_set_tty(struct tty *tty)
{
	struct process *p = process_current();
	irq_state_t state = spin_lock_irqsave(&process_tree_lock);
	struct session *s = p->group->session;
	int error = -EPERM;

	if (s->leader == p && (s->tty == NULL || s->tty == tty)) {
		s->tty = tty;
		error = 0;
	}
	spin_unlock_irqrestore(&process_tree_lock, state);
	return error;
}

void session_clear_tty(struct tty *tty)
{
	irq_state_t state = spin_lock_irqsave(&process_tree_lock);
	struct process *p;

	list_for_each(p, &process_all, all_node) {
		if (p->group != NULL && p->group->session->tty == tty)
			p->group->session->tty = NULL;
	}
	spin_unlock_irqrestore(&process_tree_lock, state);
}

uint32_t process_group_session_id(uint32_t pgid)
{
	irq_state_t state = spin_lock_irqsave(&process_tree_lock);
	struct process_group *g = group_find_locked(pgid);
	uint32_t id = g != NULL ? g->session->id : 0;

	spin_unlock_irqrestore(&process_tree_lock, state);
	return id;
}

bool process_current_group_is_orphaned(void)
{
	irq_state_t state = spin_lock_irqsave(&process_tree_lock);
	bool orphaned = group_is_orphaned_locked(process_current()->group, NULL);

	spin_unlock_irqrestore(&process_tree_lock, state);
	return orphaned;
}

int job_stop_background(int signo)
{
	struct task *task = task_current();

	/*
	 * Who does not want to hear of it may write (SIGTTOU), but has nothing to read (SIGTTIN).
	 */
	if (signal_is_ignored(task->process, signo) || (task->blocked & sigmask_of(signo)) != 0)
		return signo == SIGTTOU ? 0 : -EIO;
	if (process_current_group_is_orphaned())
		return -EIO;
	(void)signal_send_group_id(process_current_group_id(), signo);
	task->thread.pending_signal = true;	/* the call is left at once and made anew */
	return -ERESTARTSYS;
}

/* A session leader is gone: its terminal is hung up by the terminal layer, outside the lock. */
void session_leader_exit(struct process *p)
{
	irq_state_t state = spin_lock_irqsave(&process_tree_lock);
	struct session *s = p->group->session;
	struct tty *tty = NULL;

	if (s->leader == p) {
		tty = s->tty;
		s->leader = NULL;
	}
	spin_unlock_irqrestore(&process_tree_lock, state);
	if (tty != NULL)
		tty_ops->hangup(tty);
}
