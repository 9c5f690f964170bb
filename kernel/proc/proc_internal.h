/*
 * What the files of proc/ share: the id table, the tree, the queues behind signals.
 *
 * Lock order: process_tree_lock, process->lock, sighand->lock. All three are taken with interrupts
 * off, since terminals and timers send signals from interrupt handlers. A task enters and leaves
 * process->tasks under process->lock and sighand->lock, so that either is enough to walk the list.
 */
#pragma once

#include "proc/fs_state.h"
#include "proc/task.h"

/*
 * One id: thread, process, group and session numbers come from one space, and a number is not given
 * out again while any of them uses it. Tree lock.
 */
struct pid_entry {
	uint32_t id;
	struct task *task;			/* not counted: removed by the task's exit */
	struct process_group *group;
	struct session *session;
};

void pid_init(void);
/* wanted 0: any. -EAGAIN: all taken, -EEXIST, -EINVAL, -ENOMEM. */
must_check int pid_allocate(uint32_t wanted, struct pid_entry **out);
void pid_cancel(struct pid_entry *entry);			/* never published */
uint32_t pid_count(void);
void pid_release_locked(struct pid_entry *entry) REQUIRES(&process_tree_lock);	/* if unused */
struct pid_entry *pid_find_locked(uint32_t id) REQUIRES(&process_tree_lock);
extern uint64_t task_forks GUARDED_BY(&process_tree_lock);	/* tasks published since the boot */
static inline void pid_publish_task_locked(struct pid_entry *entry, struct task *task)
	REQUIRES(&process_tree_lock)
{
	assert_held(&process_tree_lock);
	ASSERT(entry->task == NULL);
	entry->task = task;
	task_forks++;
}

struct process_group *group_find_locked(uint32_t id) REQUIRES(&process_tree_lock);
void group_put_locked(struct process_group *group) REQUIRES(&process_tree_lock);
void process_set_group_locked(struct process *p, struct process_group *group)
	REQUIRES(&process_tree_lock);
bool group_is_orphaned_locked(struct process_group *group, struct process *ignoring)
	REQUIRES(&process_tree_lock);

extern struct list_head process_all;				/* every process; tree lock */
void process_caches_init(void);
must_check int process_start_session(struct process *p);	/* PID 1 */
void session_leader_exit(struct process *p);
struct process *process_create(void);	/* count 1, unlinked, without limits; NULL */
/* The one place where a parent changes: what getppid(2) says goes with it. */
void process_set_parent_locked(struct process *p, struct process *parent)
	REQUIRES(&process_tree_lock);
void process_link_locked(struct process *p, struct process *parent) REQUIRES(&process_tree_lock);
static inline void process_add_task_locked(struct process *p, struct task *task)
{
	list_push_back(&p->tasks, &task->process_node);
	p->task_count++;
}
void process_remove_task_locked(struct process *p, struct task *task);
must_check struct task *task_create(void);			/* zeroed, with its caches; NULL */
void task_free(struct task *task);
void task_set_space(struct task *task, struct space *space);	/* current; consumes `space` */
void task_unlink_locked(struct task *task) REQUIRES(&process_tree_lock);
void process_reap_locked(struct process *p) REQUIRES(&process_tree_lock);
void process_drop_reaped(struct process *p);	/* after it, unlocked */
void process_notify_parent_locked(struct process *p, int signo, struct sigqueue_entry *entry,
				  const struct abi_siginfo *info) REQUIRES(&process_tree_lock);

must_check struct fs_state *fs_state_create(const struct path *root);
must_check struct fs_state *fs_state_copy(struct fs_state *from);	/* NULL: no memory */
static inline void fs_state_get(struct fs_state *fs) { refcount_get(&fs->references); }

/* --- signals -------------------------------------------------------------------------------- */

struct sigqueue_entry {
	struct list_head node;
	struct abi_siginfo info;
	struct process *charged;		/* not counted; NULL: none */
	bool embedded;				/* a timer's: not freed when taken */
	bool queued;
};

static inline void sigqueue_init(struct sigqueue *q)
{
	q->mask = 0;
	list_init(&q->entries);
}
void sigqueue_flush(struct sigqueue *q, uint64_t mask);		/* drops what is in mask */
struct sigqueue_entry *sigqueue_entry_create(const struct abi_siginfo *info);	/* NULL */
void sigqueue_entry_free(struct sigqueue_entry *entry);
must_check struct sighand *sighand_create(void);
static inline void sighand_get(struct sighand *s) { refcount_get(&s->references); }
void sighand_put(struct sighand *s);
void sighand_copy_actions(struct sighand *to, const struct sighand *from);
/* What exec and CLONE_CLEAR_SIGHAND do: ignored signals stay ignored, others have no action. */
void sighand_reset_handlers(struct sighand *s);

