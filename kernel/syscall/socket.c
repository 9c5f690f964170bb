/*
 * Socket calls: addresses and control data in and out, one call of the family's between.
 */
#include "abi/errno.h"
#include "abi/fcntl.h"
#include "abi/signal.h"
#include "core/user_copy.h"
#include "lib/string.h"
#include "mem/slab.h"
#include "net/socket.h"
#include "proc/task.h"
#include "syscall/args.h"
#include "syscall/syscalls.h"
#include "syscall/user_iovec.h"
#include "syscall/user_socket.h"

/* --- arguments -------------------------------------------------------------------------------- */

int user_socket_get(uint64_t fd, struct fd_ref *ref, struct socket **out)
{
	if (!fd_get((int)fd, ref))
		return -EBADF;
	*out = socket_of_file(ref->file);
	if (*out != NULL)
		return 0;
	fd_put(ref);
	return -ENOTSOCK;
}

static bool is_nonblocking(const struct fd_ref *ref)
{
	return (ref->file->flags & O_NONBLOCK) != 0;
}

static int name_get(uint64_t address, uint64_t bytes, struct abi_sockaddr_storage *name)
{
	memset(name, 0, sizeof(*name));
	if ((int)bytes < 0 || (uint32_t)bytes > sizeof(*name))
		return -EINVAL;
	return (uint32_t)bytes == 0 ? 0 : copy_from_user(name, user_addr(address), (uint32_t)bytes);
}

/* Writes a name as far as the caller has room, and its true length. NULL address: nothing. */
static int name_put(uint64_t address, uint64_t bytes_address,
		    const struct abi_sockaddr_storage *name, size_t bytes)
{
	int32_t room, length = (int32_t)bytes;
	int error;

	if (address == 0)
		return 0;
	error = copy_from_user(&room, user_addr(bytes_address), sizeof(room));
	if (error != 0)
		return error;
	if (room < 0)
		return -EINVAL;
	error = copy_to_user(user_addr(address), name, (size_t)(room < length ? room : length));
	return error != 0 ? error : copy_to_user(user_addr(bytes_address), &length, sizeof(length));
}

/* --- making them ------------------------------------------------------------------------------ */

static int check_type(uint64_t type)
{
	uint64_t kind = type & SOCK_TYPE_MASK;

	if ((type & ~(uint64_t)(SOCK_TYPE_MASK | SOCK_CLOEXEC | SOCK_NONBLOCK)) != 0)
		return -EINVAL;
	return kind >= SOCK_MAX ? -EINVAL : 0;	/* the rest is the family's to know */
}

/* A socket and its file; on failure nothing is left. */
static int make_file(uint64_t family, uint64_t type, uint64_t protocol, struct file **out)
{
	struct socket *s;
	int error = socket_create((int)family, (int)(type & SOCK_TYPE_MASK), (int)protocol, &s);

	if (error != 0)
		return error;
	error = socket_file_create(s, type & SOCK_NONBLOCK ? O_NONBLOCK : 0, out);
	if (error != 0)
		s->ops->release(s);
	return error;
}

long sys_socket(uint64_t family, uint64_t type, uint64_t protocol)
{
	struct file *file;
	int error = check_type(type);

	if (error == 0)
		error = make_file(family, type, protocol, &file);
	return error != 0 ? error : fd_add(file, (type & SOCK_CLOEXEC) != 0);
}

/* Two descriptors whose numbers are at `to` already; nothing is left on failure. */
static int reserve_pair(int fds[2], bool close_on_exec, uint64_t to)
{
	int error;

	fds[0] = fd_reserve(0, close_on_exec);
	if (fds[0] < 0)
		return fds[0];
	fds[1] = fd_reserve(0, close_on_exec);
	error = fds[1] < 0 ? fds[1] : copy_to_user(user_addr(to), fds, 2 * sizeof(fds[0]));
	if (error != 0) {
		fd_cancel(fds[0]);
		if (fds[1] >= 0)
			fd_cancel(fds[1]);
	}
	return error;
}

static int make_pair(uint64_t family, uint64_t type, uint64_t protocol, struct file *files[2])
{
	struct socket *a, *b;
	int error = 0;

	for (int i = 0; i < 2 && error == 0; i++)
		error = make_file(family, type, protocol, &files[i]);
	if (error == 0) {
		a = socket_of_file(files[0]);
		b = socket_of_file(files[1]);
		error = a->ops->pair != NULL ? a->ops->pair(a, b) : -EOPNOTSUPP;
	}
	for (int i = 0; i < 2 && error != 0; i++) {
		if (files[i] != NULL)
			file_put(files[i]);
	}
	return error;
}

