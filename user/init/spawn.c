/*
 * spawn.c - starts the command with the streams that the launcher described.
 *
 * Each of stdin, stdout and stderr is a pipe, or the pty when the host's is a terminal. The command
 * leads a session of its own, with the pty as its controlling terminal if there is one. Whether
 * execve succeeded comes back over a pipe that execve itself closes.
 */
#include "init.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <termios.h>
#include <unistd.h>

/* What failed in the child, told over the pipe. */
struct spawn_failure {
	int step;		/* enum spawn_step */
	int error;
};

enum spawn_step { STEP_TERMINAL, STEP_DIRECTORY, STEP_EXEC };

struct spawn_pipes {
	int child[3];		/* what becomes the child's 0, 1 and 2 */
	int report[2];
};

/* The next string of a START frame; NULL when the frame ends first. */
static const char *next_string(const char **cursor, const char *end)
{
	const char *string = *cursor;
	const char *nul = memchr(string, '\0', (size_t)(end - string));

	if (!nul)
		return NULL;
	*cursor = nul + 1;
	return string;
}

static char **decode_strings(const char **cursor, const char *end, uint32_t count)
{
	char **strings;

	/* Each takes a byte at least: this bounds the count by the frame. */
	if (count > (size_t)(end - *cursor))
		return NULL;
	strings = calloc((size_t)count + 1, sizeof(*strings));
	for (uint32_t i = 0; strings && i < count; i++) {
		strings[i] = (char *)next_string(cursor, end);
		if (!strings[i]) {
			free(strings);
			return NULL;
		}
	}
	return strings;
}

bool command_decode(struct command *command, const struct protocol_head *frame)
{
	struct protocol_start start;
	const char *cursor = (const char *)(frame + 1);
	const char *end = cursor + frame->length;

	if (frame->length < sizeof(start))
		return false;
	memcpy(&start, cursor, sizeof(start));
	cursor += sizeof(start);
	if (start.argument_count == 0)
		return false;
	command->flags = start.flags;
	command->winsize = start.winsize;
	command->directory = next_string(&cursor, end);
	if (!command->directory)
		return false;
	command->argv = decode_strings(&cursor, end, start.argument_count);
	command->envp = decode_strings(&cursor, end, start.environment_count);
	return command->argv && command->envp;
}

static int open_terminal(const struct command *command, int *slave)
{
	struct termios modes;
	struct winsize size = {
		.ws_row = command->winsize.rows, .ws_col = command->winsize.columns,
		.ws_xpixel = command->winsize.x_pixels, .ws_ypixel = command->winsize.y_pixels,
	};
	char name[32];
	int master, number, unlock = 0;

	master = open("/dev/ptmx", O_RDWR | O_NOCTTY | O_CLOEXEC | O_NONBLOCK);
	if (master < 0)
		return -1;
	if (ioctl(master, TIOCSPTLCK, &unlock) < 0 || ioctl(master, TIOCGPTN, &number) < 0)
		goto close_master;
	snprintf(name, sizeof(name), "/dev/pts/%d", number);
	*slave = open(name, O_RDWR | O_NOCTTY | O_CLOEXEC);
	if (*slave < 0)
		goto close_master;
	ioctl(*slave, TIOCSWINSZ, &size);
	if (tcgetattr(*slave, &modes) == 0) {
		modes.c_iflag |= IUTF8;
		if (command->flags & START_TERMINAL_PLAIN)
			modes.c_oflag &= ~(tcflag_t)OPOST;
		tcsetattr(*slave, TCSANOW, &modes);
	}
	return master;

close_master:
	close(master);
	return -1;
}

static void close_one(int *fd)
{
	if (*fd >= 0)
		close(*fd);
	*fd = -1;
}

static bool open_pipes(const struct command *command, struct child *child, int slave,
		       struct spawn_pipes *pipes)
{
	int ends[2];

	for (int i = 0; i < 3; i++) {
		if (command->flags & (START_STDIN_TERMINAL << i)) {
			pipes->child[i] = fcntl(slave, F_DUPFD_CLOEXEC, 3);
			if (pipes->child[i] < 0)
				return false;
			continue;
		}
		if (i == 2 && (command->flags & START_STDERR_IS_STDOUT)) {
			pipes->child[2] = fcntl(pipes->child[1], F_DUPFD_CLOEXEC, 3);
			if (pipes->child[2] < 0)
				return false;
			continue;
		}
		if (pipe2(ends, O_CLOEXEC) < 0)
			return false;
		pipes->child[i] = ends[i == 0 ? 0 : 1];
		if (i == 0)
			child->input = ends[1];
		else
			child->output[i - 1] = ends[0];
		/* Only our end: the other is the program's, which expects blocking files. */
		fcntl(ends[i == 0 ? 1 : 0], F_SETFL, O_NONBLOCK);
	}
	return pipe2(pipes->report, O_CLOEXEC) == 0;
}

