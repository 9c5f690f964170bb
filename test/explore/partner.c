/*
 * The other party of a scenario: a thread of the explorer's process, or a child forked anew for
 * each schedule; on processor 0 or 1. On one processor it sleeps until it is let go; on another one
 * it spins, so that it starts where the first is interrupted.
 *
 * And the bystander: a process that wants nothing but its registers and memory left alone.
 */
#include <pthread.h>

#include "explore.h"

struct shared *shared;
pid_t partner_child;

struct bystander {
	unsigned long calls;
	bool hurt;
};
static struct bystander *bystander;
static pthread_t partner;

#define OVER -1			/* in shared->armed: no schedule follows */

void pin(unsigned int processor)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(processor, &set);
	if (sched_setaffinity(0, sizeof(set), &set) != 0)
		fatal("sched_setaffinity");
}

void round_robin(int priority)
{
	const struct sched_param param = { .sched_priority = priority };

	/* The thread's own: the C library's function refuses. */
	if (syscall(SYS_sched_setscheduler, 0, SCHED_RR, &param) != 0)
		fatal("sched_setscheduler");
}

static void await_go(int last)
{
	while (__atomic_load_n(&shared->go, __ATOMIC_ACQUIRE) == last)
		futex(&shared->go, FUTEX_WAIT, last);
}

static void spin_for(const int *word, int last)
{
	while (__atomic_load_n(word, __ATOMIC_ACQUIRE) == last)
		relax();
}

static void report_done(void)
{
	__atomic_store_n(&shared->done, shared->go, __ATOMIC_RELEASE);
	futex(&shared->done, FUTEX_WAKE, 1);
}

/*
 * On the second processor the shot is armed before the first one's, since the emulator changes the
 * processor where one is armed: it counts from a time to come, that of the first one's shot.
 */
static void play_on_other(const struct scenario *s, int last)
{
	spin_for(&shared->armed, last);
	if (shared->armed == OVER)
		pthread_exit(NULL);
	ioctl_explore(EXPLORE_ARM, &shared->other_plan);
	__atomic_store_n(&shared->other_armed, last + 1, __ATOMIC_RELEASE);
	spin_for(&shared->go, last);
	s->other();
}

/* Enough for the second processor to arm its shot. */
#define HANDSHAKE_NS 20000

static unsigned long now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (unsigned long)now.tv_sec * 1000000000 + (unsigned long)now.tv_nsec;
}

/*
 * Asks the second processor to arm its shot `after` the time at which the first one's comes, if
 * that is armed as long after the start as it was the last time.
 */
void partner_arm(unsigned int first, unsigned int after)
{
	static unsigned long start, last_first;
	static long lag;
	int last = shared->go;

	if (start != 0 && shared->first_due_ns != 0)
		lag = (long)(shared->first_due_ns - last_first - start);
	start = now_ns() + HANDSHAKE_NS;
	last_first = first;
	shared->other_plan = (struct explore_plan){ .shot[0] = { after, 0 }, .hold = 1,
		.base_ns = start + first + (unsigned long)lag };
	__atomic_store_n(&shared->armed, last + 1, __ATOMIC_RELEASE);
	spin_for(&shared->other_armed, last);
	while (now_ns() < start)
		continue;
}

static void *thread_main(void *arg)
{
	const struct scenario *s = arg;

	pin(s->processors == 2 ? SECOND : FIRST);
	round_robin(10);
	for (int last = 0;; last++) {
		ioctl_explore(EXPLORE_STEADY, NULL);
		__atomic_store_n(&shared->ready, last + 1, __ATOMIC_RELEASE);
		if (s->processors == 2) {
			play_on_other(s, last);
			ioctl_explore(EXPLORE_END, &shared->other);
		} else {
			await_go(last);
			s->other();
		}
		report_done();
	}
	return NULL;
}