long sys_socketpair(uint64_t family, uint64_t type, uint64_t protocol, uint64_t to)
{
	struct file *files[2] = { NULL, NULL };
	int fds[2], error = check_type(type);

	if (error == 0)
		error = reserve_pair(fds, (type & SOCK_CLOEXEC) != 0, to);
	if (error != 0)
		return error;
	error = make_pair(family, type, protocol, files);
	for (int i = 0; i < 2; i++) {
		if (error == 0)
			fd_install(fds[i], files[i]);
		else
			fd_cancel(fds[i]);
	}
	return error;
}

/* --- names and connections -------------------------------------------------------------------- */

long sys_bind(uint64_t fd, uint64_t address, uint64_t bytes)
{
	struct abi_sockaddr_storage name;
	struct socket *s;
	struct fd_ref ref;
	long error = user_socket_get(fd, &ref, &s);

	if (error != 0)
		return error;
	error = name_get(address, bytes, &name);
	if (error == 0)
		error = s->ops->bind(s, &name, (uint32_t)bytes);
	fd_put(&ref);
	return error;
}

long sys_listen(uint64_t fd, uint64_t backlog)
{
	struct socket *s;
	struct fd_ref ref;
	long error = user_socket_get(fd, &ref, &s);

	if (error != 0)
		return error;
	error = s->ops->listen != NULL ? s->ops->listen(s, (int)backlog) : -EOPNOTSUPP;
	fd_put(&ref);
	return error;
}

long sys_connect(uint64_t fd, uint64_t address, uint64_t bytes)
{
	struct abi_sockaddr_storage name;
	struct socket *s;
	struct fd_ref ref;
	long error;

	/* The name is read before it is known whether this is a socket. */
	if (!fd_get((int)fd, &ref))
		return -EBADF;
	s = socket_of_file(ref.file);
	error = name_get(address, bytes, &name);
	if (error == 0 && s == NULL)
		error = -ENOTSOCK;
	if (error == 0)
		error = s->ops->connect(s, &name, (uint32_t)bytes, is_nonblocking(&ref));
	fd_put(&ref);
	return error;
}

static long accept_file(struct socket *s, bool nonblocking, uint64_t flags, struct file **out)
{
	struct socket *made;
	long error;

	if (s->ops->accept == NULL)
		return -EOPNOTSUPP;
	error = s->ops->accept(s, nonblocking, &made);
	if (error != 0)
		return error;
	error = socket_file_create(made, flags & SOCK_NONBLOCK ? O_NONBLOCK : 0, out);
	if (error != 0)
		made->ops->release(made);
	return error;
}

/* The peer's name as the call's result; a peer that is gone again has none. */
static long put_peer(struct file *file, uint64_t address, uint64_t bytes_address)
{
	struct socket *s = socket_of_file(file);
	struct abi_sockaddr_storage name = { .ss_family = (uint16_t)s->family };
	size_t bytes = sizeof(name.ss_family);

	if (address == 0)
		return 0;
	if (s->ops->name(s, true, &name, &bytes) != 0)
		bytes = sizeof(name.ss_family);
	return name_put(address, bytes_address, &name, bytes);
}

long sys_accept4(uint64_t fd, uint64_t address, uint64_t bytes_address, uint64_t flags)
{
	struct socket *s;
	struct fd_ref ref;
	struct file *file;
	long error = user_socket_get(fd, &ref, &s);

	if (error != -EBADF && (flags & ~(uint64_t)(SOCK_CLOEXEC | SOCK_NONBLOCK)) != 0) {
		if (error == 0)
			fd_put(&ref);
		return -EINVAL;
	}
	if (error != 0)
		return error;
	error = accept_file(s, is_nonblocking(&ref), flags, &file);
	fd_put(&ref);
	if (error != 0)
		return error;
	error = put_peer(file, address, bytes_address);
	if (error != 0) {
		file_put(file);
		return error;
	}
	return fd_add(file, (flags & SOCK_CLOEXEC) != 0);
}

long sys_accept(uint64_t fd, uint64_t address, uint64_t bytes_address)
{
	return sys_accept4(fd, address, bytes_address, 0);
}

static long get_name(uint64_t fd, uint64_t address, uint64_t bytes_address, bool peer)
{
	struct abi_sockaddr_storage name;
	struct socket *s;
	struct fd_ref ref;
	size_t bytes = 0;
	long error = user_socket_get(fd, &ref, &s);

	if (error != 0)
		return error;
	memset(&name, 0, sizeof(name));
	error = s->ops->name(s, peer, &name, &bytes);
	fd_put(&ref);
	if (error == 0 && address == 0)
		return -EFAULT;
	return error != 0 ? error : name_put(address, bytes_address, &name, bytes);
}

long sys_getsockname(uint64_t fd, uint64_t address, uint64_t bytes_address)
{
	return get_name(fd, address, bytes_address, false);
}

