/*
 * port.c - frames over the virtio-serial port.
 *
 * The port is found by its name, as /dev/virtio-ports/NAME where somebody made that link, else
 * through /sys/class/virtio-ports. Output gathers in one fixed buffer: who reads data for it asks
 * port_data_room() first, and control frames have PORT_RESERVE bytes that data never takes. Input
 * gathers until a frame is whole.
 */
#include "init.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

static void sleep_ms(int ms)
{
	struct timespec time = { .tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000L };

	nanosleep(&time, NULL);
}

/* Whether /sys/class/virtio-ports/ENTRY is the port with our name. */
static bool is_our_port(const char *entry)
{
	char path[320], name[64];
	ssize_t length;
	int fd;

	if (entry[0] == '.')
		return false;
	snprintf(path, sizeof(path), "/sys/class/virtio-ports/%s/name", entry);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return false;
	length = read(fd, name, sizeof(name) - 1);
	close(fd);
	if (length <= 0)
		return false;
	name[length] = '\0';
	name[strcspn(name, "\n")] = '\0';
	return strcmp(name, PROTOCOL_PORT) == 0;
}

static int try_open(void)
{
	const int flags = O_RDWR | O_NONBLOCK | O_CLOEXEC | O_NOCTTY;
	struct dirent *entry;
	char path[300];
	DIR *directory;
	int fd;

	fd = open("/dev/virtio-ports/" PROTOCOL_PORT, flags);
	if (fd >= 0)
		return fd;
	directory = opendir("/sys/class/virtio-ports");
	if (!directory)
		return -1;
	while (fd < 0 && (entry = readdir(directory))) {
		if (!is_our_port(entry->d_name))
			continue;
		snprintf(path, sizeof(path), "/dev/%s", entry->d_name);
		fd = open(path, flags);
	}
	closedir(directory);
	return fd;
}

bool port_open(struct port *port)
{
	port->patience_ms = PORT_WAIT_MS;
	port->in_room = 64 * 1024;
	port->in = malloc(port->in_room);
	if (!port->in)
		fatal("no memory for the port");
	/* A driver names its ports some time after it was loaded: the host must answer first. */
	for (int waited = 0; (port->fd = try_open()) < 0; waited += 2) {
		if (waited >= PORT_WAIT_MS) {
			free(port->in);
			port->in = NULL;
			return false;
		}
		sleep_ms(2);
	}
	return true;
}

size_t port_data_room(const struct port *port)
{
	const size_t taken = port->out_used + sizeof(struct protocol_head) + PORT_RESERVE;
	const size_t room = taken < sizeof(port->out) ? sizeof(port->out) - taken : 0;

	return room < PROTOCOL_DATA_MAX ? room : PROTOCOL_DATA_MAX;
}

uint8_t *port_data_space(struct port *port)
{
	return port->out + port->out_used + sizeof(struct protocol_head);
}

void port_data_commit(struct port *port, uint8_t stream, size_t length)
{
	const struct protocol_head head = {
		.length = (uint32_t)length, .type = PROTOCOL_DATA, .stream = stream,
	};

	memcpy(port->out + port->out_used, &head, sizeof(head));
	port->out_used += sizeof(head) + length;
}

void port_send(struct port *port, uint8_t type, uint8_t stream, const void *data, size_t length)
{
	const struct protocol_head head = {
		.length = (uint32_t)length, .type = type, .stream = stream,
	};

	while (port->out_used + sizeof(head) + length > sizeof(port->out)) {
		port_wait(port, -1);
		port_write(port);
	}
	memcpy(port->out + port->out_used, &head, sizeof(head));
	if (length)
		memcpy(port->out + port->out_used + sizeof(head), data, length);
	port->out_used += sizeof(head) + length;
}

void port_send_text(struct port *port, uint8_t type, const char *format, ...)
{
	char text[PROTOCOL_TEXT_MAX];
	va_list arguments;
	int length;

	va_start(arguments, format);
	length = vsnprintf(text, sizeof(text), format, arguments);
	va_end(arguments);
	if (length < 0)
		return;
	if ((size_t)length >= sizeof(text))
		length = sizeof(text) - 1;
	port_send(port, type, 0, text, (size_t)length);
}

void port_write(struct port *port)
{
	ssize_t written;

	while (port->out_used) {
		written = write(port->fd, port->out, port->out_used);
		if (written < 0 && errno == EINTR)
			continue;
		if (written <= 0)
			return;
		port->out_used -= (size_t)written;
		memmove(port->out, port->out + written, port->out_used);
	}
}

void port_read(struct port *port)
{
	ssize_t got;

	while (port->in_used < port->in_room) {
		got = read(port->fd, port->in + port->in_used, port->in_room - port->in_used);
		if (got < 0 && errno == EINTR)
			continue;
		if (got <= 0)
			return;
		port->in_used += (size_t)got;
	}
}

static bool is_valid_head(const struct protocol_head *head)
{
	switch (head->type) {
	case PROTOCOL_START:
		return head->length <= PROTOCOL_START_MAX;
	case PROTOCOL_DATA:
		return head->length <= PROTOCOL_DATA_MAX &&
		       (head->stream == STREAM_STDIN || head->stream == STREAM_TERMINAL);
	case PROTOCOL_CREDIT:
		return head->length == sizeof(struct protocol_credit) &&
		       head->stream < STREAM_COUNT;
	case PROTOCOL_FINISH:
		return head->length == 0;
	case PROTOCOL_CLOSE:
		return head->length == 0 && head->stream < STREAM_COUNT;
	case PROTOCOL_WINSIZE:
		return head->length == sizeof(struct protocol_winsize);
	case PROTOCOL_SIGNAL:
		return head->length == sizeof(struct protocol_signal);
	default:
		return false;
	}
}

const struct protocol_head *port_frame(struct port *port)
{
	struct protocol_head head;
	size_t whole;
	uint8_t *grown;

	if (port->in_used < sizeof(head))
		return NULL;
	memcpy(&head, port->in, sizeof(head));
	if (!is_valid_head(&head))
		fatal("malformed frame from the launcher");
	whole = sizeof(head) + head.length;
	if (whole > port->in_room) {
		grown = realloc(port->in, whole);
		if (!grown)
			fatal("no memory for the arguments");
		port->in = grown;
		port->in_room = whole;
	}
	return port->in_used < whole ? NULL : (const struct protocol_head *)port->in;
}

void port_frame_done(struct port *port)
{
	struct protocol_head head;
	size_t whole;

	memcpy(&head, port->in, sizeof(head));
	whole = sizeof(head) + head.length;
	port->in_used -= whole;
	memmove(port->in, port->in + whole, port->in_used);
}

void port_polled(struct port *port, short events)
{
	if (!(events & POLLHUP)) {
		port->patience_ms = 0;
		return;
	}
	if (port->patience_ms == 0) {
		fprintf(stderr, "init: the launcher has gone, or did not come\n");
		power_off();
	}
	/* poll() tells of it at once, again and again. */
	port->patience_ms--;
	sleep_ms(1);
}

static void wait_for(struct port *port, short events, int timeout_ms)
{
	struct pollfd poll_fd = { .fd = port->fd, .events = events };

	if (poll(&poll_fd, 1, timeout_ms) >= 0)
		port_polled(port, poll_fd.revents);
}

void port_wait(struct port *port, int timeout_ms)
{
	wait_for(port, port->out_used ? POLLIN | POLLOUT : POLLIN, timeout_ms);
}

void port_flush(struct port *port)
{
	port_write(port);
	while (port->out_used) {
		wait_for(port, POLLOUT, -1);
		port_write(port);
	}
}
