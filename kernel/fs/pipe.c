/*
 * Pipes: a ring of pages, filled and emptied as one stream of bytes.
 *
 * Pages come when a byte first needs them and stay for the pipe's life; an emptied pipe begins
 * again at its first page, so a ping-pong of small messages stays within a few cache lines. The
 * mutex is held while bytes are copied to or from the program: a sleeping lock, for the copy may
 * fault.
 *
 * Wake-ups. Readers wait for a pipe that is not empty, so only a write into an empty pipe wakes
 * one; writers wait for PIPE_BUF bytes of room, so only a read that brings the room to that wakes
 * one. Sleepers are exclusive: one wake-up, one thread; who leaves something behind for the next
 * one wakes it. Whoever polls is told of every write, for edges.
 *
 * Up to PIPE_BUF bytes are written as a whole or not at all.
 *
 * Packets (O_DIRECT on the writing end): each begins a page of its own, and page->private says
 * where its bytes end; a read takes one packet and drops what it has no room for.
 */
#include "abi/capability.h"
#include "abi/errno.h"
#include "abi/ioctl.h"
#include "abi/poll.h"
#include "core/assert.h"
#include "core/fail_point.h"
#include "fs/pipe_internal.h"
#include "lib/bits.h"
#include "lib/string.h"
#include "mem/slab.h"
#include "proc/cred.h"
#include "sched/thread.h"
#include "vfs/poll.h"

#define READABLE (POLLIN | POLLRDNORM)
#define WRITABLE (POLLOUT | POLLWRNORM)

/* Sleeps on q without the mutex; it is held again on return. 0 or -ERESTARTSYS. */
static int pipe_sleep(struct pipe *p, struct wait_queue *q, uint32_t *waiting)
	REQUIRES(&p->mutex)
{
	struct wait_entry entry;
	int error;

	wait_entry_init(&entry, NULL);
	entry.exclusive = true;
	++*waiting;
	/* On the queue before the mutex goes: who changes the pipe after that finds us. */
	wait_prepare(q, &entry, WAIT_INTERRUPTIBLE);
	mutex_unlock(&p->mutex);
	error = wait_sleep(WAIT_INTERRUPTIBLE, TIME_NEVER);
	wait_finish(q, &entry);
	mutex_lock(&p->mutex);
	--*waiting;
	return error;
}

static bool is_nonblocking(const struct file *file, const struct iobuf *io)
{
	return io->nonblocking || (read_once(file->flags) & O_NONBLOCK) != 0;
}

/* ---- the ring -------------------------------------------------------------------------------- */

static struct page **slot_of(struct pipe *p, uint64_t position)
{
	return &p->pages[(position >> PAGE_SHIFT) & (p->slots - 1)];
}

#define PACKET (1u << 31)		/* in page->private; below it: where the page's bytes end */

/* Where the bytes of the page at `position` end: what a packet left behind in it is no data. */
static size_t page_end(struct pipe *p, uint64_t position)
{
	uint32_t end = (*slot_of(p, position))->private & ~PACKET;

	return end != 0 ? end : PAGE_SIZE;
}

/* The page that `head` is in has been read. */
static void next_page(struct pipe *p)
{
	(*slot_of(p, p->head))->private = 0;
	p->head = page_round_down(p->head) + PAGE_SIZE;
}

/* What is there, as much as `to` takes; one packet at most. A fault ends it early. */
static size_t copy_out(struct pipe *p, struct iobuf *to)
{
	bool packet = false;
	size_t done = 0;

	while (to->left > 0 && pipe_filled(p) > 0 && !packet) {
		size_t offset = p->head & (PAGE_SIZE - 1), end = page_end(p, p->head), n, moved;
		struct page *page = *slot_of(p, p->head);

		packet = (page->private & PACKET) != 0;
		if (packet && done > 0)
			break;
		n = MIN((size_t)pipe_filled(p), end - offset);
		n = MIN(n, to->left);
		moved = iobuf_put(to, (char *)page_address(page) + offset, n);
		done += moved;
		if (packet || (page->private != 0 && offset + moved == end))
			next_page(p);
		else
			p->head += moved;
		if (moved < n)
			break;
	}
	if (p->head == p->tail)
		p->head = p->tail = 0;
	return done;
}

/* Copies what a read would give without taking it; bytes copied. */
static size_t peek_out(struct pipe *p, struct iobuf *to)
{
	uint64_t at = p->head;
	size_t done = 0;

	while (to->left > 0 && at < p->tail) {
		size_t offset = at & (PAGE_SIZE - 1), end = page_end(p, at);
		size_t n = MIN((size_t)(p->tail - at), end - offset), moved;

		n = MIN(n, to->left);
		moved = iobuf_put(to, (char *)page_address(*slot_of(p, at)) + offset, n);
		done += moved;
		if (moved < n)
			break;
		at = offset + n == end ? page_round_down(at) + PAGE_SIZE : at + n;
	}
	return done;
}

