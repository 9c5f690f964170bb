/*
 * Tasks and processes. A task is a user thread: the scheduler's thread plus what POSIX gives each
 * thread. A process is a thread group: what its tasks share. ids: a task's tid is its thread's id;
 * the process's pid is the tid of its leader.
 *
 * Locking: process_tree_lock guards parents, children, groups, sessions and the id table;
 * process->lock its tasks, limits, counters; sighand->lock signal actions and queues. A task reads
 * its own fields marked [o] without a lock.
 */
#pragma once

#include "abi/resource.h"
#include "core/timer.h"
#include "core/trace.h"
#include "lib/container_of.h"
#include "proc/cred.h"
#include "proc/fdtable.h"
#include "proc/signal.h"
#include "sched/sched.h"
#include "vfs/path.h"
#include "vm/space.h"

struct tty;
struct process;
struct sigqueue_entry;
struct vfork_completion;
struct exec_barrier;

/* cwd, root and umask: shared by clone(CLONE_FS). */
struct fs_state {
	struct refcount references;
	struct spinlock lock;
	struct path root, cwd;			/* counted */
	uint32_t umask;
};

struct session {
	struct refcount references;
	uint32_t id;
	struct tty *tty;			/* controlling terminal; tree lock */
	struct process *leader;
};

struct process_group {
	struct refcount references;
	uint32_t id;
	struct session *session;		/* counted */
	struct list_head members;		/* process.group_node; tree lock */
	struct list_head session_node;
};

enum process_state { PROCESS_RUNNING, PROCESS_ZOMBIE, PROCESS_REAPED };

struct process {
	struct refcount references;
	uint32_t pid;				/* [I] */
	struct spinlock lock;
	struct list_head tasks;			/* task.process_node: lock */
	uint32_t task_count;			/* live ones: lock */
	struct task *leader;
	/* tree lock */
	struct process *parent;			/* not counted: children are moved at its exit */
	uint32_t parent_pid;			/* [a] its pid, 0: none. Read without the lock */
	struct list_head children, sibling_node, group_node, all_node;
	struct process_group *group;
	uint8_t state;				/* enum process_state */
	bool is_subreaper, did_exec;
	bool was_looked_up;			/* [a] /proc may keep names below its number */
	struct wait_queue child_wait;		/* wait4 sleeps here */

	int exit_status;			/* wait status encoding; set once when exiting */
	bool exiting;				/* exit_group or fatal signal: lock */
	struct sighand *sighand;		/* counted; actions and the shared queue */
	struct sigqueue shared_pending;		/* sighand->lock */
	bool stopped, continued_pending, stop_pending;	/* sighand->lock; job control */
	bool stop_reported;			/* a waiter took the present stop; sighand->lock */
	uint32_t stopped_count;			/* tasks in the stop; sighand->lock */
	bool stop_notify, continue_notify;	/* the parent is to be told; sighand->lock */
	int stop_signal;
	uint32_t continue_count;		/* SIGCONTs sent; sighand->lock */
	struct wait_queue stop_wait;		/* stopped tasks sleep here */
	struct wait_queue exit_wait;		/* woken when it becomes a zombie: pidfd, exec */
	struct task *exec_task;			/* the one that survives an exec; lock */
	int exit_signal;			/* to the parent: SIGCHLD, or clone's choice */

	struct abi_rlimit limits[RLIM_NLIMITS];	/* lock */
	uint64_t start_ns;
	/* sums of exited threads and of waited-for children; lock */
	uint64_t dead_user_ns, dead_system_ns, children_user_ns, children_system_ns;
	uint64_t told_user_ns, told_system_ns;	/* no later answer is less: process_times() */
	uint64_t children_max_rss_kib, max_rss_kib;
	uint64_t dead_minor_faults, dead_major_faults, children_minor_faults, children_major_faults;
	uint64_t dead_voluntary, dead_involuntary, children_voluntary, children_involuntary;
	uint64_t dead_read_bytes, dead_write_bytes;
	struct itimer *itimers;			/* ITIMER_*, POSIX timers: proc/itimer.c */
	char *cmdline_note;
	uint64_t personality;
	int oom_score_adj;
	bool oom_named;				/* told to end, for its memory; lock */
	bool membarrier_private;		/* registered for membarrier(2) */
	bool auto_reaped;			/* nobody will wait for it; tree lock */
	bool unkillable;			/* [I] PID 1: drops signals without a handler */
	uint32_t posix_timer_next;
	void *ptrace;
};

