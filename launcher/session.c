/*
 * session.c - the program's streams, signals and end, carried between the host and the guest.
 *
 * One poll() loop. The guest sends no more than its credit, so what it sends always finds room in
 * the ring of its stream; the host's files are written when they can be, at most as much at once
 * as a pipe takes without blocking. The host's input is read only as far as our own credit goes.
 *
 * A signal to the launcher is forwarded to the program. Before the program exists, or the third
 * time, it ends the machine instead; after SIGTERM or SIGHUP the program has TERM_GRACE_MS to end.
 */
#include "session.h"

#include "terminal.h"
#include "trace.h"
#include "wire.h"

#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

/* A machine whose program has ended gets this long to end by itself. */
#define END_GRACE_MS	1000
/* So many signals of the ending kind, and the machine ends whatever the guest makes of them. */
#define SIGNALS_MAX	3
#define TERM_GRACE_MS	10000
#define TRACE_GRACE_MS	10000
#define CREDIT_PORTION	(PROTOCOL_WINDOW / 4)

extern char **environ;

/* Bytes from the guest on their way to a file of the host. */
struct sink {
	int fd;			/* -1: closed, or there is none */
	size_t chunk;		/* as much as one write may be without blocking */
	uint32_t head, used, owed;
	uint8_t ring[PROTOCOL_WINDOW];
};

struct session {
	struct emulator *emulator;
	struct wire wire;
	int signals;		/* signalfd */
	unsigned int signal_count;
	bool hello;		/* the guest is there */
	bool exited;
	int status;
	int source;		/* host's stdin, or -1 */
	uint8_t source_stream;
	uint32_t source_credit;
	uint64_t deadline_ms;	/* 0: none */
	bool trace;		/* the guest sends its trace before it ends */
	bool terminating;	/* the deadline is that of a forwarded SIGTERM or SIGHUP */
	bool output_lost;	/* by an error that the program did not see */
	struct sink sinks[STREAM_COUNT];	/* that of stdin is not used */
};

static struct session session;

void session_prepare(void)
{
	sigset_t set;

	signal(SIGPIPE, SIG_IGN);
	sigemptyset(&set);
	sigaddset(&set, SIGCHLD);
	sigaddset(&set, SIGWINCH);
	sigaddset(&set, SIGCONT);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGHUP);
	sigaddset(&set, SIGQUIT);
	sigprocmask(SIG_BLOCK, &set, NULL);
	session.signals = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	if (session.signals < 0)
		die(STATUS_FAILED, "signalfd: %s", strerror(errno));
}

static uint64_t now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

/* The guest's environment is its own, but for what describes the user and the terminal. */
static bool is_passed_on(const char *variable)
{
	static const char *const names[] = { "TERM=", "COLORTERM=", "LANG=", "LC_", "TZ=" };

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		if (strncmp(variable, names[i], strlen(names[i])) == 0)
			return true;
	}
	return false;
}

static void collect_environment(struct strings *list)
{
	strings_add(list, "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin");
	strings_add(list, "HOME=/root");
	strings_add(list, "USER=root");
	strings_add(list, "LOGNAME=root");
	strings_add(list, "SHELL=/bin/sh");
	for (char **variable = environ; *variable; variable++) {
		if (is_passed_on(*variable))
			strings_add(list, *variable);
	}
}

static void append_string(FILE *frame, const char *text)
{
	fwrite(text, 1, strlen(text) + 1, frame);
}

/* The START payload, in memory of its own. */
static char *make_start(const struct options *options, size_t *length)
{
	struct protocol_start start = { .flags = terminal_flags() };
	struct strings environment = { 0 };
	char *payload = NULL;
	FILE *frame;

	if (options->root)
		start.flags |= options->write ? START_ROOT_WRITE : START_ROOT_OVERLAY;
	if (options->trace)
		start.flags |= START_TRACE;
	terminal_size(&start.winsize);
	collect_environment(&environment);
	start.environment_count = (uint32_t)environment.count;
	while (options->command[start.argument_count])
		start.argument_count++;
	frame = open_memstream(&payload, length);
	if (!frame)
		die(STATUS_FAILED, "out of memory");
	fwrite(&start, sizeof(start), 1, frame);
	append_string(frame, "/");
	for (uint32_t i = 0; i < start.argument_count; i++)
		append_string(frame, options->command[i]);
	for (size_t i = 0; i < environment.count; i++)
		append_string(frame, environment.items[i]);
	if (fclose(frame) != 0)
		die(STATUS_FAILED, "out of memory");
	if (*length > PROTOCOL_START_MAX)
		die(STATUS_USAGE, "the command's arguments are longer than %u bytes",
		    PROTOCOL_START_MAX);
	return payload;
}

