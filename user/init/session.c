/*
 * session.c - carries the command's streams between its pipes, its pty and the port.
 *
 * One poll() loop; nothing else waits. Bytes for the command wait in a ring as large as the credit
 * that the launcher has, so they always find room. Bytes from the command are read only as far as
 * our credit goes and the port's buffer has room: a slow reader on the host stops the program at
 * its pipe, as a pipe would.
 *
 * The machine lives as long as the command. When that has ended, what others still hold open gets
 * GRACE_MS to be finished; then they are killed, and what the pipes hold is sent before EXIT.
 */
#include "init.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/wait.h>
#include <termios.h>
#include <time.h>
#include <unistd.h>

#define GRACE_MS	250
/* Credit goes back in portions: a frame for every small write would double the traffic. */
#define CREDIT_PORTION	(PROTOCOL_WINDOW / 4)

/* Bytes on their way into the command. */
struct inflow {
	int fd;
	uint8_t stream;
	bool ended;		/* the host's end of file comes after what the ring holds */
	uint32_t head, used;
	uint32_t owed;		/* passed on, credit not yet given back */
	uint8_t ring[PROTOCOL_WINDOW];
};

/* Bytes on their way out of the command. */
struct outflow {
	int fd;
	uint8_t stream;
	bool idle;		/* a pty nobody has open: asked again after a while */
	uint32_t credit;
};

enum { IN_STDIN, IN_TERMINAL, IN_COUNT };
enum { OUT_STDOUT, OUT_STDERR, OUT_TERMINAL, OUT_COUNT };

struct session {
	struct port *port;
	pid_t pid;
	int terminal;
	bool ended;
	int status;
	uint64_t deadline_ms;	/* once ended */
	bool killed;
	bool given_up;		/* the launcher waits no longer */
	struct outflow out[OUT_COUNT];
};

/* Too large for a stack; there is one command in the life of a machine. */
static struct inflow inflows[IN_COUNT];
static int child_pipe[2];

static void on_child(int number)
{
	const int saved = errno;

	(void)number;
	(void)!write(child_pipe[1], "", 1);
	errno = saved;
}

void session_init(void)
{
	struct sigaction action = { .sa_handler = on_child, .sa_flags = SA_RESTART };

	if (pipe2(child_pipe, O_CLOEXEC | O_NONBLOCK) < 0)
		fatal("pipe");
	sigaction(SIGCHLD, &action, NULL);
	signal(SIGPIPE, SIG_IGN);
}

static uint64_t now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

static void inflow_give_credit(struct session *session, struct inflow *in)
{
	struct protocol_credit credit = { .bytes = in->owed };

	if (in->owed == 0 || (in->owed < CREDIT_PORTION && in->used))
		return;
	port_send(session->port, PROTOCOL_CREDIT, in->stream, &credit, sizeof(credit));
	in->owed = 0;
}

/* The command reads no more: tell the host, so that it stops reading too. */
static void inflow_close(struct session *session, struct inflow *in, bool tell)
{
	if (in->fd < 0)
		return;
	close(in->fd);
	in->fd = -1;
	in->used = 0;
	if (tell)
		port_send(session->port, PROTOCOL_CLOSE, in->stream, NULL, 0);
}

static void inflow_pump(struct session *session, struct inflow *in)
{
	while (in->fd >= 0 && in->used) {
		const uint32_t contiguous = PROTOCOL_WINDOW - in->head;
		const uint32_t length = in->used < contiguous ? in->used : contiguous;
		const ssize_t written = write(in->fd, in->ring + in->head, length);

		if (written < 0 && (errno == EAGAIN || errno == EINTR))
			break;
		if (written <= 0) {
			/* A pty may come back (EIO while no program has it); a pipe does not. */
			if (in->stream == STREAM_STDIN)
				inflow_close(session, in, true);
			else
				in->used = 0;
			break;
		}
		in->head = (in->head + (uint32_t)written) % PROTOCOL_WINDOW;
		in->used -= (uint32_t)written;
		in->owed += (uint32_t)written;
	}
	inflow_give_credit(session, in);
	if (in->ended && in->used == 0 && in->stream == STREAM_STDIN)
		inflow_close(session, in, false);
}

