/*
 * Descriptors: dup and its kin, limits, flags, close_range, record locks of both kinds, flock,
 * leases of the number space.
 */
#include "guest.h"

#include <pthread.h>
#include <sys/file.h>
#include <sys/ioctl.h>
#include <sys/resource.h>

static int file(const char *name, const char *contents)
{
	CHECK_OK(guest_file(name, contents, 0644));
	return CHECK_OK(open(name, O_RDWR));
}

TEST("does dup give the lowest free number, and share offset but not close-on-exec?")
{
	int fd, copy, hole;

	guest_scratch();
	fd = CHECK_OK(open(".", O_RDONLY));
	close(fd);
	fd = file("f", "0123456789");
	hole = CHECK_OK(dup(fd));
	copy = CHECK_OK(dup(fd));
	CHECK_OK(close(hole));
	CHECK_EQ(dup(fd), hole);
	CHECK_OK(fcntl(fd, F_SETFD, FD_CLOEXEC));
	CHECK_EQ(fcntl(copy, F_GETFD), 0);
	CHECK_EQ(lseek(fd, 4, SEEK_SET), 4);
	CHECK_EQ(lseek(copy, 0, SEEK_CUR), 4);
	CHECK_OK(fcntl(copy, F_SETFL, O_APPEND));
	CHECK_EQ(fcntl(fd, F_GETFL) & O_APPEND, O_APPEND);
	CHECK_ERRNO(dup(999), EBADF);
}

TEST("does dup2 replace its target, do nothing onto itself, and refuse bad numbers?")
{
	int fd, other;

	guest_scratch();
	fd = file("f", "x");
	other = file("g", "yy");
	CHECK_EQ(dup2(fd, other), other);
	CHECK_EQ(lseek(other, 0, SEEK_END), 1);
	CHECK_EQ(dup2(fd, 100), 100);
	CHECK_EQ(dup2(fd, fd), fd);
	CHECK_ERRNO(dup2(999, 999), EBADF);
	CHECK_ERRNO(dup2(999, fd), EBADF);
	CHECK_OK(fcntl(fd, F_GETFD));
	CHECK_ERRNO(dup2(fd, -1), EBADF);
	CHECK_ERRNO(dup2(fd, INT_MAX), EBADF);
}

TEST("does dup3 set close-on-exec, refuse equal numbers and unknown flags?")
{
	int fd = CHECK_OK(open("/", O_RDONLY));

	CHECK_EQ(dup3(fd, 50, O_CLOEXEC), 50);
	CHECK_EQ(fcntl(50, F_GETFD), FD_CLOEXEC);
	CHECK_EQ(syscall(SYS_dup3, fd, 51, 0), 51);
	CHECK_EQ(fcntl(51, F_GETFD), 0);
	CHECK_ERRNO(syscall(SYS_dup3, fd, fd, 0), EINVAL);
	CHECK_ERRNO(syscall(SYS_dup3, fd, 52, O_APPEND), EINVAL);
}

TEST("does fcntl duplicate from a number up, and refuse what it does not know?")
{
	int fd = CHECK_OK(open("/", O_RDONLY));

	CHECK_EQ(fcntl(fd, F_DUPFD, 70), 70);
	CHECK_EQ(fcntl(fd, F_DUPFD, 70), 71);
	CHECK_EQ(fcntl(fd, F_DUPFD_CLOEXEC, 70), 72);
	CHECK_EQ(fcntl(72, F_GETFD), FD_CLOEXEC);
	CHECK_ERRNO(fcntl(fd, F_DUPFD, -1), EINVAL);
	CHECK_ERRNO(fcntl(fd, 9999, 0), EINVAL);
	CHECK_ERRNO(fcntl(999, F_GETFD), EBADF);
}

TEST("does fcntl keep the access mode and change only append, nonblocking and the like?")
{
	int fd;

	guest_scratch();
	CHECK_OK(guest_file("f", "", 0600));
	fd = CHECK_OK(open("f", O_WRONLY));
	CHECK_EQ(fcntl(fd, F_GETFL) & O_ACCMODE, O_WRONLY);
	CHECK_OK(fcntl(fd, F_SETFL, O_RDWR | O_NONBLOCK | O_APPEND | O_CREAT));
	CHECK_EQ(fcntl(fd, F_GETFL) & (O_ACCMODE | O_NONBLOCK | O_APPEND | O_CREAT),
		 O_WRONLY | O_NONBLOCK | O_APPEND);
}

