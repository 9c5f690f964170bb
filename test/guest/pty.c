/*
 * Terminals, on pseudo-terminals: line editing, echo, raw mode, signals from the keyboard, window
 * size, sessions and the controlling terminal, background reading and writing, and hanging up.
 */
#include "guest.h"

#include <poll.h>
#include <sys/ioctl.h>
#include <termios.h>

struct pty {
	int master, slave;
	char name[64];
};

static struct pty open_pty(void)
{
	struct pty pty;
	int number, unlock = 0;

	pty.master = CHECK_OK(open("/dev/ptmx", O_RDWR | O_NOCTTY | O_CLOEXEC));
	CHECK_OK(ioctl(pty.master, TIOCSPTLCK, &unlock));
	CHECK_OK(ioctl(pty.master, TIOCGPTN, &number));
	snprintf(pty.name, sizeof pty.name, "/dev/pts/%d", number);
	pty.slave = CHECK_OK(open(pty.name, O_RDWR | O_NOCTTY | O_CLOEXEC));
	return pty;
}

/* Turns local flags on or off. */
static void change(int fd, tcflag_t off, tcflag_t on)
{
	struct termios settings;

	CHECK_OK(tcgetattr(fd, &settings));
	settings.c_lflag = (settings.c_lflag & ~off) | on;
	CHECK_OK(tcsetattr(fd, TCSANOW, &settings));
}

static void type(struct pty *pty, const char *text)
{
	CHECK_EQ(write(pty->master, text, strlen(text)), strlen(text));
}

/* What can be read within 50 ms after the last that came, as text. */
static const char *available(int fd)
{
	static char text[8192];
	struct pollfd poller = { fd, POLLIN, 0 };
	size_t have = 0;

	while (have < sizeof text - 1 && poll(&poller, 1, 50) == 1 && poller.revents & POLLIN) {
		ssize_t got = read(fd, text + have, sizeof text - 1 - have);

		if (got <= 0)
			break;
		have += got;
	}
	text[have] = 0;
	return text;
}

static bool readable(int fd)
{
	struct pollfd poller = { fd, POLLIN, 0 };

	return poll(&poller, 1, 30) == 1;
}

TEST("is a fresh pseudo-terminal a terminal in canonical mode with echo, at both ends?")
{
	struct pty pty = open_pty();
	struct termios settings;
	struct stat st;

	CHECK_EQ(isatty(pty.slave), 1);
	CHECK_EQ(isatty(pty.master), 1);
	CHECK_OK(tcgetattr(pty.slave, &settings));
	CHECK_EQ(settings.c_lflag & (ICANON | ECHO | ISIG | IEXTEN), ICANON | ECHO | ISIG | IEXTEN);
	CHECK_EQ(settings.c_oflag & (OPOST | ONLCR), OPOST | ONLCR);
	CHECK_EQ(settings.c_iflag & ICRNL, ICRNL);
	CHECK_EQ(settings.c_cc[VINTR], 3);
	CHECK_EQ(settings.c_cc[VEOF], 4);
	CHECK_EQ(settings.c_cc[VERASE], 127);
	CHECK_OK(fstat(pty.slave, &st));
	CHECK(S_ISCHR(st.st_mode));
	CHECK_EQ(st.st_rdev >> 8, 136);
	CHECK_ERRNO(tcgetattr(CHECK_OK(open("/", O_RDONLY)), &settings), ENOTTY);
}

TEST("is input given line by line, echoed, with carriage return as newline?")
{
	struct pty pty = open_pty();
	char got[16] = "";

	type(&pty, "hel");
	CHECK(!readable(pty.slave));
	CHECK_STR(available(pty.master), "hel");
	type(&pty, "lo\rnext\n");
	CHECK_EQ(read(pty.slave, got, 16), 6);
	CHECK_STR(got, "hello\n");
	CHECK_STR(available(pty.master), "lo\r\nnext\r\n");
	CHECK_EQ(read(pty.slave, got, 2), 2);
	CHECK_EQ(read(pty.slave, got, 16), 3);
	CHECK_EQ(memcmp(got, "xt\n", 3), 0);
}

TEST("is output translated: newline to carriage return and newline, unless OPOST is off?")
{
	struct pty pty = open_pty();
	struct termios settings;

	CHECK_EQ(write(pty.slave, "a\nb", 3), 3);
	CHECK_STR(available(pty.master), "a\r\nb");
	CHECK_OK(tcgetattr(pty.slave, &settings));
	settings.c_oflag &= ~OPOST;
	CHECK_OK(tcsetattr(pty.slave, TCSADRAIN, &settings));
	CHECK_EQ(write(pty.slave, "a\nb", 3), 3);
	CHECK_STR(available(pty.master), "a\nb");
}

