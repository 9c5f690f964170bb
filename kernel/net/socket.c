/*
 * Sockets as files, and the table of families.
 */
#include "net/socket.h"

#include "abi/errno.h"
#include "abi/fcntl.h"
#include "abi/ioctl.h"
#include "abi/stat.h"
#include "core/atomic.h"
#include "net/unix/unix.h"
#include "vfs/poll.h"

#define BUFFER_DEFAULT 212992u		/* net.core.rmem_default of Linux */

static struct socket_family *families;	/* [I] after boot */

void socket_family_register(struct socket_family *family)
{
	family->next = families;
	families = family;
}

void socket_init(struct socket *s, const struct socket_ops *ops, int family, int type, int protocol)
{
	s->ops = ops;
	s->family = family;
	s->type = type;
	s->protocol = protocol;
	s->send_buffer = BUFFER_DEFAULT;
	s->receive_buffer = BUFFER_DEFAULT;
	s->linger = -1;
	wait_queue_init(&s->wait);
}

int socket_create(int family, int type, int protocol, struct socket **out)
{
	for (struct socket_family *f = families; f != NULL; f = f->next) {
		if (f->family == family)
			return f->create(type, protocol, out);
	}
	return -EAFNOSUPPORT;
}

uint64_t socket_deadline(uint64_t timeout_ns)
{
	return timeout_ns == 0 ? TIME_NEVER : clock_ns() + timeout_ns;
}

int socket_take_error(struct socket *s)
{
	return -(int)__atomic_exchange_n(&s->error, 0, __ATOMIC_ACQ_REL);
}

/* --- the file --------------------------------------------------------------------------------- */

static bool call_is_nonblocking(const struct file *file, const struct iobuf *io)
{
	return (file->flags & O_NONBLOCK) != 0 || io->nonblocking;
}

static ssize_t socket_read(struct file *file, struct iobuf *to, loff_t *pos)
{
	struct socket *s = file->private;
	struct socket_message m = { .io = to };
	ssize_t done = s->ops->receive(s, &m, call_is_nonblocking(file, to));

	control_put_files(&m);		/* read(2) has no room for them */
	return done;
}

static ssize_t socket_write(struct file *file, struct iobuf *from, loff_t *pos)
{
	struct socket *s = file->private;
	struct socket_message m = { .io = from };

	return s->ops->send(s, &m, call_is_nonblocking(file, from));
}

static uint32_t socket_poll(struct file *file, struct poll_table *table)
{
	struct socket *s = file->private;

	return s->ops->poll(s, file, table);
}

static long socket_ioctl(struct file *file, unsigned int command, uint64_t arg)
{
	struct socket *s = file->private;

	return s->ops->ioctl != NULL ? s->ops->ioctl(s, command, arg) : -ENOIOCTLCMD;
}

static void socket_release(struct file *file)
{
	struct socket *s = file->private;

	s->ops->release(s);
}

static const struct file_ops socket_file_ops = {
	.name = "socket",
	.read = socket_read,
	.write = socket_write,
	.poll = socket_poll,
	.ioctl = socket_ioctl,
	.release = socket_release,
	.stream = true,
};

int socket_file_create(struct socket *s, int flags, struct file **out)
{
	int error = file_create_anonymous(&socket_file_ops, s, O_RDWR | (flags & O_NONBLOCK),
					  S_IFSOCK | 0777, out);

	if (error == 0)
		s->file = *out;
	return error;
}

struct socket *socket_of_file(const struct file *file)
{
	return file->ops == &socket_file_ops ? file->private : NULL;
}

void net_init(void)
{
	unix_init();
}
