/*
 * main.c - PID 1.
 *
 * Started by a launcher it serves the port: one command, then the end of the machine. Started
 * without one - an image booted by itself - it runs its arguments, or a shell, on the console.
 */
#include "init.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/klog.h>
#include <sys/reboot.h>
#include <unistd.h>

#define BOOT_MODULES	"/lib/modules/boot.list"

static struct port port;
/*
 * A kernel with modules is Linux. It takes long to power off, or cannot; a reset ends the emulator
 * just as well, and at once.
 */
static bool has_modules;

void power_off(void)
{
	sync();
	reboot(has_modules ? RB_AUTOBOOT : RB_POWER_OFF);
	for (;;)
		pause();
}

void fatal(const char *what)
{
	fprintf(stderr, "init: %s: %s\n", what, strerror(errno));
	power_off();
}

/* Standard files on the console, for init's own words; a kernel may have opened them already. */
static void open_console(void)
{
	int fd = open("/dev/console", O_RDWR | O_NOCTTY);

	for (int i = 0; fd >= 0 && i < 3; i++)
		dup2(fd, i);
	if (fd > 2)
		close(fd);
}

/* Waits for START and returns a copy that lives as long as the command. */
static struct protocol_head *receive_start(void)
{
	const struct protocol_head *frame;
	struct protocol_head *copy;
	size_t whole;

	while (!(frame = port_frame(&port))) {
		port_wait(&port, -1);
		port_write(&port);
		port_read(&port);
	}
	if (frame->type != PROTOCOL_START)
		fatal("the launcher did not begin with START");
	whole = sizeof(*frame) + frame->length;
	copy = malloc(whole);
	if (!copy)
		fatal("no memory for the arguments");
	memcpy(copy, frame, whole);
	port_frame_done(&port);
	return copy;
}

/* The flight recorder's data, as it is. It stands still from the first read on. */
static void send_trace(int fd)
{
	static char piece[PROTOCOL_DATA_MAX];
	ssize_t got;

	while (fd >= 0 && (got = read(fd, piece, sizeof(piece))) > 0)
		port_send(&port, PROTOCOL_TRACE, 0, piece, (size_t)got);
}

#define LOG_READ_ALL	3

static char killed_log[16 * 1024];

/*
 * A shell's user sees "Killed" when the kernel ends a command for its memory, and who it was in the
 * kernel's log. Both kernels have the same words there. No process had the command's number before.
 */
static void report_killed(pid_t pid)
{
	char *log = killed_log;
	const int length = klogctl(LOG_READ_ALL, log, sizeof(killed_log) - 1);
	const char *said, *rest;
	char victim[64];

	snprintf(victim, sizeof(victim), "Out of memory: Killed process %d (", (int)pid);
	said = length > 0 ? strstr(log, victim) : NULL;
	rest = said ? strstr(said, ", file-rss:") : NULL;
	if (rest)
		port_send_text(&port, PROTOCOL_ERROR, "%.*s; give it more with --memory",
			       (int)(rest - said), said);
}

static void serve_launcher(void)
{
	const struct protocol_hello hello = { .version = PROTOCOL_VERSION };
	struct protocol_exit result = { 0 };
	/* Before the root changes: the new one may have no /proc. */
	const int trace = open("/proc/tine/trace_data", O_RDONLY | O_CLOEXEC);
	struct command command;
	const char *why = "";
	struct child child;

	/* Its pages are there when there are no others. */
	memset(killed_log, 0, sizeof(killed_log));
	port_send(&port, PROTOCOL_HELLO, 0, &hello, sizeof(hello));
	port_write(&port);
	if (!command_decode(&command, receive_start()))
		fatal("malformed START");
	session_init();
	if (!mounts_root(command.flags, &why)) {
		port_send_text(&port, PROTOCOL_ERROR, "init: cannot mount %s: %s", why,
			       strerror(errno));
		result.value = 125;
	} else {
		result.value = (uint32_t)spawn(&port, &command, &child);
		if (result.value == 0)
			session_run(&port, &child, &result);
		if (result.by_signal && result.value == SIGKILL)
			report_killed(child.pid);
	}
	if (command.flags & START_TRACE)
		send_trace(trace);
	sync();
	port_send(&port, PROTOCOL_EXIT, 0, &result, sizeof(result));
	port_flush(&port);
}

int main(int argc, char **argv)
{
	(void)argc;
	mounts_early();
	open_console();
	sethostname("tine", 4);
	has_modules = access(BOOT_MODULES, F_OK) == 0;
	mounts_modules(BOOT_MODULES);
	if (strcmp(argv[0], "/bin/console") != 0 && port_open(&port))
		serve_launcher();
	else
		console_run(&port, argv + 1);
	power_off();
}