TEST("do erase, kill, word erase and literal-next edit the line?")
{
	struct pty pty = open_pty();

	change(pty.slave, ECHO, 0);
	type(&pty, "abx\177c\n");
	CHECK_STR(available(pty.slave), "abc\n");
	type(&pty, "garbage\025ok\n");
	CHECK_STR(available(pty.slave), "ok\n");
	type(&pty, "one two\027three\n");
	CHECK_STR(available(pty.slave), "one three\n");
	type(&pty, "a\026\003b\n");
	CHECK_STR(available(pty.slave), "a\003b\n");
	type(&pty, "\177\177x\n");
	CHECK_STR(available(pty.slave), "x\n");
}

TEST("does erasing echo backspace, blank, backspace, and a control character echo as ^X?")
{
	struct pty pty = open_pty();

	type(&pty, "ab\177\n");
	CHECK_STR(available(pty.master), "ab\b \b\r\n");
	type(&pty, "\001\n");
	CHECK_STR(available(pty.master), "^A\r\n");
}

TEST("does ^D end the line without newline, and alone give end of file?")
{
	struct pty pty = open_pty();
	char got[8] = "";

	type(&pty, "abc\004");
	CHECK_EQ(read(pty.slave, got, 8), 3);
	type(&pty, "\004");
	CHECK_EQ(read(pty.slave, got, 8), 0);
	type(&pty, "x\n");
	CHECK_EQ(read(pty.slave, got, 8), 2);
}

TEST("does raw mode pass every byte at once, unechoed, MIN and TIME deciding?")
{
	struct pty pty = open_pty();
	struct termios settings;
	char got[16] = "";
	int64_t start;

	CHECK_OK(tcgetattr(pty.slave, &settings));
	cfmakeraw(&settings);
	CHECK_OK(tcsetattr(pty.slave, TCSAFLUSH, &settings));
	type(&pty, "\003\r\177\004");
	CHECK_EQ(read(pty.slave, got, 16), 4);
	CHECK_EQ(memcmp(got, "\003\r\177\004", 4), 0);
	CHECK_STR(available(pty.master), "");
	settings.c_cc[VMIN] = 0;
	settings.c_cc[VTIME] = 1;
	CHECK_OK(tcsetattr(pty.slave, TCSANOW, &settings));
	start = guest_now_ns();
	CHECK_EQ(read(pty.slave, got, 16), 0);
	CHECK_RANGE(guest_now_ns() - start, 80000000, 10000000000);
	settings.c_cc[VMIN] = 0;
	settings.c_cc[VTIME] = 0;
	CHECK_OK(tcsetattr(pty.slave, TCSANOW, &settings));
	CHECK_EQ(read(pty.slave, got, 16), 0);
	settings.c_cc[VMIN] = 3;
	CHECK_OK(tcsetattr(pty.slave, TCSANOW, &settings));
	type(&pty, "abc");
	CHECK_EQ(read(pty.slave, got, 16), 3);
}

TEST("is reading without input EAGAIN when not to block, and FIONREAD the bytes there?")
{
	struct pty pty = open_pty();
	char got[4];
	int count;

	CHECK_OK(fcntl(pty.slave, F_SETFL, O_RDWR | O_NONBLOCK));
	CHECK_ERRNO(read(pty.slave, got, 4), EAGAIN);
	type(&pty, "ab\n");
	CHECK(readable(pty.slave));
	CHECK_OK(ioctl(pty.slave, FIONREAD, &count));
	CHECK_EQ(count, 3);
	CHECK_OK(tcflush(pty.slave, TCIFLUSH));
	CHECK_ERRNO(read(pty.slave, got, 4), EAGAIN);
}

static void do_nothing(int signal)
{
	(void)signal;
}

