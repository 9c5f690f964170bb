/*
 * The slave: what a program has open as its terminal.
 */
#include "dev/tty/tty.h"

#include "abi/capability.h"
#include "abi/errno.h"
#include "abi/fcntl.h"
#include "abi/poll.h"
#include "abi/signal.h"
#include "core/klog.h"
#include "lib/container_of.h"
#include "mem/slab.h"
#include "proc/job.h"
#include "proc/task.h"
#include "vfs/poll.h"

#define CHUNK 256			/* bytes copied between program and ring at a time */
#define DECISECOND_NS 100000000ULL

static struct tty_file *tty_file_of(struct file *file)
{
	return file->private;
}

bool tty_file_is_dead(const struct tty_file *tf)
{
	return read_once(tf->tty->hangups) != tf->hangups;
}

void tty_send_signals(struct tty *tty, tty_signals_t signals)
{
	uint32_t foreground = read_once(tty->foreground);

	for (int signo = 1; signals != 0 && foreground != 0; signo++, signals >>= 1) {
		if (signals & 1)
			(void)signal_send_group_id(foreground, signo);
	}
}

int tty_check_foreground(struct tty *tty, int signo)
{
	if (session_current_tty() != tty ||
	    process_current_group_id() == read_once(tty->foreground))
		return 0;
	return job_stop_background(signo);
}

/* The ids first: the lock of processes is taken before a terminal's. */
int tty_set_session(struct tty *tty)
{
	uint32_t session = process_current_session_id();
	uint32_t foreground = process_current_group_id();
	int error = session_set_tty(tty);

	if (error != 0)
		return error;
	spin_lock(&tty->lock);
	tty->session = session;
	tty->foreground = foreground;
	spin_unlock(&tty->lock);
	return 0;
}

/* A session leader without a terminal gets this one, unless it asked not to. */
static void tty_become_controlling(struct tty *tty, struct file *file)
{
	if ((file->flags & O_NOCTTY) || !process_current_is_session_leader() ||
	    session_current_tty() != NULL || read_once(tty->session) != 0)
		return;
	if (tty_set_session(tty) != 0)
		log_debug("tty: the session got another terminal meanwhile");
}

int tty_open(struct tty *tty, struct file *file)
{
	struct tty_file *tf = kzalloc(sizeof(*tf));
	int error = 0;

	if (tf == NULL)
		return -ENOMEM;
	spin_lock(&tty->lock);
	if (!tty->master_open || tty->locked)
		error = -EIO;
	else if (tty->exclusive && !capable(CAP_SYS_ADMIN))
		error = -EBUSY;
	if (error == 0) {
		tty->slave_count++;
		tty->slave_was_open = true;
		tf->hangups = tty->hangups;
	}
	spin_unlock(&tty->lock);
	if (error != 0) {
		kfree(tf);
		return error;
	}
	tty_get(tty);
	tf->tty = tty;
	file->ops = &tty_file_ops;
	file->private = tf;
	tty_become_controlling(tty, file);
	return 0;
}

static void tty_release(struct file *file)
{
	struct tty_file *tf = tty_file_of(file);
	struct tty *tty = tf->tty;

	spin_lock(&tty->lock);
	tty->slave_count--;
	spin_unlock(&tty->lock);
	wake_up_all(&tty->master_wait);
	tty_put(tty);
	kfree(tf);
}

void tty_hangup(struct tty *tty)
{
	uint32_t session;

	spin_lock(&tty->lock);
	tty->hangups++;
	session = tty->session;
	ldisc_flush_input(tty);
	spin_unlock(&tty->lock);
	tty_send_signals(tty, sigmask_of(SIGHUP) | sigmask_of(SIGCONT));
	if (session != 0 && session != read_once(tty->foreground)) {
		(void)signal_send_group_id(session, SIGHUP);
		(void)signal_send_group_id(session, SIGCONT);
	}
	session_clear_tty(tty);
	spin_lock(&tty->lock);
	tty->session = 0;
	tty->foreground = 0;
	spin_unlock(&tty->lock);
	wake_up_all(&tty->slave_wait);
	wake_up_all(&tty->master_wait);
}