/* Up to n bytes (there is room for them): bytes moved, or -ENOMEM, -EFAULT when none. */
static ssize_t copy_in(struct pipe *p, struct iobuf *from, size_t n)
{
	size_t done = 0;

	while (done < n) {
		size_t offset = p->tail & (PAGE_SIZE - 1);
		size_t piece = MIN(n - done, PAGE_SIZE - offset), moved;
		struct page **slot = slot_of(p, p->tail);

		if (*slot == NULL) {
			*slot = page_allocate(0, PAGE_KERNEL, 0);
			if (*slot == NULL)
				return done > 0 ? (ssize_t)done : -ENOMEM;
			(*slot)->private = 0;
		}
		moved = iobuf_take(from, (char *)page_address(*slot) + offset, piece);
		p->tail += moved;
		done += moved;
		if (moved < piece)
			return done > 0 ? (ssize_t)done : -EFAULT;
	}
	return (ssize_t)done;
}

/* A packet takes a page, and what is left of the one before. */
static uint64_t packet_room(const struct pipe *p)
{
	return page_round_up(p->tail) - p->tail + PAGE_SIZE;
}

/* One packet of up to a page, on a page of its own (there is room). As copy_in. */
static ssize_t packet_in(struct pipe *p, struct iobuf *from, size_t n)
{
	uint64_t before = p->tail;
	ssize_t done;

	if ((p->tail & (PAGE_SIZE - 1)) != 0) {
		(*slot_of(p, p->tail))->private = (uint32_t)(p->tail & (PAGE_SIZE - 1));
		p->tail = page_round_up(p->tail);
	}
	done = copy_in(p, from, n);
	if (done < (ssize_t)n) {	/* all or nothing */
		p->tail = before;
		if ((before & (PAGE_SIZE - 1)) != 0)
			(*slot_of(p, before))->private = 0;
		return done < 0 ? done : -EFAULT;
	}
	(*slot_of(p, p->tail - 1))->private = PACKET | (uint32_t)n;
	p->tail = page_round_up(p->tail);
	return done;
}

/* ---- reading --------------------------------------------------------------------------------- */

/* `room` is what writers had before bytes went out: taken after any sleep, in which it changes. */
static ssize_t read_locked(struct pipe *p, struct file *file, struct iobuf *to, uint64_t *room)
	REQUIRES(&p->mutex)
{
	int error = 0;

	for (;;) {
		*room = pipe_room(p);
		if (pipe_filled(p) > 0) {
			size_t n = copy_out(p, to);

			return n > 0 ? (ssize_t)n : -EFAULT;
		}
		if (p->writers == 0)
			return 0;
		if (error != 0)
			return error;
		if (is_nonblocking(file, to))
			return -EAGAIN;
		error = pipe_sleep(p, &p->read_wait, &p->readers_waiting);
	}
}

static ssize_t pipe_read(struct file *file, struct iobuf *to, loff_t *pos)
{
	struct pipe *p = file->private;
	bool wake_writer, wake_reader;
	uint64_t room;
	ssize_t n;

	if (to->left == 0)
		return 0;
	mutex_lock(&p->mutex);
	n = read_locked(p, file, to, &room);
	wake_writer = n > 0 && pipe_room(p) >= PIPE_BUF &&
		      (room < PIPE_BUF || p->writers_waiting > 0);
	wake_reader = p->readers_waiting > 0 && pipe_filled(p) > 0;
	mutex_unlock(&p->mutex);
	if (wake_writer)
		wake_up_key(&p->write_wait, WRITABLE);
	if (wake_reader)
		wake_up_key(&p->read_wait, READABLE);
	return n;
}

/* ---- writing --------------------------------------------------------------------------------- */

static ssize_t write_locked(struct pipe *p, struct file *file, struct iobuf *from)
	REQUIRES(&p->mutex)
{
	bool packets = (read_once(file->flags) & O_DIRECT) != 0;
	/* What must go in at once; more than that goes in as room comes. */
	size_t whole = from->left <= PIPE_BUF ? from->left : 1;
	ssize_t done = 0;
	int error = 0;

	while (from->left > 0) {
		bool was_empty = pipe_filled(p) == 0;
		ssize_t n;

		if (p->readers == 0)
			return done > 0 ? done : -EPIPE;
		if (pipe_room(p) >= (packets ? packet_room(p) : whole)) {
			n = packets ? packet_in(p, from, MIN(from->left, PAGE_SIZE))
				    : copy_in(p, from, MIN(from->left, pipe_room(p)));
			if (n < 0)
				return done > 0 ? done : n;
			done += n;
			if (was_empty || p->polled)
				wake_up_key(&p->read_wait, READABLE);
			continue;
		}
		if (error != 0)
			return done > 0 ? done : error;
		if (is_nonblocking(file, from))
			return done > 0 ? done : -EAGAIN;
		error = pipe_sleep(p, &p->write_wait, &p->writers_waiting);
	}
	return done;
}

