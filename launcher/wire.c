/*
 * wire.c - frames between the launcher and init (wire.h).
 *
 * The output buffer holds START and then whatever is in flight. Data is queued only while less
 * than OUT_DATA bytes wait, so the rest is room for control frames, of which credit allows few.
 */
#include "wire.h"

#include "text.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define OUT_DATA	(128u * 1024)
#define OUT_ROOM	(OUT_DATA + 64u * 1024)

void wire_init(struct wire *wire, int fd, const void *start, size_t length)
{
	wire->fd = fd;
	wire->hung_up = wire->deaf = false;
	wire->out_start = wire->out_used = 0;
	wire->in_start = wire->in_used = 0;
	wire->out_room = OUT_ROOM + sizeof(struct protocol_head) + length;
	wire->out = malloc(wire->out_room);
	if (!wire->out)
		die(STATUS_FAILED, "out of memory");
	wire_send(wire, PROTOCOL_START, 0, start, length);
}

size_t wire_data_room(const struct wire *wire)
{
	if (wire->deaf || wire->out_used >= OUT_DATA)
		return 0;
	return PROTOCOL_DATA_MAX;
}

void wire_send(struct wire *wire, uint8_t type, uint8_t stream, const void *data, size_t length)
{
	const struct protocol_head head = {
		.length = (uint32_t)length, .type = type, .stream = stream,
	};

	if (wire->deaf)
		return;
	if (wire->out_start + wire->out_used + sizeof(head) + length > wire->out_room) {
		memmove(wire->out, wire->out + wire->out_start, wire->out_used);
		wire->out_start = 0;
	}
	if (wire->out_used + sizeof(head) + length > wire->out_room)
		die(STATUS_FAILED, "the guest takes no more frames");
	memcpy(wire->out + wire->out_start + wire->out_used, &head, sizeof(head));
	wire->out_used += sizeof(head);
	if (length)
		memcpy(wire->out + wire->out_start + wire->out_used, data, length);
	wire->out_used += length;
}

void wire_write(struct wire *wire)
{
	while (wire->out_used) {
		const ssize_t sent = send(wire->fd, wire->out + wire->out_start, wire->out_used,
					  MSG_NOSIGNAL | MSG_DONTWAIT);

		if (sent < 0 && errno == EINTR)
			continue;
		if (sent < 0 && errno == EAGAIN)
			break;
		if (sent < 0) {
			/* It has ended. What it said last is still to be read. */
			wire->deaf = true;
			wire->out_used = 0;
			break;
		}
		wire->out_start += (size_t)sent;
		wire->out_used -= (size_t)sent;
	}
	if (wire->out_used == 0)
		wire->out_start = 0;
}

void wire_read(struct wire *wire)
{
	ssize_t got;

	if (wire->in_start) {
		memmove(wire->in, wire->in + wire->in_start, wire->in_used);
		wire->in_start = 0;
	}
	do {
		got = recv(wire->fd, wire->in + wire->in_used, sizeof(wire->in) - wire->in_used,
			   MSG_DONTWAIT);
	} while (got < 0 && errno == EINTR);
	if (got > 0)
		wire->in_used += (size_t)got;
	else if (got == 0 || errno != EAGAIN)
		wire->hung_up = wire->deaf = true;
}

static bool is_valid_head(const struct protocol_head *head)
{
	switch (head->type) {
	case PROTOCOL_HELLO:
		return head->length == sizeof(struct protocol_hello);
	case PROTOCOL_DATA:
		return head->length <= PROTOCOL_DATA_MAX && head->stream < STREAM_COUNT &&
		       head->stream != STREAM_STDIN;
	case PROTOCOL_CREDIT:
		return head->length == sizeof(struct protocol_credit) &&
		       head->stream < STREAM_COUNT;
	case PROTOCOL_CLOSE:
		return head->length == 0 && head->stream < STREAM_COUNT;
	case PROTOCOL_ERROR:
		return head->length <= PROTOCOL_TEXT_MAX;
	case PROTOCOL_TRACE:
		return head->length <= PROTOCOL_DATA_MAX;
	case PROTOCOL_EXIT:
		return head->length == sizeof(struct protocol_exit);
	default:
		return false;
	}
}

bool wire_next(struct wire *wire, struct protocol_head *head, const uint8_t **payload)
{
	const uint8_t *at = wire->in + wire->in_start;

	if (wire->in_used < sizeof(*head))
		return false;
	memcpy(head, at, sizeof(*head));
	if (!is_valid_head(head))
		die(STATUS_FAILED, "malformed frame from the guest (type %u, %u bytes)", head->type,
		    head->length);
	if (wire->in_used < sizeof(*head) + head->length)
		return false;
	*payload = at + sizeof(*head);
	wire->in_start += sizeof(*head) + head->length;
	wire->in_used -= sizeof(*head) + head->length;
	return true;
}
