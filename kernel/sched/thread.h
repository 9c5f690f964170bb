/*
 * Threads: what the scheduler runs. A user thread is a struct task (proc/task.h) that embeds one.
 *
 * States: RUNNABLE (on a run queue or running), SLEEPING (interruptible or not), STOPPED is a
 * SLEEPING in proc's stop queue, DEAD (after thread_exit; freed when its last reference goes).
 * state is changed under `lock` or by the thread itself; on_cpu clears last after a switch away,
 * so that nobody resumes a stack still in use.
 */
#pragma once

#include "arch/arch_down.h"
#include "core/atomic.h"
#include "core/spinlock.h"
#include "lib/list.h"
#include "lib/rbtree.h"

enum thread_state { THREAD_NEW, THREAD_RUNNABLE, THREAD_SLEEPING, THREAD_DEAD };

struct file;
struct space;

struct headway {			/* design chapter 5, [o] unless noted */
	uint64_t dispatches;		/* times switched in */
	uint64_t stalls;		/* slice expiries refused: no user instruction yet */
	uint64_t deferrals;		/* slice expiries put off once in kernel mode */
	uint64_t barren;		/* headway=off: dispatches in a row that retired nothing */
	uint64_t at_once;		/* expiries that came with the return, in vain */
	uint64_t longest_wait_ns;	/* runnable to running */
};

struct thread {
	struct arch_thread arch;
	void *stack;			/* [I] lowest address */
	uint32_t id;			/* [I] tid; 0 for idle threads */
	char name[16];			/* [o] comm */
	struct refcount references;

	struct spinlock lock;		/* irqsave */
	uint8_t state;			/* enum thread_state; written under lock */
	uint8_t wait_mode;		/* enum wait_mode while SLEEPING */
	bool on_cpu;			/* [a] its stack is in use */
	bool woken;			/* under lock: a wake-up came between prepare and sleep */

	/* under the run queue's lock */
	struct rb_node run_node;
	struct list_head rt_node;
	bool on_queue;
	uint32_t cpu;			/* queue it belongs to */
	uint64_t virtual_ns, deadline_virtual_ns;	/* EEVDF */
	uint64_t subtree_virtual_ns;	/* least virtual_ns in the subtree of run_node */
	int64_t lag_ns;			/* virtual; kept from leaving a queue to the next entry */
	uint64_t inverse_weight;	/* NICE_0_WEIGHT / weight in 32.32 fixed point */
	uint64_t request_virtual_ns;	/* one slice in virtual time */
	uint32_t weight;
	int8_t nice;
	uint8_t policy;			/* SCHED_OTHER, FIFO, RR, BATCH, IDLE */
	uint8_t rt_priority;
	cpu_mask_t affinity;
	uint64_t runnable_since_ns;
	uint64_t dispatched_ns;		/* when it was switched in */
	uint64_t left_alone_ns;		/* when balancing last left it a processor for itself */
	uint64_t slice_end_ns;
	uint64_t exec_start_ns;		/* when it was last charged */
	uint64_t run_ns;		/* total time on a processor */
	uint64_t system_ns;		/* [o] of it in the kernel, by samples: stats.c */
	uint64_t sampled_ns;		/* [o] run_ns where the present sample began; 0: none */

	uint64_t user_entered;		/* returns to user since switch-in: the headway invariant */
	uint64_t user_pc;		/* [o] where the last of them went (sched/headway.h), or
					 * the first is to go */
	uint64_t user_since_ns;		/* [o] when the first of them was */
	uint32_t refusals;		/* [o] slice expiries refused since switch-in */
	/* [o] What it went back to user mode with after a slice's end: sched/switch.c */
	uint64_t kept_pc, kept_sum;
	bool kept_over_switch;
	bool pending_signal;		/* [a] set by proc: makes interruptible waits end */
	bool pending_kill;		/* [a] a fatal signal: makes killable waits end */
	uint64_t voluntary_switches, involuntary_switches;
	struct headway headway;

	struct file **releasing;	/* [o] vfs/file.c: those whose turn comes; NULL: none */
	struct space *space;		/* [o] NULL for kernel threads */
	bool is_idle;
	bool is_listed;			/* under the run queue's lock: thread_is_rt() */
	void (*entry)(void *arg);	/* [I] kernel threads */
	void *entry_arg;
	/* The last reference is gone: interrupts may be off, it must not sleep. */
	void (*destroy)(struct thread *thread);
	uint64_t wait_deadline_ns;	/* [o] of the latest sleep; TIME_NEVER: none */
	void *wait_reason;		/* address waited at, for /proc/PID/wchan and the monitor */
};

static inline struct thread *thread_current(void) { return cpu_current(); }

/* A kernel thread: runs entry(arg) till it returns. Not started: sched_start(). NULL: no memory. */
must_check struct thread *thread_create_kernel(const char *name, void (*entry)(void *), void *arg);
/* Prepares an embedded thread, all zeros, and gives it a stack; -ENOMEM. The policy, nice,
 * affinity are inherited from the current thread. */
must_check int thread_init(struct thread *thread, const char *name);
/* Undoes thread_init for one that never started; also the end of destroy(). */
void thread_fini(struct thread *thread);
static inline void thread_get(struct thread *t) { refcount_get(&t->references); }
void thread_put(struct thread *thread);
/* What a trace calls it: the tid; for a kernel thread, which has none, 31 bits of its address. */
static inline uint32_t thread_trace_id(const struct thread *t)
{
	return t->id != 0 || t->is_idle ? t->id : 1u << 31 | (uint32_t)((uint64_t)t >> 4);
}

static inline void *thread_stack_top(const struct thread *t)
{
	return (char *)t->stack + 16 * 1024UL;
}