long sys_getpeername(uint64_t fd, uint64_t address, uint64_t bytes_address)
{
	return get_name(fd, address, bytes_address, true);
}

long sys_shutdown(uint64_t fd, uint64_t how)
{
	struct socket *s;
	struct fd_ref ref;
	long error = user_socket_get(fd, &ref, &s);

	if (error != 0)
		return error;
	error = (uint32_t)how > SHUT_RDWR ? -EINVAL : s->ops->shutdown(s, (int)how);
	fd_put(&ref);
	return error;
}

/* --- messages --------------------------------------------------------------------------------- */

static ssize_t finish_send(ssize_t done, int flags)
{
	if (done == -EPIPE && (flags & MSG_NOSIGNAL) == 0)
		(void)signal_send_task(task_current(), SIGPIPE, NULL);
	return done;
}

static int init_user(struct iobuf *io, uint64_t buffer, uint64_t bytes)
{
	bytes = bytes < MAX_RW_COUNT ? bytes : MAX_RW_COUNT;
	if (!user_range_ok(user_addr(buffer), bytes))
		return -EFAULT;
	iobuf_init_user(io, user_addr(buffer), bytes);
	return 0;
}

long sys_sendto(uint64_t fd, uint64_t buffer, uint64_t bytes, uint64_t flags, uint64_t address,
		uint64_t address_bytes)
{
	struct iobuf io;
	struct socket_message m = { .io = &io, .flags = (int)flags };
	struct socket *s;
	struct fd_ref ref;
	long done = init_user(&io, buffer, bytes);

	if (done != 0)
		return done;
	done = user_socket_get(fd, &ref, &s);
	if (done != 0)
		return done;
	if (address != 0) {
		done = name_get(address, address_bytes, &m.name);
		m.name_bytes = (uint32_t)address_bytes;
	}
	if (done == 0)
		done = s->ops->send(s, &m, is_nonblocking(&ref));
	fd_put(&ref);
	return finish_send(done, m.flags);
}

long sys_recvfrom(uint64_t fd, uint64_t buffer, uint64_t bytes, uint64_t flags, uint64_t address,
		  uint64_t address_bytes)
{
	struct iobuf io;
	struct socket_message m = { .io = &io, .flags = (int)flags };
	struct socket *s;
	struct fd_ref ref;
	long done = init_user(&io, buffer, bytes), error;

	if (done != 0)
		return done;
	done = user_socket_get(fd, &ref, &s);
	if (done != 0)
		return done;
	done = s->ops->receive(s, &m, is_nonblocking(&ref));
	fd_put(&ref);
	control_put_files(&m);
	if (done < 0 || address == 0)
		return done;
	error = name_put(address, address_bytes, &m.name, m.name_bytes);
	return error != 0 ? error : done;
}

/* As socket_get for the calls with message headers, which refuse one flag before all else. */
static int message_socket_get(uint64_t fd, uint64_t flags, struct fd_ref *ref, struct socket **out)
{
	return (flags & MSG_CMSG_COMPAT) != 0 ? -EINVAL : user_socket_get(fd, ref, out);
}

static int header_get(uint64_t address, struct abi_msghdr *h)
{
	int error = copy_from_user(h, user_addr(address), sizeof(*h));

	if (error != 0)
		return error;
	if (h->msg_name == 0)
		h->msg_namelen = 0;
	if (h->msg_namelen < 0)
		return -EINVAL;
	if (h->msg_namelen > (int32_t)sizeof(struct abi_sockaddr_storage))
		h->msg_namelen = sizeof(struct abi_sockaddr_storage);
	return h->msg_iovlen > UIO_MAXIOV ? -EMSGSIZE : 0;
}

static long send_message(struct socket *s, uint64_t address, uint64_t flags, bool nonblocking)
{
	struct socket_message m = { .flags = (int)flags };
	struct user_iovec v;
	struct abi_msghdr h;
	long done = header_get(address, &h);

	if (done != 0)
		return done;
	done = user_iovec_get(&v, h.msg_iov, h.msg_iovlen);
	if (done != 0)
		return done;
	m.io = &v.io;
	m.name_bytes = (size_t)h.msg_namelen;
	done = name_get(h.msg_name, (uint64_t)h.msg_namelen, &m.name);
	if (done == 0 && h.msg_controllen > INT32_MAX)
		done = -ENOBUFS;
	if (done == 0 && h.msg_controllen > 0)
		done = control_parse(&m, h.msg_control, h.msg_controllen);
	if (done == 0) {
		done = s->ops->send(s, &m, nonblocking);
		control_put_files(&m);
	}
	user_iovec_put(&v);
	return finish_send(done, m.flags);
}

