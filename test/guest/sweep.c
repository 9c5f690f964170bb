/*
 * The failure sweep: each operation is repeated with its first, second, third ... allocation made
 * to fail, until none is left. Every time it must succeed or say ENOMEM (or what the call says for
 * it), and leave nothing behind: the harness compares pages and objects.
 *
 * The kernel offers it as /proc/self/fail-nth: Tine in debug builds, Linux with fault injection.
 */
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "guest.h"

#define SWEEP_MAX 3000

static int control = -1;

static void control_open(void)
{
	control = open("/proc/self/fail-nth", O_RDWR | O_CLOEXEC);
	if (control < 0 || pwrite(control, "0", 1, 0) != 1)
		SKIP("the kernel cannot be made to fail");
}

static void arm(int n)
{
	char text[16];
	int length = snprintf(text, sizeof text, "%d", n);

	CHECK_EQ(pwrite(control, text, (size_t)length, 0), length);
}

/* How many were left; 0 when the failure was made. */
static int disarm(void)
{
	char text[32] = "";

	CHECK(pread(control, text, sizeof text - 1, 0) > 0);
	return atoi(text);
}

static bool means_no_memory(int error)
{
	return error == ENOMEM || error == EAGAIN || error == ENFILE || error == ENOSPC ||
	       error == ENOBUFS;
}

/* op: 0 or -1 with errno. It cleans up after itself when it succeeds. */
static void sweep(const char *name, int (*op)(void))
{
	int failures = 0;

	for (int n = 1; n < SWEEP_MAX; n++) {
		int result, error, left;

		arm(n);
		errno = 0;
		result = op();
		error = errno;
		left = disarm();
		if (result != 0 && !means_no_memory(error))
			FAIL("%s with failure %d: errno %d %s", name, n, error, strerror(error));
		failures += result != 0;
		if (left > 0) {
			guest_note("%s: %d places, %d of them seen by the program", name, n - 1,
				   failures);
			return;
		}
	}
	FAIL("%s does not come to an end", name);
}

/* As sweep, in a child each time, which is not to be hurt by what fails in it later. */
static void sweep_child(const char *name, int (*op)(void))
{
	for (int n = 1; n < SWEEP_MAX; n++) {
		int status, result, left;
		pid_t pid = CHECK_OK(fork());

		if (pid == 0) {
			control_open();
			arm(n);
			result = op() == 0 ? 0 : errno;
			left = disarm();
			if (result != 0 && !means_no_memory(result))
				_exit(100);
			_exit(left > 0 ? 1 : 0);
		}
		CHECK_EQ(waitpid(pid, &status, 0), pid);
		if (WIFEXITED(status) && WEXITSTATUS(status) == 1)
			return;
		if (WIFEXITED(status) && WEXITSTATUS(status) == 100)
			FAIL("%s with failure %d: a wrong errno", name, n);
		/* A page that could not be had after the call ends the child; that is allowed. */
	}
	FAIL("%s does not come to an end", name);
}

/* fork, with the failure armed only for the call itself. */
TEST_LIMIT("does fork survive the failure of each of its allocations?", 120)
{
	int n;

	control_open();
	for (n = 1; n < SWEEP_MAX; n++) {
		int status, left, error;
		pid_t pid;

		arm(n);
		pid = fork();
		error = errno;
		if (pid == 0)
			_exit(0);
		left = disarm();
		if (pid < 0)
			CHECK(means_no_memory(error));
		else
			CHECK_EQ(waitpid(pid, &status, 0), pid);
		if (left > 0)
			break;
	}
	CHECK(n > 3 && n < SWEEP_MAX);
	guest_note("fork: %d places", n - 1);
}

