/*
 * poll, ppoll, select, pselect and epoll: readiness, time limits, signal masks, edge and one-shot
 * modes, nesting, and descriptors that go away.
 */
#include "guest.h"

#include <poll.h>
#include <pthread.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/resource.h>
#include <sys/select.h>
#include <sys/socket.h>

TEST("does poll count ready descriptors, say POLLNVAL for bad ones, and skip negative ones?")
{
	struct pollfd fds[4];
	int ends[2];

	CHECK_OK(pipe(ends));
	fds[0] = (struct pollfd){ ends[0], POLLIN, 99 };
	fds[1] = (struct pollfd){ ends[1], POLLOUT, 99 };
	fds[2] = (struct pollfd){ 999, POLLIN, 99 };
	fds[3] = (struct pollfd){ -1, POLLIN, 99 };
	CHECK_EQ(poll(fds, 4, 1000), 2);
	CHECK_EQ(fds[0].revents, 0);
	CHECK_EQ(fds[1].revents, POLLOUT);
	CHECK_EQ(fds[2].revents, POLLNVAL);
	CHECK_EQ(fds[3].revents, 0);
}

TEST("does poll wait as long as told, forever with -1, not at all with 0?")
{
	struct pollfd fd;
	int64_t start = guest_now_ns();
	int ends[2];
	pid_t pid;

	CHECK_OK(pipe(ends));
	fd = (struct pollfd){ ends[0], POLLIN, 0 };
	CHECK_EQ(poll(&fd, 1, 50), 0);
	CHECK_RANGE(guest_now_ns() - start, 50000000, 10000000000);
	CHECK_EQ(poll(&fd, 1, 0), 0);
	CHECK_EQ(poll(NULL, 0, 10), 0);
	CHILD(pid) {
		guest_sleep_ms(50);
		CHECK_EQ(write(ends[1], "x", 1), 1);
	}
	CHECK_EQ(poll(&fd, 1, -1), 1);
	CHECK_EXIT(pid, 0);
	CHECK_ERRNO(poll((void *)8, 1, 0), EFAULT);
	CHECK_ERRNO(syscall(SYS_poll, &fd, 1000000000, 0), EINVAL);
	CHECK_ERRNO(ppoll(&fd, 1, &(struct timespec){ 0, -1 }, NULL), EINVAL);
}

TEST("can poll watch 500 pipes at once?")
{
	static struct pollfd fds[500];
	static int ends[500][2];
	struct rlimit limit;

	CHECK_OK(getrlimit(RLIMIT_NOFILE, &limit));
	limit.rlim_cur = limit.rlim_max < 2000 ? limit.rlim_max : 2000;
	CHECK_OK(setrlimit(RLIMIT_NOFILE, &limit));
	for (int i = 0; i < 500; i++) {
		CHECK_OK(pipe(ends[i]));
		fds[i] = (struct pollfd){ ends[i][0], POLLIN, 0 };
	}
	CHECK_EQ(poll(fds, 500, 0), 0);
	CHECK_EQ(write(ends[3][1], "x", 1), 1);
	CHECK_EQ(write(ends[499][1], "x", 1), 1);
	CHECK_EQ(poll(fds, 500, 1000), 2);
	CHECK_EQ(fds[499].revents, POLLIN);
}

TEST("does select change its sets and time, take up to 1024, and refuse bad ones?")
{
	struct timeval limit = { 0, 30000 };
	fd_set reads, writes;
	int ends[2];

	CHECK_OK(pipe(ends));
	FD_ZERO(&reads);
	FD_ZERO(&writes);
	FD_SET(ends[0], &reads);
	FD_SET(ends[1], &writes);
	CHECK_EQ(select(ends[1] + 1, &reads, &writes, NULL, NULL), 1);
	CHECK(!FD_ISSET(ends[0], &reads));
	CHECK(FD_ISSET(ends[1], &writes));
	FD_SET(ends[0], &reads);
	CHECK_EQ(select(ends[0] + 1, &reads, NULL, NULL, &limit), 0);
	CHECK(!FD_ISSET(ends[0], &reads));
	FD_SET(ends[0], &reads);
	CHECK_OK(close(ends[0]));
	CHECK_ERRNO(select(ends[1] + 1, &reads, NULL, NULL, NULL), EBADF);
	CHECK_ERRNO(select(-1, NULL, NULL, NULL, NULL), EINVAL);
	limit.tv_sec = -1;
	CHECK_ERRNO(syscall(SYS_select, 0, NULL, NULL, NULL, &limit), EINVAL);
}