void partner_start(const struct scenario *s)
{
	if (s->other == NULL || s->other_is_child)
		return;
	if (pthread_create(&partner, NULL, thread_main, (void *)s) != 0)
		fatal("pthread_create");
	while (!__atomic_load_n(&shared->ready, __ATOMIC_ACQUIRE))
		usleep(100);
}

/* One that spins goes by itself, not by a signal: how that comes is what a scenario may ask. */
void partner_stop(const struct scenario *s)
{
	if (s->other == NULL || s->other_is_child || s->processors == 1)
		return;
	__atomic_store_n(&shared->armed, OVER, __ATOMIC_RELEASE);
	pthread_join(partner, NULL);
}

static _Noreturn void child_main(const struct scenario *s, int last)
{
	ioctl_explore(EXPLORE_STEADY, NULL);
	if (s->processors == 2) {
		pin(SECOND);
		__atomic_store_n(&shared->ready, last + 1, __ATOMIC_RELEASE);
		play_on_other(s, last);
	} else {
		__atomic_store_n(&shared->ready, last + 1, __ATOMIC_RELEASE);
		await_go(last);
		s->other();
	}
	quit(shared->child_status);
}

static void fork_partner(const struct scenario *s, int last)
{
	partner_child = (pid_t)raw_fork();
	if (partner_child < 0)
		fatal("fork");
	if (partner_child == 0)
		child_main(s, last);
}

/* What shares the processor runs until it sleeps or has moved; so does what has one of its own. */
static void yield_to(const struct scenario *s)
{
	if (s->processors == 1 || s->other_is_child)
		sched_yield();
	relax();
}

void partner_prepare(const struct scenario *s)
{
	int last = shared->go;

	if (s->other == NULL)
		return;
	if (s->other_is_child)
		fork_partner(s, last);
	/* Asleep at `go`, or spinning: each schedule begins alike. */
	while (__atomic_load_n(&shared->ready, __ATOMIC_ACQUIRE) != last + 1)
		yield_to(s);
	yield_to(s);
}

void partner_go(const struct scenario *s)
{
	if (s->other == NULL)
		return;
	__atomic_store_n(&shared->go, shared->go + 1, __ATOMIC_RELEASE);
	if (s->processors == 1)
		futex(&shared->go, FUTEX_WAKE, 1);
}

void partner_wait(const struct scenario *s)
{
	int done;

	if (s->other == NULL || s->other_is_child)
		return;
	while ((done = __atomic_load_n(&shared->done, __ATOMIC_ACQUIRE)) != shared->go) {
		if (s->processors == 2)
			relax();
		else
			futex(&shared->done, FUTEX_WAIT, done);
	}
}

/* --- the bystander --------------------------------------------------------------------- */

/* Loads the vector registers with a pattern of its own, makes a call, and looks at them again. */
static bool keeps_registers(unsigned long pattern)
{
	unsigned long first, last, fs_word;

	__asm__ volatile(
		"movq %3, %%xmm0\n\tmovq %3, %%xmm15\n\tmovl $39, %%eax\n\tsyscall\n\t"
		"movq %%xmm0, %0\n\tmovq %%xmm15, %1\n\tmovq %%fs:0, %2"
		: "=&r"(first), "=&r"(last), "=&r"(fs_word)
		: "r"(pattern)
		: "rax", "rcx", "r11", "xmm0", "xmm15", "memory");
	return first == pattern && last == pattern && fs_word == (unsigned long)pthread_self();
}

void bystander_start(void)
{
	bystander = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (bystander == MAP_FAILED)
		fatal("mmap");
	switch (fork()) {
	case -1:
		fatal("fork");
	case 0:
		break;
	default:
		return;
	}
	pin(FIRST);
	round_robin(20);
	for (unsigned long n = 1; ioctl_explore(EXPLORE_AWAIT, NULL) == 0; n++) {
		if (!keeps_registers(0x5a5a000000000000UL + n))
			bystander->hurt = true;
		bystander->calls = n;
	}
	quit(0);
}

bool bystander_is_hurt(void)
{
	return bystander->hurt;
}
