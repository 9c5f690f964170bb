/*
 * Where the bytes of a read or write are: a list of user or kernel memory pieces, and how far we
 * are.
 */
#pragma once

#include "core/user_copy.h"

struct io_piece {
	uint64_t base;				/* user address or kernel pointer */
	uint64_t bytes;
};

struct iobuf {
	const struct io_piece *pieces;
	size_t piece_count;
	size_t offset;				/* in the first piece */
	size_t left;				/* bytes in all */
	bool is_user;
	bool nonblocking;			/* this call only: RWF_NOWAIT, MSG_DONTWAIT */
	struct io_piece single;
};

static inline void iobuf_init_user(struct iobuf *io, user_addr_t base, size_t n)
{
	io->single.base = base.value;
	io->single.bytes = n;
	io->pieces = &io->single;
	io->piece_count = 1;
	io->offset = 0;
	io->left = n;
	io->is_user = true;
	io->nonblocking = false;
}

void iobuf_init_kernel(struct iobuf *io, void *base, size_t n);
void iobuf_init_pieces(struct iobuf *io, const struct io_piece *pieces, size_t count, bool is_user);
/* Move up to n bytes and advance: bytes moved; fewer than asked only at a fault (user memory).
 * -EFAULT is the caller's to return when 0 moved of n > 0. */
size_t iobuf_put(struct iobuf *io, const void *from, size_t n);	/* read(2): into the program */
size_t iobuf_take(struct iobuf *io, void *to, size_t n);	/* write(2): from the program */
size_t iobuf_zero(struct iobuf *io, size_t n);
void iobuf_skip(struct iobuf *io, size_t n);
void iobuf_rewind(struct iobuf *io, size_t n);			/* undoes the last n bytes */
/* As iobuf_take, without faulting pages in: for use under locks and with pages locked. */
size_t iobuf_take_nofault(struct iobuf *io, void *to, size_t n);
/* Touches the pages of the next n bytes, so that the above is likely to succeed. False: -EFAULT. */
must_check bool iobuf_fault_in(const struct iobuf *io, size_t n);
