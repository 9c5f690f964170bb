/*
 * Pipes and FIFOs: atomicity, blocking and not, ends that go away, poll states, sizes, and how
 * FIFOs are opened.
 */
#include "guest.h"

#include <poll.h>
#include <pthread.h>
#include <sys/ioctl.h>
#include <sys/uio.h>

static short poll_now(int fd)
{
	struct pollfd poller = { .fd = fd, .events = POLLIN | POLLOUT };

	CHECK_OK(poll(&poller, 1, 0));
	return poller.revents;
}

TEST("do bytes come out in order, in any sizes, and is the end 0 when all writers are gone?")
{
	char got[32] = "";
	int ends[2];

	CHECK_OK(pipe(ends));
	CHECK_EQ(write(ends[1], "hello", 5), 5);
	CHECK_EQ(write(ends[1], "world", 5), 5);
	CHECK_EQ(read(ends[0], got, 3), 3);
	CHECK_EQ(read(ends[0], got + 3, 20), 7);
	CHECK_STR(got, "helloworld");
	CHECK_EQ(write(ends[1], "", 0), 0);
	CHECK_OK(close(ends[1]));
	CHECK_EQ(read(ends[0], got, 1), 0);
	CHECK_EQ(read(ends[0], got, 1), 0);
}

TEST("is writing without readers SIGPIPE, or EPIPE when that is ignored?")
{
	int ends[2];
	pid_t pid;

	CHECK_OK(pipe(ends));
	CHECK_OK(close(ends[0]));
	CHILD(pid)
		write(ends[1], "x", 1);
	CHECK_SIGNALED(pid, SIGPIPE);
	guest_catch(SIGPIPE, SIG_IGN, 0);
	CHECK_ERRNO(write(ends[1], "x", 1), EPIPE);
	CHECK_EQ(write(ends[1], "x", 0), 0);
}

TEST("do pipe2's flags apply to both ends, and are wrong ends and flags refused?")
{
	int ends[2];
	char byte;

	CHECK_OK(pipe2(ends, O_CLOEXEC | O_NONBLOCK));
	CHECK_EQ(fcntl(ends[0], F_GETFD), FD_CLOEXEC);
	CHECK_EQ(fcntl(ends[1], F_GETFL), O_WRONLY | O_NONBLOCK);
	CHECK_ERRNO(read(ends[0], &byte, 1), EAGAIN);
	CHECK_ERRNO(write(ends[0], &byte, 1), EBADF);
	CHECK_ERRNO(read(ends[1], &byte, 1), EBADF);
	CHECK_ERRNO(pipe2(ends, 0x1), EINVAL);
	CHECK_ERRNO(syscall(SYS_pipe2, 8, 0), EFAULT);
}

TEST("does a pipe hold 64 KiB, then EAGAIN, and take more when read?")
{
	static char block[PAGE];
	int ends[2], total = 0;

	CHECK_OK(pipe2(ends, O_NONBLOCK));
	CHECK_EQ(fcntl(ends[0], F_GETPIPE_SZ), 65536);
	while (write(ends[1], block, sizeof block) == sizeof block)
		total += sizeof block;
	CHECK_EQ(errno, EAGAIN);
	CHECK_EQ(total, 65536);
	CHECK_EQ(poll_now(ends[1]), 0);
	CHECK_EQ(read(ends[0], block, sizeof block), sizeof block);
	CHECK_EQ(poll_now(ends[1]), POLLOUT);
	CHECK_EQ(write(ends[1], block, sizeof block), sizeof block);
	CHECK_OK(ioctl(ends[0], FIONREAD, &total));
	CHECK_EQ(total, 65536);
}

TEST("is a nonblocking write up to PIPE_BUF all or nothing, and a larger one partial?")
{
	static char block[65536];
	int ends[2];

	CHECK_OK(pipe2(ends, O_NONBLOCK));
	CHECK_EQ(write(ends[1], block, 61440), 61440);
	CHECK_EQ(write(ends[1], block, 65536), 4096);
	CHECK_EQ(read(ends[0], block, 4096), 4096);
	CHECK_EQ(write(ends[1], block, 100), 100);
	CHECK_ERRNO(write(ends[1], block, 4096), EAGAIN);
}

TEST("are writes of PIPE_BUF bytes from four processes never mixed?")
{
	static char block[PIPE_BUF];
	int ends[2], count = 0;
	pid_t pids[4];

	CHECK_OK(pipe(ends));
	for (int i = 0; i < 4; i++) {
		CHILD(pids[i]) {
			memset(block, 'a' + i, sizeof block);
			for (int j = 0; j < 100; j++)
				CHECK_EQ(write(ends[1], block, sizeof block), sizeof block);
		}
	}
	CHECK_OK(close(ends[1]));
	for (;;) {
		size_t have = 0;
		ssize_t got;

		while (have < sizeof block &&
		       (got = read(ends[0], block + have, sizeof block - have)) > 0)
			have += got;
		if (have == 0)
			break;
		CHECK_EQ(have, sizeof block);
		for (size_t i = 1; i < sizeof block; i++)
			CHECK_EQ(block[i], block[0]);
		count++;
	}
	CHECK_EQ(count, 400);
	for (int i = 0; i < 4; i++)
		CHECK_EXIT(pids[i], 0);
}

