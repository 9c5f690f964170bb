/*
 * emulator.c - the emulator's process: started, watched, ended.
 *
 * It dies with us, whatever ends us, and has a session of its own, so that the terminal's signals
 * reach the launcher alone. The kernel's log goes to a file, not through the launcher: the serial
 * port is written a byte at a time, and each would wake us.
 */
#include "emulator.h"

#include "scratch.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define SOCKET_BYTES	(256 * 1024)

/* A regular file takes the log directly; to anything else it is copied at the end. */
static void prepare_log(struct emulator *emulator, const char *log)
{
	struct stat status;
	int fd = -1;

	emulator->log_copy = -1;
	if (log) {
		fd = open(log, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
		if (fd < 0 || fstat(fd, &status) < 0)
			die(STATUS_USAGE, "--log %s: %s", log, strerror(errno));
	}
	/* The emulator opens our file through /proc: a name like /dev/stderr would be its own. */
	if (log && S_ISREG(status.st_mode)) {
		emulator->log_path = scratch_path(fd);
		emulator->log = open(emulator->log_path, O_RDONLY | O_CLOEXEC);
		if (emulator->log >= 0)
			return;
	}
	emulator->log = scratch_file("tine-log");
	emulator->log_path = scratch_path(emulator->log);
	emulator->log_copy = fd;
}

void emulator_prepare(struct emulator *emulator, const char *log)
{
	const int size = SOCKET_BYTES;
	int pair[2];

	*emulator = (struct emulator){ .pid = -1, .preload = -1 };
	prepare_log(emulator, log);
	emulator->errors = scratch_file("tine-emulator");
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) < 0)
		die(STATUS_FAILED, "socketpair: %s", strerror(errno));
	for (int i = 0; i < 2; i++)
		setsockopt(pair[i], SOL_SOCKET, SO_SNDBUF, &size, sizeof(size));
	emulator->port = pair[0];
	emulator->peer = pair[1];
	fcntl(emulator->port, F_SETFL, O_NONBLOCK);
}

void emulator_preload(struct emulator *emulator, const char *path)
{
	emulator->preload = open(path, O_RDONLY | O_CLOEXEC);
	if (emulator->preload < 0)
		die(STATUS_FAILED, "%s: %s; run make launcher", path, strerror(errno));
}

/* By descriptor: a path with a space or a colon in it would be two to the dynamic linker. */
static void pass_preload(int fd)
{
	const char *users = getenv("LD_PRELOAD");

	fcntl(fd, F_SETFD, 0);
	setenv("LD_PRELOAD", text_format("/proc/self/fd/%d %s", fd, users ? users : ""), 1);
}

_Noreturn static void emulator_main(const struct emulator *emulator, char **argv, pid_t parent)
{
	const int null = open("/dev/null", O_RDWR);
	sigset_t none;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (getppid() != parent)
		_exit(STATUS_FAILED);
	setsid();
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	signal(SIGPIPE, SIG_DFL);
	dup2(null, STDIN_FILENO);
	dup2(null, STDOUT_FILENO);
	dup2(emulator->errors, STDERR_FILENO);
	fcntl(emulator->peer, F_SETFD, 0);
	if (emulator->preload >= 0)
		pass_preload(emulator->preload);
	execvp(argv[0], argv);
	dprintf(STDERR_FILENO, "%s: %s; install the package qemu-system-x86\n", argv[0],
		strerror(errno));
	_exit(127);
}

void emulator_start(struct emulator *emulator, const struct strings *command)
{
	const pid_t parent = getpid();

	emulator->pid = fork();
	if (emulator->pid < 0)
		die(STATUS_FAILED, "fork: %s", strerror(errno));
	if (emulator->pid == 0)
		emulator_main(emulator, command->items, parent);
	close(emulator->peer);
}

bool emulator_has_ended(struct emulator *emulator)
{
	const pid_t pid = emulator->pid;

	if (pid > 0 && waitpid(pid, &emulator->status, WNOHANG) == pid)
		emulator->pid = -1;
	return emulator->pid < 0;
}

void emulator_end(struct emulator *emulator, int grace_ms)
{
	struct pollfd process = { .events = POLLIN };

	if (emulator_has_ended(emulator))
		return;
	process.fd = (int)syscall(SYS_pidfd_open, emulator->pid, 0);
	if (process.fd >= 0) {
		if (grace_ms > 0)
			poll(&process, 1, grace_ms);
		close(process.fd);
	}
	if (emulator_has_ended(emulator))
		return;
	kill(emulator->pid, SIGKILL);
	while (waitpid(emulator->pid, &emulator->status, 0) < 0 && errno == EINTR)
		;
	emulator->pid = -1;
}

void emulator_finish_log(struct emulator *emulator)
{
	char buffer[16 * 1024];
	ssize_t got;

	if (emulator->log_copy < 0)
		return;
	lseek(emulator->log, 0, SEEK_SET);
	while ((got = read(emulator->log, buffer, sizeof(buffer))) > 0) {
		if (write(emulator->log_copy, buffer, (size_t)got) != got)
			break;
	}
	close(emulator->log_copy);
	emulator->log_copy = -1;
}