static volatile sig_atomic_t signals;

static void on_signal(int signal)
{
	(void)signal;
	signals++;
}

TEST("do ppoll and pselect put their mask in place for the wait, and the old one back?")
{
	struct timespec ten = { 10, 0 };
	sigset_t blocked, none, got;

	sigemptyset(&none);
	sigemptyset(&blocked);
	sigaddset(&blocked, SIGUSR1);
	guest_catch(SIGUSR1, on_signal, 0);
	CHECK_OK(sigprocmask(SIG_BLOCK, &blocked, NULL));
	CHECK_OK(raise(SIGUSR1));
	CHECK_EQ(signals, 0);
	CHECK_ERRNO(ppoll(NULL, 0, &ten, &none), EINTR);
	CHECK_EQ(signals, 1);
	CHECK_OK(raise(SIGUSR1));
	CHECK_ERRNO(pselect(0, NULL, NULL, NULL, &ten, &none), EINTR);
	CHECK_EQ(signals, 2);
	CHECK_OK(sigprocmask(SIG_BLOCK, NULL, &got));
	CHECK_EQ(sigismember(&got, SIGUSR1), 1);
}

static int watch(int epoll, int operation, int fd, uint32_t events, int data)
{
	struct epoll_event event = { .events = events, .data.fd = data };

	return epoll_ctl(epoll, operation, fd, &event);
}

TEST("does epoll add, change and remove, and refuse what is there, missing or not pollable?")
{
	int epoll = CHECK_OK(epoll_create1(EPOLL_CLOEXEC)), ends[2], file;

	guest_scratch();
	file = CHECK_OK(open("f", O_RDWR | O_CREAT, 0600));
	CHECK_OK(pipe(ends));
	CHECK_EQ(fcntl(epoll, F_GETFD), FD_CLOEXEC);
	CHECK_OK(watch(epoll, EPOLL_CTL_ADD, ends[0], EPOLLIN, 1));
	CHECK_ERRNO(watch(epoll, EPOLL_CTL_ADD, ends[0], EPOLLIN, 1), EEXIST);
	CHECK_OK(watch(epoll, EPOLL_CTL_MOD, ends[0], EPOLLIN, 2));
	CHECK_OK(watch(epoll, EPOLL_CTL_DEL, ends[0], 0, 0));
	CHECK_ERRNO(watch(epoll, EPOLL_CTL_DEL, ends[0], 0, 0), ENOENT);
	CHECK_ERRNO(watch(epoll, EPOLL_CTL_MOD, ends[0], 0, 0), ENOENT);
	CHECK_ERRNO(watch(epoll, EPOLL_CTL_ADD, file, EPOLLIN, 0), EPERM);
	CHECK_ERRNO(watch(epoll, EPOLL_CTL_ADD, 999, EPOLLIN, 0), EBADF);
	CHECK_ERRNO(watch(epoll, EPOLL_CTL_ADD, epoll, EPOLLIN, 0), EINVAL);
	CHECK_ERRNO(watch(ends[0], EPOLL_CTL_ADD, ends[1], EPOLLIN, 0), EINVAL);
	CHECK_ERRNO(watch(epoll, 77, ends[0], EPOLLIN, 0), EINVAL);
	CHECK_ERRNO(epoll_ctl(epoll, EPOLL_CTL_ADD, ends[0], (void *)8), EFAULT);
	CHECK_ERRNO(epoll_create1(1), EINVAL);
	CHECK_ERRNO(syscall(SYS_epoll_create, 0), EINVAL);
}

