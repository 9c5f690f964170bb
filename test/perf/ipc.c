/*
 * Two parties or more: pipes, sockets, futexes, and the switch between them; waiting for many.
 */
#include "perf.h"

#include <linux/futex.h>
#include <poll.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define BULK_BYTES	(64 << 10)
#define BULK_MIB	4
#define RING_MAX	16

static char bulk[BULK_BYTES];

/* A child that dies with its parent. */
static pid_t helper(void)
{
	pid_t pid = fork();

	must(pid >= 0, "fork");
	if (pid == 0)
		prctl(PR_SET_PDEATHSIG, SIGKILL);
	return pid;
}

static void end_helper(pid_t pid)
{
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
}

static void pair(int fds[2], const struct metric *m)
{
	int error = m->argument == 0 ? pipe(fds) : socketpair(AF_UNIX, SOCK_STREAM, 0, fds);

	must(error == 0, "pipe or socketpair");
}

static void pass(int from, int to)
{
	char byte;

	must(read(from, &byte, 1) == 1 && write(to, &byte, 1) == 1, "a byte passed on");
}

static void round_trip(int to, int from)
{
	char byte = 0;

	must(write(to, &byte, 1) == 1 && read(from, &byte, 1) == 1, "round trip");
}

/* There and back. */
static void run_ping_pong(const struct metric *m)
{
	int there[2], back[2];
	pid_t pid;

	pair(there, m);
	pair(back, m);
	pid = helper();
	while (pid == 0)
		pass(there[0], back[1]);
	MEASURE(200, 20, round_trip(there[1], back[0]));
	end_helper(pid);
}

static void run_bandwidth(const struct metric *m)
{
	int fds[2];
	pid_t pid;

	pair(fds, m);
	pid = helper();
	if (pid == 0) {
		close(fds[0]);
		while (write(fds[1], bulk, BULK_BYTES) > 0)
			;
		_exit(1);
	}
	for (unsigned int i = 0; i < samples_wanted(30); i++) {
		uint64_t begin = ticks_now(), left = BULK_MIB << 20;

		while (left > 0) {
			ssize_t got = read(fds[0], bulk, left < BULK_BYTES ? left : BULK_BYTES);

			must(got > 0, "read");
			left -= (uint64_t)got;
		}
		sample(NULL, ticks_now() - begin, BULK_MIB);
	}
	end_helper(pid);
}

/* --- futex -------------------------------------------------------------------------------- */

static void hand_over(uint32_t *word, uint32_t mine)
{
	__atomic_store_n(word, 1 - mine, __ATOMIC_SEQ_CST);
	syscall(SYS_futex, word, FUTEX_WAKE, 1, NULL, NULL, 0);
	while (__atomic_load_n(word, __ATOMIC_SEQ_CST) != mine)
		syscall(SYS_futex, word, FUTEX_WAIT, 1 - mine, NULL, NULL, 0);
}

static void run_futex(const struct metric *m)
{
	const int flags = MAP_SHARED | MAP_ANONYMOUS;
	uint32_t *word = mmap(NULL, 4096, PROT_READ | PROT_WRITE, flags, -1, 0);
	pid_t pid;

	(void)m;
	must(word != MAP_FAILED, "mmap");
	pid = helper();
	if (pid == 0) {
		while (__atomic_load_n(word, __ATOMIC_SEQ_CST) != 1)
			syscall(SYS_futex, word, FUTEX_WAIT, 0, NULL, NULL, 0);
		for (;;)
			hand_over(word, 1);
	}
	MEASURE(200, 20, hand_over(word, 0));
	end_helper(pid);
}

/* --- switches ----------------------------------------------------------------------------- */

