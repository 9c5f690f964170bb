/*
 * null, zero, full, random, urandom: character major 1, as on Linux. kmsg is in kmsg.c.
 */
#include "fs/devfs/mem_devices.h"

#include "abi/errno.h"
#include "abi/poll.h"
#include "core/klog.h"
#include "core/random.h"
#include "fs/devfs/devfs.h"
#include "fs/devfs/kmsg.h"
#include "lib/bits.h"
#include "lib/device_number.h"
#include "lib/string.h"
#include "sched/thread.h"
#include "vfs/chardev.h"
#include "vfs/inode.h"
#include "vm/space.h"

#define MEM_MAJOR 1
#define RANDOM_PIECE 256
#define ZERO_PIECE (64 * 1024UL)

static ssize_t null_read(struct file *file, struct iobuf *to, loff_t *pos)
{
	return 0;
}

static ssize_t null_write(struct file *file, struct iobuf *from, loff_t *pos)
{
	size_t n = from->left;

	iobuf_skip(from, n);
	return (ssize_t)n;
}

static loff_t null_seek(struct file *file, loff_t offset, int whence)
{
	file->pos = 0;
	return 0;
}

static ssize_t zero_read(struct file *file, struct iobuf *to, loff_t *pos)
{
	size_t done = 0;

	while (to->left > 0) {
		size_t n = MIN(to->left, ZERO_PIECE), moved = iobuf_zero(to, n);

		done += moved;
		if (moved < n)
			return done > 0 ? (ssize_t)done : -EFAULT;
		if (thread_current()->pending_kill)
			break;
	}
	return (ssize_t)done;
}

/* A mapping of /dev/zero is anonymous memory. */
static int zero_mmap(struct file *file, struct area *area)
{
	if ((area->flags & AREA_SHARED) == 0)
		return 0;
	area->object = object_create_anonymous(area->end - area->start);
	area->offset = 0;
	return area->object != NULL ? 0 : -ENOMEM;
}

static ssize_t full_write(struct file *file, struct iobuf *from, loff_t *pos)
{
	return from->left > 0 ? -ENOSPC : 0;
}

static ssize_t random_read(struct file *file, struct iobuf *to, loff_t *pos)
{
	unsigned char bytes[RANDOM_PIECE];
	size_t done = 0;

	while (to->left > 0 && !(done > 0 && thread_current()->pending_signal)) {
		size_t n = MIN(to->left, sizeof(bytes)), moved;

		random_bytes(bytes, n);
		moved = iobuf_put(to, bytes, n);
		done += moved;
		if (moved < n)
			break;
	}
	memset(bytes, 0, sizeof(bytes));
	return done > 0 || to->left == 0 ? (ssize_t)done : -EFAULT;
}

static ssize_t random_write(struct file *file, struct iobuf *from, loff_t *pos)
{
	unsigned char bytes[RANDOM_PIECE];
	size_t done = 0;

	while (from->left > 0 && !thread_current()->pending_kill) {
		size_t n = iobuf_take(from, bytes, MIN(from->left, sizeof(bytes)));

		if (n == 0)
			return done > 0 ? (ssize_t)done : -EFAULT;
		random_add(bytes, n);
		done += n;
	}
	return (ssize_t)done;
}

static const struct file_ops null_ops = {
	.name = "null", .read = null_read, .write = null_write, .seek = null_seek,
};
static const struct file_ops zero_ops = {
	.name = "zero", .read = zero_read, .write = null_write, .seek = null_seek,
	.mmap = zero_mmap,
};
static const struct file_ops full_ops = {
	.name = "full", .read = zero_read, .write = full_write, .seek = null_seek,
};
static const struct file_ops random_ops = {
	.name = "random", .read = random_read, .write = random_write, .seek = null_seek,
};

static struct mem_device {
	struct chardev chardev;
	const char *path;
	uint32_t mode;
} mem_devices[] = {
	{ { .name = "mem", .first_minor = 3, .ops = &null_ops }, "null", 0666 },
	{ { .name = "mem", .first_minor = 5, .ops = &zero_ops }, "zero", 0666 },
	{ { .name = "mem", .first_minor = 7, .ops = &full_ops }, "full", 0666 },
	{ { .name = "mem", .first_minor = 8, .ops = &random_ops }, "random", 0666 },
	{ { .name = "mem", .first_minor = 9, .ops = &random_ops }, "urandom", 0666 },
	{ { .name = "mem", .first_minor = 11, .ops = &kmsg_ops }, "kmsg", 0644 },
};

void mem_devices_init(void)
{
	for (size_t i = 0; i < ARRAY_SIZE(mem_devices); i++) {
		struct mem_device *d = &mem_devices[i];
		int error;

		d->chardev.major = MEM_MAJOR;
		d->chardev.minor_count = 1;
		chardev_register(&d->chardev);
		error = devfs_register(d->path, S_IFCHR | d->mode,
				       device_make(MEM_MAJOR, d->chardev.first_minor));
		if (error != 0)
			log_error("devfs: %s: error %d", d->path, error);
	}
}
