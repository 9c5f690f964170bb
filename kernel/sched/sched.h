/*
 * The scheduler's face: start, switch, wake, sleep, policy. EEVDF per CPU (Stoica and Abdel-Wahab,
 * 1995), real-time policies above it, balancing between CPUs. runqueue.c holds the theory.
 */
#pragma once

#include "core/clock.h"
#include "abi/sched.h"
#include "sched/thread.h"

/* Policies and the range of niceness, as sched(7) has them. */
#define NICE_MIN (-20)
#define NICE_MAX 19
#define RT_PRIORITY_MIN 1
#define RT_PRIORITY_MAX 99

#define SCHED_SLICE_NS (3 * NSEC_PER_MSEC)
#define SCHED_RR_SLICE_NS (100 * NSEC_PER_MSEC)

/* Reasons in cpu->need_resched. ipi_receive() sets the first one. */
#define RESCHED_PREEMPT 1u	/* somebody else may have to run, or an IPI asks to look */
#define RESCHED_SLICE 2u	/* the slice ended: subject to headway_may_switch() */
#define RESCHED_YIELD 4u	/* sched_yield() */

void sched_init(void);				/* boot CPU; its stack becomes the idle thread */
void sched_init_secondary(void);		/* on the secondary's idle stack */
void sched_idle_loop(void) noreturn_fn;

/* Makes a NEW thread runnable, placed by wake-up placement. */
void sched_start(struct thread *thread);
/* Wakes a SLEEPING thread (or lets its coming sleep fail); true when it was asleep. Any context. */
bool sched_wake(struct thread *thread);
/* As sched_wake, only when it sleeps in a mode that a signal may end. One that runs on another
 * processor is interrupted, so that it passes user_return(). */
bool sched_wake_for_signal(struct thread *thread, bool fatal);
/* Gives up the processor: to the next thread if the state is not RUNNABLE, else by policy.
 * The one function that changes cpu->current. */
void sched_switch(void) EXCLUDES(&preempt_off);
void sched_yield(void);				/* sched_yield(2) */
/* The current thread ends; never returns. Its last reference is dropped by the next thread. */
void sched_exit(void) noreturn_fn;

/* The lab's choices on the command line, sched= and headway=; once, after sched_init(). */
void sched_choose(void);
/* log=sync's line at each switch: called before the stacks change, as the hook above. */
void sched_set_switch_log(void (*hook)(struct thread *prev, struct thread *next));

/* Called by the timer when the slice set by user_return() ends; interrupts off. */
void sched_slice_ended(void);
/* Whether what is armed, if anything, is the end of the running thread's slice; interrupts off. */
bool sched_slice_is_own(void);
static inline bool sched_need_resched(void) { return cpu_self()->need_resched != 0; }

/* Sleeps until the absolute monotonic time; 0 or -EINTR. */
must_check int sched_sleep_until(uint64_t deadline_ns, bool interruptible);

void sched_set_nice(struct thread *thread, int nice);
/* Who runs on a processor now, or ran before the caller if that is the caller; a hint. */
void sched_running_on(uint32_t cpu, uint32_t *id, bool *is_rt);
void sched_set_policy(struct thread *thread, int policy, int rt_priority);
/* How long real-time threads may keep others waiting in each period (UINT64_MAX: always); -EINVAL
 * for a period of 0 and for more than the period. */
void sched_rt_limit_get(uint64_t *period_ns, uint64_t *runtime_ns);
must_check int sched_rt_limit_set(uint64_t period_ns, uint64_t runtime_ns);
/* -EINVAL when no online CPU is in the mask; migrates at once when it must. */
must_check int sched_set_affinity(struct thread *thread, cpu_mask_t mask);
uint64_t sched_thread_run_ns(struct thread *thread);	/* up to now */

/* vm's hook: called when two threads of different `space` follow each other (NULL for kernel
 * threads), before the stacks change, interrupts off, under the run queue's lock. */
void sched_set_space_switch(void (*hook)(struct thread *prev, struct thread *next));

/* Where a processor's time went since the boot; niced threads' in user mode is not in user_ns. No
 * member ever becomes less. */
struct sched_cpu_times { uint64_t user_ns, nice_ns, system_ns, idle_ns; };
void sched_cpu_times_get(uint32_t cpu, struct sched_cpu_times *out);
/* What this processor's current thread, or else its idle thread, did was the kernel's: the boot. */
void sched_charge_boot(void);

/* `runnable` counts waiting and running threads; load averages are in units of 1/2048. */
struct sched_stats { uint64_t switches, runnable, running; uint64_t load[3]; };
void sched_stats_get(struct sched_stats *out);
