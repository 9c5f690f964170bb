/*
 * Byte ring: a queue of bytes in a buffer of the caller's, whose size is a power of two.
 *
 * head and tail run freely and are masked on access, so full and empty need no spare byte. One span
 * of free or filled bytes at a time can be worked on in place (ring_free_span, ring_filled_span),
 * which is how pipes and devices copy without a bounce buffer. Locking: none; with one producer and
 * one consumer on different processors the owner still locks.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/assert.h"
#include "lib/bits.h"
#include "lib/string.h"

struct ring {
	unsigned char *buffer;
	size_t size; /* a power of two */
	size_t head; /* next byte to read */
	size_t tail; /* next byte to write; tail - head bytes are filled */
};

static inline void ring_init(struct ring *ring, void *buffer, size_t size)
{
	LIB_ASSERT(is_power_of_two(size));
	ring->buffer = buffer;
	ring->size = size;
	ring->head = 0;
	ring->tail = 0;
}

static inline size_t ring_filled(const struct ring *ring)
{
	return ring->tail - ring->head;
}

static inline size_t ring_free(const struct ring *ring)
{
	return ring->size - ring_filled(ring);
}

static inline bool ring_is_empty(const struct ring *ring)
{
	return ring->head == ring->tail;
}

static inline void ring_clear(struct ring *ring)
{
	ring->head = ring->tail;
}

/* The longest stretch that can be written in place now; then ring_produce() what was written. */
static inline void *ring_free_span(struct ring *ring, size_t *length)
{
	size_t at = ring->tail & (ring->size - 1);

	*length = MIN(ring_free(ring), ring->size - at);
	return ring->buffer + at;
}

/* The longest stretch that can be read in place now; then ring_consume() what was read. */
static inline void *ring_filled_span(struct ring *ring, size_t *length)
{
	size_t at = ring->head & (ring->size - 1);

	*length = MIN(ring_filled(ring), ring->size - at);
	return ring->buffer + at;
}

static inline void ring_produce(struct ring *ring, size_t length)
{
	LIB_ASSERT(length <= ring_free(ring));
	ring->tail += length;
}

static inline void ring_consume(struct ring *ring, size_t length)
{
	LIB_ASSERT(length <= ring_filled(ring));
	ring->head += length;
}

/* Takes as much as fits and returns how much that was. */
static inline size_t ring_write(struct ring *ring, const void *bytes, size_t length)
{
	size_t done = 0, span;

	while (done < length && ring_free(ring) > 0) {
		void *to = ring_free_span(ring, &span);

		span = MIN(span, length - done);
		memcpy(to, (const unsigned char *)bytes + done, span);
		ring_produce(ring, span);
		done += span;
	}
	return done;
}

/* Gives as much as there is, up to length, and returns how much that was. */
static inline size_t ring_read(struct ring *ring, void *bytes, size_t length)
{
	size_t done = 0, span;

	while (done < length && !ring_is_empty(ring)) {
		const void *from = ring_filled_span(ring, &span);

		span = MIN(span, length - done);
		memcpy((unsigned char *)bytes + done, from, span);
		ring_consume(ring, span);
		done += span;
	}
	return done;
}

static inline bool ring_put(struct ring *ring, unsigned char byte)
{
	return ring_write(ring, &byte, 1) == 1;
}

/* The byte `offset` bytes behind the head. offset must be below ring_filled(). */
static inline unsigned char ring_peek(const struct ring *ring, size_t offset)
{
	LIB_ASSERT(offset < ring_filled(ring));
	return ring->buffer[(ring->head + offset) & (ring->size - 1)];
}

/* Takes back the byte written last. The ring must not be empty. */
static inline unsigned char ring_unput(struct ring *ring)
{
	LIB_ASSERT(!ring_is_empty(ring));
	return ring->buffer[--ring->tail & (ring->size - 1)];
}
