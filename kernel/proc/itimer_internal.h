/*
 * What the files of timers share: the interval behind every kind, and a process's set of them.
 *
 * The calls are serialised by itimer.mutex; the fields of an interval are under the signal lock of
 * the process, as timers fire in interrupt handlers. proc/itimer.c says how one is armed and ended.
 */
#pragma once

#include "core/timer.h"
#include "proc/itimer.h"
#include "proc/proc_internal.h"
#include "sched/mutex.h"

struct interval {
	struct timer timer;
	struct process *process;	/* not counted: it cancels all before it goes */
	struct task *thread;		/* thread clocks, SIGEV_THREAD_ID: not counted; see below */
	uint32_t thread_id;		/* SIGEV_THREAD_ID */
	int clock, signo;		/* signo 0: none (SIGEV_NONE) */
	bool closing, active;
	uint64_t deadline_ns;		/* on its clock */
	uint64_t interval_ns;
	/* POSIX timers */
	int id;
	struct list_head node;
	uint64_t overrun, last_overrun;
	struct sigqueue_entry entry;	/* embedded: sent again only after it was taken */
};

struct itimer {
	struct mutex mutex;
	struct interval fixed[4];	/* ITIMER_REAL, _VIRTUAL, _PROF, RLIMIT_CPU */
	struct list_head posix;
	uint32_t posix_count;
};

#define FIXED_LIMIT 3
#define CLOCK_USER_TIME (-1)		/* ITIMER_VIRTUAL */

/* The process's timers, made when first needed; NULL: no memory. */
struct itimer *itimers_of(struct process *p);

/* Off, in its first state. `fire` is called in interrupt context; interval_fire() for most. */
void interval_init(struct interval *t, struct process *p, int clock, int signo, int id,
		   void (*fire)(struct timer *timer));
void interval_fire(struct timer *timer);

/* The timer's clock now; p->lock is not held for processor time. */
uint64_t interval_now(const struct interval *t);
/* What is left of it at `now`; 0: it is off. */
uint64_t interval_left(const struct interval *t, uint64_t now);

/* The mutex is held. After interval_stop() it does not fire until it is restarted. */
void interval_stop(struct interval *t);
/* deadline 0: stays off. */
void interval_restart(struct interval *t, uint64_t deadline_ns, uint64_t interval_ns);

/* Stops a POSIX timer and frees it. The mutex is held. */
void posix_timer_free(struct itimer *timers, struct interval *t);
