/*
 * /dev/kmsg. A reader gets a copy of the log as it was at its first read (or since the last seek to
 * the start), one record a read: "LEVEL,SEQUENCE,0,-;TEXT". At the end it gets -EAGAIN, or 0 where
 * it would wait: there is no waiting for more. A write is one line of the log, "<LEVEL>" in front
 * or not.
 */
#include "fs/devfs/kmsg.h"

#include "abi/errno.h"
#include "abi/fcntl.h"
#include "abi/poll.h"
#include "core/klog.h"
#include "lib/bits.h"
#include "lib/format.h"
#include "lib/string.h"
#include "mem/slab.h"

#define LOG_COPY_BYTES (64 * 1024)
#define LINE_MAX 1000

struct kmsg_copy {
	size_t bytes;
	uint64_t sequence;
	char text[LOG_COPY_BYTES];
};

static struct kmsg_copy *copy_log(struct file *file)
{
	struct kmsg_copy *copy = file->private;

	if (copy != NULL)
		return copy;
	copy = kmalloc(sizeof(*copy));
	if (copy == NULL)
		return NULL;
	copy->bytes = klog_read_tail(copy->text, sizeof(copy->text));
	copy->sequence = 0;
	file->private = copy;
	return copy;
}

/* file->pos is how far into the copy we are; the caller holds its mutex (or reads at an offset). */
static ssize_t kmsg_read(struct file *file, struct iobuf *to, loff_t *pos)
{
	struct kmsg_copy *copy = copy_log(file);
	char record[LINE_MAX + 48];
	const char *line, *end, *text;
	size_t n, length;
	char level = '6';

	if (copy == NULL)
		return -ENOMEM;
	if ((uint64_t)*pos >= copy->bytes)
		return (file->flags & O_NONBLOCK) != 0 ? -EAGAIN : 0;
	line = copy->text + *pos;
	end = memchr(line, '\n', copy->bytes - (size_t)*pos);
	length = end != NULL ? (size_t)(end - line) : copy->bytes - (size_t)*pos;
	text = line;
	if (length > 3 && line[0] == '<' && line[1] >= '0' && line[1] <= '7' && line[2] == '>') {
		level = line[1];
		text += 3;
	}
	n = format_stored(record, sizeof(record), "%c,%lu,0,-;%.*s\n", level,
			  (unsigned long)copy->sequence,
			  (int)MIN(length - (size_t)(text - line), (size_t)LINE_MAX), text);
	if (to->left < n)
		return -EINVAL;
	if (iobuf_put(to, record, n) < n)
		return -EFAULT;
	copy->sequence++;
	*pos += (loff_t)length + 1;
	return (ssize_t)n;
}

static ssize_t kmsg_write(struct file *file, struct iobuf *from, loff_t *pos)
{
	size_t n = from->left, length;
	char line[LINE_MAX + 1];
	const char *text = line;

	length = iobuf_take(from, line, MIN(n, (size_t)LINE_MAX));
	if (length < MIN(n, (size_t)LINE_MAX))
		return -EFAULT;
	if (n > LINE_MAX)
		return -EINVAL;
	while (length > 0 && line[length - 1] == '\n')
		length--;
	line[length] = '\0';
	if (line[0] == '<') {
		const char *close = strchr(line, '>');

		if (close != NULL && close - line <= 4)
			text = close + 1;
	}
	klog(LOG_INFO, "%s", text);
	return (ssize_t)n;
}

static loff_t kmsg_seek(struct file *file, loff_t offset, int whence)
{
	struct kmsg_copy *copy;

	if (offset != 0)
		return -EINVAL;
	copy = copy_log(file);
	if (copy == NULL)
		return -ENOMEM;
	switch (whence) {
	case SEEK_SET:
		copy->bytes = klog_read_tail(copy->text, sizeof(copy->text));
		copy->sequence = 0;
		file->pos = 0;
		return 0;
	case SEEK_DATA:
	case SEEK_END:
		file->pos = (loff_t)copy->bytes;
		return 0;
	}
	return -EINVAL;
}

static uint32_t kmsg_poll(struct file *file, struct poll_table *table)
{
	const struct kmsg_copy *copy = file->private;

	if (copy != NULL && (uint64_t)file->pos >= copy->bytes)
		return POLLOUT | POLLWRNORM;
	return POLLIN | POLLRDNORM | POLLOUT | POLLWRNORM;
}

static void kmsg_release(struct file *file)
{
	kfree(file->private);
}

const struct file_ops kmsg_ops = {
	.name = "kmsg",
	.read = kmsg_read,
	.write = kmsg_write,
	.seek = kmsg_seek,
	.poll = kmsg_poll,
	.release = kmsg_release,
};
