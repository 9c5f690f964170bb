/*
 * Does /proc/PID/stat tell the controlling terminal and its foreground group, and page faults?
 */
#include "guest.h"

#include <sys/ioctl.h>
#include <termios.h>

struct pid_stat {
	int tty, foreground;
};

static struct pid_stat stat_of(pid_t pid)
{
	char path[32], text[1024];
	struct pid_stat s;

	snprintf(path, sizeof path, "/proc/%d/stat", pid);
	CHECK(guest_read_file(path, text, sizeof text) > 0);
	CHECK_EQ(sscanf(strrchr(text, ')'), ") %*c %*d %*d %*d %d %d", &s.tty, &s.foreground), 2);
	return s;
}

static void check_terminal(pid_t pid, int tty, int foreground)
{
	struct pid_stat s = stat_of(pid);

	CHECK_EQ(s.tty, tty);
	CHECK_EQ(s.foreground, foreground);
}

TEST("are they 0 and -1 without a terminal, and with one those of every process of the session?")
{
	int master = CHECK_OK(posix_openpt(O_RDWR | O_NOCTTY)), slave, device;
	struct stat node;
	pid_t pid, member;

	CHECK_OK(unlockpt(master));
	slave = CHECK_OK(open(ptsname(master), O_RDWR | O_NOCTTY));
	CHECK_OK(fstat(slave, &node));
	device = (int)node.st_rdev;
	CHILD(pid) {
		int status;

		CHECK_EQ(setsid(), getpid());
		check_terminal(getpid(), 0, -1);
		CHECK_OK(ioctl(slave, TIOCSCTTY, 0));
		check_terminal(getpid(), device, getpid());
		CHILD(member)
			raise(SIGSTOP);
		CHECK_EQ(waitpid(member, &status, WUNTRACED), member);
		CHECK_OK(setpgid(member, member));
		CHECK_OK(tcsetpgrp(slave, member));
		check_terminal(getpid(), device, member);
		check_terminal(member, device, member);
		CHECK_OK(kill(member, SIGKILL));
		CHECK_SOON(guest_state(member) == 'Z');
		check_terminal(member, device, member);		/* a zombie keeps it */
		CHECK_SIGNALED(member, SIGKILL);
		guest_catch(SIGHUP, SIG_IGN, 0);
		guest_catch(SIGTTOU, SIG_IGN, 0);
		CHECK_OK(ioctl(slave, TIOCNOTTY));
		check_terminal(getpid(), 0, -1);
	}
	CHECK_EXIT(pid, 0);
}

static unsigned long children_faults(void)
{
	char text[1024];
	unsigned long faults;

	CHECK(guest_read_file("/proc/self/stat", text, sizeof text) > 0);
	CHECK_EQ(sscanf(strrchr(text, ')'), ") %*c %*d %*d %*d %*d %*d %*u %*u %lu", &faults), 1);
	return faults;
}

TEST("are a child's faults the parent's once it was waited for?")
{
	unsigned long before = children_faults();
	size_t pages = 100;
	volatile char *memory;
	pid_t pid;

	CHILD(pid) {
		memory = guest_private(pages * 4096);
		CHECK_OK(madvise((void *)memory, pages * 4096, MADV_NOHUGEPAGE));
		/* Downwards: pages above come along. */
		for (size_t i = pages; i-- > 0;)
			memory[i * 4096] = 1;
		_exit(0);
	}
	CHECK_EXIT(pid, 0);
	CHECK(children_faults() >= before + pages / 2);
}