TEST("does a second reader not wait for the first: EAGAIN when not to block, EINTR by a signal?")
{
	struct sigaction action = { .sa_handler = do_nothing };
	struct pty pty = open_pty();
	int second = CHECK_OK(open(pty.name, O_RDWR | O_NOCTTY | O_NONBLOCK));
	pid_t first, interrupted;
	char got[4];
	int status;

	CHECK_OK(sigaction(SIGALRM, &action, NULL));
	CHILD(first) {
		(void)!read(pty.slave, got, 4);
	}
	usleep(100 * 1000);
	CHECK_ERRNO(read(second, got, 4), EAGAIN);
	CHILD(interrupted) {
		alarm(1);
		CHECK_ERRNO(read(pty.slave, got, 4), EINTR);
	}
	CHECK_EQ(waitpid(interrupted, &status, 0), interrupted);
	CHECK_EQ(status, 0);
	type(&pty, "\n");
	CHECK_EQ(waitpid(first, &status, 0), first);
	CHECK_EQ(status, 0);
}

TEST("does a second writer not wait for the first: EAGAIN when not to block, EINTR by a signal?")
{
	struct sigaction action = { .sa_handler = do_nothing };
	static const char block[64 * 1024];
	struct pty pty = open_pty();
	int second = CHECK_OK(open(pty.name, O_RDWR | O_NOCTTY | O_NONBLOCK));
	pid_t first, interrupted;

	CHECK_OK(sigaction(SIGALRM, &action, NULL));
	CHILD(first) {
		(void)!write(pty.slave, block, sizeof block);
		FAIL("a terminal that nobody reads took all");
	}
	guest_wait_blocked(first);
	CHECK_ERRNO(write(second, "x", 1), EAGAIN);
	CHILD(interrupted) {
		alarm(1);
		CHECK_ERRNO(write(pty.slave, "x", 1), EINTR);
	}
	CHECK_EXIT(interrupted, 0);
	CHECK_OK(kill(first, SIGKILL));
	CHECK_SIGNALED(first, SIGKILL);
}

/* Makes the caller the leader of a session whose controlling terminal is the slave. */
static void take_terminal(struct pty *pty)
{
	CHECK_EQ(setsid(), getpid());
	CHECK_OK(ioctl(pty->slave, TIOCSCTTY, 0));
}

TEST("do ^C, ^\\ and ^Z signal the foreground group?")
{
	static const struct { const char *key; int signal; } keys[] = {
		{ "\003", SIGINT }, { "\034", SIGQUIT }, { "\032", SIGTSTP }
	};

	for (int i = 0; i < 3; i++) {
		struct pty pty = open_pty();
		struct guest_gate gate = guest_gate();
		pid_t pid;

		CHILD(pid) {
			pid_t member;
			int status;

			take_terminal(&pty);
			CHECK_EQ(tcgetpgrp(pty.slave), getpid());
			CHILD(member) {
				setpgid(0, 0);
				guest_catch(SIGTTOU, SIG_IGN, 0);
				CHECK_OK(tcsetpgrp(pty.slave, getpid()));
				guest_gate_open(&gate);
				pause();
			}
			CHECK_EQ(waitpid(member, &status, WUNTRACED), member);
			if (keys[i].signal == SIGTSTP) {
				CHECK(WIFSTOPPED(status));
				CHECK_EQ(WSTOPSIG(status), SIGTSTP);
				CHECK_OK(kill(member, SIGKILL));
			} else {
				CHECK_EQ(WTERMSIG(status), keys[i].signal);
			}
		}
		guest_gate_pass(&gate);
		guest_sleep_ms(20);
		type(&pty, keys[i].key);
		CHECK_EXIT(pid, 0);
	}
}

TEST("does ^C discard the line typed so far, and not signal with ISIG off?")
{
	struct pty pty = open_pty();

	change(pty.slave, ECHO, 0);
	type(&pty, "lost\003kept\n");
	CHECK_STR(available(pty.slave), "kept\n");
	change(pty.slave, ISIG, 0);
	type(&pty, "a\003b\n");
	CHECK_STR(available(pty.slave), "a\003b\n");
}

TEST("does ^C keep what was written and not read yet by the master?")
{
	struct pty pty = open_pty();

	change(pty.slave, ECHO, 0);
	CHECK_EQ(write(pty.slave, "out\n", 4), 4);
	guest_sleep_ms(50);
	type(&pty, "\003");
	CHECK_STR(available(pty.master), "out\r\n");
}

static volatile sig_atomic_t signals;

static void on_signal(int signal)
{
	(void)signal;
	signals++;
}

