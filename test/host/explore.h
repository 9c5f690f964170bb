/*
 * Exploring schedules of kernel code on arch/host: scenarios, strategies, and threads that a
 * scenario starts. explore.c tells how it works.
 */
#pragma once

#include "arch/host/host.h"
#include "sched/sched.h"

struct scenario {
	const char *name;
	void (*setup)(void);		/* makes objects, spawns threads */
	void (*check)(void);		/* after all have ended: host_fail() if it went wrong */
	uint64_t limit_ns;		/* virtual time it may take; 0: a second */
};

enum strategy { STRATEGY_RANDOM, STRATEGY_PCT, STRATEGY_EXHAUSTIVE };

struct explore_options {
	enum strategy strategy;
	uint32_t schedules;		/* at most; EXHAUSTIVE: 0 is no limit */
	uint32_t bound;			/* EXHAUSTIVE: preemptions; PCT: priority changes */
	uint64_t seed;
};

struct explore_result {
	uint32_t schedules, decisions_max;
	bool complete;			/* EXHAUSTIVE: every schedule within the bound was run */
	bool failed;
	char reason[256];
	char replay[1024];		/* TINE_REPLAY=NAME/REPLAY runs it again */
};

/*
 * Runs the scenario under many schedules, until one fails: then prints the reason and the replay
 * string. With TINE_REPLAY=NAME/REPLAY in the environment the scenario NAME runs once, under that
 * schedule.
 */
struct explore_result explore(const struct scenario *s, const struct explore_options *o);

/* More than .data and .bss that is the kernel's state: the memory of the virtual machine. */
extern void *explore_memory;
extern size_t explore_memory_bytes;

/* --- threads (virtual.c) --------------------------------------------------------------------- */

/* A kernel thread on the processors of the mask (0: all), not started. Counted: a scenario has
 * ended when all have. */
struct thread *host_thread(cpu_mask_t mask, const char *name, void (*entry)(void *arg), void *arg);
/* The same, started. */
struct thread *host_spawn(cpu_mask_t mask, const char *name, void (*entry)(void *arg), void *arg);
extern uint32_t host_threads_live;
void host_print_threads(void);

/*
 * The current thread runs as a program would for `ns` of its own time: preempted by interrupts from
 * user mode, slices armed on the way out, as user_return() does. `pc` moves by one per nanosecond.
 */
void host_user_run(uint64_t ns);
/* What each return to user mode takes after the slice was armed. */
extern uint64_t host_door_cost_ns;
/* The same for a loop that an interrupt always meets at its head: only its registers change. */
void host_user_loop(uint64_t ns);
/* The same for a program that is one instruction that jumps to itself. */
void host_user_spin(uint64_t ns);

/* --- as checks of the harness (virtual.c) ---------------------------------------------------- */

/* As many processors as any scenario of the test uses; the first call decides. */
void boot_once(uint32_t cpus);
/* Lets the processors run, one after the other, until all are idle: after a setup of permanent
 * threads, before explore(). */
void settle(void);
/* Every schedule with at most `bound` preemptions. */
void explore_all(const struct scenario *s, uint32_t bound);
/* Half of them random, half by PCT with three changes of priority. TINE_SEED=N takes others,
 * TINE_SCHEDULES=N that many. */
void explore_random(const struct scenario *s, uint32_t schedules);
/* The usual schedule alone: for questions about time. */
void explore_once(const struct scenario *s);
