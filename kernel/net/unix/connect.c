/*
 * Connections: listen, connect, accept, pairs, shutdown, close.
 *
 * connect() makes the other end itself and puts it on the listener's list; accept() only takes it
 * from there. So a connection works before it is accepted.
 */
#include "abi/errno.h"
#include "mem/slab.h"
#include "net/unix/unix_internal.h"

static bool is_datagram(const struct unix_socket *u)
{
	return u->socket.type == SOCK_DGRAM;
}

int unix_listen(struct socket *s, int backlog)
{
	struct unix_socket *u = unix_of(s);
	int error = 0;

	mutex_lock(&unix_mutex);
	spin_lock(&u->lock);
	if (u->name == NULL || (u->state != UNIX_UNCONNECTED && u->state != UNIX_LISTENING))
		error = -EINVAL;
	if (error == 0) {
		u->state = UNIX_LISTENING;
		u->backlog = backlog < 0 || backlog > SOMAXCONN ? SOMAXCONN : (uint32_t)backlog;
		unix_fill_credentials(&u->credentials);
	}
	spin_unlock(&u->lock);
	mutex_unlock(&unix_mutex);
	if (error == 0)
		wake_up_all(&u->socket.wait);	/* connects that wait for a longer backlog */
	return error;
}

/* Makes a and b each other's peer; both locks are free. */
static void join(struct unix_socket *a, struct unix_socket *b)
{
	unix_get(a);
	unix_get(b);
	spin_lock(&a->lock);
	a->peer = b;
	a->state = UNIX_CONNECTED;
	spin_unlock(&a->lock);
	spin_lock(&b->lock);
	b->peer = a;
	b->state = UNIX_CONNECTED;
	spin_unlock(&b->lock);
}

static bool listener_has_room(struct unix_socket *listener)
{
	bool yes;

	spin_lock(&listener->lock);
	yes = listener->state != UNIX_LISTENING || listener->receive_shut ||
	      listener->waiting_count <= listener->backlog;
	spin_unlock(&listener->lock);
	return yes;
}

/* Puts the other end of u's connection on the listener's list. unix_mutex held. -EAGAIN: full. */
static int enter_backlog(struct unix_socket *u, struct unix_socket *listener,
			 struct unix_socket *other)
{
	int error = 0;

	if (u->state != UNIX_UNCONNECTED)
		return u->state == UNIX_CONNECTED ? -EISCONN : -EINVAL;
	spin_lock(&listener->lock);
	if (listener->state != UNIX_LISTENING || listener->receive_shut)
		error = -ECONNREFUSED;
	else if (listener->waiting_count > listener->backlog)
		error = -EAGAIN;
	spin_unlock(&listener->lock);
	if (error != 0)
		return error;
	unix_fill_credentials(&u->credentials);
	u->peer_credentials = listener->credentials;
	other->peer_credentials = u->credentials;
	other->credentials = listener->credentials;
	other->name = unix_name_get(listener->name);
	other->socket.pass_credentials = listener->socket.pass_credentials;
	join(u, other);
	spin_lock(&listener->lock);
	list_push_back(&listener->waiting, &other->accept_node);
	listener->waiting_count++;
	spin_unlock(&listener->lock);
	return 0;
}

static int connect_stream(struct unix_socket *u, struct unix_socket *listener, bool nonblocking)
{
	struct unix_socket *other = unix_socket_create(u->socket.type);
	uint64_t deadline = socket_deadline(u->socket.send_timeout_ns);
	int error;

	if (other == NULL)
		return -ENOMEM;
	for (;;) {
		mutex_lock(&unix_mutex);
		error = enter_backlog(u, listener, other);
		mutex_unlock(&unix_mutex);
		if (error != -EAGAIN || nonblocking)
			break;
		error = wait_event_until(&listener->socket.wait, listener_has_room(listener),
					 WAIT_INTERRUPTIBLE, deadline);
		if (error != 0) {
			error = error == -ETIMEDOUT ? -EAGAIN : error;
			break;
		}
	}
	if (error != 0)
		unix_put(other);
	else
		wake_up_all(&listener->socket.wait);
	return error;
}

/* A datagram socket's default destination; it then hears only that one. */
static void set_default_peer(struct unix_socket *u, struct unix_socket *peer)
{
	struct unix_socket *old;

	if (peer != NULL)
		unix_get(peer);
	spin_lock(&u->lock);
	old = u->peer;
	u->peer = peer;
	u->state = peer != NULL ? UNIX_CONNECTED : UNIX_UNCONNECTED;
	spin_unlock(&u->lock);
	if (old != NULL)
		unix_put(old);
}

static int connect_datagram(struct unix_socket *u, struct unix_socket *target)
{
	struct unix_socket *theirs = unix_peer_get(target);
	int error = theirs != NULL && theirs != u ? -EPERM : 0;

	if (theirs != NULL)
		unix_put(theirs);
	if (error == 0)
		set_default_peer(u, target);
	return error;
}

int unix_connect(struct socket *s, const struct abi_sockaddr_storage *name, size_t bytes,
		 bool nonblocking)
{
	struct unix_socket *u = unix_of(s), *target;
	int error;

	if (is_datagram(u) && bytes >= sizeof(name->ss_family) && name->ss_family == AF_UNSPEC) {
		set_default_peer(u, NULL);
		return 0;
	}
	error = unix_find(name, bytes, s->type, &target);
	if (error != 0)
		return error;
	error = is_datagram(u) ? connect_datagram(u, target)
			       : connect_stream(u, target, nonblocking);
	unix_put(target);
	return error;
}