TEST("is EMFILE at RLIMIT_NOFILE for open, dup, pipe, and nothing lost by it?")
{
	struct rlimit limit = { 12, 12 };
	int ends[2] = { -7, -7 }, last;

	CHECK_OK(setrlimit(RLIMIT_NOFILE, &limit));
	for (int fd = 12; fd < 1200; fd++)
		close(fd);
	while ((last = open("/", O_RDONLY)) >= 0)
		CHECK(last < 12);
	CHECK_EQ(errno, EMFILE);
	CHECK_ERRNO(dup(0), EMFILE);
	CHECK_ERRNO(fcntl(0, F_DUPFD, 3), EMFILE);
	CHECK_ERRNO(fcntl(0, F_DUPFD, 12), EINVAL);
	CHECK_ERRNO(dup2(0, 12), EBADF);
	CHECK_OK(close(11));
	CHECK_ERRNO(pipe(ends), EMFILE);
	CHECK_EQ(ends[0], -7);
	CHECK_EQ(open("/", O_RDONLY), 11);
}

TEST("can a thousand files be open at once, and are their numbers dense?")
{
	struct rlimit limit;
	int first;

	for (int fd = 3; fd < 1200; fd++)
		close(fd);
	first = CHECK_OK(open("/", O_RDONLY));
	CHECK_OK(getrlimit(RLIMIT_NOFILE, &limit));
	limit.rlim_cur = limit.rlim_max < 1100 ? limit.rlim_max : 1100;
	CHECK_OK(setrlimit(RLIMIT_NOFILE, &limit));
	for (int i = 1; i < 1000; i++)
		CHECK_EQ(open("/", O_RDONLY), first + i);
	for (int i = 0; i < 1000; i += 2)
		CHECK_OK(close(first + i));
	for (int i = 0; i < 1000; i += 2)
		CHECK_EQ(open("/", O_RDONLY), first + i);
}

TEST("does close_range close a range, or mark it close-on-exec?")
{
	int fd = CHECK_OK(open("/", O_RDONLY));

	for (int i = 60; i < 70; i++)
		CHECK_EQ(dup2(fd, i), i);
	CHECK_OK(syscall(SYS_close_range, 62, 64, 0));
	CHECK_OK(fcntl(61, F_GETFD));
	CHECK_ERRNO(fcntl(62, F_GETFD), EBADF);
	CHECK_ERRNO(fcntl(64, F_GETFD), EBADF);
	CHECK_OK(syscall(SYS_close_range, 65, 66, 4));
	CHECK_EQ(fcntl(66, F_GETFD), FD_CLOEXEC);
	CHECK_EQ(fcntl(67, F_GETFD), 0);
	CHECK_OK(syscall(SYS_close_range, 67, ~0U, 0));
	CHECK_ERRNO(fcntl(69, F_GETFD), EBADF);
	CHECK_ERRNO(syscall(SYS_close_range, 5, 4, 0), EINVAL);
	CHECK_ERRNO(syscall(SYS_close_range, 5, 6, 99), EINVAL);
}

/* The lock another process sees on this range: F_UNLCK, F_RDLCK or F_WRLCK. */
static int lock_seen_by_other(int fd, off_t start, off_t length)
{
	pid_t pid;

	CHILD(pid) {
		struct flock lock = { .l_type = F_WRLCK, .l_whence = SEEK_SET, .l_start = start,
				      .l_len = length };

		CHECK_OK(fcntl(fd, F_GETLK, &lock));
		if (lock.l_type != F_UNLCK)
			CHECK_EQ(lock.l_pid, getppid());
		_exit(lock.l_type + 10);
	}
	return WEXITSTATUS(guest_wait(pid)) - 10;
}

static int set_lock(int fd, int command, int type, off_t start, off_t length)
{
	struct flock lock = {
		.l_type = type, .l_whence = SEEK_SET, .l_start = start, .l_len = length
	};

	return fcntl(fd, command, &lock);
}