long sys_sendmsg(uint64_t fd, uint64_t message, uint64_t flags)
{
	struct socket *s;
	struct fd_ref ref;
	long done = message_socket_get(fd, flags, &ref, &s);

	if (done != 0)
		return done;
	done = send_message(s, message, flags, is_nonblocking(&ref));
	fd_put(&ref);
	return done;
}

/* What recvmsg writes back into the header: name length, control length, flags. */
static long receive_results(uint64_t address, struct abi_msghdr *h, struct socket_message *m)
{
	size_t control = h->msg_control != 0 ? (size_t)h->msg_controllen : 0;
	int32_t name_bytes = (int32_t)m->name_bytes;
	int error = 0;

	control_write(m, h->msg_control, &control);
	if (h->msg_name != 0) {
		int32_t n = name_bytes < h->msg_namelen ? name_bytes : h->msg_namelen;

		error = copy_to_user(user_addr(h->msg_name), &m->name, (size_t)n);
		h->msg_namelen = name_bytes;
	}
	h->msg_controllen = control;
	h->msg_flags = (uint32_t)m->out_flags |
		       ((uint32_t)m->flags & (uint32_t)MSG_CMSG_CLOEXEC);
	return error != 0 ? error : copy_to_user(user_addr(address), h, sizeof(*h));
}

static long receive_message(struct socket *s, uint64_t address, uint64_t flags, bool nonblocking)
{
	struct socket_message m = { .flags = (int)flags };
	struct user_iovec v;
	struct abi_msghdr h;
	long done = header_get(address, &h), error;

	if (done != 0)
		return done;
	done = user_iovec_get(&v, h.msg_iov, h.msg_iovlen);
	if (done != 0)
		return done;
	m.io = &v.io;
	done = s->ops->receive(s, &m, nonblocking);
	user_iovec_put(&v);
	if (done < 0) {
		control_put_files(&m);
		return done;
	}
	error = receive_results(address, &h, &m);
	return error != 0 ? error : done;
}

long sys_recvmsg(uint64_t fd, uint64_t message, uint64_t flags)
{
	struct socket *s;
	struct fd_ref ref;
	long done = message_socket_get(fd, flags, &ref, &s);

	if (done != 0)
		return done;
	done = receive_message(s, message, flags, is_nonblocking(&ref));
	fd_put(&ref);
	return done;
}

/* --- many messages ---------------------------------------------------------------------------- */

static int put_length(uint64_t message, long done)
{
	uint32_t length = (uint32_t)done;

	return copy_to_user(user_addr(message + offsetof(struct abi_mmsghdr, msg_len)), &length,
			    sizeof(length));
}

long sys_sendmmsg(uint64_t fd, uint64_t messages, uint64_t count, uint64_t flags)
{
	struct socket *s;
	struct fd_ref ref;
	long done = message_socket_get(fd, flags, &ref, &s);
	uint32_t n = 0, limit = (uint32_t)count < UIO_MAXIOV ? (uint32_t)count : UIO_MAXIOV;

	if (done != 0)
		return done;
	for (; n < limit; n++) {
		uint64_t at = messages + n * sizeof(struct abi_mmsghdr);

		done = send_message(s, at, flags, is_nonblocking(&ref));
		if (done >= 0)
			done = put_length(at, done);
		if (done < 0)
			break;
	}
	fd_put(&ref);
	return n > 0 ? (long)n : done;
}

long sys_recvmmsg(uint64_t fd, uint64_t messages, uint64_t count, uint64_t flags, uint64_t timeout)
{
	uint64_t deadline = TIME_NEVER, ns;
	struct socket *s;
	struct fd_ref ref;
	uint32_t n = 0, limit = (uint32_t)count < UIO_MAXIOV ? (uint32_t)count : UIO_MAXIOV;
	long done;

	if ((flags & MSG_CMSG_COMPAT) != 0)
		return -EINVAL;
	done = timeout != 0 ? timespec_get(timeout, &ns) : 0;
	if (done != 0)
		return done;
	if (timeout != 0)
		deadline = deadline_after(ns);
	done = user_socket_get(fd, &ref, &s);
	if (done != 0)
		return done;
	for (; n < limit && (n == 0 || clock_ns() < deadline); n++) {
		uint64_t at = messages + n * sizeof(struct abi_mmsghdr);
		uint64_t call_flags = flags & ~(uint64_t)MSG_WAITFORONE;

		if (n > 0 && (flags & MSG_WAITFORONE))
			call_flags |= MSG_DONTWAIT;
		done = receive_message(s, at, call_flags, is_nonblocking(&ref));
		if (done >= 0)
			done = put_length(at, done);
		if (done < 0)
			break;
	}
	fd_put(&ref);
	return n > 0 ? (long)n : done;
}
