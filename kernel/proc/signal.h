/*
 * Signals: sending, queues, actions. Delivery is user_return()'s.
 */
#pragma once

#include "abi/signal.h"
#include "core/spinlock.h"
#include "sched/wait.h"

struct task;
struct process;
struct process_group;
struct trap_frame;

#define SIGNAL_COUNT 64
#define sigmask_of(signo) (1ULL << ((signo) - 1))

struct signal_action { uint64_t handler, flags, restorer, mask; };

struct sighand {				/* shared by CLONE_SIGHAND */
	struct refcount references;
	struct spinlock lock;
	uint64_t set;				/* signals whose action was set: only theirs mean
						 * something below; so a fork copies these alone */
	struct signal_action actions[SIGNAL_COUNT];
	struct wait_queue signalfd_wait;
};

struct sigqueue {				/* pending signals of a task or of a process */
	uint64_t mask;
	struct list_head entries;		/* with their siginfo, in order of sending */
};

/* Each takes sighand->lock itself. info NULL: kernel-made SI_KERNEL. 0; -EAGAIN: queue limit. */
int signal_send_process(struct process *p, int signo, const struct abi_siginfo *info);
int signal_send_task(struct task *t, int signo, const struct abi_siginfo *info);
/* As above under process_tree_lock, to each member; 0 when any got it, -ESRCH. */
int signal_send_group(struct process_group *g, int signo, const struct abi_siginfo *info);
int signal_send_group_id(uint32_t pgid, int signo);	/* kernel-made: terminals */
/* A fault of the current task: cannot be ignored or blocked (then it kills). */
void signal_force(int signo, const struct abi_siginfo *info);
static inline uint64_t signal_unmaskable(void)
{
	return sigmask_of(9 /* SIGKILL */) | sigmask_of(19 /* SIGSTOP */);
}
bool signal_is_ignored(struct process *p, int signo);

/* The action for a signal, until the lock is released; and its handler back to SIG_DFL. */
const struct signal_action *signal_action_locked(const struct sighand *s, int signo);
void signal_reset_action_locked(struct sighand *s, int signo);

/* rt_sigaction(2): action NULL only asks. -EINVAL. */
must_check int signal_set_action(int signo, const struct signal_action *action,
				 struct signal_action *old);
/* rt_sigprocmask(2)'s result: SIGKILL and SIGSTOP stay open. */
void signal_set_blocked(struct task *task, uint64_t mask);
/* rt_sigreturn(2): the value for the result register. */
long signal_return(struct trap_frame *frame);
/* sigaltstack(2): -EPERM on the stack itself, -EINVAL, -ENOMEM. `sp`: the user's stack pointer. */
int signal_set_alt_stack(struct task *task, uint64_t sp, uint64_t base, uint64_t size,
				    uint32_t flags);
void signal_get_alt_stack(struct task *task, uint64_t sp, struct abi_stack *out);
/* ppoll and its like: another mask while they sleep. restore: at once, unless a signal interrupted
 * the call; then its delivery restores. */
void signal_use_mask(uint64_t mask);
void signal_restore_mask(bool interrupted);
/* rt_sigpending(2), rt_sigsuspend(2), rt_sigtimedwait(2): the number or -EAGAIN, -EINTR. */
uint64_t signal_pending_blocked(void);
must_check int signal_suspend(uint64_t mask);
must_check int signal_wait_for(uint64_t mask, struct abi_siginfo *info, uint64_t deadline_ns);
/* May the current task signal p? 0, -EPERM. */
int signal_permission(struct process *p, int signo);
