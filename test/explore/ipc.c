/*
 * Scenarios of threads that wait for each other: pipe, epoll, futex, signal.
 */
#include "explore.h"

#include <sys/epoll.h>
#include <sys/eventfd.h>

/* --- pipe: one byte there -------------------------------------------------------------- */

static int pipe_fds[2];
static long pipe_got;
static unsigned char pipe_byte;

static void setup_pipe(void)
{
	if (pipe(pipe_fds) != 0)
		fatal("pipe");
}

static void prepare_pipe(void)
{
	pipe_got = 0;
	pipe_byte = 0;
}

static void other_reads(void)
{
	pipe_got = syscall(SYS_read, pipe_fds[0], &pipe_byte, 1);
}

static const char *run_pipe(void)
{
	static const unsigned char byte = 0xa5;

	return syscall(SYS_write, pipe_fds[1], &byte, 1) == 1 ? "passed" : "write failed";
}

static const char *judge_pipe(void)
{
	if (pipe_got != 1 || pipe_byte != 0xa5)
		return "the reader got something else";
	return NULL;
}

static const char *const passed_only[] = { "passed", NULL };

/* --- pipe: a full one; the writer waits for the reader --------------------------------- */

static char page_full[4096];

static void setup_pipe_full(void)
{
	setup_pipe();
	if (syscall(SYS_fcntl, pipe_fds[1], 1031 /* F_SETPIPE_SZ */, 4096) < 0)
		fatal("F_SETPIPE_SZ");
}

static void prepare_pipe_full(void)
{
	if (write(pipe_fds[1], page_full, sizeof(page_full)) != sizeof(page_full))
		fatal("write");
}

static void other_drains(void)
{
	static char to[4096];

	pipe_got = syscall(SYS_read, pipe_fds[0], to, sizeof(to));
}

static const char *judge_pipe_full(void)
{
	char byte;

	if (pipe_got != 4096 || read(pipe_fds[0], &byte, 1) != 1)
		return "bytes are lost";
	return NULL;
}

/* --- epoll: two edges ------------------------------------------------------------------ */

static int epoll_fd, event_fd;

static void setup_epoll(void)
{
	struct epoll_event event = { .events = EPOLLIN | EPOLLET };

	epoll_fd = epoll_create1(0);
	event_fd = eventfd(0, EFD_NONBLOCK);
	if (epoll_ctl(epoll_fd, EPOLL_CTL_ADD, event_fd, &event) != 0)
		fatal("epoll_ctl");
}

/* An edge whose cause is gone already: epoll_wait asks, and is answered no, as the next comes. */
static void prepare_epoll(void)
{
	unsigned long one = 1;

	syscall(SYS_write, event_fd, &one, sizeof(one));
	syscall(SYS_read, event_fd, &one, sizeof(one));
}

static void other_tells_twice(void)
{
	const unsigned long one = 1;

	for (int i = 0; i < 2; i++)
		syscall(SYS_write, event_fd, &one, sizeof(one));
}

/* Both may come with one edge, and the second's with nothing left to read; lost is neither. */
static const char *run_epoll(void)
{
	unsigned long sum = 0, got;

	while (sum < 2) {
		struct epoll_event event;

		if (syscall(SYS_epoll_wait, epoll_fd, &event, 1, -1) != 1)
			return "epoll_wait failed";
		if (syscall(SYS_read, event_fd, &got, sizeof(got)) == sizeof(got))
			sum += got;
	}
	return sum == 2 ? "passed" : "told too often";
}

/* --- futex ----------------------------------------------------------------------------- */

static int futex_word;
static long futex_woken;

static void prepare_futex(void)
{
	futex_word = 0;
	futex_woken = -1;
}

static void other_wakes(void)
{
	__atomic_store_n(&futex_word, 1, __ATOMIC_SEQ_CST);
	futex_woken = futex(&futex_word, FUTEX_WAKE, 1);
}