/* A byte goes round a ring of processes: a hop is a switch, a read and a write (as in lmbench). */
static void run_ring(const struct metric *m)
{
	unsigned int n = (unsigned int)m->argument;
	int pipes[RING_MAX][2];
	pid_t pids[RING_MAX];

	for (unsigned int i = 0; i < n; i++)
		must(pipe(pipes[i]) == 0, "pipe");
	for (unsigned int i = 1; i < n; i++) {
		pids[i] = helper();
		while (pids[i] == 0)
			pass(pipes[i - 1][0], pipes[i][1]);
	}
	for (unsigned int s = 0; s <= samples_wanted(200); s++) {
		uint64_t begin = ticks_now();

		if (s > 0)
			stretch_begin();
		for (int i = 0; i < 10; i++)
			round_trip(pipes[0][1], pipes[n - 1][0]);
		stretch_end();
		if (s > 0)
			sample(NULL, ticks_now() - begin, 10 * n);
	}
	for (unsigned int i = 1; i < n; i++)
		end_helper(pids[i]);
}

/* Linux's sched_yield returns at once as long as the caller is owed time: that is no hand-over. */
static void yield_until_seen(volatile uint32_t *seen)
{
	uint32_t before = *seen;

	while (*seen == before)
		syscall(SYS_sched_yield);
}

static void run_yield(const struct metric *m)
{
	const int flags = MAP_SHARED | MAP_ANONYMOUS;
	volatile uint32_t *seen = mmap(NULL, 4096, PROT_READ | PROT_WRITE, flags, -1, 0);
	pid_t pid;

	(void)m;
	must(seen != MAP_FAILED, "mmap");
	pid = helper();
	while (pid == 0) {
		(*seen)++;
		syscall(SYS_sched_yield);
	}
	MEASURE(200, 50, yield_until_seen(seen));
	end_helper(pid);
}

/* --- many descriptors --------------------------------------------------------------------- */

/* One of many pipes is ready, the last. */
static void open_many(struct pollfd *fds, unsigned int count)
{
	struct rlimit limit = { 4096, 4096 };

	must(setrlimit(RLIMIT_NOFILE, &limit) == 0, "setrlimit");
	for (unsigned int i = 0; i < count; i++) {
		int ends[2];

		must(pipe(ends) == 0, "pipe");
		fds[i] = (struct pollfd){ .fd = ends[0], .events = POLLIN };
		if (i == count - 1)
			must(write(ends[1], "", 1) == 1, "write");
	}
}

static void run_poll(const struct metric *m)
{
	struct pollfd fds[1000];

	open_many(fds, (unsigned int)m->argument);
	MEASURE(200, 10, must(poll(fds, m->argument, -1) == 1, "poll"));
}

static void run_epoll(const struct metric *m)
{
	struct epoll_event event = { .events = EPOLLIN };
	int epoll = epoll_create1(0);
	struct pollfd fds[1000];

	open_many(fds, (unsigned int)m->argument);
	for (unsigned int i = 0; i < m->argument; i++)
		must(epoll_ctl(epoll, EPOLL_CTL_ADD, fds[i].fd, &event) == 0, "epoll_ctl");
	MEASURE(200, 50, must(epoll_wait(epoll, &event, 1, -1) == 1, "epoll_wait"));
}

const struct metric ipc_metrics[] = {
	{ "pipe", "a byte through a pipe and one back", run_ping_pong, 0, 0, 0 },
	{ "unix", "a byte through an AF_UNIX socket and one back", run_ping_pong, 1, 0, 0 },
	{ "futex", "a word handed over and back", run_futex, 0, 0, 0 },
	{ "pipe-bulk", "a MiB through a pipe, 64 KiB a call", run_bandwidth, 0, 0, 0 },
	{ "unix-bulk", "a MiB through an AF_UNIX socket, 64 KiB a call", run_bandwidth, 1, 0, 0 },
	{ "switch-2", "a hop in a ring of 2 processes", run_ring, 2, 0, 0 },
	{ "switch-16", "a hop in a ring of 16 processes", run_ring, 16, 0, 0 },
	{ "yield", "sched_yield until another process that does so has run", run_yield, 0, 0, 0 },
	{ "poll-100", "poll of 100 pipes, one ready", run_poll, 100, 0, 0 },
	{ "poll-1000", "poll of 1,000 pipes, one ready", run_poll, 1000, 0, 0 },
	{ "epoll-100", "epoll_wait on 100 pipes, one ready", run_epoll, 100, 0, 0 },
	{ "epoll-1000", "epoll_wait on 1,000 pipes, one ready", run_epoll, 1000, 0, 0 },
	{ 0 },
};