static void inflow_take(struct inflow *in, const uint8_t *data, uint32_t length)
{
	uint32_t tail, first;

	if (length == 0) {
		in->ended = true;
		return;
	}
	if (in->fd < 0 || in->ended)
		return;
	if (length > PROTOCOL_WINDOW - in->used)
		fatal("the launcher sent more than its credit");
	tail = (in->head + in->used) % PROTOCOL_WINDOW;
	first = PROTOCOL_WINDOW - tail < length ? PROTOCOL_WINDOW - tail : length;
	memcpy(in->ring + tail, data, first);
	memcpy(in->ring, data + first, length - first);
	in->used += length;
}

static void outflow_close(struct outflow *out)
{
	if (out->fd >= 0)
		close(out->fd);
	out->fd = -1;
}

/* Reads until there is no more, no credit, or no room. True when it ended for lack of bytes. */
static bool outflow_pump(struct session *session, struct outflow *out)
{
	size_t length;
	ssize_t got;

	while (out->fd >= 0) {
		length = port_data_room(session->port);
		if (length > out->credit)
			length = out->credit;
		if (length == 0)
			return false;
		got = read(out->fd, port_data_space(session->port), length);
		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0 && errno == EAGAIN)
			return true;
		if (got <= 0) {
			if (out->stream == STREAM_TERMINAL)
				out->idle = true;
			else
				outflow_close(out);
			return true;
		}
		port_data_commit(session->port, out->stream, (size_t)got);
		out->credit -= (uint32_t)got;
		port_write(session->port);
	}
	return true;
}

static void forward_signal(const struct session *session, int number)
{
	pid_t group = session->pid;

	if (number <= 0 || number >= NSIG || session->ended)
		return;
	if (session->terminal >= 0) {
		const pid_t foreground = tcgetpgrp(session->terminal);

		if (foreground > 0)
			group = foreground;
	}
	if (kill(-group, number) < 0)
		kill(session->pid, number);
}

static void take_credit(struct session *session, uint8_t stream, uint32_t bytes)
{
	for (int i = 0; i < OUT_COUNT; i++) {
		struct outflow *out = &session->out[i];

		if (out->stream == stream && bytes <= PROTOCOL_WINDOW - out->credit)
			out->credit += bytes;
	}
}

static void take_close(struct session *session, uint8_t stream)
{
	for (int i = 0; i < OUT_COUNT; i++) {
		if (session->out[i].stream == stream)
			outflow_close(&session->out[i]);
	}
}

static void take_frame(struct session *session, const struct protocol_head *head)
{
	const void *payload = head + 1;
	struct protocol_winsize winsize;
	struct protocol_credit credit;
	struct protocol_signal signal;
	struct winsize size;

	switch (head->type) {
	case PROTOCOL_DATA:
		inflow_take(&inflows[head->stream == STREAM_TERMINAL], payload, head->length);
		break;
	case PROTOCOL_CREDIT:
		memcpy(&credit, payload, sizeof(credit));
		take_credit(session, head->stream, credit.bytes);
		break;
	case PROTOCOL_CLOSE:
		take_close(session, head->stream);
		break;
	case PROTOCOL_SIGNAL:
		memcpy(&signal, payload, sizeof(signal));
		forward_signal(session, (int)signal.number);
		break;
	case PROTOCOL_WINSIZE:
		memcpy(&winsize, payload, sizeof(winsize));
		size = (struct winsize){
			.ws_row = winsize.rows, .ws_col = winsize.columns,
			.ws_xpixel = winsize.x_pixels, .ws_ypixel = winsize.y_pixels,
		};
		if (session->terminal >= 0)
			ioctl(session->terminal, TIOCSWINSZ, &size);
		break;
	case PROTOCOL_FINISH:
		session->given_up = true;
		break;
	default:
		break;
	}
}

static void reap(struct session *session)
{
	char drop[64];
	int status;
	pid_t pid;

	while (read(child_pipe[0], drop, sizeof(drop)) > 0)
		;
	while ((pid = waitpid(-1, &status, WNOHANG)) > 0) {
		if (pid != session->pid)
			continue;
		session->ended = true;
		session->status = status;
		session->deadline_ms = now_ms() + GRACE_MS;
	}
}

