/*
 * Terminal ioctls (ioctl_tty(2)).
 */
#include "abi/capability.h"
#include "abi/errno.h"
#include "abi/signal.h"
#include "core/user_copy.h"
#include "dev/tty/tty.h"
#include "proc/job.h"
#include "proc/task.h"

/* TCSETS changes what struct termios has; the speeds only follow in the new form. */
static int set_termios(struct tty *tty, uint64_t arg, size_t bytes, bool flush)
{
	struct abi_termios2 new;
	uint32_t old_lflag;
	int error;

	spin_lock(&tty->lock);
	new = tty->termios;
	spin_unlock(&tty->lock);
	error = copy_from_user(&new, user_addr(arg), bytes);
	if (error != 0)
		return error;
	spin_lock(&tty->lock);
	if (flush)
		ldisc_flush_input(tty);
	old_lflag = tty->termios.c_lflag;
	tty->termios = new;
	ldisc_mode_changed(tty, old_lflag);
	if ((new.c_iflag & IXON) == 0)
		tty->output_stopped = false;
	spin_unlock(&tty->lock);
	wake_up_all(&tty->slave_wait);
	wake_up_all(&tty->master_wait);
	return 0;
}

static int get_termios(struct tty *tty, uint64_t arg, size_t bytes)
{
	struct abi_termios2 copy;

	spin_lock(&tty->lock);
	copy = tty->termios;
	spin_unlock(&tty->lock);
	return copy_to_user(user_addr(arg), &copy, bytes);
}

static bool output_is_drained(struct tty *tty)
{
	return ring_is_empty(&tty->output) || !tty->master_open;
}

static int drain(struct tty *tty)
{
	return wait_event_interruptible(&tty->slave_wait, output_is_drained(tty));
}

static int set_winsize(struct tty *tty, uint64_t arg)
{
	struct abi_winsize new;
	bool changed;
	int error = copy_from_user(&new, user_addr(arg), sizeof(new));

	if (error != 0)
		return error;
	spin_lock(&tty->lock);
	changed = memcmp(&tty->winsize, &new, sizeof(new)) != 0;
	tty->winsize = new;
	spin_unlock(&tty->lock);
	if (changed)
		tty_send_signals(tty, sigmask_of(SIGWINCH));
	return 0;
}

static int get_winsize(struct tty *tty, uint64_t arg)
{
	struct abi_winsize copy;

	spin_lock(&tty->lock);
	copy = tty->winsize;
	spin_unlock(&tty->lock);
	return copy_to_user(user_addr(arg), &copy, sizeof(copy));
}

static int flush_queue(struct tty *tty, uint64_t which)
{
	if (which > TCIOFLUSH)
		return -EINVAL;
	spin_lock(&tty->lock);
	if (which != TCOFLUSH)
		ldisc_flush_input(tty);
	if (which != TCIFLUSH)
		ring_clear(&tty->output);
	spin_unlock(&tty->lock);
	wake_up_all(&tty->slave_wait);
	wake_up_all(&tty->master_wait);
	return 0;
}

static int flow(struct tty *tty, uint64_t action)
{
	if (action > TCION)
		return -EINVAL;
	if (action == TCOOFF || action == TCOON) {
		spin_lock(&tty->lock);
		tty->output_stopped = action == TCOOFF;
		spin_unlock(&tty->lock);
		wake_up_all(&tty->slave_wait);
	}
	return 0;
}

static int put_count(struct tty *tty, uint64_t arg, bool input)
{
	int n;

	spin_lock(&tty->lock);
	n = (int)(input ? ldisc_readable(tty) : ring_filled(&tty->output));
	spin_unlock(&tty->lock);
	return copy_to_user(user_addr(arg), &n, sizeof(n));
}

/* --- job control ------------------------------------------------------------------------------ */

static int get_foreground(struct tty *tty, uint64_t arg, bool from_master)
{
	uint32_t id = read_once(tty->foreground);

	if (!from_master && session_current_tty() != tty)
		return -ENOTTY;
	return copy_to_user(user_addr(arg), &id, sizeof(id));
}

static int set_foreground(struct tty *tty, uint64_t arg)
{
	uint32_t id, session;
	int error = tty_check_foreground(tty, SIGTTOU);

	if (error != 0)
		return error;
	if (session_current_tty() != tty)
		return -ENOTTY;
	error = copy_from_user(&id, user_addr(arg), sizeof(id));
	if (error != 0)
		return error;
	if ((int32_t)id < 0)
		return -EINVAL;
	session = process_group_session_id(id);
	if (session == 0)
		return -ESRCH;
	if (session != process_current_session_id())
		return -EPERM;
	write_once(tty->foreground, id);
	return 0;
}

static int get_session(struct tty *tty, uint64_t arg)
{
	uint32_t id = read_once(tty->session);

	if (session_current_tty() != tty)
		return -ENOTTY;
	return copy_to_user(user_addr(arg), &id, sizeof(id));
}

