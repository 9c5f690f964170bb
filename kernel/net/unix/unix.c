/*
 * Making and freeing AF_UNIX sockets, and the three types' operations.
 */
#include "net/unix/unix.h"

#include "abi/errno.h"
#include "lib/string.h"
#include "mem/slab.h"
#include "net/unix/unix_internal.h"
#include "proc/task.h"

struct mutex unix_mutex;

void unix_fill_credentials(struct abi_ucred *to)
{
	const struct cred *cred = cred_current();

	*to = (struct abi_ucred){ (int32_t)process_current()->pid, cred->euid, cred->egid };
}

static const struct socket_ops *ops_of(int type)
{
	if (type == SOCK_STREAM)
		return &unix_stream_ops;
	return type == SOCK_DGRAM ? &unix_datagram_ops : &unix_seqpacket_ops;
}

struct unix_socket *unix_socket_create(int type)
{
	struct unix_socket *u = kzalloc(sizeof(*u));

	if (u == NULL)
		return NULL;
	socket_init(&u->socket, ops_of(type), AF_UNIX, type, 0);
	refcount_init(&u->references);
	spin_init(&u->lock, RANK_SOCKET);
	list_init(&u->packets);
	list_init(&u->waiting);
	list_init(&u->accept_node);
	list_init(&u->inflight_node);
	mutex_init(&u->receive_mutex);
	return u;
}

/* The last reference: nobody can reach it, so its queue is empty or garbage. */
void unix_put(struct unix_socket *u)
{
	if (!refcount_put(&u->references))
		return;
	unix_drop_queue(u);
	unix_name_put(u->name);
	kfree(u);
}

struct unix_socket *unix_peer_get(struct unix_socket *u)
{
	struct unix_socket *peer;

	spin_lock(&u->lock);
	peer = u->peer;
	if (peer != NULL)
		unix_get(peer);
	spin_unlock(&u->lock);
	return peer;
}

static int unix_create(int type, int protocol, struct socket **out)
{
	struct unix_socket *u;

	if (protocol != 0 && protocol != AF_UNIX)
		return -EPROTONOSUPPORT;
	if (type == SOCK_RAW)
		type = SOCK_DGRAM;
	if (type != SOCK_STREAM && type != SOCK_DGRAM && type != SOCK_SEQPACKET)
		return -ESOCKTNOSUPPORT;
	u = unix_socket_create(type);
	if (u == NULL)
		return -ENOMEM;
	*out = &u->socket;
	return 0;
}

static int unix_get_option(struct socket *s, int level, int name, void *value, size_t *bytes)
{
	struct unix_socket *u = unix_of(s);
	struct abi_ucred none = { 0, UINT32_MAX, UINT32_MAX };
	int listening = u->state == UNIX_LISTENING;

	if (level != SOL_SOCKET)
		return -EOPNOTSUPP;
	if (name == SO_PEERCRED) {
		bool known = u->peer_credentials.pid != 0;

		*bytes = *bytes < sizeof(none) ? *bytes : sizeof(none);
		memcpy(value, known ? &u->peer_credentials : &none, *bytes);
		return 0;
	}
	if (name == SO_ACCEPTCONN) {
		*bytes = *bytes < sizeof(listening) ? *bytes : sizeof(listening);
		memcpy(value, &listening, *bytes);
		return 0;
	}
	return -ENOPROTOOPT;
}

#define COMMON_OPS                                                                                \
	.bind = unix_bind, .name = unix_name, .connect = unix_connect, .pair = unix_pair,         \
	.shutdown = unix_shutdown, .poll = unix_poll, .release = unix_release,                    \
	.get_option = unix_get_option, .ioctl = unix_ioctl

const struct socket_ops unix_stream_ops = {
	COMMON_OPS, .listen = unix_listen, .accept = unix_accept,
	.send = unix_stream_send, .receive = unix_stream_receive,
};

const struct socket_ops unix_seqpacket_ops = {
	COMMON_OPS, .listen = unix_listen, .accept = unix_accept,
	.send = unix_packet_send, .receive = unix_packet_receive,
};

const struct socket_ops unix_datagram_ops = {
	COMMON_OPS, .send = unix_packet_send, .receive = unix_packet_receive,
};

static struct socket_family unix_family = { .family = AF_UNIX, .create = unix_create };

void unix_init(void)
{
	mutex_init(&unix_mutex);
	socket_family_register(&unix_family);
}
