/*
 * eventfd: a counter that writes add to and a read takes (all of it, or one by one as a semaphore).
 *
 * The counter is under a spin lock; sleeping for it to become non-zero (read) or small enough
 * (write) is trying again at each wake-up.
 */
#include "fs/eventfd.h"

#include "abi/errno.h"
#include "abi/eventfd.h"
#include "abi/fcntl.h"
#include "abi/poll.h"
#include "core/fail_point.h"
#include "mem/slab.h"
#include "vfs/file.h"
#include "vfs/poll.h"

#define COUNT_MAX (UINT64_MAX - 1)

struct eventfd {
	struct spinlock lock;
	uint64_t count;			/* lock */
	bool semaphore;			/* [I] */
	struct wait_queue wait;		/* readers, writers, polls */
};

static struct slab_cache *eventfd_cache;

static bool is_nonblocking(const struct file *file, const struct iobuf *io)
{
	return io->nonblocking || (read_once(file->flags) & O_NONBLOCK) != 0;
}

static bool try_take(struct eventfd *e, uint64_t *out)
{
	bool taken;

	spin_lock(&e->lock);
	taken = e->count > 0;
	if (taken) {
		*out = e->semaphore ? 1 : e->count;
		e->count -= *out;
	}
	spin_unlock(&e->lock);
	return taken;
}

static bool try_add(struct eventfd *e, uint64_t n)
{
	bool added;

	spin_lock(&e->lock);
	added = n <= COUNT_MAX - e->count;
	if (added)
		e->count += n;
	spin_unlock(&e->lock);
	return added;
}

static ssize_t eventfd_read(struct file *file, struct iobuf *to, loff_t *pos)
{
	struct eventfd *e = file->private;
	uint64_t value = 0;
	int error = 0;

	if (to->left < sizeof(value))
		return -EINVAL;
	if (!try_take(e, &value)) {
		if (is_nonblocking(file, to))
			return -EAGAIN;
		error = wait_event_interruptible(&e->wait, try_take(e, &value));
	}
	if (error != 0)
		return error;
	wake_up_key(&e->wait, POLLOUT | POLLWRNORM);
	return iobuf_put(to, &value, sizeof(value)) == sizeof(value) ? (ssize_t)sizeof(value)
								     : -EFAULT;
}

static ssize_t eventfd_write(struct file *file, struct iobuf *from, loff_t *pos)
{
	struct eventfd *e = file->private;
	uint64_t value;
	int error = 0;

	if (from->left < sizeof(value))
		return -EINVAL;
	if (iobuf_take(from, &value, sizeof(value)) != sizeof(value))
		return -EFAULT;
	if (value == UINT64_MAX)
		return -EINVAL;
	if (!try_add(e, value)) {
		if (is_nonblocking(file, from))
			return -EAGAIN;
		error = wait_event_interruptible(&e->wait, try_add(e, value));
	}
	if (error != 0)
		return error;
	wake_up_key(&e->wait, POLLIN | POLLRDNORM);
	return sizeof(value);
}

static uint32_t eventfd_poll(struct file *file, struct poll_table *table)
{
	struct eventfd *e = file->private;
	uint32_t events = 0;
	uint64_t count;

	poll_wait(file, &e->wait, table);
	count = read_once(e->count);
	if (count > 0)
		events |= POLLIN | POLLRDNORM;
	if (count < COUNT_MAX)
		events |= POLLOUT | POLLWRNORM;
	return events;
}

static void eventfd_release(struct file *file)
{
	slab_free(eventfd_cache, file->private);
}

static const struct file_ops eventfd_ops = {
	.name = "eventfd",
	.read = eventfd_read,
	.write = eventfd_write,
	.poll = eventfd_poll,
	.release = eventfd_release,
	.stream = true,
};

int eventfd_create_file(uint32_t initial, int flags, struct file **out)
{
	struct eventfd *e;
	int error;

	if ((flags & ~(EFD_SEMAPHORE | EFD_CLOEXEC | EFD_NONBLOCK)) != 0)
		return -EINVAL;
	if (fail_point("eventfd") || (e = slab_allocate(eventfd_cache)) == NULL)
		return -ENOMEM;
	spin_init(&e->lock, RANK_PIPE);
	e->count = initial;
	e->semaphore = (flags & EFD_SEMAPHORE) != 0;
	wait_queue_init(&e->wait);
	error = file_create_anonymous(&eventfd_ops, e, O_RDWR | (flags & EFD_NONBLOCK), 0, out);
	if (error != 0)
		slab_free(eventfd_cache, e);
	return error;
}

void eventfd_init(void)
{
	eventfd_cache = slab_cache_create("eventfd", sizeof(struct eventfd), 8);
}
