/*
 * signalfd: a read takes signals of the mask out of the queues of whoever reads.
 */
#include "proc/signalfd.h"

#include "abi/errno.h"
#include "abi/fcntl.h"
#include "lib/string.h"
#include "mem/slab.h"
#include "proc/proc_internal.h"
#include "vfs/poll.h"

struct signalfd {
	uint64_t mask;
};

static bool is_pending(const struct signalfd *s)
{
	struct task *task = task_current();

	return ((read_once(task->pending.mask) | read_once(task->process->shared_pending.mask)) &
		read_once(s->mask)) != 0;
}

static void hold_actions(void *sighand) { sighand_get(sighand); }
static void unhold_actions(void *sighand) { sighand_put(sighand); }

static uint32_t signalfd_poll(struct file *file, struct poll_table *table)
{
	struct sighand *sighand = process_current()->sighand;
	/* Of whoever asks: an exec or the exit of that process ends it before the file. */
	const struct poll_holder holder = { sighand, hold_actions, unhold_actions };

	poll_wait_held(file, &sighand->signalfd_wait, table, &holder);
	return is_pending(file->private) ? POLLIN | POLLRDNORM : 0;
}

static int take(uint64_t mask, struct abi_siginfo *info)
{
	struct task *task = task_current();
	irq_state_t state = signal_lock(task->process);
	int signo = signal_take_locked(task, mask, info);

	signal_recalculate_locked(task);
	signal_unlock(task->process, state);
	return signo;
}

static bool is_fault(int signo)
{
	return signo == SIGILL || signo == SIGBUS || signo == SIGFPE || signo == SIGSEGV ||
	       signo == SIGTRAP;
}

static void convert(const struct abi_siginfo *from, struct abi_signalfd_siginfo *to)
{
	memset(to, 0, sizeof(*to));
	to->ssi_signo = (uint32_t)from->si_signo;
	to->ssi_errno = from->si_errno;
	to->ssi_code = from->si_code;
	if (from->si_code == SI_TIMER) {
		to->ssi_tid = (uint32_t)from->timer.tid;
		to->ssi_overrun = (uint32_t)from->timer.overrun;
		to->ssi_ptr = from->timer.value.sival_ptr;
		to->ssi_int = from->timer.value.sival_int;
	} else if (from->si_code > 0 && is_fault(from->si_signo)) {
		to->ssi_addr = from->fault.addr;
	} else if (from->si_signo == SIGCHLD && from->si_code > 0) {
		to->ssi_pid = (uint32_t)from->child.pid;
		to->ssi_uid = from->child.uid;
		to->ssi_status = from->child.status;
		to->ssi_utime = (uint64_t)from->child.utime;
		to->ssi_stime = (uint64_t)from->child.stime;
	} else {
		to->ssi_pid = (uint32_t)from->queue.pid;
		to->ssi_uid = from->queue.uid;
		to->ssi_ptr = from->queue.value.sival_ptr;
		to->ssi_int = from->queue.value.sival_int;
	}
}

static int wait_one(struct file *file, bool nonblocking, struct abi_siginfo *info)
{
	struct signalfd *s = file->private;
	int signo, error;

	for (;;) {
		signo = take(read_once(s->mask), info);
		if (signo != 0)
			return signo;
		if (nonblocking)
			return -EAGAIN;
		error = wait_event_interruptible(&process_current()->sighand->signalfd_wait,
						 is_pending(s));
		if (error != 0)
			return error;
	}
}

static ssize_t signalfd_read(struct file *file, struct iobuf *to, loff_t *pos)
{
	bool nonblocking = (file->flags & O_NONBLOCK) != 0 || to->nonblocking;
	struct abi_signalfd_siginfo out;
	struct abi_siginfo info;
	ssize_t done = 0;

	if (to->left < sizeof(out))
		return -EINVAL;
	while (to->left >= sizeof(out)) {
		int signo = wait_one(file, nonblocking || done > 0, &info);

		if (signo < 0)
			return done > 0 ? done : signo;
		convert(&info, &out);
		if (iobuf_put(to, &out, sizeof(out)) != sizeof(out))
			return done > 0 ? done : -EFAULT;
		done += (ssize_t)sizeof(out);
	}
	return done;
}

static void signalfd_release(struct file *file)
{
	kfree(file->private);
}

static const struct file_ops signalfd_ops = {
	.name = "signalfd",
	.read = signalfd_read,
	.poll = signalfd_poll,
	.release = signalfd_release,
	.stream = true,
};

int signalfd_create_file(uint64_t mask, int flags, struct file **out)
{
	struct signalfd *s = kmalloc(sizeof(*s));
	int error;

	if (s == NULL)
		return -ENOMEM;
	s->mask = mask & ~signal_unmaskable();
	error = file_create_anonymous(&signalfd_ops, s, O_RDWR | flags, 0, out);
	if (error != 0)
		kfree(s);
	return error;
}

int signalfd_set_mask(struct file *file, uint64_t mask)
{
	struct signalfd *s = file->private;

	if (file->ops != &signalfd_ops)
		return -EINVAL;
	write_once(s->mask, mask & ~signal_unmaskable());
	wake_up_all(&process_current()->sighand->signalfd_wait);
	return 0;
}
