/*
 * The host architecture's face to tests: virtual processors, virtual time, the explorer.
 *
 * A test calls host_boot(n) once, then explore() with scenarios. Only the processors' coroutines run
 * kernel code with schedule points; the test itself (setup, check) runs on the process's own stack,
 * as an interrupt handler on processor 0 would.
 *
 * Virtual time moves by a nanosecond at each schedule point, by what host_user_run() takes, and to
 * the next timer when every processor is idle.
 */
#pragma once

#include "core/ipi.h"
#include "core/types.h"
#include "sched/sched.h"

/* --- machine ------------------------------------------------------------------------------------ */

/* Processors 0..n-1 run sched_idle_loop(); once in a process. */
void host_boot(uint32_t cpu_total);
uint64_t host_now(void);
/* A kernel thread on the processors of the mask (0: all), at once runnable. Counted: a scenario has
 * ended when all have. */
struct thread *host_spawn(cpu_mask_t mask, const char *name, void (*entry)(void *arg), void *arg);
/* The same, not started, with an own policy to be set. */
struct thread *host_thread(cpu_mask_t mask, const char *name, void (*entry)(void *arg), void *arg);

/*
 * The current thread runs as a program would for `ns` of its own time: preemptible by interrupts from
 * user mode, slices armed on the way out, as user_return() does. `pc` moves by one per nanosecond.
 */
void host_user_run(uint64_t ns);
/* A periodic timer interrupt on every processor, as the PIT gives; 0: none. */
void host_set_periodic_tick(uint64_t period_ns);
/* Time passes on this processor with interrupts as they are: a slow piece of kernel. */
void host_burn(uint64_t ns);
/* Interrupts that this processor takes when they are enabled. */
void host_raise(uint32_t cpu, enum ipi_kind kind);

/* --- memory --------------------------------------------------------------------------------------- */

/* Page frames [1 MiB, 1 MiB + bytes) at the direct map, described in boot_info for mem_init(). */
void host_memory_init(size_t bytes);
/* User translations go through a small TLB per processor unless this is false. */
extern bool host_tlb_on;

/* --- exploration ------------------------------------------------------------------------------------ */

struct scenario {
	const char *name;
	void (*setup)(void);		/* makes objects, spawns threads */
	void (*check)(void);		/* after all have ended: host_fail() if something is wrong */
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
	char replay[512];		/* "cpu choices": put into TINE_REPLAY to run it again */
};

/*
 * Runs the scenario under many schedules. Stops at the first failure, prints the reason and the
 * replay string; the process is of no more use for kernel code then. With TINE_REPLAY=NAME/CHOICES
 * in the environment the scenario NAME runs once, under that schedule.
 */
struct explore_result explore(const struct scenario *s, const struct explore_options *o);
/* The same in a child process, for what is to fail: true when it failed. */
bool explore_fails(const struct scenario *s, const struct explore_options *o);
/* Ends the schedule as failed. From anywhere. */
void host_fail(const char *format, ...) __attribute__((format(printf, 1, 2), noreturn));
#define HOST_EXPECT(cond)                                                                         \
	do {                                                                                      \
		if (!(cond))                                                                      \
			host_fail("%s:%d: %s", __FILE__, __LINE__, #cond);                        \
	} while (0)