static const char *run_futex(void)
{
	long error = 0;

	while (__atomic_load_n(&futex_word, __ATOMIC_SEQ_CST) == 0) {
		error = futex(&futex_word, FUTEX_WAIT, 0);
		if (error != 0 && errno != EAGAIN)
			return "futex failed";
	}
	return error == 0 ? "woken or before" : "changed meanwhile";
}

static const char *judge_futex(void)
{
	if (futex_woken < 0 || futex_woken > 1)
		return "FUTEX_WAKE's result";
	return NULL;
}

static const char *const futex_outcomes[] = { "woken or before", "changed meanwhile", NULL };

/* --- a lock of two futex users --------------------------------------------------------- */

static int lock_word, locked_sum;

/* U. Drepper, "Futexes Are Tricky", the second mutex. */
static void lock(void)
{
	int seen = 0;

	if (__atomic_compare_exchange_n(&lock_word, &seen, 1, false, 5, 5))
		return;
	if (seen != 2)
		seen = __atomic_exchange_n(&lock_word, 2, 5);
	while (seen != 0) {
		futex(&lock_word, FUTEX_WAIT, 2);
		seen = __atomic_exchange_n(&lock_word, 2, 5);
	}
}

static void unlock(void)
{
	if (__atomic_exchange_n(&lock_word, 0, 5) == 2)
		futex(&lock_word, FUTEX_WAKE, 1);
}

static void add_locked(void)
{
	lock();
	locked_sum++;
	unlock();
}

static void prepare_lock(void)
{
	lock_word = locked_sum = 0;
}

static const char *run_lock(void)
{
	add_locked();
	return "passed";
}

static const char *judge_lock(void)
{
	if (locked_sum != 2 || lock_word != 0)
		return "the lock did not exclude";
	return NULL;
}

/* --- signals --------------------------------------------------------------------------- */

static volatile int signals_got, usr2_got;
static long main_tid;

static void on_signal(int signo)
{
	if (signo == SIGUSR1)
		signals_got++;
	else
		usr2_got++;
}

static void setup_signal(void)
{
	struct sigaction action = { .sa_handler = on_signal };

	main_tid = syscall(SYS_gettid);
	sigaction(SIGUSR1, &action, NULL);
	sigaction(SIGUSR2, &action, NULL);
}

static void prepare_signal(void)
{
	signals_got = usr2_got = 0;
}

static void other_signals(void)
{
	syscall(SYS_tgkill, getpid(), main_tid, SIGUSR1);
}

/* All registers that a handler could spoil carry something, until the signal has come. */
static const char *run_signal(void)
{
	unsigned long a = 11, b = 22, c = 33, d = 44, x;

	__asm__ volatile(
		"movq %0, %%xmm3\n"
		"1: pause\n\tmovl $24, %%eax\n\tpushq %%r11\n\tsyscall\n\tpopq %%r11\n\t"
		"movl %5, %%eax\n\ttestl %%eax, %%eax\n\tjz 1b\n\tmovq %%xmm3, %4"
		: "+r"(a), "+r"(b), "+r"(c), "+r"(d), "=&r"(x)
		: "m"(signals_got)
		: "rax", "rcx", "xmm3", "memory", "cc");
	if (a != 11 || b != 22 || c != 33 || d != 44 || x != 11)
		return "the handler changed registers";
	return signals_got == 1 ? "delivered" : "delivered twice";
}

/*
 * Many times what a signal takes from one processor to another, and less than a slice: its end
 * would bring in one that nobody was told of.
 */
#define SPINS_MAX 5000

/* No calls: only an interrupt can bring it in. */
static const char *run_signal_spin(void)
{
	for (int spins = 0; signals_got == 0; spins++) {
		if (spins == SPINS_MAX)
			return "the signal did not interrupt";
		relax();
	}
	return signals_got == 1 ? "delivered" : "delivered twice";
}

static const char *const delivered_only[] = { "delivered", NULL };

/* A second signal while the first one's handler returns: none may be lost. */
static void other_signals_twice(void)
{
	syscall(SYS_tgkill, getpid(), main_tid, SIGUSR1);
	syscall(SYS_tgkill, getpid(), main_tid, SIGUSR2);
}

