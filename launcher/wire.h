/*
 * wire.h - frames between the launcher and init (user/protocol.h), over a non-blocking socket.
 *
 * What the guest sends is not trusted: a frame with a wrong head ends the run.
 */
#pragma once

#include "../user/protocol.h"

#include <stdbool.h>
#include <stddef.h>

struct wire {
	int fd;
	bool hung_up;		/* nothing more comes */
	bool deaf;		/* takes nothing more; what it sent before may still come */
	uint8_t *out;
	size_t out_room, out_start, out_used;
	size_t in_start, in_used;
	uint8_t in[128 * 1024];
};

/* `start` is the START payload; it is queued as the first frame. */
void wire_init(struct wire *wire, int fd, const void *start, size_t length);
/* How long a DATA payload may be now; 0 when the guest is slow to take what was sent. */
size_t wire_data_room(const struct wire *wire);
void wire_send(struct wire *wire, uint8_t type, uint8_t stream, const void *data, size_t length);
void wire_write(struct wire *wire);
/* Reads what is there. */
void wire_read(struct wire *wire);
/* The next whole frame; `payload` is valid until wire_read(). */
bool wire_next(struct wire *wire, struct protocol_head *head, const uint8_t **payload);