/* Searches PATH as execvp does, but tells "found, not executable" from "not found". */
static int exec_search(char **argv, char **envp)
{
	const char *path = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
	char candidate[4096];
	int error = ENOENT;

	if (!argv[0][0] || strchr(argv[0], '/')) {
		execve(argv[0], argv, envp);
		return errno;
	}
	for (char **entry = envp; *entry; entry++) {
		if (strncmp(*entry, "PATH=", 5) == 0)
			path = *entry + 5;
	}
	for (size_t length; ; path += length + 1) {
		length = strcspn(path, ":");
		snprintf(candidate, sizeof(candidate), "%.*s/%s", (int)length,
			 length ? path : ".", argv[0]);
		execve(candidate, argv, envp);
		if (errno != ENOENT && errno != ENOTDIR)
			error = errno;
		if (!path[length])
			return error;
	}
}

_Noreturn static void child_main(const struct command *command, const struct spawn_pipes *pipes)
{
	struct spawn_failure failure = { .step = STEP_TERMINAL };
	sigset_t none;

	setsid();
	for (int i = 0; i < 3; i++) {
		if (dup2(pipes->child[i], i) < 0)
			goto failed;
	}
	for (int i = 0; i < 3; i++) {
		if (!(command->flags & (START_STDIN_TERMINAL << i)))
			continue;
		if (ioctl(i, TIOCSCTTY, 0) < 0)
			goto failed;
		break;
	}
	signal(SIGPIPE, SIG_DFL);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	failure.step = STEP_DIRECTORY;
	if (chdir(command->directory) < 0)
		goto failed;
	failure.step = STEP_EXEC;
	errno = exec_search(command->argv, command->envp);
failed:
	failure.error = errno;
	(void)!write(pipes->report[1], &failure, sizeof(failure));
	_exit(127);
}

/* The exit status for a failure to start, after shells: 127 not found, 126 found but no good. */
static int report_failure(struct port *port, const struct command *command,
			  const struct spawn_failure *failure)
{
	const char *what = command->argv[0];

	if (failure->step == STEP_DIRECTORY)
		what = command->directory;
	else if (failure->step == STEP_TERMINAL)
		what = "terminal";
	port_send_text(port, PROTOCOL_ERROR, "%s: %s", what, strerror(failure->error));
	if (failure->step != STEP_EXEC)
		return 125;
	return failure->error == ENOENT || failure->error == ENOTDIR ? 127 : 126;
}

static ssize_t read_report(int fd, struct spawn_failure *failure)
{
	ssize_t got;

	do {
		got = read(fd, failure, sizeof(*failure));
	} while (got < 0 && errno == EINTR);
	return got;
}

int spawn(struct port *port, const struct command *command, struct child *child)
{
	struct spawn_pipes pipes = { .child = { -1, -1, -1 }, .report = { -1, -1 } };
	struct spawn_failure failure;
	int slave = -1, status = 125;

	*child = (struct child){ .pid = -1, .input = -1, .output = { -1, -1 }, .terminal = -1 };
	if (command->flags & START_ANY_TERMINAL)
		child->terminal = open_terminal(command, &slave);
	if (((command->flags & START_ANY_TERMINAL) && child->terminal < 0) ||
	    !open_pipes(command, child, slave, &pipes)) {
		port_send_text(port, PROTOCOL_ERROR, "init: streams: %s", strerror(errno));
		goto close_pipes;
	}
	child->pid = fork();
	if (child->pid < 0) {
		port_send_text(port, PROTOCOL_ERROR, "init: fork: %s", strerror(errno));
		goto close_pipes;
	}
	if (child->pid == 0)
		child_main(command, &pipes);
	close_one(&pipes.report[1]);
	status = 0;
	if (read_report(pipes.report[0], &failure) == (ssize_t)sizeof(failure))
		status = report_failure(port, command, &failure);

close_pipes:
	/* The slave closes only now: a pty without any slave open would read as hung up. */
	for (int i = 0; i < 3; i++)
		close_one(&pipes.child[i]);
	close_one(&pipes.report[0]);
	close_one(&pipes.report[1]);
	close_one(&slave);
	return status;
}