static struct unix_socket *waiting_pop(struct unix_socket *u)
{
	struct unix_socket *other = NULL;

	spin_lock(&u->lock);
	if (!list_is_empty(&u->waiting)) {
		other = container_of(list_pop_front(&u->waiting), struct unix_socket, accept_node);
		u->waiting_count--;
	}
	spin_unlock(&u->lock);
	return other;
}

static bool accept_possible(struct unix_socket *u)
{
	return !list_is_empty(&u->waiting) || read_once(u->receive_shut);
}

int unix_accept(struct socket *s, bool nonblocking, struct socket **out)
{
	struct unix_socket *u = unix_of(s), *other;
	uint64_t deadline = socket_deadline(s->receive_timeout_ns);
	int error;

	if (read_once(u->state) != UNIX_LISTENING)
		return -EINVAL;
	for (;;) {
		other = waiting_pop(u);
		if (other != NULL)
			break;
		if (read_once(u->receive_shut))
			return -EINVAL;
		if (nonblocking)
			return -EAGAIN;
		error = wait_event_until(&s->wait, accept_possible(u), WAIT_INTERRUPTIBLE,
					 deadline);
		if (error != 0)
			return error == -ETIMEDOUT ? -EAGAIN : error;
	}
	wake_up_all(&s->wait);			/* connects that wait for room */
	*out = &other->socket;
	return 0;
}

int unix_pair(struct socket *a, struct socket *b)
{
	struct unix_socket *ua = unix_of(a), *ub = unix_of(b);

	unix_fill_credentials(&ua->credentials);
	ub->credentials = ua->credentials;
	ua->peer_credentials = ua->credentials;
	ub->peer_credentials = ua->credentials;
	join(ua, ub);
	return 0;
}

static void shut(struct unix_socket *u, bool receive, bool send)
{
	spin_lock(&u->lock);
	u->receive_shut |= receive;
	u->send_shut |= send;
	spin_unlock(&u->lock);
	wake_up_all(&u->socket.wait);
}

int unix_shutdown(struct socket *s, int how)
{
	struct unix_socket *u = unix_of(s), *peer = unix_peer_get(u);
	bool receive = how != SHUT_WR, send = how != SHUT_RD;

	shut(u, receive, send);
	if (peer != NULL) {
		if (!is_datagram(u))
			shut(peer, send, receive);
		unix_put(peer);
	}
	return 0;
}

void unix_drop_queue(struct unix_socket *u)
{
	for (;;) {
		struct unix_packet *p = NULL;

		spin_lock(&u->lock);
		if (!list_is_empty(&u->packets)) {
			p = container_of(list_pop_front(&u->packets), struct unix_packet, node);
			u->queued_packets--;
			u->queued_bytes -= p->bytes - p->offset;
		}
		spin_unlock(&u->lock);
		if (p == NULL)
			return;
		unix_packet_free(p);
	}
}

/* Tells the peer that nobody is here any more; it loses what it did not get to read. */
static void leave_peer(struct unix_socket *u, struct unix_socket *peer, bool unread)
{
	struct unix_socket *back = NULL;

	spin_lock(&peer->lock);
	if (peer->peer == u) {
		back = u;
		peer->peer = NULL;
		if (!is_datagram(u)) {
			peer->state = UNIX_CLOSED;
			peer->receive_shut = true;
			peer->send_shut = true;
			peer->reset = unread;
		} else {
			peer->state = UNIX_UNCONNECTED;
			peer->socket.error = ECONNRESET;
		}
	}
	spin_unlock(&peer->lock);
	wake_up_all(&peer->socket.wait);
	if (back != NULL)
		unix_put(back);
}

static void disconnect(struct unix_socket *u)
{
	struct unix_socket *peer;
	bool unread;

	spin_lock(&u->lock);
	peer = u->peer;
	u->peer = NULL;
	u->state = UNIX_CLOSED;
	u->receive_shut = true;
	u->send_shut = true;
	unread = u->queued_packets > 0;
	spin_unlock(&u->lock);
	if (peer != NULL) {
		leave_peer(u, peer, unread);
		unix_put(peer);
	}
}

void unix_drop_waiting(struct unix_socket *u)
{
	struct unix_socket *other;

	while ((other = waiting_pop(u)) != NULL) {
		disconnect(other);
		unix_drop_queue(other);
		unix_put(other);
	}
}

/* The file is gone. Connections nobody accepted are closed with the listener. */
void unix_release(struct socket *s)
{
	struct unix_socket *u = unix_of(s);
	struct path path;

	/* Closed before the names are free for others: whoever found it by name sees that. */
	mutex_lock(&unix_mutex);
	path = unix_unbind(u);
	spin_lock(&u->lock);
	if (u->state == UNIX_LISTENING)
		u->state = UNIX_CLOSED;
	u->receive_shut = true;
	spin_unlock(&u->lock);
	mutex_unlock(&unix_mutex);
	path_put(&path);
	disconnect(u);
	unix_drop_waiting(u);
	wake_up_all(&s->wait);
	unix_drop_queue(u);
	unix_put(u);
	unix_collect_garbage();
}