TEST("is epoll level-triggered by default, its data given back, its limits kept?")
{
	int epoll = CHECK_OK(epoll_create1(0)), ends[2];
	struct epoll_event events[4];
	char byte;

	CHECK_OK(pipe(ends));
	CHECK_OK(watch(epoll, EPOLL_CTL_ADD, ends[0], EPOLLIN, 71));
	CHECK_OK(watch(epoll, EPOLL_CTL_ADD, ends[1], EPOLLOUT, 72));
	CHECK_EQ(epoll_wait(epoll, events, 4, 0), 1);
	CHECK_EQ(events[0].data.fd, 72);
	CHECK_EQ(write(ends[1], "x", 1), 1);
	for (int i = 0; i < 3; i++)
		CHECK_EQ(epoll_wait(epoll, events, 4, 1000), 2);
	CHECK_EQ(epoll_wait(epoll, events, 1, 1000), 1);
	CHECK_EQ(read(ends[0], &byte, 1), 1);
	CHECK_EQ(epoll_wait(epoll, events, 4, 0), 1);
	CHECK_ERRNO(epoll_wait(epoll, events, 0, 0), EINVAL);
	CHECK_ERRNO(epoll_wait(epoll, events, -1, 0), EINVAL);
	CHECK_ERRNO(epoll_wait(epoll, (void *)8, 4, 0), EFAULT);
	CHECK_ERRNO(epoll_wait(ends[0], events, 4, 0), EINVAL);
	CHECK_ERRNO(epoll_wait(999, events, 4, 0), EBADF);
}

TEST("does the edge mode tell each arrival once?")
{
	int epoll = CHECK_OK(epoll_create1(0)), ends[2];
	struct epoll_event events[4];

	CHECK_OK(pipe(ends));
	CHECK_EQ(write(ends[1], "x", 1), 1);
	CHECK_OK(watch(epoll, EPOLL_CTL_ADD, ends[0], EPOLLIN | EPOLLET, 1));
	CHECK_EQ(epoll_wait(epoll, events, 4, 1000), 1);
	CHECK_EQ(epoll_wait(epoll, events, 4, 0), 0);
	CHECK_EQ(write(ends[1], "y", 1), 1);
	CHECK_EQ(epoll_wait(epoll, events, 4, 1000), 1);
	CHECK_EQ(epoll_wait(epoll, events, 4, 0), 0);
	CHECK_OK(watch(epoll, EPOLL_CTL_MOD, ends[0], EPOLLIN | EPOLLET, 1));
	CHECK_EQ(epoll_wait(epoll, events, 4, 1000), 1);
}

TEST("does the one-shot mode tell once until set again?")
{
	int epoll = CHECK_OK(epoll_create1(0)), ends[2];
	struct epoll_event events[4];

	CHECK_OK(pipe(ends));
	CHECK_OK(watch(epoll, EPOLL_CTL_ADD, ends[0], EPOLLIN | EPOLLONESHOT, 1));
	CHECK_EQ(write(ends[1], "x", 1), 1);
	CHECK_EQ(epoll_wait(epoll, events, 4, 1000), 1);
	CHECK_EQ(write(ends[1], "y", 1), 1);
	CHECK_EQ(epoll_wait(epoll, events, 4, 0), 0);
	CHECK_OK(watch(epoll, EPOLL_CTL_MOD, ends[0], EPOLLIN | EPOLLONESHOT, 1));
	CHECK_EQ(epoll_wait(epoll, events, 4, 1000), 1);
}

TEST("are hang-up and error told without being asked for, and half-close with EPOLLRDHUP?")
{
	int epoll = CHECK_OK(epoll_create1(0)), ends[2], pair[2];
	struct epoll_event events[4];

	CHECK_OK(pipe(ends));
	CHECK_OK(watch(epoll, EPOLL_CTL_ADD, ends[0], 0, 1));
	CHECK_OK(close(ends[1]));
	CHECK_EQ(epoll_wait(epoll, events, 4, 1000), 1);
	CHECK_EQ(events[0].events, EPOLLHUP);
	CHECK_OK(close(ends[0]));
	CHECK_OK(socketpair(AF_UNIX, SOCK_STREAM, 0, pair));
	CHECK_OK(watch(epoll, EPOLL_CTL_ADD, pair[0], EPOLLRDHUP, 2));
	CHECK_OK(shutdown(pair[1], SHUT_WR));
	CHECK_EQ(epoll_wait(epoll, events, 4, 1000), 1);
	CHECK_EQ(events[0].events, EPOLLRDHUP);
	CHECK_OK(close(pair[1]));
	CHECK_EQ(epoll_wait(epoll, events, 4, 1000), 1);
	CHECK_EQ(events[0].events & (EPOLLRDHUP | EPOLLHUP), EPOLLRDHUP | EPOLLHUP);
}

