/*
 * console.c - a session on the machine's console, for an image that was booted without a launcher.
 *
 * Where the console is a terminal, as on Linux, the program gets it. Else it is a stream of bytes
 * (the first serial port): the program gets a pty, and the bytes are carried between the two. Such
 * a console tells nobody when input comes, so it is asked every POLL_MS. One that has no input at
 * all shows the demo instead of a shell nobody could type to.
 */
#include "init.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/wait.h>
#include <termios.h>
#include <unistd.h>

#define POLL_MS	20

static char *shell[] = { "/bin/sh", "-l", NULL };
static char *demo[] = { "/bin/demo", NULL };
static char *environment[] = {
	"HOME=/root", "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
	"TERM=vt100", "USER=root", "SHELL=/bin/sh", NULL,
};

static void wait_for(pid_t pid)
{
	pid_t ended;

	do {
		ended = waitpid(-1, NULL, 0);
	} while (ended != pid && (ended >= 0 || errno == EINTR));
}

static void run_on_terminal(char **argv)
{
	const pid_t pid = fork();

	if (pid < 0)
		fatal("fork");
	if (pid == 0) {
		setsid();
		ioctl(0, TIOCSCTTY, 1);
		execve(argv[0], argv, environment);
		fprintf(stderr, "init: %s: %s\n", argv[0], strerror(errno));
		_exit(127);
	}
	wait_for(pid);
}

static void write_all(int fd, const char *bytes, ssize_t length)
{
	while (length > 0) {
		const ssize_t written = write(fd, bytes, (size_t)length);

		if (written < 0 && errno != EINTR && errno != EAGAIN)
			return;
		if (written > 0) {
			bytes += written;
			length -= written;
		}
	}
}

/* False when the source has ended. */
static bool carry(int from, int to)
{
	char bytes[512];
	ssize_t got;

	while ((got = read(from, bytes, sizeof(bytes))) > 0)
		write_all(to, bytes, got);
	return got < 0 && (errno == EAGAIN || errno == EINTR);
}

/* Until the program has ended and what it said has been written. */
static void relay(int input, const struct child *child)
{
	struct pollfd master = { .fd = child->terminal, .events = POLLIN };
	bool running = true;

	while (running) {
		poll(&master, 1, POLL_MS);
		for (pid_t pid; (pid = waitpid(-1, NULL, WNOHANG)) > 0; )
			running &= pid != child->pid;
		carry(child->terminal, STDOUT_FILENO);
		if (input >= 0 && !carry(input, child->terminal)) {
			close(input);
			input = -1;
		}
	}
}

static void run_on_stream(struct port *port, char **argv)
{
	struct command command = {
		.flags = START_ANY_TERMINAL | START_TERMINAL_PLAIN, .directory = "/",
		.winsize = { .rows = 24, .columns = 80 }, .envp = environment,
	};
	int input = open("/dev/console", O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
	struct child child;
	char byte;

	if (input >= 0 && read(input, &byte, 1) == 0) {
		close(input);
		input = -1;
	}
	command.argv = argv[0] ? argv : input >= 0 ? shell : demo;
	/* What it has to say goes to a port that is not there: the console is told here. */
	if (spawn(port, &command, &child) != 0)
		fprintf(stderr, "init: %s: cannot be started\n", command.argv[0]);
	else
		relay(input, &child);
}

void console_run(struct port *port, char **argv)
{
	if (isatty(STDIN_FILENO))
		run_on_terminal(argv[0] ? argv : shell);
	else
		run_on_stream(port, argv);
}