static void sink_init(struct sink *sink, int fd)
{
	struct stat status;

	sink->fd = fd;
	sink->chunk = PIPE_BUF;
	if (fd >= 0 && fstat(fd, &status) == 0 && S_ISREG(status.st_mode))
		sink->chunk = PROTOCOL_WINDOW;
}

static void session_init(struct emulator *emulator, const struct options *options)
{
	const uint32_t flags = terminal_flags();
	size_t length;
	char *start = make_start(options, &length);

	session.emulator = emulator;
	wire_init(&session.wire, emulator->port, start, length);
	free(start);
	session.source = STDIN_FILENO;
	session.source_stream = flags & START_STDIN_TERMINAL ? STREAM_TERMINAL : STREAM_STDIN;
	session.source_credit = PROTOCOL_WINDOW;
	sink_init(&session.sinks[STREAM_STDIN], -1);
	sink_init(&session.sinks[STREAM_STDOUT], STDOUT_FILENO);
	sink_init(&session.sinks[STREAM_STDERR], STDERR_FILENO);
	sink_init(&session.sinks[STREAM_TERMINAL], terminal_output());
	session.trace = options->trace != NULL;
	if (options->timeout_ms)
		session.deadline_ms = now_ms() + options->timeout_ms;
}

/* The file's reader has gone: the guest's writer shall know, and what waits is dropped. */
static void sink_close(struct sink *sink)
{
	sink->fd = -1;
	sink->used = 0;
	wire_send(&session.wire, PROTOCOL_CLOSE, (uint8_t)(sink - session.sinks), NULL, 0);
}

static void sink_give_credit(struct sink *sink)
{
	const struct protocol_credit credit = { .bytes = sink->owed };

	if (sink->owed == 0 || (sink->owed < CREDIT_PORTION && sink->used))
		return;
	wire_send(&session.wire, PROTOCOL_CREDIT, (uint8_t)(sink - session.sinks), &credit,
		  sizeof(credit));
	sink->owed = 0;
}