TEST("is a closed descriptor forgotten, unless a duplicate keeps the file open?")
{
	int epoll = CHECK_OK(epoll_create1(0)), ends[2], copy;
	struct epoll_event events[4];

	CHECK_OK(pipe(ends));
	CHECK_OK(watch(epoll, EPOLL_CTL_ADD, ends[0], EPOLLIN, 1));
	copy = CHECK_OK(dup(ends[0]));
	CHECK_EQ(write(ends[1], "x", 1), 1);
	CHECK_OK(close(ends[0]));
	CHECK_EQ(epoll_wait(epoll, events, 4, 1000), 1);
	CHECK_OK(close(copy));
	CHECK_EQ(epoll_wait(epoll, events, 4, 0), 0);
}

TEST("do epolls nest, is one ready when its member is, and are loops and depth ELOOP?")
{
	int outer = CHECK_OK(epoll_create1(0)), inner = CHECK_OK(epoll_create1(0)), ends[2],
	    chain[7];
	struct epoll_event events[4];
	struct pollfd poller = { outer, POLLIN, 0 };

	CHECK_OK(pipe(ends));
	CHECK_OK(watch(inner, EPOLL_CTL_ADD, ends[0], EPOLLIN, 5));
	CHECK_OK(watch(outer, EPOLL_CTL_ADD, inner, EPOLLIN, 6));
	CHECK_ERRNO(watch(inner, EPOLL_CTL_ADD, outer, EPOLLIN, 7), ELOOP);
	CHECK_EQ(epoll_wait(outer, events, 4, 0), 0);
	CHECK_EQ(poll(&poller, 1, 0), 0);
	CHECK_EQ(write(ends[1], "x", 1), 1);
	CHECK_EQ(poll(&poller, 1, 1000), 1);
	CHECK_EQ(epoll_wait(outer, events, 4, 1000), 1);
	CHECK_EQ(events[0].data.fd, 6);
	CHECK_EQ(epoll_wait(inner, events, 4, 1000), 1);
	CHECK_EQ(events[0].data.fd, 5);
	for (int i = 0; i < 7; i++)
		chain[i] = CHECK_OK(epoll_create1(0));
	for (int i = 0; i < 4; i++)
		CHECK_OK(watch(chain[i], EPOLL_CTL_ADD, chain[i + 1], EPOLLIN, 0));
	errno = 0;
	for (int i = 4; i < 6 && !errno; i++)
		watch(chain[i], EPOLL_CTL_ADD, chain[i + 1], EPOLLIN, 0);
	CHECK_EQ(errno, ELOOP);
}

static int shared_epoll;
static int woken;

static void *wait_epoll(void *arg)
{
	struct epoll_event event;

	if (epoll_wait(shared_epoll, &event, 1, 5000) == 1)
		__atomic_add_fetch(&woken, 1, __ATOMIC_SEQ_CST);
	return arg;
}

TEST("does an event wake a thread that waits, added before or after the waiting began?")
{
	pthread_t thread;
	int ends[2];

	shared_epoll = CHECK_OK(epoll_create1(0));
	CHECK_OK(pipe(ends));
	CHECK_EQ(pthread_create(&thread, NULL, wait_epoll, NULL), 0);
	guest_sleep_ms(30);
	CHECK_OK(watch(shared_epoll, EPOLL_CTL_ADD, ends[0], EPOLLIN, 1));
	CHECK_EQ(woken, 0);
	CHECK_EQ(write(ends[1], "x", 1), 1);
	CHECK_EQ(pthread_join(thread, NULL), 0);
	CHECK_EQ(woken, 1);
}

TEST("does one edge wake one of four waiting threads?")
{
	pthread_t threads[4];
	int fd = CHECK_OK(eventfd(0, 0));

	shared_epoll = CHECK_OK(epoll_create1(0));
	CHECK_OK(watch(shared_epoll, EPOLL_CTL_ADD, fd, EPOLLIN | EPOLLET, 1));
	for (int i = 0; i < 4; i++)
		CHECK_EQ(pthread_create(&threads[i], NULL, wait_epoll, NULL), 0);
	guest_sleep_ms(50);
	CHECK_EQ(write(fd, &(uint64_t){ 1 }, 8), 8);
	CHECK_SOON(__atomic_load_n(&woken, __ATOMIC_SEQ_CST) == 1);
	guest_sleep_ms(50);
	CHECK_EQ(woken, 1);
	for (int i = 2; i <= 4; i++) {
		CHECK_EQ(write(fd, &(uint64_t){ 1 }, 8), 8);
		CHECK_SOON(__atomic_load_n(&woken, __ATOMIC_SEQ_CST) == i);
	}
	for (int i = 0; i < 4; i++)
		CHECK_EQ(pthread_join(threads[i], NULL), 0);
}

