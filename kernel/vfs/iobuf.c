/*
 * Moving bytes between a buffer of the kernel's and the pieces of an iobuf.
 *
 * All transfers are one loop over the pieces with a different way of moving one contiguous run. A
 * fault in user memory stops the loop; what was moved until then counts.
 */
#include "vfs/iobuf.h"

#include "lib/bits.h"
#include "lib/string.h"

void iobuf_init_kernel(struct iobuf *io, void *base, size_t n)
{
	*io = (struct iobuf){ .piece_count = 1, .left = n, .is_user = false,
			      .single = { (uint64_t)base, n } };
	io->pieces = &io->single;
}

void iobuf_init_pieces(struct iobuf *io, const struct io_piece *pieces, size_t count, bool is_user)
{
	*io = (struct iobuf){ .pieces = pieces, .piece_count = count, .is_user = is_user };
	for (size_t i = 0; i < count; i++)
		io->left += pieces[i].bytes;
}

/* The contiguous run at the front, at most n bytes; empty pieces are passed over. */
static size_t front(struct iobuf *io, size_t n, uint64_t *address)
{
	while (io->offset == io->pieces->bytes && io->piece_count > 1) {
		io->pieces++;
		io->piece_count--;
		io->offset = 0;
	}
	*address = io->pieces->base + io->offset;
	return MIN(n, io->pieces->bytes - io->offset);
}

void iobuf_skip(struct iobuf *io, size_t n)
{
	while (n > 0 && io->left > 0) {
		uint64_t address;
		size_t run = front(io, MIN(n, io->left), &address);

		io->offset += run;
		io->left -= run;
		n -= run;
	}
}

void iobuf_rewind(struct iobuf *io, size_t n)
{
	io->left += n;
	while (n > io->offset) {
		n -= io->offset;
		io->pieces--;
		io->piece_count++;
		io->offset = io->pieces->bytes;
	}
	io->offset -= n;
}

enum direction { PUT, TAKE, TAKE_NOFAULT, ZERO };

/* Bytes not moved. */
static size_t move_user(enum direction way, user_addr_t user, void *kernel, size_t n)
{
	switch (way) {
	case PUT:
		return copy_to_user_partial(user, kernel, n);
	case TAKE:
		return copy_from_user_partial(kernel, user, n);
	case TAKE_NOFAULT:
		return copy_from_user_nofault(kernel, user, n) == 0 ? 0 : n;
	case ZERO:
		break;
	}
	return clear_user(user, n) == 0 ? 0 : n;
}

static void move_kernel(enum direction way, void *piece, void *kernel, size_t n)
{
	if (way == PUT)
		memcpy(piece, kernel, n);
	else if (way == ZERO)
		memset(piece, 0, n);
	else
		memcpy(kernel, piece, n);
}

/* All of n lies in the first piece, and that in user memory: most calls. */
static bool is_simple(const struct iobuf *io, size_t n)
{
	return io->is_user && n <= io->left && n <= io->pieces->bytes - io->offset;
}

static user_addr_t front_user(const struct iobuf *io)
{
	return user_addr(io->pieces->base + io->offset);
}

static size_t advance(struct iobuf *io, size_t moved)
{
	io->offset += moved;
	io->left -= moved;
	return moved;
}

static never_inline size_t transfer(struct iobuf *io, enum direction way, void *kernel, size_t n)
{
	size_t done = 0;

	n = MIN(n, io->left);
	while (done < n) {
		uint64_t address;
		size_t run = front(io, n - done, &address);
		char *buffer = kernel != NULL ? (char *)kernel + done : NULL;
		size_t missed = 0;

		if (io->is_user)
			missed = move_user(way, user_addr(address), buffer, run);
		else
			move_kernel(way, (void *)address, buffer, run);
		done += advance(io, run - missed);
		if (missed > 0)
			break;
	}
	return done;
}

size_t iobuf_put(struct iobuf *io, const void *from, size_t n)
{
	if (likely(is_simple(io, n)))
		return advance(io, n - copy_to_user_partial(front_user(io), from, n));
	return transfer(io, PUT, (void *)from, n);
}

size_t iobuf_take(struct iobuf *io, void *to, size_t n)
{
	if (likely(is_simple(io, n)))
		return advance(io, n - copy_from_user_partial(to, front_user(io), n));
	return transfer(io, TAKE, to, n);
}

size_t iobuf_take_nofault(struct iobuf *io, void *to, size_t n)
{
	return transfer(io, TAKE_NOFAULT, to, n);
}

size_t iobuf_zero(struct iobuf *io, size_t n)
{
	return transfer(io, ZERO, NULL, n);
}

bool iobuf_fault_in(const struct iobuf *io, size_t n)
{
	size_t offset = io->offset;

	n = MIN(n, io->left);
	if (!io->is_user)
		return true;
	for (const struct io_piece *p = io->pieces; n > 0; p++, offset = 0) {
		size_t run = MIN(n, p->bytes - offset);
		uint64_t at = p->base + offset, end = at + run;
		char byte;

		for (; at < end; at = page_round_down(at) + PAGE_SIZE) {
			if (copy_from_user(&byte, user_addr(at), 1) != 0)
				return false;
		}
		n -= run;
	}
	return true;
}
