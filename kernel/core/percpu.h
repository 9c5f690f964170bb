/*
 * What belongs to one processor: its struct cpu, and its copy of each per-CPU variable.
 *
 * preempt_count counts reasons not to switch threads (spin locks held, interrupt handlers). It is
 * per CPU and never saved: a switch happens only with the scheduler's own count of one, so it is
 * the same on both sides.
 *
 * need_resched is set by this CPU only (a wake-up from another CPU sends an IPI); it is consumed by
 * sched_switch() alone.
 */
#pragma once

#include "core/annotate.h"
#include "core/types.h"

struct thread;

/* The first fields are known by offset to the entry code: arch/x86_64/cpu_offsets.h. */
struct cpu {
	struct cpu *self;		/* [I] */
	struct thread *current;		/* [c] changed by sched_switch() only */
	uint64_t kernel_stack_top;	/* [c] of current, loaded by the system call entry */
	uint64_t user_sp_scratch;	/* [c] system call entry only */
	uint32_t preempt_count;		/* [c] */
	uint32_t need_resched;		/* [c] */
	uint32_t id;			/* [I] index, 0 is the boot processor */
	uint32_t irq_depth;		/* [c] nesting of interrupt handlers */
	uint64_t idle_ns;		/* [c] */
	uint64_t irq_pc;		/* [c] where the latest interrupt came */
	uint64_t interrupts;		/* [c] all of them, the timer's and other processors' too */
	uint32_t faults;		/* [c] page faults */
	bool online;			/* [I] after start-up */
	bool user_is_live;		/* [c] interrupts off: arch_prepare_user() was called since
					 * the switch, and what it brought is still there */
	void *arch;			/* [I] the architecture's own part */
	uint64_t percpu_offset;		/* [I] from processor 0's variables to its own */
} cache_aligned;

extern struct cpu cpus[CPU_MAX];
extern uint32_t cpu_count;		/* [I] after start-up: online ones are 0..n-1 */

/* Contexts as capabilities, for the thread-safety analysis only. */
struct REENTRANT_CAPABILITY("context") context_token { char unused; };
extern struct context_token preempt_off, irq_off;

#include "arch/arch_inline.h"	/* cpu_self(), cpu_id(), preempt_count_inc/dec, arch_irq_* */

void preempt_enable_slow(void);	/* sched: switches when need_resched and the count is zero */

static inline void preempt_disable(void) ACQUIRES(&preempt_off) NO_LOCK_ANALYSIS
{
	preempt_count_inc();
	__asm__ volatile("" ::: "memory");
}

static inline void preempt_enable(void) RELEASES(&preempt_off) NO_LOCK_ANALYSIS
{
	__asm__ volatile("" ::: "memory");
	/* True when the count reached zero and a switch is due: one instruction and a branch. */
	if (unlikely(preempt_count_dec_and_test_resched()))
		preempt_enable_slow();
}

/*
 * One variable per processor: `PERCPU(struct runqueue, runqueue);` then this_cpu(runqueue). In the
 * kernel all those of a processor are one block, so that they lie on few pages: what is declared is
 * processor 0's, and the linker script (kernel.ld) reserves room for CPU_MAX - 1 more. All begin as
 * zeros. this_cpu() is stable only with preemption off.
 */
#ifdef ARCH_HAS_PERCPU_BLOCKS
extern char percpu_bytes[];		/* its address is the size of a block */
#define PERCPU(type, name)                                                                        \
	type name##_percpu __attribute__((section(".bss.percpu." #name))) cache_aligned
#define PERCPU_DECLARE(type, name) extern type name##_percpu
#define percpu_at(variable, offset) ((__typeof__(variable) *)((uint64_t)&(variable) + (offset)))
#define this_cpu(name) percpu_at(name##_percpu, cpu_percpu_offset())
#define cpu_of(name, id) percpu_at(name##_percpu, (id) * (uint64_t)percpu_bytes)
#else
#define PERCPU(type, name) type name##_percpu[CPU_MAX] cache_aligned
#define PERCPU_DECLARE(type, name) extern type name##_percpu[CPU_MAX]
#define this_cpu(name) (&name##_percpu[cpu_id()])
#define cpu_of(name, id) (&name##_percpu[(id)])
#endif