/* Sends with a made entry, which is consumed. `t` NULL: to the process. `force`: bypasses the
 * protection of PID 1. signal_lock held. */
void signal_post_locked(struct process *p, struct task *t, int signo, struct sigqueue_entry *entry,
			bool force);
/* Every task of p is to end with `status` (wait encoding) unless it is ending already. */
void signal_kill_process_locked(struct process *p, int status);
void signal_kick(struct thread *thread, bool fatal);
bool signal_default_is_ignore(int signo);
bool signal_default_is_stop(int signo);
bool signal_default_is_core(int signo);
/* Takes the next signal of `mask` from the task's or its process's queue: its number or 0. */
int signal_take_locked(struct task *task, uint64_t mask, struct abi_siginfo *info);
void signal_deliver(struct trap_frame *frame);
void signal_caches_init(void);
uint32_t sigqueue_count(const struct sigqueue *q);
void signal_hand_over_locked(struct task *task, uint64_t mask);
uint32_t signal_live_tasks_locked(struct process *p);
void signal_stop_completed_locked(struct process *p);
void signal_notify_stop(struct process *p);		/* no lock held */
void signal_leave_stop_locked(struct process *p);
void signal_continue_locked(struct process *p);
/* signal_force() of a kernel-made one; `always`: its handler is taken away first. */
void signal_force_default(int signo, bool always);
/* The leader's real user id: another's credentials are read under its process's lock alone. */
uint32_t process_uid_locked(struct process *p) REQUIRES(&process_tree_lock);
bool cred_may_signal(const struct cred *mine, const struct cred *theirs);
/* A timer's signal was taken: SI_TIMER gets its overrun count, the timer goes on. */
void itimer_signal_taken(struct process *p, int signo, struct abi_siginfo *info);

/* --- tracing (ptrace.c) --------------------------------------------------------------------- */

bool ptrace_is_traced(const struct task *task);
static inline bool ptrace_wants_stop(const struct task *task) { return false; }
void ptrace_stop_if_asked(struct task *task, struct trap_frame *frame);
/* The tracer sees a signal before it acts: the number that is left, 0 for none. */
int ptrace_signal(struct task *task, struct trap_frame *frame, int signo, struct abi_siginfo *info,
		  struct signal_action *action);

/* Recomputes the current task's pending_signal; sighand->lock. */
static inline void signal_recalculate_locked(struct task *task)
{
	struct process *p = task->process;
	uint64_t open = ~task->blocked;
	bool pending = ((task->pending.mask | p->shared_pending.mask) & open) != 0 ||
		       p->exiting || task->exiting_for_exec || p->stop_pending ||
		       ptrace_wants_stop(task);

	write_once(task->thread.pending_signal, pending);
}

/* --- restartable sequences (rseq.c) ----------------------------------------------------------- */

void rseq_signal_delivered(struct task *task, struct trap_frame *frame);
/* exec: handlers back to default, ignored ones stay. */
void signal_reset_for_exec(struct process *p);
void signal_task_exiting(struct task *task);

/* --- exit, clone, exec ------------------------------------------------------------------------ */

void exec_random_init(void);		/* aslr= */

struct vfork_completion {
	struct refcount references;
	bool done;
	struct wait_queue wait;
};
void vfork_release(struct task *task);		/* exec or exit: the parent may go on */
void task_release_memory(struct task *task);	/* robust futexes, clear_child_tid, rseq */

/* --- timers and rusage ------------------------------------------------------------------------ */

struct itimer;
must_check int itimers_inherit(struct process *p);	/* RLIMIT_CPU */
void itimers_thread_exit(struct task *task);
void itimers_exit(struct process *p);		/* cancels everything; the memory stays with p */
void itimers_exec(struct process *p);		/* POSIX timers go, ITIMER_* stay */
void itimers_destroy(struct process *p);

/* --- futex ------------------------------------------------------------------------------------ */

/* The task's memory is going, with the locks it holds: exec, or its end (`dead`). */
void futex_exit(struct task *task, bool dead);