static int op_mmap(void)
{
	char *p = mmap(NULL, 64 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	int error = 0;

	if (p == MAP_FAILED)
		return -1;
	if (mprotect(p + 8 * PAGE, 8 * PAGE, PROT_READ) != 0 ||
	    munmap(p + 32 * PAGE, 4 * PAGE) != 0)
		error = errno;
	/* Taking it away may need a node for the rest: try until it works. */
	while (munmap(p, 64 * PAGE) != 0)
		;
	errno = error;
	return error != 0 ? -1 : 0;
}

TEST_LIMIT("do mmap, mprotect and munmap survive it?", 120)
{
	control_open();
	sweep("mmap", op_mmap);
}

static int op_touch(void)
{
	char *p = mmap(NULL, 1 << 21, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (p == MAP_FAILED)
		return -1;
	for (size_t i = 0; i < 1 << 21; i += 16 * PAGE)
		p[i] = 1;
	return munmap(p, 1 << 21);
}

TEST_LIMIT("do page faults survive it?", 120)
{
	control_open();
	sweep_child("touch", op_touch);
}

static int op_open(void)
{
	int fd = open("file", O_RDWR | O_CREAT, 0600), error = 0;

	if (fd < 0)
		return -1;
	if (write(fd, "hello", 5) != 5)
		error = errno;
	close(fd);
	while (unlink("file") != 0 && errno != ENOENT)
		;
	errno = error;
	return error != 0 ? -1 : 0;
}

TEST_LIMIT("do open, write and unlink survive it?", 120)
{
	guest_scratch();
	control_open();
	sweep("open", op_open);
}

static int op_names(void)
{
	int error = 0;

	if (mkdir("d", 0700) != 0)
		return -1;
	if (symlink("x", "d/l") != 0 || rename("d/l", "d/m") != 0)
		error = errno;
	while (unlink("d/l") != 0 && errno != ENOENT)
		;
	while (unlink("d/m") != 0 && errno != ENOENT)
		;
	while (rmdir("d") != 0)
		;
	errno = error;
	return error != 0 ? -1 : 0;
}

TEST_LIMIT("do mkdir, symlink and rename survive it?", 120)
{
	guest_scratch();
	control_open();
	sweep("names", op_names);
}

static int op_proc(void)
{
	static const char *const files[] = { "maps", "smaps", "status", "mountinfo", "stat" };
	char name[40];

	for (unsigned i = 0; i < sizeof files / sizeof *files; i++) {
		int fd;

		snprintf(name, sizeof name, "/proc/self/%s", files[i]);
		fd = open(name, O_RDONLY);
		if (fd < 0)
			return -1;
		close(fd);
	}
	return 0;
}

TEST_LIMIT("do the texts of /proc survive it?", 120)
{
	control_open();
	sweep("proc", op_proc);
}

static int op_descriptors(void)
{
	int ends[2], event, epoll, error = 0;
	struct epoll_event e = { .events = EPOLLIN };

	if (pipe(ends) != 0)
		return -1;
	if (write(ends[1], "x", 1) != 1)
		error = errno;
	event = eventfd(0, 0);
	epoll = epoll_create1(0);
	if (event < 0 || epoll < 0 || epoll_ctl(epoll, EPOLL_CTL_ADD, event, &e) != 0)
		error = errno;
	close(ends[0]);
	close(ends[1]);
	if (event >= 0)
		close(event);
	if (epoll >= 0)
		close(epoll);
	errno = error;
	return error != 0 ? -1 : 0;
}

TEST_LIMIT("do pipes, eventfd and epoll survive it?", 120)
{
	control_open();
	sweep("descriptors", op_descriptors);
}

static int op_sockets(void)
{
	int pair[2], error = 0;

	if (socketpair(AF_UNIX, SOCK_STREAM, 0, pair) != 0)
		return -1;
	if (send(pair[0], "hello", 5, 0) != 5)
		error = errno;
	close(pair[0]);
	close(pair[1]);
	errno = error;
	return error != 0 ? -1 : 0;
}

TEST_LIMIT("do sockets survive it?", 120)
{
	control_open();
	sweep("sockets", op_sockets);
}

/* The new program says whether the failure was made: 0 when it was not. */
HELPER(executed)
{
	char text[32] = "";
	int fd = open("/proc/self/fail-nth", O_RDWR);

	return fd >= 0 && read(fd, text, sizeof text - 1) > 0 && atoi(text) > 0 ? 0 : 2;
}

/* exec: a child whose new program ends badly lost a page after the point of no return. */
TEST_LIMIT("does exec survive the failure of each of its allocations?", 180)
{
	int n;

	control_open();
	for (n = 1; n < SWEEP_MAX; n++) {
		int status;
		pid_t pid = CHECK_OK(fork());

		if (pid == 0) {
			char **arguments = guest_exec_args("executed", NULL);

			control_open();
			arm(n);
			execv("/proc/self/exe", arguments);
			n = errno;
			_exit(means_no_memory(n) ? 1 : 100);
		}
		CHECK_EQ(waitpid(pid, &status, 0), pid);
		if (WIFEXITED(status) && WEXITSTATUS(status) == 0)
			break;
		if (WIFEXITED(status) && WEXITSTATUS(status) == 100)
			FAIL("exec with failure %d gave a wrong errno", n);
	}
	CHECK(n > 3 && n < SWEEP_MAX);
	guest_note("exec: %d places", n - 1);
}

TEST("does close(2) succeed though what it allocates fails?")
{
	int fd, result;
	pid_t pid;

	control_open();
	fd = CHECK_OK(dup(control));
	CHILD(pid)			/* shares the table of descriptors, until one changes it */
		pause();
	arm(1);
	result = close(fd);
	(void)disarm();
	CHECK_OK(result);
	CHECK_OK(kill(pid, SIGKILL));
	CHECK_SIGNALED(pid, SIGKILL);
	close(control);
}