TEST("do record locks exclude other processes by byte range, split and join?")
{
	int fd;
	pid_t pid;

	guest_scratch();
	fd = file("f", "0123456789");
	CHECK_OK(set_lock(fd, F_SETLK, F_WRLCK, 0, 10));
	CHECK_OK(set_lock(fd, F_SETLK, F_UNLCK, 3, 4));
	CHECK_EQ(lock_seen_by_other(fd, 0, 3), F_WRLCK);
	CHECK_EQ(lock_seen_by_other(fd, 3, 4), F_UNLCK);
	CHECK_EQ(lock_seen_by_other(fd, 7, 1), F_WRLCK);
	CHECK_OK(set_lock(fd, F_SETLK, F_RDLCK, 0, 0));
	CHECK_EQ(lock_seen_by_other(fd, 1000, 1), F_RDLCK);
	CHILD(pid) {
		int mine = CHECK_OK(open("f", O_RDWR));

		CHECK_OK(set_lock(mine, F_SETLK, F_RDLCK, 0, 5));
		CHECK_ERRNO(set_lock(mine, F_SETLK, F_WRLCK, 0, 5), EAGAIN);
	}
	CHECK_EXIT(pid, 0);
	CHECK_ERRNO(set_lock(fd, F_SETLK, 77, 0, 1), EINVAL);
	CHECK_ERRNO(set_lock(fd, F_SETLK, F_RDLCK, -5, 1), EINVAL);
	CHECK_ERRNO(set_lock(CHECK_OK(open("f", O_RDONLY)), F_SETLK, F_WRLCK, 0, 1), EBADF);
}

TEST("are record locks dropped at any close of the file, and at exit?")
{
	int fd, other;
	pid_t pid;

	guest_scratch();
	fd = file("f", "x");
	CHECK_OK(set_lock(fd, F_SETLK, F_WRLCK, 0, 1));
	other = CHECK_OK(open("f", O_RDONLY));
	CHECK_EQ(lock_seen_by_other(fd, 0, 1), F_WRLCK);
	CHECK_OK(close(other));
	CHECK_EQ(lock_seen_by_other(fd, 0, 1), F_UNLCK);
	CHILD(pid)
		CHECK_OK(set_lock(fd, F_SETLK, F_WRLCK, 0, 1));
	CHECK_EXIT(pid, 0);
	CHECK_OK(set_lock(fd, F_SETLK, F_WRLCK, 0, 1));
}

TEST("does F_SETLKW wait until the lock is free, and detect a deadlock of two?")
{
	struct guest_gate gate = guest_gate(), ready = guest_gate();
	int fd;
	pid_t pid;

	guest_scratch();
	fd = file("f", "0123456789");
	CHILD(pid) {
		CHECK_OK(set_lock(fd, F_SETLK, F_WRLCK, 0, 1));
		guest_gate_open(&ready);
		guest_gate_pass(&gate);
		CHECK_OK(set_lock(fd, F_SETLKW, F_WRLCK, 1, 1));
	}
	guest_gate_pass(&ready);
	CHECK_OK(set_lock(fd, F_SETLK, F_WRLCK, 1, 1));
	guest_gate_open(&gate);
	guest_wait_blocked(pid);
	guest_sleep_ms(20);
	CHECK_ERRNO(set_lock(fd, F_SETLKW, F_WRLCK, 0, 1), EDEADLK);
	CHECK_OK(set_lock(fd, F_SETLK, F_UNLCK, 1, 1));
	CHECK_EXIT(pid, 0);
	CHECK_OK(set_lock(fd, F_SETLKW, F_WRLCK, 0, 1));
}

struct closer {
	struct guest_gate gate, done;
	int fd;
};

static void *close_on_demand(void *arg)
{
	struct closer *closer = arg;

	guest_gate_pass(&closer->gate);
	CHECK_OK(close(closer->fd));
	guest_gate_open(&closer->done);
	return NULL;
}