/* TIOCSCTTY: arg 1 takes it from another session, with the right. */
static int set_controlling(struct tty *tty, uint64_t arg)
{
	if (session_current_tty() == tty && process_current_is_session_leader())
		return 0;
	if (!process_current_is_session_leader() || session_current_tty() != NULL)
		return -EPERM;
	if (read_once(tty->session) != 0) {
		if (arg != 1 || !capable(CAP_SYS_ADMIN))
			return -EPERM;
		session_clear_tty(tty);
	}
	return tty_set_session(tty);
}

/* TIOCNOTTY: a leader gives the terminal up for its whole session. */
static int give_up_controlling(struct tty *tty)
{
	if (session_current_tty() != tty)
		return -ENOTTY;
	if (!process_current_is_session_leader())
		return 0;
	tty_send_signals(tty, sigmask_of(SIGHUP) | sigmask_of(SIGCONT));
	session_clear_tty(tty);
	spin_lock(&tty->lock);
	tty->session = 0;
	tty->foreground = 0;
	spin_unlock(&tty->lock);
	return 0;
}

static int simulate_input(struct tty *tty, uint64_t arg)
{
	tty_signals_t signals = 0;
	unsigned char byte;
	int error;

	if (session_current_tty() != tty && !capable(CAP_SYS_ADMIN))
		return -EPERM;
	error = copy_from_user(&byte, user_addr(arg), 1);
	if (error != 0)
		return error;
	spin_lock(&tty->lock);
	(void)ldisc_receive(tty, byte, &signals);
	spin_unlock(&tty->lock);
	tty_send_signals(tty, signals);
	wake_up_all(&tty->slave_wait);
	return 0;
}

/* The calls that change what the terminal does: a background process is stopped first. */
static bool changes_terminal(unsigned int command)
{
	switch (command) {
	case TCSETS: case TCSETSW: case TCSETSF:
	case TCSETS2: case TCSETSW2: case TCSETSF2:
	case TCSBRK: case TCSBRKP: case TCXONC: case TCFLSH: case TIOCSETD:
		return true;
	default:
		return false;
	}
}

long tty_ioctl_common(struct tty *tty, unsigned int command, uint64_t arg)
{
	const size_t old_bytes = sizeof(struct abi_termios);
	const size_t new_bytes = sizeof(struct abi_termios2);

	switch (command) {
	case TCGETS:
		return get_termios(tty, arg, old_bytes);
	case TCGETS2:
		return get_termios(tty, arg, new_bytes);
	case TCSETS: case TCSETSW:
		return set_termios(tty, arg, old_bytes, false);
	case TCSETSF:
		return set_termios(tty, arg, old_bytes, true);
	case TCSETS2: case TCSETSW2:
		return set_termios(tty, arg, new_bytes, false);
	case TCSETSF2:
		return set_termios(tty, arg, new_bytes, true);
	case TIOCGWINSZ:
		return get_winsize(tty, arg);
	case TIOCSWINSZ:
		return set_winsize(tty, arg);
	case TCFLSH:
		return flush_queue(tty, arg);
	case TCXONC:
		return flow(tty, arg);
	case TIOCSPGRP:
		return set_foreground(tty, arg);
	default:
		return -ENOIOCTLCMD;
	}
}

static long slave_ioctl(struct tty *tty, unsigned int command, uint64_t arg)
{
	int zero = 0;

	switch (command) {
	case FIONREAD:
		return put_count(tty, arg, true);
	case TIOCOUTQ:
		return put_count(tty, arg, false);
	case TIOCGPGRP:
		return get_foreground(tty, arg, false);
	case TIOCGSID:
		return get_session(tty, arg);
	case TIOCSCTTY:
		return set_controlling(tty, arg);
	case TIOCNOTTY:
		return give_up_controlling(tty);
	case TIOCSTI:
		return simulate_input(tty, arg);
	case TIOCGETD:
		return copy_to_user(user_addr(arg), &zero, sizeof(zero));
	case TCSBRK: case TCSBRKP:
		return drain(tty);
	case TIOCEXCL: case TIOCNXCL:
		write_once(tty->exclusive, command == TIOCEXCL);
		return 0;
	case TIOCVHANGUP:
		if (!capable(CAP_SYS_ADMIN))
			return -EPERM;
		tty_hangup(tty);
		return 0;
	default:
		return tty_ioctl_common(tty, command, arg);
	}
}

long tty_ioctl(struct file *file, unsigned int command, uint64_t arg)
{
	struct tty_file *tf = file->private;
	long result;

	if (tty_file_is_dead(tf))
		return -EIO;
	if (changes_terminal(command)) {
		result = tty_check_foreground(tf->tty, SIGTTOU);
		if (result != 0)
			return result;
	}
	if (command == TCSETSW || command == TCSETSF || command == TCSETSW2 ||
	    command == TCSETSF2) {
		result = drain(tf->tty);
		if (result != 0)
			return result;
	}
	result = slave_ioctl(tf->tty, command, arg);
	return result == -ENOIOCTLCMD ? -ENOTTY : result;
}