struct task {
	struct thread thread;			/* first: task_of() */
	struct process *process;		/* [I] counted */
	struct list_head process_node;		/* process->lock */
	struct cred *cred;			/* [o] written under process->lock */
	struct fdtable *fdtable;		/* [o] changed under process->lock */
	struct fs_state *fs;			/* [o] changed under process->lock */
	struct space *space_view;		/* process->lock: thread.space, not counted */
	uint64_t blocked;			/* [o] signal mask; written under sighand->lock */
	uint64_t real_blocked;			/* what it will be again after sigtimedwait */
	uint64_t saved_mask;			/* sigsuspend, ppoll: restored after delivery */
	bool restore_mask;
	struct sigqueue pending;		/* sighand->lock */
	uint64_t alt_stack_base, alt_stack_size;
	uint32_t alt_stack_flags;
	user_addr_t clear_child_tid, set_child_tid;
	user_addr_t robust_list;
	size_t robust_list_bytes;
	user_addr_t rseq;
	uint32_t rseq_bytes, rseq_signature;
	uint32_t rseq_cpu;			/* what the area shows */
	uint64_t rseq_dispatches;		/* thread.headway.dispatches it was written for */
	int restart_kind;			/* which sleep restart_syscall goes on with */
	uint64_t restart_deadline_ns;
	uint64_t restart_args[4];
	uint64_t syscall_nr;			/* the call being made; -1 in none */
	uint64_t io_read_bytes, io_write_bytes;
	int exit_code;
	int parent_death_signal;
	bool exiting;
	bool exiting_for_exec;			/* another task's exec ends it */
	int forced_signal;			/* a fault without a handler: ends even PID 1 */
	struct vfork_completion *vfork;		/* whom this task keeps waiting; process->lock */
	uint32_t trap_number;			/* of the last fault: for the signal frame */
	uint64_t trap_error, trap_address;
	uint64_t timer_slack_ns;
	uint32_t sample_count;			/* [o] system calls made; a child goes on from it */
	uint8_t machine_check_policy;		/* prctl(PR_MCE_KILL): PR_MCE_KILL_* */
	bool sched_reset_on_fork;		/* SCHED_RESET_ON_FORK */
	uint64_t tsc_mode;
	bool keep_caps_on_exec;
	uint32_t futex_exits;			/* [a] odd: in futex_exit(), or after the last */
	bool futex_dead;			/* [a] after the last futex_exit() */
	bool futex_waited;			/* [a] somebody waited for a lock of it */
	uint64_t minor_faults, major_faults;
	/* [o] the latest fault of the program's own, and how often it came again: fault.c */
	uint64_t fault_address, fault_pc;
	uint32_t fault_calls, fault_repeats;
	bool accounted;				/* process->lock: in its sums of dead threads */
	void (*first_run)(void);		/* PID 1: what it does before user mode */
	uint64_t fail_nth;			/* [o] failure sweep: 0 is off */
	void *ptrace;
};

static inline struct task *task_of(struct thread *t) { return (struct task *)t; }
/* The current user task; never in a kernel thread. */
static inline struct task *task_current(void) { return task_of(thread_current()); }
static inline struct process *process_current(void) { return task_current()->process; }
static inline uint32_t process_parent_pid(const struct process *p)
{
	return read_once(p->parent_pid);
}

extern struct spinlock process_tree_lock;

/*
 * p->lock and the sighand's lock, interrupts off: what a process's signals are read and changed
 * under.
 */
static inline irq_state_t signal_lock(struct process *p) NO_LOCK_ANALYSIS
{
	irq_state_t state = spin_lock_irqsave(&p->lock);

	spin_lock(&p->sighand->lock);
	return state;
}

static inline void signal_unlock(struct process *p, irq_state_t state) NO_LOCK_ANALYSIS
{
	spin_unlock(&p->sighand->lock);
	spin_unlock_irqrestore(&p->lock, state);
}

/* By id, counted (refcount of process / thread); NULL. */
struct process *process_lookup(uint32_t pid);
struct task *task_lookup(uint32_t tid);
static inline void process_get(struct process *p) { refcount_get(&p->references); }
void process_put(struct process *p);
static inline void task_put(struct task *t) { thread_put(&t->thread); }
/* Every process in pid order from `pid` on: counted, NULL at the end. For procfs. */
struct process *process_next(uint32_t pid);
struct task *process_next_task(struct process *p, uint32_t tid);
/* The system's; looks at every task. */
struct task_counts {
	uint64_t forks;				/* processes and threads made since the boot */
	uint32_t tasks, blocked;		/* those there are; of them, in state D */
	uint32_t last_id;			/* the number given out last */
};
void task_counts_get(struct task_counts *out);
/* Tells the trace the task's name. */
static inline void task_trace_name(const struct task *task)
{
	trace_thread_name(task->thread.id, task->process->pid, trace_chars(task->thread.name, 0),
			  trace_chars(task->thread.name, 1));
}

uint64_t process_limit(int resource);		/* the current process's soft limit */

/* path_context of the current task for a relative base: AT_FDCWD or a descriptor, of a
 * directory or not, which only a `name` (or NULL) that does not begin with "/" looks at.
 * path_base_put() ends it. -EBADF. */
struct path_base { struct path_context ctx; struct path root, base; };
must_check int path_base_get(int dirfd, const char *name, struct path_base *out);
void path_base_put(struct path_base *b);

/* fork, vfork, clone, clone3 meet here (abi/sched.h's clone_args); the child's tid or -errno. */
struct clone_request {
	uint64_t flags;
	uint64_t stack, stack_size;		/* 0: the parent's */
	user_addr_t parent_tid, child_tid, pidfd;
	uint64_t tls;
	int exit_signal;
	const uint32_t *set_tid;
	size_t set_tid_count;
};
must_check long process_clone(const struct clone_request *request, const struct trap_frame *frame);
/* execve(2): on success the current frame enters the new program. `pointer_bytes`: in argv, envp */
must_check int process_exec(int dirfd, const char *name, user_addr_t argv, user_addr_t envp,
			    size_t pointer_bytes, int flags);
void process_exit_group(int status) noreturn_fn;	/* wait status encoding */
void task_exit(int status) noreturn_fn;
/* PID 1 from the kernel: path and NULL-terminated arguments. */
must_check int process_start_init(const char *path, const char *const argv[],
				  const char *const envp[]);
void proc_init(void);
/* procfs: called after a process was reaped, without locks. */
void process_set_gone_hook(void (*hook)(uint32_t pid));
void process_set_root(const struct path *root);		/* boot: PID 1's root and cwd */
/* Another task's space, counted; NULL when it has left it. More of that kind: task_access.h. */
void fs_state_put(struct fs_state *fs);
/* chdir, chroot: replaces fs->root or fs->cwd by *to, which is counted. */
void fs_state_set(struct fs_state *fs, struct path *which, const struct path *to);
must_check int fs_unshare(void);		/* of the current task; -ENOMEM */
struct space *task_get_space(struct task *task);
