/*
 * lab_run.c - the lab's machines: a `tine run` of our own, with its output and its log kept.
 */
#include "lab.h"

#include "kernel.h"
#include "scratch.h"
#include "text.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define LOOK_MS	20

static double now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

char *lab_read_all(int fd)
{
	struct stat status;
	char *data;
	ssize_t got;

	if (fstat(fd, &status) < 0)
		return NULL;
	data = calloc(1, (size_t)status.st_size + 1);
	if (!data)
		die(STATUS_FAILED, "out of memory");
	got = pread(fd, data, (size_t)status.st_size, 0);
	/* A byte of zero would end the text. */
	for (ssize_t i = 0; i < got; i++)
		if (!data[i])
			data[i] = '?';
	return data;
}

static void make_command(struct strings *list, const struct lab_machine *machine, int log,
			 int trace)
{
	strings_addf(list, "/proc/%d/exe", (int)getpid());
	strings_add(list, "run");
	strings_add(list, "--timeout");
	strings_addf(list, "%u", machine->seconds);
	strings_add(list, "--log");
	strings_add(list, scratch_path(log));
	strings_add(list, "--append");
	strings_add(list, lab_words(machine->words));
	if (machine->icount)
		strings_add(list, "--icount");
	if (machine->trace) {
		strings_add(list, "--trace");
		strings_add(list, scratch_path(trace));
		strings_add(list, "--trace-format");
		strings_add(list, "txt");
	}
	if (machine->emulator) {
		strings_add(list, "--emulator");
		strings_add(list, machine->emulator);
	}
	strings_add(list, "--");
	strings_add_words(list, machine->command ? machine->command : "true");
}

static pid_t start(char **argv, int out)
{
	const pid_t parent = getpid();
	const pid_t pid = fork();

	if (pid < 0)
		die(STATUS_FAILED, "fork: %s", strerror(errno));
	if (pid > 0)
		return pid;
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (getppid() != parent)
		_exit(STATUS_FAILED);
	dup2(open("/dev/null", O_RDONLY), STDIN_FILENO);
	dup2(out, STDOUT_FILENO);
	dup2(out, STDERR_FILENO);
	execv(argv[0], argv);
	dprintf(STDERR_FILENO, "%s: %s\n", argv[0], strerror(errno));
	_exit(STATUS_FAILED);
}

/* Where in `text` what ends the machine is over; NULL when it has not come. */
static char *end_of(char *text, const char *until)
{
	char *at = text && until ? strstr(text, until) : NULL;

	return at ? at + strlen(until) : NULL;
}

static bool has_come(int log, const char *until)
{
	char *text = until ? lab_read_all(log) : NULL;
	const bool found = end_of(text, until) != NULL;

	free(text);
	return found;
}

/* Waits for its end, or for the line that ends it; then it is killed, and the machine with it. */
static int wait_for(pid_t pid, int log, const char *until, double limit)
{
	const struct timespec pause = { .tv_nsec = LOOK_MS * 1000000 };
	int status;

	while (waitpid(pid, &status, WNOHANG) == 0) {
		if (has_come(log, until) || now() > limit) {
			kill(pid, SIGKILL);
			waitpid(pid, &status, 0);
			return -1;
		}
		nanosleep(&pause, NULL);
	}
	return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

void lab_run(const struct lab_machine *machine, struct lab_result *result)
{
	const int log = scratch_file("lab-log"), out = scratch_file("lab-out");
	const int trace = scratch_file("lab-trace");
	const double begin = now();
	struct strings command = { 0 };
	char *end;
	pid_t pid;

	make_command(&command, machine, log, trace);
	fflush(stdout);
	pid = start(command.items, out);
	result->status = wait_for(pid, log, machine->until, begin + machine->seconds + 10);
	result->seconds = now() - begin;
	result->out = lab_read_all(out);
	result->log = lab_read_all(log);
	result->trace = lab_read_all(trace);
	/* How much more it said before it was killed is the host's affair. */
	end = end_of(result->log, machine->until);
	if (end)
		*end = '\0';
	close(trace);
	close(log);
	close(out);
}

void lab_run_bochs(const struct lab_machine *machine, struct lab_result *result)
{
	const char *script = text_format("%s/tools/setup/bochs", source_directory());
	const char *build = getenv("TINE_BUILD");
	const int log = scratch_file("lab-log"), out = scratch_file("lab-out");
	const double begin = now();
	struct strings command = { 0 };
	pid_t pid;

	strings_add(&command, script);
	strings_addf(&command, "%s/%s/tine.elf", output_directory(),
		     build && build[0] ? build : "release");
	strings_addf(&command, "%s/initramfs.cpio", output_directory());
	strings_addf(&command, "init=/bin/console %s -- %s", lab_words(machine->words),
		     machine->command ? machine->command : "/bin/true");
	strings_add(&command, scratch_path(log));
	strings_addf(&command, "%u", machine->seconds);
	fflush(stdout);
	pid = start(command.items, out);
	result->status = wait_for(pid, log, NULL, begin + machine->seconds + 60);
	result->seconds = now() - begin;
	result->out = lab_read_all(out);
	result->log = lab_read_all(log);
	result->trace = NULL;
	close(log);
	close(out);
}
