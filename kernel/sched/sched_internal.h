/*
 * What the files of sched/ share about the run queues. Private to this folder.
 *
 * Locking: a thread's `lock` comes before a run queue's; two run queues are taken by
 * spin_lock_pair().
 */
#pragma once

#include "core/clock.h"
#include "core/ipi.h"
#include "sched/runqueue.h"
#include "sched/sched.h"

#define NICE_0_WEIGHT 1024u
extern atomic32_t sched_idle_mask;	/* processors that idle and that nobody claimed */
extern atomic32_t sched_online_mask;

/* What sched= and headway= of the command line choose (choice.c; here in switch.c). [I] */
extern uint64_t sched_slice_ns;		/* 0: up to the next tick */
extern bool sched_is_round_robin;
extern bool headway_is_off;
extern bool signal_wakes_are_lost;

static inline cpu_mask_t cpu_bit(uint32_t cpu) { return (cpu_mask_t)1 << cpu; }

static inline bool policy_is_rt(uint8_t policy)
{
	return policy == SCHED_FIFO || policy == SCHED_RR;
}
/* Served from the lists by priority: the real-time policies, and with sched=rr everybody. */
static inline bool thread_is_rt(const struct thread *t) { return t->is_listed; }

static inline uint64_t thread_slice_ns(const struct thread *t)
{
	return t->policy == SCHED_RR ? SCHED_RR_SLICE_NS : sched_slice_ns;
}

/* --- runqueue.c: the lock is held in all of these -------------------------------------------- */

void runqueue_init(struct runqueue *rq, uint32_t cpu, struct thread *idle);
/* Gives the running thread the time since it was last charged; renews a served request. */
void runqueue_charge(struct runqueue *rq, uint64_t now) REQUIRES(&rq->lock);
/* A thread joins the runnable ones: placed by its lag, queued. */
void runqueue_add(struct runqueue *rq, struct thread *t, uint64_t now) REQUIRES(&rq->lock);
/* A waiting thread leaves the runnable ones; its lag is kept in it. */
void runqueue_remove(struct runqueue *rq, struct thread *t) REQUIRES(&rq->lock);
/* The running thread leaves the runnable ones (it sleeps, ends or moves). */
void runqueue_leave_current(struct runqueue *rq) REQUIRES(&rq->lock);
/* Its parameters changed meanwhile: the running thread joins again, in its place. */
void runqueue_rejoin_current(struct runqueue *rq) REQUIRES(&rq->lock);
/* The running thread goes back to wait; `to_back`: behind its equals (slice used up). */
void runqueue_put_current(struct runqueue *rq, bool to_back) REQUIRES(&rq->lock);
/* The thread to run next: `current` may be chosen when `current_runs`. NULL: nobody. */
struct thread *runqueue_pick(struct runqueue *rq, bool current_runs, bool current_to_back,
			     uint64_t now) REQUIRES(&rq->lock);
/* A picked waiting thread leaves the queue to run. */
void runqueue_take(struct runqueue *rq, struct thread *t) REQUIRES(&rq->lock);
/* Should `t`, which waits here, take the processor from the running thread? */
bool runqueue_preempts(struct runqueue *rq, struct thread *t, uint64_t now) REQUIRES(&rq->lock);
/* The slice of the running thread is used up, or it yields: its request ends now. */
void runqueue_end_request(struct runqueue *rq, bool give_away) REQUIRES(&rq->lock);
/* The first waiting thread that may run on one of `mask`, best first; of a few. NULL: none. */
struct thread *runqueue_find_movable(struct runqueue *rq, cpu_mask_t mask) REQUIRES(&rq->lock);

/* --- rt_limit.c ------------------------------------------------------------------------------ */

/* The running real-time thread ran for `delta`, till now. */
void rt_limit_charge(struct runqueue *rq, uint64_t delta, uint64_t now) REQUIRES(&rq->lock);
/* Real-time threads have had their share of this period: others who wait go first. */
bool rt_limit_reached(struct runqueue *rq, uint64_t now) REQUIRES(&rq->lock);

/* --- policy.c -------------------------------------------------------------------------------- */

void thread_set_weight(struct thread *t, uint8_t policy, int nice);

/* --- switch.c -------------------------------------------------------------------------------- */

/* This processor's queue: when somebody waits, the slice timer is on. */
void slice_ensure_armed(struct runqueue *rq, uint64_t now) REQUIRES(&rq->lock);

/* --- wake.c ---------------------------------------------------------------------------------- */

/* Puts a thread that is RUNNABLE, on no queue and on no processor on one that it may use. */
void wake_enqueue(struct thread *t) REQUIRES(&t->lock);
/* The processor of rq has more to do than before. */
enum kick { KICK_NONE, KICK_IPI };
enum kick runqueue_announce(struct runqueue *rq, struct thread *t, uint64_t now)
	REQUIRES(&rq->lock);
/* Any processor that the mask allows and that is idle is told to pull. After the enqueue. */
void wake_idle_helper(cpu_mask_t affinity);
/* Locks the run queue that `t` belongs to, stable while t->lock is held too. */
struct runqueue *thread_lock_runqueue(struct thread *t) REQUIRES(&t->lock);

/* --- balance.c ------------------------------------------------------------------------------- */

/* Moves a waiting thread here from a processor that has several; true when one came. */
bool balance_pull(struct runqueue *rq);
/* At a slice's end: gives a waiting thread to a processor with less to do. Interrupts off. */
void balance_push(struct runqueue *rq, uint64_t now);

/* --- stats.c --------------------------------------------------------------------------------- */

void load_init(void);