TEST("is EPOLLEXCLUSIVE accepted to add, and refused to change or with one-shot?")
{
	int epoll = CHECK_OK(epoll_create1(0)), ends[2];
	struct epoll_event event;

	CHECK_OK(pipe(ends));
	CHECK_ERRNO(
		watch(epoll, EPOLL_CTL_ADD, ends[0], EPOLLIN | EPOLLEXCLUSIVE | EPOLLONESHOT, 1),
		EINVAL);
	CHECK_OK(watch(epoll, EPOLL_CTL_ADD, ends[0], EPOLLIN | EPOLLEXCLUSIVE, 1));
	CHECK_ERRNO(watch(epoll, EPOLL_CTL_MOD, ends[0], EPOLLIN, 1), EINVAL);
	CHECK_EQ(write(ends[1], "x", 1), 1);
	CHECK_EQ(epoll_wait(epoll, &event, 1, 1000), 1);
}

TEST("do epoll_pwait and epoll_pwait2 take a mask and a fine time limit?")
{
	int epoll = CHECK_OK(epoll_create1(0));
	struct epoll_event event;
	struct timespec limit = { 0, 20000000 };
	sigset_t blocked, none;
	int64_t start = guest_now_ns();

	CHECK_EQ(syscall(441, epoll, &event, 1, &limit, NULL, 8), 0);
	CHECK_RANGE(guest_now_ns() - start, 20000000, 10000000000);
	sigemptyset(&none);
	sigemptyset(&blocked);
	sigaddset(&blocked, SIGUSR1);
	guest_catch(SIGUSR1, on_signal, 0);
	CHECK_OK(sigprocmask(SIG_BLOCK, &blocked, NULL));
	CHECK_OK(raise(SIGUSR1));
	CHECK_ERRNO(epoll_pwait(epoll, &event, 1, 10000, &none), EINTR);
	CHECK_EQ(signals, 1);
}

TEST("does a fork's child share the epoll, with the same events?")
{
	int epoll = CHECK_OK(epoll_create1(0)), ends[2];
	struct epoll_event event;
	pid_t pid;

	CHECK_OK(pipe(ends));
	CHILD(pid)
		CHECK_OK(watch(epoll, EPOLL_CTL_ADD, ends[0], EPOLLIN, 33));
	CHECK_EXIT(pid, 0);
	CHECK_EQ(write(ends[1], "x", 1), 1);
	CHECK_EQ(epoll_wait(epoll, &event, 1, 1000), 1);
	CHECK_EQ(event.data.fd, 33);
}

static int busy_epoll;
static volatile bool stop;

static void *keep_waiting(void *arg)
{
	struct epoll_event events[8];

	while (!stop)
		epoll_wait(busy_epoll, events, 8, 1);
	return arg;
}

TEST_LIMIT("does closing descriptors while others wait on them and on the epoll do no harm?", 60)
{
	pthread_t threads[2];

	busy_epoll = CHECK_OK(epoll_create1(0));
	for (int i = 0; i < 2; i++)
		CHECK_EQ(pthread_create(&threads[i], NULL, keep_waiting, NULL), 0);
	for (int i = 0; i < 2000; i++) {
		int ends[2];

		CHECK_OK(pipe(ends));
		CHECK_OK(watch(busy_epoll, EPOLL_CTL_ADD, ends[0], EPOLLIN | (i & 1 ? EPOLLET : 0),
			       i));
		CHECK_EQ(write(ends[1], "x", 1), 1);
		CHECK_OK(close(ends[i & 1]));
		CHECK_OK(close(ends[!(i & 1)]));
	}
	stop = true;
	for (int i = 0; i < 2; i++)
		CHECK_EQ(pthread_join(threads[i], NULL), 0);
}