static ssize_t pipe_write(struct file *file, struct iobuf *from, loff_t *pos)
{
	struct pipe *p = file->private;
	bool wake_writer;
	ssize_t n;

	if (from->left == 0)
		return 0;
	mutex_lock(&p->mutex);
	n = write_locked(p, file, from);
	wake_writer = p->writers_waiting > 0 && pipe_room(p) >= PIPE_BUF;
	mutex_unlock(&p->mutex);
	if (wake_writer)
		wake_up_key(&p->write_wait, WRITABLE);
	return n;
}

/* ---- the rest -------------------------------------------------------------------------------- */

static uint32_t pipe_poll(struct file *file, struct poll_table *table)
{
	struct pipe *p = file->private;
	uint32_t events = 0;

	write_once(p->polled, true);
	if (file->readable)
		poll_wait(file, &p->read_wait, table);
	if (file->writable)
		poll_wait(file, &p->write_wait, table);
	if (file->readable) {
		if (read_once(p->tail) != read_once(p->head))
			events |= READABLE;
		/* A FIFO opened before any writer came has not been hung up. */
		if (read_once(p->writers) == 0 && read_once(p->write_opens) != (uint32_t)file->pos)
			events |= POLLHUP;
	}
	if (file->writable) {
		if (pipe_room(p) >= PIPE_BUF)
			events |= WRITABLE;
		if (read_once(p->readers) == 0)
			events |= POLLERR;
	}
	return events;
}

static long pipe_ioctl(struct file *file, unsigned int command, uint64_t arg)
{
	struct pipe *p = file->private;
	int32_t n;

	if (command != FIONREAD)
		return -ENOTTY;
	mutex_lock(&p->mutex);
	n = (int32_t)pipe_filled(p);
	mutex_unlock(&p->mutex);
	return copy_to_user(user_addr(arg), &n, sizeof(n));
}

const struct file_ops pipe_ops = {
	.name = "pipe",
	.read = pipe_read,
	.write = pipe_write,
	.poll = pipe_poll,
	.ioctl = pipe_ioctl,
	.release = pipe_release,
	.stream = true,
};

ssize_t pipe_peek(struct file *file, struct iobuf *to)
{
	struct pipe *p = file->private;
	ssize_t n;

	if (file->ops != &pipe_ops)
		return -EBADF;
	mutex_lock(&p->mutex);
	n = (ssize_t)peek_out(p, to);
	if (n == 0 && to->left > 0 && p->writers > 0)
		n = -EAGAIN;
	mutex_unlock(&p->mutex);
	return n;
}

bool file_is_pipe(const struct file *file)
{
	return file->ops == &pipe_ops;
}

/* ---- capacity -------------------------------------------------------------------------------- */

/* The pages that hold bytes move to their places in the new ring; spare ones are given back. */
static void move_ring(struct pipe *p, struct page **pages, uint32_t slots)
{
	for (uint64_t at = page_round_down(p->head); at < p->tail; at += PAGE_SIZE) {
		struct page **slot = slot_of(p, at);

		pages[(at >> PAGE_SHIFT) & (slots - 1)] = *slot;
		*slot = NULL;
	}
	for (uint32_t i = 0; i < p->slots; i++) {
		if (p->pages[i] != NULL)
			page_put(p->pages[i]);
	}
	kfree(p->pages);
	p->pages = pages;
	p->slots = slots;
}

/* Whether what is in the pipe fits in so many slots, as it lies in its pages. */
static bool fits(const struct pipe *p, uint32_t slots)
{
	uint64_t first = p->head >> PAGE_SHIFT, end = page_round_up(p->tail) >> PAGE_SHIFT;

	return pipe_filled(p) == 0 || end - first <= slots;
}

long pipe_set_size(struct file *file, uint32_t bytes)
{
	struct pipe *p = file->private;
	struct page **pages;
	uint32_t slots;
	long result;

	if (file->ops != &pipe_ops)
		return -EBADF;
	if (bytes > 1U << 31)
		return -EINVAL;
	slots = 1U << ilog2_up(DIV_ROUND_UP((uint64_t)bytes, PAGE_SIZE));
	if ((uint64_t)slots << PAGE_SHIFT > PIPE_MAX_BYTES &&
	    !capable(CAP_SYS_RESOURCE))
		return -EPERM;
	pages = kcalloc(slots, sizeof(*pages));
	if (pages == NULL)
		return -ENOMEM;
	mutex_lock(&p->mutex);
	if (fits(p, slots)) {
		move_ring(p, pages, slots);
		result = (long)pipe_capacity(p);
	} else {
		kfree(pages);
		result = -EBUSY;
	}
	mutex_unlock(&p->mutex);
	if (result > 0)
		wake_up_all(&p->write_wait);
	return result;
}

long pipe_get_size(struct file *file)
{
	struct pipe *p = file->private;

	return file->ops == &pipe_ops ? (long)pipe_capacity(p) : -EBADF;
}