/* One write, after poll() said that the file takes one. */
static void sink_pump(struct sink *sink)
{
	size_t length = PROTOCOL_WINDOW - sink->head;
	ssize_t written;

	if (length > sink->used)
		length = sink->used;
	if (length > sink->chunk)
		length = sink->chunk;
	written = write(sink->fd, sink->ring + sink->head, length);
	if (written < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (written < 0) {
		if (errno != EPIPE && errno != EIO) {
			complain("write: %s", strerror(errno));
			session.output_lost = true;
		}
		sink_close(sink);
		return;
	}
	if (sink == &session.sinks[STREAM_TERMINAL])
		terminal_watch(sink->ring + sink->head, (size_t)written);
	sink->head = (sink->head + (uint32_t)written) % PROTOCOL_WINDOW;
	sink->used -= (uint32_t)written;
	sink->owed += (uint32_t)written;
	sink_give_credit(sink);
}

static void sink_take(struct sink *sink, const uint8_t *data, uint32_t length)
{
	const uint32_t tail = (sink->head + sink->used) % PROTOCOL_WINDOW;
	const uint32_t to_end = PROTOCOL_WINDOW - tail;
	const uint32_t first = to_end < length ? to_end : length;

	if (sink->fd < 0)
		return;
	if (length > PROTOCOL_WINDOW - sink->used)
		die(STATUS_FAILED, "the guest sent more than its credit");
	memcpy(sink->ring + tail, data, first);
	memcpy(sink->ring, data + first, length - first);
	sink->used += length;
}

static void source_read(void)
{
	static uint8_t buffer[PROTOCOL_DATA_MAX];
	size_t length = sizeof(buffer);
	ssize_t got;

	if (length > session.source_credit)
		length = session.source_credit;
	got = read(session.source, buffer, length);
	if (got < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (got <= 0) {
		session.source = -1;
		got = 0;
	}
	wire_send(&session.wire, PROTOCOL_DATA, session.source_stream, buffer, (size_t)got);
	session.source_credit -= (uint32_t)got;
}

static void send_winsize(void)
{
	struct protocol_winsize size;

	if (terminal_size(&size))
		wire_send(&session.wire, PROTOCOL_WINSIZE, 0, &size, sizeof(size));
}

static void take_hello(const uint8_t *payload)
{
	struct protocol_hello hello;

	memcpy(&hello, payload, sizeof(hello));
	if (hello.version != PROTOCOL_VERSION)
		die(STATUS_FAILED, "the image's init speaks version %u, not %u: run make",
		    hello.version, PROTOCOL_VERSION);
	if (!session.hello)
		terminal_raw();
	session.hello = true;
}

static void take_exit(const uint8_t *payload)
{
	struct protocol_exit result;

	memcpy(&result, payload, sizeof(result));
	session.exited = true;
	session.status = (int)(result.by_signal ? 128 + (result.value & 127) : result.value & 255);
}

static void take_credit(uint8_t stream, const uint8_t *payload)
{
	struct protocol_credit credit;

	memcpy(&credit, payload, sizeof(credit));
	if (stream == session.source_stream &&
	    credit.bytes <= PROTOCOL_WINDOW - session.source_credit)
		session.source_credit += credit.bytes;
}

/* What the guest says is printed, but cannot steer the terminal. */
static void take_error(const uint8_t *payload, uint32_t length)
{
	char text[PROTOCOL_TEXT_MAX + 1];

	memcpy(text, payload, length);
	text[length] = '\0';
	for (uint32_t i = 0; i < length; i++) {
		if ((unsigned char)text[i] < ' ')
			text[i] = '?';
	}
	terminal_restore();
	complain("%s", text);
}

static void take_frame(const struct protocol_head *head, const uint8_t *payload)
{
	switch (head->type) {
	case PROTOCOL_HELLO:
		take_hello(payload);
		break;
	case PROTOCOL_DATA:
		sink_take(&session.sinks[head->stream], payload, head->length);
		break;
	case PROTOCOL_CREDIT:
		take_credit(head->stream, payload);
		break;
	case PROTOCOL_CLOSE:
		if (head->stream == session.source_stream)
			session.source = -1;
		break;
	case PROTOCOL_ERROR:
		take_error(payload, head->length);
		break;
	case PROTOCOL_TRACE:
		if (session.trace)
			trace_store(payload, head->length);
		break;
	case PROTOCOL_EXIT:
		take_exit(payload);
		break;
	}
}

/* A program that was told to go, or a guest that hangs, does not keep the launcher for ever. */
static void start_term_grace(void)
{
	const uint64_t end = now_ms() + TERM_GRACE_MS;

	if (session.deadline_ms && session.deadline_ms <= end)
		return;
	session.deadline_ms = end;
	session.terminating = true;
}

/* True when the machine must end for it. */
static bool take_signal(int number)
{
	const struct protocol_signal signal = { .number = (uint32_t)number };

	switch (number) {
	case SIGCHLD:
		return false;
	case SIGCONT:
		if (session.hello && !session.exited)
			terminal_raw();
		send_winsize();
		return false;
	case SIGWINCH:
		send_winsize();
		return false;
	default:
		session.status = 128 + number;
		if (!session.hello || session.exited || ++session.signal_count >= SIGNALS_MAX)
			return true;
		wire_send(&session.wire, PROTOCOL_SIGNAL, 0, &signal, sizeof(signal));
		if (number == SIGTERM || number == SIGHUP)
			start_term_grace();
		return false;
	}
}

static bool take_signals(void)
{
	struct signalfd_siginfo info;

	while (read(session.signals, &info, sizeof(info)) == sizeof(info)) {
		if (take_signal((int)info.ssi_signo))
			return true;
	}
	return false;
}

static bool has_output(void)
{
	for (int i = 0; i < STREAM_COUNT; i++) {
		if (session.sinks[i].used)
			return true;
	}
	return false;
}

static int poll_timeout(void)
{
	uint64_t now;

	if (!session.deadline_ms)
		return -1;
	now = now_ms();
	if (now >= session.deadline_ms)
		return 0;
	return session.deadline_ms - now > INT_MAX ? INT_MAX : (int)(session.deadline_ms - now);
}

enum { POLL_WIRE, POLL_SIGNALS, POLL_SOURCE, POLL_SINKS, POLL_COUNT = POLL_SINKS + STREAM_COUNT };

static void session_poll(struct pollfd *fds)
{
	const bool wants_input = session.source_credit && wire_data_room(&session.wire) &&
				 session.hello && !session.exited;

	fds[POLL_WIRE] = (struct pollfd){
		.fd = session.wire.hung_up ? -1 : session.wire.fd,
		.events = (short)(POLLIN | (session.wire.out_used ? POLLOUT : 0)),
	};
	fds[POLL_SIGNALS] = (struct pollfd){ .fd = session.signals, .events = POLLIN };
	fds[POLL_SOURCE] = (struct pollfd){ .fd = wants_input ? session.source : -1,
					    .events = POLLIN };
	for (int i = 0; i < STREAM_COUNT; i++) {
		const struct sink *sink = &session.sinks[i];

		fds[POLL_SINKS + i] = (struct pollfd){ .fd = sink->used ? sink->fd : -1,
						       .events = POLLOUT };
	}
	if (poll(fds, POLL_COUNT, poll_timeout()) < 0)
		memset(fds, 0, POLL_COUNT * sizeof(*fds));
}

static void take_frames(void)
{
	struct protocol_head head;
	const uint8_t *payload;

	wire_read(&session.wire);
	while (wire_next(&session.wire, &head, &payload))
		take_frame(&head, payload);
}

/* Moves what poll() said can be moved. True when a signal ended the session. */
static bool session_step(const struct pollfd *fds)
{
	if (fds[POLL_WIRE].revents & (POLLIN | POLLHUP | POLLERR))
		take_frames();
	if (fds[POLL_SOURCE].revents)
		source_read();
	for (int i = 0; i < STREAM_COUNT; i++) {
		if (fds[POLL_SINKS + i].revents && session.sinks[i].fd >= 0)
			sink_pump(&session.sinks[i]);
	}
	if ((fds[POLL_SIGNALS].revents & POLLIN) && take_signals())
		return true;
	wire_write(&session.wire);
	return false;
}

/* The program is given up, but not what the kernel recorded of it. */
static void await_trace(void)
{
	struct pollfd fd = { .fd = session.wire.fd };
	const uint64_t end = now_ms() + TRACE_GRACE_MS;
	const int status = session.status;

	wire_send(&session.wire, PROTOCOL_FINISH, 0, NULL, 0);
	while (!session.exited && !session.wire.hung_up && now_ms() < end) {
		fd.events = (short)(POLLIN | (session.wire.out_used ? POLLOUT : 0));
		poll(&fd, 1, 100);
		take_frames();
		wire_write(&session.wire);
	}
	session.status = status;
}

enum session_end session_run(struct emulator *emulator, const struct options *options, int *status)
{
	enum session_end end = SESSION_EXITED;
	struct pollfd fds[POLL_COUNT];

	session_init(emulator, options);
	while (!session.exited || has_output()) {
		session_poll(fds);
		if (session_step(fds)) {
			end = SESSION_INTERRUPTED;
			break;
		}
		if (session.deadline_ms && now_ms() >= session.deadline_ms) {
			end = session.terminating ? SESSION_INTERRUPTED : SESSION_TIMEOUT;
			break;
		}
		/* What the machine sent before it ended is in the socket: end after it was read. */
		if (!session.exited && session.wire.hung_up && !has_output()) {
			end = SESSION_CRASHED;
			break;
		}
	}
	if (session.trace && session.hello && !session.exited && end != SESSION_CRASHED)
		await_trace();
	terminal_restore();
	emulator_end(emulator, end == SESSION_EXITED ? END_GRACE_MS :
		     end == SESSION_CRASHED ? 5 * END_GRACE_MS : 0);
	*status = session.status == 0 && session.output_lost ? STATUS_FAILED : session.status;
	return end;
}