TEST("is the window size kept, seen at both ends, and SIGWINCH sent on a change?")
{
	struct pty pty = open_pty();
	struct winsize size = { .ws_row = 33, .ws_col = 111 };
	struct guest_gate gate = guest_gate();
	pid_t pid;

	CHECK_OK(ioctl(pty.slave, TIOCGWINSZ, &size));
	CHECK_EQ(size.ws_row, 0);
	CHILD(pid) {
		guest_catch(SIGWINCH, on_signal, 0);
		take_terminal(&pty);
		guest_gate_open(&gate);
		CHECK_SOON(signals == 1);
		CHECK_OK(ioctl(pty.slave, TIOCGWINSZ, &size));
		CHECK_EQ(size.ws_row, 33);
		CHECK_EQ(size.ws_col, 111);
	}
	guest_gate_pass(&gate);
	size = (struct winsize){ .ws_row = 33, .ws_col = 111 };
	CHECK_OK(ioctl(pty.master, TIOCSWINSZ, &size));
	CHECK_EXIT(pid, 0);
}

TEST("is /dev/tty the controlling terminal, ENXIO without one, and given up by TIOCNOTTY?")
{
	struct pty pty = open_pty();
	pid_t pid;

	CHILD(pid) {
		int fd;

		CHECK_EQ(setsid(), getpid());
		CHECK_ERRNO(open("/dev/tty", O_RDWR), ENXIO);
		CHECK_ERRNO(tcgetpgrp(pty.slave), ENOTTY);
		CHECK_OK(ioctl(pty.slave, TIOCSCTTY, 0));
		fd = CHECK_OK(open("/dev/tty", O_RDWR));
		CHECK_EQ(write(fd, "via tty", 7), 7);
		CHECK_EQ(tcgetsid(fd), getpid());
		guest_catch(SIGHUP, SIG_IGN, 0);
		CHECK_OK(ioctl(fd, TIOCNOTTY));
		CHECK_ERRNO(open("/dev/tty", O_RDWR), ENXIO);
	}
	CHECK_EXIT(pid, 0);
	CHECK_STR(available(pty.master), "via tty");
}

TEST("does a session leader get its first terminal opened without O_NOCTTY as the controlling one?")
{
	struct pty pty = open_pty();
	pid_t pid;

	CHILD(pid) {
		CHECK_EQ(setsid(), getpid());
		CHECK_OK(open(pty.name, O_RDWR | O_NOCTTY));
		CHECK_ERRNO(open("/dev/tty", O_RDWR), ENXIO);
		CHECK_OK(open(pty.name, O_RDWR));
		CHECK_OK(open("/dev/tty", O_RDWR));
	}
	CHECK_EXIT(pid, 0);
}

TEST("is reading in the background SIGTTIN, or EIO when that is ignored?")
{
	struct pty pty = open_pty();
	pid_t pid;

	CHILD(pid) {
		pid_t member;
		int status;

		take_terminal(&pty);
		CHILD(member) {
			setpgid(0, 0);
			read(pty.slave, &status, 1);
		}
		CHECK_EQ(waitpid(member, &status, WUNTRACED), member);
		CHECK(WIFSTOPPED(status));
		CHECK_EQ(WSTOPSIG(status), SIGTTIN);
		CHECK_OK(kill(member, SIGKILL));
		CHECK_SIGNALED(member, SIGKILL);
		CHILD(member) {
			setpgid(0, 0);
			guest_catch(SIGTTIN, SIG_IGN, 0);
			CHECK_ERRNO(read(pty.slave, &status, 1), EIO);
		}
		CHECK_EXIT(member, 0);
	}
	CHECK_EXIT(pid, 0);
}

TEST("is writing in the background allowed, but SIGTTOU with TOSTOP and for changing settings?")
{
	struct pty pty = open_pty();
	pid_t pid;

	CHILD(pid) {
		pid_t member;
		int status;

		take_terminal(&pty);
		CHILD(member) {
			setpgid(0, 0);
			CHECK_EQ(write(pty.slave, "x", 1), 1);
			change(pty.slave, 0, TOSTOP);
		}
		CHECK_EQ(waitpid(member, &status, WUNTRACED), member);
		CHECK(WIFSTOPPED(status));
		CHECK_EQ(WSTOPSIG(status), SIGTTOU);
		CHECK_OK(kill(member, SIGKILL));
		CHECK_SIGNALED(member, SIGKILL);
		change(pty.slave, 0, TOSTOP);
		CHILD(member) {
			setpgid(0, 0);
			write(pty.slave, "x", 1);
		}
		CHECK_EQ(waitpid(member, &status, WUNTRACED), member);
		CHECK_EQ(WSTOPSIG(status), SIGTTOU);
		CHECK_OK(kill(member, SIGKILL));
		CHECK_SIGNALED(member, SIGKILL);
	}
	CHECK_EXIT(pid, 0);
}

