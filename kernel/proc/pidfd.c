/*
 * Process descriptors: poll says POLLIN once the process has ended; waitid(P_PIDFD), pidfd_getfd
 * and pidfd_send_signal take them.
 */
#include "proc/pidfd.h"

#include "abi/errno.h"
#include "abi/fcntl.h"
#include "proc/proc_internal.h"
#include "vfs/poll.h"

static uint32_t pidfd_poll(struct file *file, struct poll_table *table)
{
	struct process *p = file->private;

	poll_wait(file, &p->exit_wait, table);
	return read_once(p->state) != PROCESS_RUNNING ? POLLIN | POLLRDNORM : 0;
}

static void pidfd_release(struct file *file)
{
	process_put(file->private);
}

static const struct file_ops pidfd_ops = {
	.name = "pidfd",
	.poll = pidfd_poll,
	.release = pidfd_release,
	.stream = true,
};

int pidfd_create_file(struct process *p, int flags, struct file **out)
{
	int error = file_create_anonymous(&pidfd_ops, p, O_RDWR | flags, 0, out);

	if (error == 0)
		process_get(p);
	return error;
}

struct process *pidfd_process(struct file *file)
{
	if (file->ops != &pidfd_ops)
		return NULL;
	process_get(file->private);
	return file->private;
}