static const char *run_signal_twice(void)
{
	while (signals_got == 0 || usr2_got == 0)
		sched_yield();
	return signals_got == 1 && usr2_got == 1 ? "delivered" : "delivered twice";
}

/* A signal ends a wait, or comes before it and is seen: sigtimedwait's and pause's old trap. */
static const char *run_signal_wait(void)
{
	struct { const sigset_t *set; size_t n; } unused;
	unsigned long blocked = 1UL << (SIGUSR1 - 1), none = 0;

	(void)unused;
	syscall(SYS_rt_sigprocmask, SIG_BLOCK, &blocked, NULL, 8);
	while (signals_got == 0)
		syscall(SYS_rt_sigsuspend, &none, 8);
	syscall(SYS_rt_sigprocmask, SIG_UNBLOCK, &blocked, NULL, 8);
	return signals_got == 1 ? "delivered" : "delivered twice";
}

#define PIPE(n, name_, about_) \
	{ .name = name_, .about = about_, .allowed = passed_only, .setup = setup_pipe, \
	  .prepare = prepare_pipe, .run = run_pipe, .other = other_reads, .judge = judge_pipe, \
	  .processors = n }
#define FULL(n, name_, about_) \
	{ .name = name_, .about = about_, .allowed = passed_only, .setup = setup_pipe_full, \
	  .prepare = prepare_pipe_full, .run = run_pipe, .other = other_drains, \
	  .judge = judge_pipe_full, .processors = n }
#define EPOLL(n, name_, about_) \
	{ .name = name_, .about = about_, .allowed = passed_only, .setup = setup_epoll, \
	  .prepare = prepare_epoll, .run = run_epoll, .other = other_tells_twice, \
	  .processors = n }
#define FUTEX(n, name_, about_) \
	{ .name = name_, .about = about_, .allowed = futex_outcomes, .prepare = prepare_futex, \
	  .run = run_futex, .other = other_wakes, .judge = judge_futex, .processors = n }
#define LOCK(n, name_, about_) \
	{ .name = name_, .about = about_, .allowed = passed_only, .prepare = prepare_lock, \
	  .run = run_lock, .other = add_locked, .judge = judge_lock, .processors = n }
#define SIGNAL(n, name_, about_, run_, other_) \
	{ .name = name_, .about = about_, .allowed = delivered_only, .setup = setup_signal, \
	  .prepare = prepare_signal, .run = run_, .other = other_, .processors = n }

const struct scenario ipc_scenarios[] = {
	PIPE(1, "pipe", "a byte written against a read that waits"),
	PIPE(2, "pipe-2", "write on one processor, read on another"),
	FULL(1, "pipe-full", "a full pipe: a write that waits against a read"),
	FULL(2, "pipe-full-2", "a write that waits on one processor, a read on another"),
	EPOLL(1, "epoll", "two edges against epoll_wait"),
	EPOLL(2, "epoll-2", "two edges on one processor, epoll_wait on another"),
	FUTEX(1, "futex", "FUTEX_WAIT against a store and FUTEX_WAKE"),
	FUTEX(2, "futex-2", "FUTEX_WAIT on one processor, FUTEX_WAKE on another"),
	LOCK(1, "lock", "a lock made of futexes, taken by two threads"),
	LOCK(2, "lock-2", "a lock made of futexes, taken on two processors"),
	SIGNAL(1, "signal", "a signal's delivery and return against its sending",
	       run_signal, other_signals),
	SIGNAL(1, "signal-twice", "a second signal against the first one's return",
	       run_signal_twice, other_signals_twice),
	SIGNAL(1, "sigsuspend", "a signal against rt_sigsuspend", run_signal_wait, other_signals),
	SIGNAL(2, "signal-2", "a signal sent to a thread that runs on another processor",
	       run_signal, other_signals),
	SIGNAL(2, "signal-spin-2", "a signal sent to a program that makes no calls",
	       run_signal_spin, other_signals),
	SIGNAL(2, "sigsuspend-2", "a signal from another processor against rt_sigsuspend",
	       run_signal_wait, other_signals),
	{ .name = NULL },
};