TEST("does closing the master hang up: SIGHUP to the session, 0 from read, EIO from write?")
{
	struct pty pty = open_pty();
	struct guest_gate gate = guest_gate();
	pid_t pid;

	CHILD(pid) {
		struct pollfd poller = { pty.slave, POLLIN, 0 };

		CHECK_OK(close(pty.master));
		guest_catch(SIGHUP, on_signal, 0);
		take_terminal(&pty);
		guest_gate_open(&gate);
		CHECK_SOON(signals == 1);
		CHECK_EQ(read(pty.slave, &pid, 1), 0);
		CHECK_ERRNO(write(pty.slave, "x", 1), EIO);
		CHECK_EQ(poll(&poller, 1, 0), 1);
		CHECK_EQ(poller.revents & POLLHUP, POLLHUP);
	}
	CHECK_OK(close(pty.slave));
	guest_gate_pass(&gate);
	CHECK_OK(close(pty.master));
	CHECK_EXIT(pid, 0);
}

TEST("does the end of a session leader hang up its foreground group?")
{
	struct pty pty = open_pty();
	struct guest_gate ready = guest_gate(), done = guest_gate();
	pid_t pid;

	CHILD(pid) {
		pid_t member;

		take_terminal(&pty);
		CHILD(member) {
			guest_catch(SIGHUP, on_signal, 0);
			guest_gate_open(&ready);
			CHECK_SOON(signals > 0);
			guest_gate_open(&done);
		}
		guest_gate_pass(&ready);
	}
	CHECK_EXIT(pid, 0);
	guest_gate_pass(&done);
}

TEST("is the master's read EIO once the slave is closed, and alive again when reopened?")
{
	struct pty pty = open_pty();
	struct pollfd poller = { pty.master, POLLIN, 0 };
	char got[8] = "";

	CHECK_EQ(write(pty.slave, "bye", 3), 3);
	CHECK_OK(close(pty.slave));
	CHECK_EQ(read(pty.master, got, 8), 3);
	CHECK_ERRNO(read(pty.master, got, 8), EIO);
	CHECK_EQ(poll(&poller, 1, 0), 1);
	CHECK_EQ(poller.revents & POLLHUP, POLLHUP);
	pty.slave = CHECK_OK(open(pty.name, O_RDWR | O_NOCTTY));
	type(&pty, "z\n");
	CHECK_EQ(read(pty.slave, got, 8), 2);
}

TEST("does the slave's name vanish with the master, and a locked slave not open?")
{
	struct pty pty = open_pty();
	int master, number;
	char name[32];

	CHECK_OK(close(pty.slave));
	CHECK_OK(access(pty.name, F_OK));
	CHECK_OK(close(pty.master));
	CHECK_ERRNO(open(pty.name, O_RDWR | O_NOCTTY), ENOENT);
	master = CHECK_OK(open("/dev/ptmx", O_RDWR | O_NOCTTY));
	CHECK_OK(ioctl(master, TIOCGPTN, &number));
	snprintf(name, sizeof name, "/dev/pts/%d", number);
	CHECK_ERRNO(open(name, O_RDWR | O_NOCTTY), EIO);
}

TEST("does a megabyte pass through a raw pseudo-terminal unchanged?")
{
	static unsigned char block[4096];
	struct pty pty = open_pty();
	struct termios settings;
	size_t total = 1 << 20, taken = 0;
	pid_t pid;

	CHECK_OK(tcgetattr(pty.slave, &settings));
	cfmakeraw(&settings);
	CHECK_OK(tcsetattr(pty.slave, TCSANOW, &settings));
	CHILD(pid) {
		for (size_t sent = 0; sent < total;) {
			ssize_t put;

			for (size_t i = 0; i < sizeof block; i++)
				block[i] = (sent + i) * 7 >> 2;
			put = CHECK_OK(write(pty.slave, block, sizeof block));
			sent += put;
		}
		CHECK_OK(tcdrain(pty.slave));
	}
	while (taken < total) {
		ssize_t got = CHECK_OK(read(pty.master, block, sizeof block));

		for (ssize_t i = 0; i < got; i++) {
			if (block[i] != (unsigned char)((taken + i) * 7 >> 2))
				FAIL("byte %zu is wrong", taken + i);
		}
		taken += got;
	}
	CHECK_EXIT(pid, 0);
}
