/*
 * The explorer's program: runs scenarios under every schedule of a space, one machine start for
 * all. It is an ordinary Linux program but for /dev/explore, which interrupts it after an exact
 * number of instructions (kernel/sched/explore.h). doc/headway.md tells the idea.
 *
 * main.c watches the process that explores; sweep.c goes through the schedules; partner.c has the
 * other thread of a scenario; the scenarios are in the files named for what they are about.
 */
#pragma once

#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "sched/explore_abi.h"

/*
 * One schedule is: prepare; [arm] run [end]; judge. What run (and the partner) found is the
 * outcome: a name; one that is not in `allowed` is a violation.
 */
struct scenario {
	const char *name;
	const char *about;
	const char *const *allowed;
	void (*setup)(void);		/* once in the process that explores */
	void (*prepare)(void);
	const char *(*run)(void);	/* on processor 0 */
	/* The partner's part: a thread on processor 0, or on processor 1 when `processors` is 2. */
	void (*other)(void);
	/* After both parts: what replaces run's outcome, or NULL. */
	const char *(*judge)(void);
	unsigned int processors;
	bool other_is_child;		/* a process of its own, forked anew for each schedule */
	bool all_required;		/* each allowed outcome must be seen: a control */
	bool ticks;			/* the slice ends every n instructions, not once */
};

extern const struct scenario process_scenarios[], ipc_scenarios[], memory_scenarios[],
	thread_scenarios[];		/* each ends with a name NULL */

/* --- sweep.c --------------------------------------------------------------------------- */

struct options {
	unsigned int shard, shards;
	unsigned long budget;		/* schedules of a scenario's pairs, over all shards */
	unsigned int stride;		/* of bound 1: 1 visits every boundary */
	const char *replay;		/* SCENARIO:KIND:n or SCENARIO:KIND:n,m */
	bool red;			/* what must be seen counts as a violation */
	bool check;			/* look at the words, explore nothing */
};

struct schedule {
	const struct kind *kind;
	unsigned int n, m;
};

#define OUTCOMES_MAX 12

/* Shared with the watcher: what it would say if the explorer hung. */
struct progress {
	unsigned long schedules, boundaries, violations;
	const char *kind;
	unsigned int n, m, resume_n;	/* the schedule that runs */
	bool done;
};
extern struct progress *progress;

/* Reads "KIND:n" or "KIND:n,m"; false: it is none of the scenario. */
bool schedule_parse(const struct scenario *s, const char *text, struct schedule *schedule);
/* The names of its kinds, in one line. */
const char *schedule_kinds(const struct scenario *s);
/* Explores one scenario and prints its lines. */
void sweep(const struct scenario *s, const struct options *o);
void explore_line(const char *format, ...) __attribute__((format(printf, 1, 2)));
_Noreturn void fatal(const char *what);

/*
 * first.c. Returns in a child that is the watcher, its output a file; when it has ended the first
 * process becomes init. EXPLORE_REPORT has what was said, and EXPLORE_WHOLE is there if all was.
 */
void first_process(void);
#define EXPLORE_REPORT "/explored"
#define EXPLORE_WHOLE "/explored.whole"

/* --- partner.c ------------------------------------------------------------------------- */

/* Memory that children share, too. */
struct shared {
	int go, done, ready, armed, other_armed;	/* the schedule's number */
	int child_status;
	int a, b, c, d;			/* the scenario's */
	char *volatile why;
	struct explore_result other;	/* of processor 1 */
	struct explore_plan other_plan;
	unsigned long first_due_ns;	/* when the first processor's last shot was to come */
};
extern struct shared *shared;
extern int explore_fd;
extern pid_t partner_child;

void partner_start(const struct scenario *s);	/* once */
void partner_stop(const struct scenario *s);
void partner_prepare(const struct scenario *s);
/* Two processors: has the other one's shot armed, for `after` the first one's. */
void partner_arm(unsigned int first, unsigned int after);
void partner_go(const struct scenario *s);
void partner_wait(const struct scenario *s);
void bystander_start(void);
/* True when the bystander found its registers or memory changed. */
bool bystander_is_hurt(void);

/* --- for scenarios --------------------------------------------------------------------- */

/*
 * The machine has three processors, and the middle one idles. The emulator goes round them; where a
 * shot ends one's turn, the next one's is spent on the shot's timer, and the one after that runs.
 * So from the first the turn goes to the last, and from the last to the first.
 */
#define FIRST 0
#define SECOND 2
void pin(unsigned int processor);
void round_robin(int priority);
static inline long futex(int *word, int op, int value)
{
	return syscall(SYS_futex, word, op, value, NULL, NULL, 0);
}
static inline long raw_fork(void) { return syscall(SYS_fork); }
static inline void relax(void) { __asm__ volatile("pause" ::: "memory"); }
/* Not in the C library's way: no buffers, no handlers. */
static inline _Noreturn void quit(int status)
{
	for (;;)
		syscall(SYS_exit_group, status);
}
long ioctl_explore(unsigned int command, void *arg);
#define FUTEX_WAIT 0
#define FUTEX_WAKE 1