/* --- reading ---------------------------------------------------------------------------------- */

static size_t tty_readable(struct tty *tty)
{
	size_t n;

	spin_lock(&tty->lock);
	n = ldisc_readable(tty);
	spin_unlock(&tty->lock);
	return n;
}

static bool tty_is_gone(struct tty_file *tf)
{
	return tty_file_is_dead(tf) || !read_once(tf->tty->master_open);
}

/* Bytes for the reader, in chunks; a canonical read ends with its line. */
static ssize_t read_ready(struct tty *tty, struct iobuf *to)
{
	unsigned char chunk[CHUNK];
	ssize_t total = 0;
	bool eof = false, canonical;

	do {
		size_t want = to->left < CHUNK ? to->left : CHUNK, got;

		spin_lock(&tty->lock);
		canonical = (tty->termios.c_lflag & ICANON) != 0;
		got = ldisc_take(tty, chunk, want, &eof);
		spin_unlock(&tty->lock);
		if (got == 0)
			break;
		if (iobuf_put(to, chunk, got) != got)
			return total > 0 ? total : -EFAULT;
		total += (ssize_t)got;
		if (canonical && (eof || got < want || chunk[got - 1] == '\n'))
			break;
	} while (to->left > 0);
	wake_up_all(&tty->master_wait);		/* there may be room for its bytes now */
	return total;
}

/* How many bytes must be there before a raw read returns (VMIN), bounded by the buffer. */
static size_t read_minimum(struct tty *tty, size_t n)
{
	size_t minimum = tty->termios.c_cc[VMIN];

	if (minimum == 0)
		minimum = 1;		/* VTIME alone: the first byte ends the wait */
	return minimum < n ? minimum : n;
}

static bool tty_has_line(struct tty *tty)
{
	bool has;

	spin_lock(&tty->lock);
	has = ldisc_has_line(tty);
	spin_unlock(&tty->lock);
	return has;
}

/* Waits for input by the rules of termios(3). 0: go and read; 1: the time is over or the line is
 * gone: what is there, maybe nothing; or -errno. */
static int wait_input(struct file *file, struct tty_file *tf, size_t n)
{
	struct tty *tty = tf->tty;
	bool canonical = (tty->termios.c_lflag & ICANON) != 0;
	uint64_t time_ns = tty->termios.c_cc[VTIME] * DECISECOND_NS;
	size_t minimum = canonical ? 1 : read_minimum(tty, n), before = 0;
	int error;

	for (;;) {
		size_t now = tty_readable(tty);
		uint64_t deadline = TIME_NEVER;

		if (now >= minimum || (canonical && tty_has_line(tty)))
			return 0;
		if (tty_is_gone(tf))
			return 1;
		if (file->flags & O_NONBLOCK)
			return now > 0 && !canonical ? 0 : -EAGAIN;
		if (!canonical && tty->termios.c_cc[VMIN] == 0 && time_ns == 0)
			return 1;
		/* VTIME runs from the call when VMIN is 0, else between bytes. */
		if (!canonical && time_ns != 0 && (tty->termios.c_cc[VMIN] == 0 || now > 0))
			deadline = clock_ns() + time_ns;
		before = now;
		error = wait_event_until(&tty->slave_wait,
					 tty_readable(tty) != before || tty_is_gone(tf),
					 WAIT_INTERRUPTIBLE, deadline);
		if (error == -ETIMEDOUT)
			return 1;
		if (error != 0)
			return error;
	}
}

static ssize_t tty_read(struct file *file, struct iobuf *to, loff_t *pos)
{
	struct tty_file *tf = tty_file_of(file);
	struct tty *tty = tf->tty;
	ssize_t done;
	int error;

	if (tty_file_is_dead(tf))
		return 0;
	done = tty_check_foreground(tty, SIGTTIN);
	if (done != 0 || to->left == 0)
		return done;
	/* One reader at a time, also while it waits for input: first come, first served. */
	error = mutex_lock_turn(&tty->read_mutex, (file->flags & O_NONBLOCK) != 0);
	if (error != 0)
		return error;
	done = wait_input(file, tf, to->left);
	if (done >= 0)
		done = read_ready(tty, to);
	mutex_unlock(&tty->read_mutex);
	return done;
}

