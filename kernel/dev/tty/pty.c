/*
 * Masters and the table of pseudo-terminals (pty(7)).
 *
 * A pair is made by opening /dev/ptmx and leaves the table when that file is closed; open slaves
 * keep the memory.
 */
#include "abi/errno.h"
#include "abi/fcntl.h"
#include "abi/poll.h"
#include "abi/signal.h"
#include "core/user_copy.h"
#include "dev/tty/tty.h"
#include "lib/format.h"
#include "mem/slab.h"
#include "proc/job.h"
#include "proc/task.h"
#include "vfs/chardev.h"
#include "vfs/poll.h"

#define CHUNK 256

static struct spinlock table_lock = SPINLOCK_INIT(RANK_TTY);
static struct tty *table[PTY_MAX] GUARDED_BY(&table_lock);
static uint64_t next_serial GUARDED_BY(&table_lock);
static const struct file_ops master_ops;

static struct tty *tty_create(void)
{
	struct tty *tty = kzalloc(sizeof(*tty));

	if (tty == NULL)
		return NULL;
	refcount_init(&tty->references);
	spin_init(&tty->lock, RANK_TTY);
	ldisc_init_termios(&tty->termios);
	ring_init(&tty->input, tty->input_buffer, sizeof(tty->input_buffer));
	ring_init(&tty->output, tty->output_buffer, sizeof(tty->output_buffer));
	mutex_init(&tty->read_mutex);
	mutex_init(&tty->write_mutex);
	wait_queue_init(&tty->slave_wait);
	wait_queue_init(&tty->master_wait);
	tty->master_open = true;
	tty->locked = true;
	tty->mode = 0620;
	return tty;
}

void tty_put(struct tty *tty)
{
	if (refcount_put(&tty->references))
		kfree(tty);
}

struct tty *pty_find(uint32_t index)
{
	struct tty *tty = NULL;

	spin_lock(&table_lock);
	if (index < PTY_MAX && table[index] != NULL) {
		tty = table[index];
		tty_get(tty);
	}
	spin_unlock(&table_lock);
	return tty;
}

bool pty_try_get(struct tty *tty)
{
	bool found = false;

	spin_lock(&table_lock);
	for (uint32_t i = 0; i < PTY_MAX && !found; i++)
		found = table[i] == tty;
	if (found)
		tty_get(tty);
	spin_unlock(&table_lock);
	return found;
}

int pty_next(uint32_t from)
{
	int found = -1;

	spin_lock(&table_lock);
	for (uint32_t i = from; i < PTY_MAX && found < 0; i++) {
		if (table[i] != NULL)
			found = (int)i;
	}
	spin_unlock(&table_lock);
	return found;
}

/* Takes the lowest free place in the table. */
static int table_add(struct tty *tty)
{
	int error = -ENOSPC;

	spin_lock(&table_lock);
	for (uint32_t i = 0; i < PTY_MAX; i++) {
		if (table[i] == NULL) {
			table[i] = tty;
			tty->index = i;
			tty->serial = ++next_serial;
			error = 0;
			break;
		}
	}
	spin_unlock(&table_lock);
	return error;
}

int pty_open_master(struct file *file, uint32_t minor)
{
	const struct cred *cred = cred_current();
	struct tty *tty = tty_create();
	int error;

	if (tty == NULL)
		return -ENOMEM;
	tty->uid = cred->fsuid;
	tty->gid = cred->fsgid;
	error = table_add(tty);
	if (error != 0) {
		tty_put(tty);
		return error;
	}
	file->ops = &master_ops;
	file->private = tty;
	return 0;
}

static void master_release(struct file *file)
{
	struct tty *tty = file->private;

	spin_lock(&table_lock);
	table[tty->index] = NULL;
	spin_unlock(&table_lock);
	spin_lock(&tty->lock);
	tty->master_open = false;
	spin_unlock(&tty->lock);
	tty_hangup(tty);
	tty_put(tty);
}

static bool master_can_read(struct tty *tty)
{
	bool yes;

	spin_lock(&tty->lock);
	yes = !ring_is_empty(&tty->output) || (tty->packet_mode && tty->packet_status != 0) ||
	      (tty->slave_was_open && tty->slave_count == 0);
	spin_unlock(&tty->lock);
	return yes;
}

/* Packet mode: each read begins with a status byte; 0 announces data (TIOCPKT, ioctl_tty(2)). */
static ssize_t master_packet_byte(struct tty *tty, struct iobuf *to, bool *only_status)
{
	unsigned char status;
	bool data;

	spin_lock(&tty->lock);
	status = tty->packet_status;
	data = !ring_is_empty(&tty->output);
	tty->packet_status = 0;
	spin_unlock(&tty->lock);
	*only_status = status != 0;
	if (status == 0 && !data)
		return 0;
	return iobuf_put(to, &status, 1) == 1 ? 1 : -EFAULT;
}

static ssize_t master_read_ready(struct tty *tty, struct iobuf *to)
{
	unsigned char chunk[CHUNK];
	bool only_status = false;
	ssize_t total = 0;

	if (tty->packet_mode) {
		total = master_packet_byte(tty, to, &only_status);
		if (total < 0 || only_status)
			return total;
	}
	while (to->left > 0) {
		size_t got;

		spin_lock(&tty->lock);
		got = ring_read(&tty->output, chunk, to->left < CHUNK ? to->left : CHUNK);
		spin_unlock(&tty->lock);
		if (got == 0)
			break;
		if (iobuf_put(to, chunk, got) != got)
			return total > 0 ? total : -EFAULT;
		total += (ssize_t)got;
	}
	if (total > 0)
		wake_up_all(&tty->slave_wait);
	return total;
}