TEST("do 16 MiB pass through a pipe unchanged, whatever sizes are read and written?")
{
	static unsigned char block[100000];
	size_t total = 16 << 20, sent = 0, taken = 0;
	int ends[2];
	pid_t pid;

	CHECK_OK(pipe(ends));
	CHILD(pid) {
		for (unsigned size = 1; sent < total; size = size * 7 % 99991 + 1) {
			size_t count = total - sent < size ? total - sent : size;

			for (size_t i = 0; i < count; i++)
				block[i] = (sent + i) * 31 >> 3;
			CHECK_EQ(write(ends[1], block, count), count);
			sent += count;
		}
	}
	CHECK_OK(close(ends[1]));
	for (unsigned size = 1; taken < total; size = size * 5 % 70001 + 1) {
		ssize_t got = read(ends[0], block, size);

		CHECK(got > 0);
		for (ssize_t i = 0; i < got; i++) {
			if (block[i] != (unsigned char)((taken + i) * 31 >> 3))
				FAIL("byte %zu is wrong", taken + i);
		}
		taken += got;
	}
	CHECK_EQ(read(ends[0], block, 1), 0);
	CHECK_EXIT(pid, 0);
}

TEST("does a reader wake when the last writer closes, and a writer when the last reader does?")
{
	static char block[70000];
	int ends[2];
	pid_t pid;

	CHECK_OK(pipe(ends));
	CHILD(pid) {
		CHECK_OK(close(ends[1]));
		CHECK_EQ(read(ends[0], block, 1), 0);
	}
	guest_wait_blocked(pid);
	CHECK_OK(close(ends[1]));
	CHECK_EXIT(pid, 0);
	CHECK_OK(pipe(ends));
	CHILD(pid) {
		guest_catch(SIGPIPE, SIG_IGN, 0);
		CHECK_OK(close(ends[0]));
		CHECK_EQ(write(ends[1], block, sizeof block), 65536);
		CHECK_ERRNO(write(ends[1], block, 1), EPIPE);
	}
	guest_wait_blocked(pid);
	CHECK_OK(close(ends[0]));
	CHECK_EXIT(pid, 0);
}

TEST("are poll's answers right for an empty, filled, hung-up and readerless pipe?")
{
	int ends[2];
	char byte;

	CHECK_OK(pipe(ends));
	CHECK_EQ(poll_now(ends[0]), 0);
	CHECK_EQ(poll_now(ends[1]), POLLOUT);
	CHECK_EQ(write(ends[1], "x", 1), 1);
	CHECK_EQ(poll_now(ends[0]), POLLIN);
	CHECK_OK(close(ends[1]));
	CHECK_EQ(poll_now(ends[0]), POLLIN | POLLHUP);
	CHECK_EQ(read(ends[0], &byte, 1), 1);
	CHECK_EQ(poll_now(ends[0]), POLLHUP);
	CHECK_OK(pipe(ends));
	CHECK_OK(close(ends[0]));
	CHECK_EQ(poll_now(ends[1]), POLLOUT | POLLERR);
}

TEST("does F_SETPIPE_SZ grow and shrink, round up to pages, and refuse below the contents or a "
	"limit?")
{
	static char block[70000];
	int ends[2];
	pid_t pid;

	CHECK_OK(pipe2(ends, O_NONBLOCK));
	CHECK_EQ(fcntl(ends[1], F_SETPIPE_SZ, 130000), 131072);
	CHECK_EQ(write(ends[1], block, 70000), 70000);
	CHECK_ERRNO(fcntl(ends[1], F_SETPIPE_SZ, 4096), EBUSY);
	CHECK_EQ(read(ends[0], block, 70000), 70000);
	CHECK_EQ(fcntl(ends[1], F_SETPIPE_SZ, 1), 4096);
	CHECK_EQ(fcntl(ends[1], F_SETPIPE_SZ, 0), 4096);
	CHILD(pid) {
		CHECK_OK(guest_become_user());
		CHECK_ERRNO(fcntl(ends[1], F_SETPIPE_SZ, 2 << 20), EPERM);
	}
	CHECK_EXIT(pid, 0);
}

TEST("does O_DIRECT make packets?")
{
	char got[16] = "";
	int ends[2];

	CHECK_OK(pipe2(ends, O_DIRECT));
	CHECK_EQ(write(ends[1], "one", 3), 3);
	CHECK_EQ(write(ends[1], "three", 5), 5);
	CHECK_EQ(read(ends[0], got, 16), 3);
	CHECK_EQ(read(ends[0], got, 2), 2);
	CHECK_OK(fcntl(ends[0], F_SETFL, O_NONBLOCK | O_DIRECT));
	CHECK_ERRNO(read(ends[0], got, 16), EAGAIN);
}

