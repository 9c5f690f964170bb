/*
 * The device numbers of terminals: /dev/tty, /dev/console, /dev/ptmx and the slaves.
 *
 * The console is the kernel's log: what a program writes there is logged. What comes in on the
 * log's serial port can be read, as it is. Nobody is told when something comes: a reader that waits
 * asks the port every CONSOLE_POLL_NS.
 */
#include "abi/errno.h"
#include "abi/fcntl.h"
#include "abi/poll.h"
#include "abi/stat.h"
#include "arch/arch_down.h"
#include "core/clock.h"
#include "core/klog.h"
#include "dev/tty/tty.h"
#include "fs/devfs/devfs.h"
#include "lib/device_number.h"
#include "proc/job.h"
#include "sched/mutex.h"
#include "sched/wait.h"
#include "vfs/chardev.h"
#include "vfs/poll.h"

#define CONSOLE_POLL_NS (20 * NSEC_PER_MSEC)

static struct mutex console_mutex;		/* readers of the port */

/* Bytes, 0 when none has come; -ENODEV when none ever will. */
static long console_take(char *text, size_t n)
{
	long got;

	mutex_lock(&console_mutex);
	got = arch_console_read(text, n);
	mutex_unlock(&console_mutex);
	return got;
}

static ssize_t console_read(struct file *file, struct iobuf *to, loff_t *pos)
{
	char text[64];
	size_t n = to->left < sizeof(text) ? to->left : sizeof(text);
	struct wait_queue pause;
	long got;
	int error;

	wait_queue_init(&pause);
	while ((got = console_take(text, n)) == 0 && n > 0) {
		if ((file->flags & O_NONBLOCK) || to->nonblocking)
			return -EAGAIN;
		error = wait_event_until(&pause, false, WAIT_INTERRUPTIBLE,
					 clock_ns() + CONSOLE_POLL_NS);
		if (error != 0 && error != -ETIMEDOUT)
			return error;
	}
	if (got <= 0)
		return 0;
	return iobuf_put(to, text, (size_t)got) > 0 ? got : -EFAULT;
}

static ssize_t console_write(struct file *file, struct iobuf *from, loff_t *pos)
{
	char line[256];
	ssize_t total = 0;

	while (from->left > 0) {
		size_t n = iobuf_take(from, line, from->left < sizeof(line) ? from->left
									    : sizeof(line));

		if (n == 0)
			return total > 0 ? total : -EFAULT;
		klog_raw(line, n);
		total += (ssize_t)n;
	}
	return total;
}

static uint32_t console_poll(struct file *file, struct poll_table *table)
{
	return POLLOUT | POLLWRNORM;
}

static const struct file_ops console_ops = {
	.name = "console",
	.read = console_read,
	.write = console_write,
	.poll = console_poll,
	.stream = true,
};

/* /dev/tty is whatever terminal the caller's session has. */
static int open_own(struct file *file)
{
	struct tty *tty = session_current_tty();
	int error;

	if (tty == NULL || !pty_try_get(tty))
		return -ENXIO;
	error = tty_open(tty, file);
	tty_put(tty);
	return error;
}

static int open_fixed(struct file *file, uint32_t minor)
{
	if (minor == 0)
		return open_own(file);
	if (minor == 2)
		return pty_open_master(file, minor);
	return 0;
}

static int open_slave(struct file *file, uint32_t minor)
{
	struct tty *tty = pty_find(minor);
	int error;

	if (tty == NULL)
		return -EIO;
	error = tty_open(tty, file);
	tty_put(tty);
	return error;
}

static struct chardev fixed_devices = {
	.name = "tty", .major = TTY_MAJOR, .first_minor = 0, .minor_count = 3,
	.ops = &console_ops, .open = open_fixed,
};

static struct chardev slave_devices = {
	.name = "pts", .major = PTY_SLAVE_MAJOR, .first_minor = 0, .minor_count = PTY_MAX,
	.ops = &tty_file_ops, .open = open_slave,
};

/* The session told us its terminal without counting it: it may have gone meanwhile. */
static void hang_up_session(struct tty *tty)
{
	if (!pty_try_get(tty))
		return;
	tty_hangup(tty);
	tty_put(tty);
}

static void identify_for_session(struct tty *tty, uint64_t *device, int64_t *foreground)
{
	if (!pty_try_get(tty))
		return;
	*device = device_make(PTY_SLAVE_MAJOR, tty->index);
	*foreground = read_once(tty->foreground);
	tty_put(tty);
}

static const struct session_tty_ops session_ops = {
	.hangup = hang_up_session, .identify = identify_for_session,
};

void tty_init(void)
{
	static const struct { const char *path; uint32_t mode, minor; } nodes[] = {
		{ "tty", 0666, 0 }, { "console", 0600, 1 }, { "ptmx", 0666, 2 },
	};

	mutex_init(&console_mutex);
	chardev_register(&fixed_devices);
	chardev_register(&slave_devices);
	for (size_t i = 0; i < sizeof(nodes) / sizeof(nodes[0]); i++) {
		if (devfs_register(nodes[i].path, S_IFCHR | nodes[i].mode,
				   device_make(TTY_MAJOR, nodes[i].minor)) != 0)
			log_error("tty: no node for %s", nodes[i].path);
	}
	session_set_tty_ops(&session_ops);
	devpts_init();
}