static int poll_timeout(const struct session *session)
{
	uint64_t now;

	if (session->out[OUT_TERMINAL].idle && !session->ended)
		return 50;
	if (!session->ended)
		return -1;
	now = now_ms();
	return session->deadline_ms > now ? (int)(session->deadline_ms - now) : 20;
}

static void session_poll(struct session *session)
{
	struct pollfd fds[7] = {
		{ .fd = session->port->fd, .events = POLLIN },
		{ .fd = child_pipe[0], .events = POLLIN },
	};
	const bool room = port_data_room(session->port) > 0;
	nfds_t count = 2;
	int ready;

	if (session->port->out_used)
		fds[0].events |= POLLOUT;
	for (int i = 0; i < IN_COUNT; i++) {
		/* With nothing to write, a pipe is still watched for its reader going away. */
		const short events = inflows[i].used ? POLLOUT : 0;

		if (inflows[i].fd >= 0 && (events || i == IN_STDIN))
			fds[count++] = (struct pollfd){ .fd = inflows[i].fd, .events = events };
	}
	for (int i = 0; i < OUT_COUNT; i++) {
		struct outflow *out = &session->out[i];

		if (out->fd >= 0 && out->credit && room && !out->idle)
			fds[count++] = (struct pollfd){ .fd = out->fd, .events = POLLIN };
	}
	ready = poll(fds, count, poll_timeout(session));
	if (ready == 0)
		session->out[OUT_TERMINAL].idle = false;
	if (ready >= 0)
		port_polled(session->port, fds[0].revents);
	for (nfds_t i = 2; i < count; i++) {
		if (fds[i].fd == inflows[IN_STDIN].fd && (fds[i].revents & POLLERR))
			inflow_close(session, &inflows[IN_STDIN], true);
	}
}

/* Whether all that the command and its heirs had to say has been read. */
static bool is_drained(struct session *session)
{
	bool all_closed = true, all_empty = true;

	for (int i = 0; i < OUT_COUNT; i++) {
		struct outflow *out = &session->out[i];

		all_empty &= outflow_pump(session, out);
		all_closed &= out->fd < 0 || out->idle;
	}
	if (all_closed)
		return true;
	if (now_ms() < session->deadline_ms)
		return false;
	if (!session->killed) {
		session->killed = true;
		kill(-1, SIGKILL);
		return false;
	}
	return all_empty;
}

static void session_step(struct session *session)
{
	const struct protocol_head *head;

	port_read(session->port);
	while ((head = port_frame(session->port))) {
		take_frame(session, head);
		port_frame_done(session->port);
	}
	for (int i = 0; i < IN_COUNT; i++)
		inflow_pump(session, &inflows[i]);
	for (int i = 0; i < OUT_COUNT; i++)
		outflow_pump(session, &session->out[i]);
	port_write(session->port);
	reap(session);
}

void session_run(struct port *port, const struct child *child, struct protocol_exit *result)
{
	struct session session = {
		.port = port, .pid = child->pid, .terminal = child->terminal,
		.out = {
			{ .fd = child->output[0], .stream = STREAM_STDOUT },
			{ .fd = child->output[1], .stream = STREAM_STDERR },
			{ .fd = child->terminal, .stream = STREAM_TERMINAL },
		},
	};

	inflows[IN_STDIN].fd = child->input;
	inflows[IN_STDIN].stream = STREAM_STDIN;
	inflows[IN_TERMINAL].fd = child->terminal;
	inflows[IN_TERMINAL].stream = STREAM_TERMINAL;
	for (int i = 0; i < OUT_COUNT; i++)
		session.out[i].credit = PROTOCOL_WINDOW;
	/* First what came along with START: poll() would not tell of it again. */
	session_step(&session);
	while (!session.given_up && (!session.ended || !is_drained(&session))) {
		session_poll(&session);
		session_step(&session);
	}
	result->by_signal = WIFSIGNALED(session.status);
	result->value = (uint32_t)(result->by_signal ? WTERMSIG(session.status) :
				   WEXITSTATUS(session.status));
}