/* --- writing ---------------------------------------------------------------------------------- */

/* Puts bytes on the output ring; how many went. */
static size_t output_some(struct tty *tty, const unsigned char *from, size_t n)
{
	size_t done = 0;

	spin_lock(&tty->lock);
	while (done < n && !tty->output_stopped && ldisc_output(tty, from[done]))
		done++;
	spin_unlock(&tty->lock);
	if (done > 0)
		wake_up_key(&tty->master_wait, POLLIN | POLLRDNORM);
	return done;
}

static bool output_possible(struct tty_file *tf)
{
	struct tty *tty = tf->tty;
	bool yes;

	spin_lock(&tty->lock);
	yes = ring_free(&tty->output) >= 8 && !tty->output_stopped;
	spin_unlock(&tty->lock);
	return yes || tty_is_gone(tf);
}

static ssize_t write_chunk(struct file *file, struct tty_file *tf, const unsigned char *from,
			   size_t n)
{
	size_t done = 0;
	int error;

	while (done < n) {
		if (tty_is_gone(tf))
			return done > 0 ? (ssize_t)done : -EIO;
		done += output_some(tf->tty, from + done, n - done);
		if (done == n)
			break;
		if (file->flags & O_NONBLOCK)
			return done > 0 ? (ssize_t)done : -EAGAIN;
		error = wait_event_interruptible(&tf->tty->slave_wait, output_possible(tf));
		if (error != 0)
			return done > 0 ? (ssize_t)done : error;
	}
	return (ssize_t)done;
}

static ssize_t write_locked(struct file *file, struct tty_file *tf, struct iobuf *from)
	REQUIRES(&tf->tty->write_mutex)
{
	unsigned char chunk[CHUNK];
	ssize_t total = 0, done = 0;

	while (from->left > 0) {
		size_t n = iobuf_take(from, chunk, from->left < CHUNK ? from->left : CHUNK);

		done = n == 0 ? -EFAULT : write_chunk(file, tf, chunk, n);
		if (done > 0)
			total += done;
		if (done < (ssize_t)n) {
			if (done >= 0)
				iobuf_rewind(from, n - (size_t)done);
			break;
		}
	}
	return total > 0 ? total : done;
}

static ssize_t tty_write(struct file *file, struct iobuf *from, loff_t *pos)
{
	struct tty_file *tf = tty_file_of(file);
	struct tty *tty = tf->tty;
	ssize_t done;
	int error;

	if (tty->termios.c_lflag & TOSTOP) {
		done = tty_check_foreground(tty, SIGTTOU);
		if (done != 0)
			return done;
	}
	if (tty_file_is_dead(tf))
		return -EIO;
	/* One writer at a time, also while it waits for room. */
	error = mutex_lock_turn(&tty->write_mutex, (file->flags & O_NONBLOCK) != 0);
	if (error != 0)
		return error;
	done = write_locked(file, tf, from);
	mutex_unlock(&tty->write_mutex);
	return done;
}

static uint32_t tty_poll(struct file *file, struct poll_table *table)
{
	struct tty_file *tf = tty_file_of(file);
	struct tty *tty = tf->tty;
	uint32_t events = 0;

	poll_wait(file, &tty->slave_wait, table);
	spin_lock(&tty->lock);
	if (ldisc_readable(tty) > 0 || ldisc_has_line(tty))
		events |= POLLIN | POLLRDNORM;
	if (ring_free(&tty->output) >= 8 && !tty->output_stopped)
		events |= POLLOUT | POLLWRNORM;
	spin_unlock(&tty->lock);
	if (tty_is_gone(tf))
		events |= POLLHUP | POLLIN | POLLOUT | POLLERR;
	return events;
}

const struct file_ops tty_file_ops = {
	.name = "tty",
	.read = tty_read,
	.write = tty_write,
	.poll = tty_poll,
	.ioctl = tty_ioctl,
	.release = tty_release,
	.stream = true,
};