TEST("is a lock that comes after its descriptor was closed by another thread EBADF, and dropped?")
{
	struct closer closer = { .gate = guest_gate(), .done = guest_gate() };
	pthread_t thread;
	int fd;
	pid_t pid;

	guest_scratch();
	fd = file("f", "x");
	CHECK_OK(set_lock(fd, F_SETLK, F_WRLCK, 0, 1));
	CHILD(pid) {
		closer.fd = CHECK_OK(open("f", O_RDWR));
		CHECK_EQ(pthread_create(&thread, NULL, close_on_demand, &closer), 0);
		CHECK_ERRNO(set_lock(closer.fd, F_SETLKW, F_WRLCK, 0, 1), EBADF);
		CHECK_EQ(lock_seen_by_other(fd, 0, 1), F_UNLCK);
	}
	guest_wait_blocked(pid);
	guest_gate_open(&closer.gate);
	guest_gate_pass(&closer.done);
	CHECK_OK(set_lock(fd, F_SETLK, F_UNLCK, 0, 1));
	CHECK_EXIT(pid, 0);
}

TEST("do open-file-description locks belong to the open file, not the process?")
{
	int one, two;

	guest_scratch();
	one = file("f", "x");
	two = CHECK_OK(open("f", O_RDWR));
	CHECK_OK(set_lock(one, F_OFD_SETLK, F_WRLCK, 0, 1));
	CHECK_ERRNO(set_lock(two, F_OFD_SETLK, F_WRLCK, 0, 1), EAGAIN);
	CHECK_ERRNO(set_lock(two, F_SETLK, F_WRLCK, 0, 1), EAGAIN);
	CHECK_OK(close(CHECK_OK(open("f", O_RDWR))));
	CHECK_ERRNO(set_lock(two, F_OFD_SETLK, F_WRLCK, 0, 1), EAGAIN);
	CHECK_OK(close(one));
	CHECK_OK(set_lock(two, F_OFD_SETLK, F_WRLCK, 0, 1));
}

TEST("does flock exclude between open files, share with dup, convert and wait?")
{
	int one, two, copy;
	pid_t pid;

	guest_scratch();
	one = file("f", "x");
	two = CHECK_OK(open("f", O_RDONLY));
	copy = CHECK_OK(dup(one));
	CHECK_OK(flock(one, LOCK_EX));
	CHECK_ERRNO(flock(two, LOCK_SH | LOCK_NB), EWOULDBLOCK);
	CHECK_OK(flock(copy, LOCK_SH));
	CHECK_OK(flock(two, LOCK_SH | LOCK_NB));
	CHECK_OK(flock(two, LOCK_UN));
	CHECK_OK(flock(copy, LOCK_EX));
	CHILD(pid)
		CHECK_OK(flock(two, LOCK_EX));
	guest_wait_blocked(pid);
	CHECK_OK(flock(one, LOCK_UN));
	CHECK_EXIT(pid, 0);
	CHECK_ERRNO(flock(one, 77), EINVAL);
	CHECK_ERRNO(flock(999, LOCK_EX), EBADF);
}

TEST("do ioctl FIONREAD, FIONBIO and FIOCLEX work, and is another ENOTTY or EBADF?")
{
	int ends[2], count, on = 1;

	CHECK_OK(pipe(ends));
	CHECK_EQ(write(ends[1], "abcd", 4), 4);
	CHECK_OK(ioctl(ends[0], FIONREAD, &count));
	CHECK_EQ(count, 4);
	CHECK_OK(ioctl(ends[0], FIONBIO, &on));
	CHECK_EQ(fcntl(ends[0], F_GETFL) & O_NONBLOCK, O_NONBLOCK);
	CHECK_OK(ioctl(ends[0], FIOCLEX));
	CHECK_EQ(fcntl(ends[0], F_GETFD), FD_CLOEXEC);
	CHECK_OK(ioctl(ends[0], FIONCLEX));
	CHECK_EQ(fcntl(ends[0], F_GETFD), 0);
	CHECK_ERRNO(ioctl(ends[0], 0x5401, &count), ENOTTY);
	CHECK_ERRNO(ioctl(999, FIONREAD, &count), EBADF);
	CHECK_ERRNO(ioctl(ends[0], FIONREAD, (void *)8), EFAULT);
}