TEST("does a FIFO's open wait for the other side, unless nonblocking?")
{
	pid_t pid;
	int fd;

	guest_scratch();
	CHECK_OK(mkfifo("p", 0600));
	CHECK_ERRNO(open("p", O_WRONLY | O_NONBLOCK), ENXIO);
	fd = CHECK_OK(open("p", O_RDONLY | O_NONBLOCK));
	CHECK_EQ(read(fd, (char[1]){ 0 }, 1), 0);
	CHECK_OK(close(fd));
	CHILD(pid) {
		fd = CHECK_OK(open("p", O_WRONLY));
		CHECK_EQ(write(fd, "fifo", 4), 4);
	}
	{
		char got[8] = "";

		fd = CHECK_OK(open("p", O_RDONLY));
		CHECK_EQ(read(fd, got, 8), 4);
		CHECK_STR(got, "fifo");
		CHECK_EQ(read(fd, got, 8), 0);
	}
	CHECK_EXIT(pid, 0);
}

/* As bash's <(...), and cat /dev/stdin behind a command that has ended. */
TEST("does opening a pipe's end through /proc/self/fd not wait for the other side?")
{
	char name[32], got[8] = "";
	int ends[2], again;

	CHECK_OK(pipe(ends));
	CHECK_EQ(write(ends[1], "hi", 2), 2);
	CHECK_OK(close(ends[1]));
	snprintf(name, sizeof name, "/proc/self/fd/%d", ends[0]);
	again = CHECK_OK(open(name, O_RDONLY));
	CHECK_EQ(read(again, got, 8), 2);
	CHECK_STR(got, "hi");
	CHECK_EQ(read(again, got, 8), 0);
	CHECK_EQ(poll(&(struct pollfd){ .fd = again, .events = POLLIN }, 1, 5000), 1);

	CHECK_OK(pipe(ends));
	CHECK_OK(close(ends[0]));
	snprintf(name, sizeof name, "/proc/self/fd/%d", ends[1]);
	CHECK_OK(open(name, O_WRONLY | O_NONBLOCK));
	again = CHECK_OK(open(name, O_WRONLY));
	guest_catch(SIGPIPE, SIG_IGN, 0);
	CHECK_ERRNO(write(again, "x", 1), EPIPE);
}

TEST("does a FIFO opened for both read what it wrote, keep nothing after the last close?")
{
	char got[4] = "";
	int fd;

	guest_scratch();
	CHECK_OK(mkfifo("p", 0600));
	fd = CHECK_OK(open("p", O_RDWR));
	CHECK_EQ(write(fd, "abc", 3), 3);
	CHECK_EQ(read(fd, got, 2), 2);
	CHECK_STR(got, "ab");
	CHECK_OK(close(fd));
	fd = CHECK_OK(open("p", O_RDONLY | O_NONBLOCK));
	CHECK_EQ(read(fd, got, 1), 0);
	CHECK_EQ(poll_now(fd), 0);
}

static volatile sig_atomic_t alarms;

static void on_alarm(int signal)
{
	(void)signal;
	alarms++;
}

TEST("is a FIFO's waiting open interrupted by a signal with EINTR?")
{
	guest_scratch();
	CHECK_OK(mkfifo("p", 0600));
	guest_catch(SIGALRM, on_alarm, 0);
	alarm(1);
	CHECK_ERRNO(open("p", O_RDONLY), EINTR);
	CHECK_EQ(alarms, 1);
}

TEST("is a large write, interrupted in the middle, cut short?")
{
	static char block[200000];
	struct guest_gate gate = guest_gate();
	int ends[2];
	pid_t pid;

	CHECK_OK(pipe(ends));
	guest_catch(SIGUSR1, on_alarm, 0);
	CHILD(pid) {
		guest_gate_open(&gate);
		CHECK_EQ(write(ends[1], block, sizeof block), 65536);
	}
	guest_gate_pass(&gate);
	guest_wait_blocked(pid);
	CHECK_OK(kill(pid, SIGUSR1));
	CHECK_EXIT(pid, 0);
}

TEST("does vmsplice take memory into a pipe?")
{
	struct iovec vector = { "spliced", 7 };
	char got[8] = "";
	int ends[2];

	CHECK_OK(pipe(ends));
	CHECK_EQ(vmsplice(ends[1], &vector, 1, 0), 7);
	CHECK_EQ(read(ends[0], got, 8), 7);
	CHECK_STR(got, "spliced");
}

static int ring[9][2];

static void *pass_on(void *arg)
{
	long me = (long)arg;
	char byte;

	while (read(ring[me][0], &byte, 1) == 1) {
		if (write(ring[me + 1][1], &byte, 1) != 1)
			break;
	}
	return NULL;
}

TEST_LIMIT("does a byte go round eight threads and their pipes two thousand times?", 60)
{
	pthread_t threads[8];
	char byte = 'r';

	for (int i = 0; i < 9; i++)
		CHECK_OK(pipe(ring[i]));
	for (long i = 0; i < 8; i++)
		CHECK_EQ(pthread_create(&threads[i], NULL, pass_on, (void *)i), 0);
	for (int i = 0; i < 2000; i++) {
		CHECK_EQ(write(ring[0][1], &byte, 1), 1);
		CHECK_EQ(read(ring[8][0], &byte, 1), 1);
	}
}