static ssize_t master_read(struct file *file, struct iobuf *to, loff_t *pos)
{
	struct tty *tty = file->private;
	ssize_t done;

	if (to->left == 0)
		return 0;
	for (;;) {
		done = master_read_ready(tty, to);
		if (done != 0)
			return done;
		if (tty->slave_was_open && read_once(tty->slave_count) == 0)
			return -EIO;
		if ((file->flags & O_NONBLOCK) || to->nonblocking)
			return -EAGAIN;
		done = wait_event_interruptible(&tty->master_wait, master_can_read(tty));
		if (done != 0)
			return done;
	}
}

/* Feeds bytes to the line discipline; how many it took. */
static size_t master_feed(struct tty *tty, const unsigned char *from, size_t n)
{
	tty_signals_t signals = 0;
	size_t done = 0;

	spin_lock(&tty->lock);
	while (done < n && ldisc_receive(tty, from[done], &signals))
		done++;
	spin_unlock(&tty->lock);
	tty_send_signals(tty, signals);
	if (done > 0) {
		wake_up_all(&tty->slave_wait);
		wake_up_key(&tty->master_wait, POLLIN | POLLRDNORM);	/* the echo */
	}
	return done;
}

static bool input_possible(struct tty *tty)
{
	bool yes;

	spin_lock(&tty->lock);
	yes = ring_free(&tty->input) > 1;
	spin_unlock(&tty->lock);
	return yes;
}

static ssize_t master_write(struct file *file, struct iobuf *from, loff_t *pos)
{
	struct tty *tty = file->private;
	unsigned char chunk[CHUNK];
	ssize_t total = 0;
	int error;

	while (from->left > 0) {
		size_t n = iobuf_take(from, chunk, from->left < CHUNK ? from->left : CHUNK), done;

		if (n == 0)
			return total > 0 ? total : -EFAULT;
		done = master_feed(tty, chunk, n);
		total += (ssize_t)done;
		if (done == n)
			continue;
		iobuf_rewind(from, n - done);
		if ((file->flags & O_NONBLOCK) || from->nonblocking)
			return total > 0 ? total : -EAGAIN;
		error = wait_event_interruptible(&tty->master_wait, input_possible(tty));
		if (error != 0)
			return total > 0 ? total : error;
	}
	return total;
}

static uint32_t master_poll(struct file *file, struct poll_table *table)
{
	struct tty *tty = file->private;
	uint32_t events = 0;

	poll_wait(file, &tty->master_wait, table);
	spin_lock(&tty->lock);
	if (!ring_is_empty(&tty->output))
		events |= POLLIN | POLLRDNORM;
	if (tty->packet_mode && tty->packet_status != 0)
		events |= POLLIN | POLLRDNORM | POLLPRI;
	if (ring_free(&tty->input) > 1 || tty->lines == 0)
		events |= POLLOUT | POLLWRNORM;
	if (tty->slave_was_open && tty->slave_count == 0)
		events |= POLLHUP;
	spin_unlock(&tty->lock);
	return events;
}

/* TIOCGPTPEER: the slave, whatever devpts is called here. */
static long master_open_peer(struct tty *tty, uint64_t flags)
{
	char name[32];
	struct path_base base;
	struct file *file;
	int error;

	format_string(name, sizeof(name), "/dev/pts/%u", tty->index);
	error = path_base_get(AT_FDCWD, name, &base);
	if (error != 0)
		return error;
	flags &= O_ACCMODE | O_NOCTTY | O_CLOEXEC | O_NONBLOCK;
	error = file_open(&base.ctx, name, (int)flags, 0, &file);
	path_base_put(&base);
	return error != 0 ? error : fd_add(file, (flags & O_CLOEXEC) != 0);
}

static long get_flag(uint64_t arg, bool flag)
{
	int value = flag;

	return copy_to_user(user_addr(arg), &value, sizeof(value));
}

static long set_flag(uint64_t arg, bool *flag)
{
	int value;
	int error = copy_from_user(&value, user_addr(arg), sizeof(value));

	if (error == 0)
		*flag = value != 0;
	return error;
}

static long master_ioctl(struct file *file, unsigned int command, uint64_t arg)
{
	struct tty *tty = file->private;
	uint32_t foreground = read_once(tty->foreground), filled;
	long result;

	switch (command) {
	case TIOCGPTN:
		return copy_to_user(user_addr(arg), &tty->index, sizeof(tty->index));
	case TIOCSPTLCK:
		return set_flag(arg, &tty->locked);
	case TIOCGPTLCK:
		return get_flag(arg, tty->locked);
	case TIOCPKT:
		return set_flag(arg, &tty->packet_mode);
	case TIOCGPKT:
		return get_flag(arg, tty->packet_mode);
	case TIOCGPTPEER:
		return master_open_peer(tty, arg);
	case TIOCGPGRP:
		return copy_to_user(user_addr(arg), &foreground, sizeof(foreground));
	case TIOCSIG:
		if (arg != SIGINT && arg != SIGQUIT && arg != SIGTSTP)
			return -EINVAL;
		tty_send_signals(tty, sigmask_of(arg));
		return 0;
	case FIONREAD:
		filled = (uint32_t)ring_filled(&tty->output);
		return copy_to_user(user_addr(arg), &filled, sizeof(filled));
	default:
		result = tty_ioctl_common(tty, command, arg);
		return result == -ENOIOCTLCMD ? -ENOTTY : result;
	}
}

static const struct file_ops master_ops = {
	.name = "ptmx",
	.read = master_read,
	.write = master_write,
	.poll = master_poll,
	.ioctl = master_ioctl,
	.release = master_release,
	.stream = true,
};
