/*
 * Sending and receiving. A sender fills a packet without any lock, then puts it into the peer's
 * queue; a receiver copies from the first packet, which stays in its place meanwhile, so that polls
 * see it, and takes it off when it is used up. receive_mutex keeps other readers away from it, and
 * is not held by one who waits.
 */
#include "abi/errno.h"
#include "abi/fcntl.h"
#include "abi/ioctl.h"
#include "core/user_copy.h"
#include "lib/string.h"
#include "mem/slab.h"
#include "net/unix/unix_internal.h"
#include "proc/task.h"
#include "vfs/poll.h"

void unix_packet_free(struct unix_packet *p)
{
	if (p->file_count > 0) {
		unix_files_taken(p);
		for (size_t i = 0; i < p->file_count; i++)
			file_put(p->files[i]);
		kfree(p->files);
	}
	unix_name_put(p->from);
	kfree(p);
}

/* A packet with the next `bytes` of the message; the first one gets the files. */
static int packet_make(struct unix_socket *u, struct socket_message *m, size_t bytes,
		       struct unix_packet **out)
{
	struct unix_packet *p = kmalloc(sizeof(*p) + bytes);

	if (p == NULL)
		return -ENOMEM;
	memset(p, 0, sizeof(*p));
	p->bytes = iobuf_take(m->io, p->data, bytes);
	if (p->bytes < bytes) {
		iobuf_rewind(m->io, p->bytes);
		kfree(p);
		return -EFAULT;
	}
	if (m->has_credentials)
		p->credentials = m->credentials;
	else
		unix_fill_credentials(&p->credentials);
	p->from = unix_name_get(u->name);
	p->files = m->files;
	p->file_count = m->file_count;
	m->files = NULL;
	m->file_count = 0;
	*out = p;
	return 0;
}

/* The files go back to the message: the packet was not sent. */
static void packet_cancel(struct unix_packet *p, struct socket_message *m)
{
	iobuf_rewind(m->io, p->bytes);
	m->files = p->files;
	m->file_count = p->file_count;
	p->files = NULL;
	p->file_count = 0;
	unix_packet_free(p);
}

/* What a queue costs: packets take memory however few bytes they hold. */
static uint64_t queue_cost(const struct unix_socket *to)
{
	return to->queued_bytes + to->queued_packets * sizeof(struct unix_packet);
}

static bool queue_is_full(const struct unix_socket *to, size_t bytes)
{
	if (to->socket.type == SOCK_DGRAM)
		return to->queued_packets > UNIX_DATAGRAM_QUEUE;
	return to->queued_packets > 0 && queue_cost(to) + bytes > to->socket.receive_buffer;
}

/* Into the queue. -EAGAIN: full; -EPIPE: it will not be read; as unix_files_sent(). */
static int queue_put(struct unix_socket *to, struct unix_packet *p)
{
	int error = p->file_count > 0 ? unix_files_sent(p) : 0;

	if (error != 0)
		return error;
	spin_lock(&to->lock);
	if (to->receive_shut)
		error = to->socket.type == SOCK_DGRAM ? -ECONNREFUSED : -EPIPE;
	else if (queue_is_full(to, p->bytes))
		error = -EAGAIN;
	if (error == 0) {
		list_push_back(&to->packets, &p->node);
		to->queued_packets++;
		to->queued_bytes += p->bytes;
	}
	spin_unlock(&to->lock);
	if (error != 0 && p->file_count > 0)
		unix_files_taken(p);
	if (error == 0)
		wake_up_key(&to->socket.wait, POLLIN | POLLRDNORM);
	return error;
}

static bool queue_has_room(struct unix_socket *to, size_t bytes)
{
	bool yes;

	spin_lock(&to->lock);
	yes = to->receive_shut || !queue_is_full(to, bytes);
	spin_unlock(&to->lock);
	return yes;
}

/* Puts p into the queue, waiting for room. On failure the packet is still the caller's. */
static int send_packet(struct unix_socket *u, struct unix_socket *to, struct unix_packet *p,
		       bool nonblocking, uint64_t deadline)
{
	size_t bytes = p->bytes;
	int error;

	for (;;) {
		error = queue_put(to, p);
		if (error != -EAGAIN || nonblocking)
			return error;
		error = wait_event_until(&to->socket.wait,
					 queue_has_room(to, bytes) || read_once(u->send_shut),
					 WAIT_INTERRUPTIBLE, deadline);
		if (error == -ETIMEDOUT)
			return -EAGAIN;
		if (error == 0 && read_once(u->send_shut))
			return -EPIPE;
		if (error != 0)
			return error;
	}
}

static bool is_nonblocking(const struct socket_message *m, bool nonblocking)
{
	return nonblocking || (m->flags & MSG_DONTWAIT) != 0;
}

/* --- streams ---------------------------------------------------------------------------------- */

ssize_t unix_stream_send(struct socket *s, struct socket_message *m, bool nonblocking)
{
	struct unix_socket *u = unix_of(s), *peer;
	uint64_t deadline = socket_deadline(s->send_timeout_ns);
	ssize_t total = 0;
	int error = 0;

	if (m->flags & MSG_OOB)
		return -EOPNOTSUPP;
	if (m->name_bytes > 0)
		return read_once(u->state) == UNIX_CONNECTED ? -EISCONN : -EOPNOTSUPP;
	if (read_once(u->send_shut))
		return -EPIPE;
	peer = unix_peer_get(u);
	if (peer == NULL)
		return -ENOTCONN;
	while (m->io->left > 0) {
		size_t n = m->io->left < UNIX_PACKET_MAX ? m->io->left : UNIX_PACKET_MAX;
		struct unix_packet *p;

		error = packet_make(u, m, n, &p);
		if (error != 0)
			break;
		error = send_packet(u, peer, p, is_nonblocking(m, nonblocking), deadline);
		if (error != 0) {
			packet_cancel(p, m);
			break;
		}
		total += (ssize_t)n;
	}
	unix_put(peer);
	return total > 0 ? total : error;
}

static struct unix_packet *queue_first(struct unix_socket *u)
{
	return list_is_empty(&u->packets)
		       ? NULL : container_of(u->packets.next, struct unix_packet, node);
}

/* The first packet, which is the holder's of receive_mutex until it is taken off. */
static struct unix_packet *queue_peek(struct unix_socket *u)
{
	struct unix_packet *p;

	spin_lock(&u->lock);
	p = queue_first(u);
	spin_unlock(&u->lock);
	return p;
}

/* So many bytes of the first packet were read. */
static void queue_advance(struct unix_socket *u, struct unix_packet *p, size_t bytes)
{
	spin_lock(&u->lock);
	p->offset += bytes;
	u->queued_bytes -= bytes;
	spin_unlock(&u->lock);
}

static void queue_drop_first(struct unix_socket *u, struct unix_packet *p)
{
	spin_lock(&u->lock);
	list_remove(&p->node);
	u->queued_packets--;
	u->queued_bytes -= p->bytes - p->offset;
	spin_unlock(&u->lock);
	unix_packet_free(p);
}

static bool can_receive(struct unix_socket *u)
{
	return !list_is_empty(&u->packets) || read_once(u->receive_shut) ||
	       read_once(u->socket.error) != 0;
}

/* Nothing is there and nothing will come: both in one look, since the sender may have queued its
 * last packets and closed after the queue was seen empty. */
static bool is_at_end(struct unix_socket *u)
{
	bool yes;

	spin_lock(&u->lock);
	yes = u->receive_shut && list_is_empty(&u->packets);
	spin_unlock(&u->lock);
	return yes;
}

/* Waits for a packet. 0: look; 1: nothing will come (end of stream); or -errno. */
static int wait_packet(struct unix_socket *u, bool nonblocking, uint64_t deadline)
{
	int error = socket_take_error(&u->socket);

	if (error != 0)
		return error;
	if (is_at_end(u)) {
		if (__atomic_exchange_n(&u->reset, false, __ATOMIC_ACQ_REL))
			return -ECONNRESET;
		return 1;
	}
	if (nonblocking)
		return -EAGAIN;
	error = wait_event_until(&u->socket.wait, can_receive(u), WAIT_INTERRUPTIBLE, deadline);
	return error == -ETIMEDOUT ? -EAGAIN : error;
}

/* The packet's ancillary data become the message's. A peek copies references. */
static int take_control(struct unix_socket *u, struct socket_message *m, struct unix_packet *p)
{
	if (u->socket.pass_credentials) {
		m->credentials = p->credentials;
		m->has_credentials = true;
	}
	if (p->file_count == 0 || m->file_count > 0)
		return 0;
	if (m->flags & MSG_PEEK) {
		m->files = kcalloc(p->file_count, sizeof(*m->files));
		if (m->files == NULL)
			return -ENOMEM;
		for (size_t i = 0; i < p->file_count; i++) {
			file_get(p->files[i]);
			m->files[i] = p->files[i];
		}
		m->file_count = p->file_count;
		unix_files_peeked();
		return 0;
	}
	unix_files_taken(p);
	spin_lock(&u->lock);		/* the collector walks the queue */
	m->files = p->files;
	m->file_count = p->file_count;
	p->files = NULL;
	p->file_count = 0;
	spin_unlock(&u->lock);
	return 0;
}

static void put_source(struct socket_message *m, const struct unix_packet *p)
{
	m->name_bytes = 0;
	if (p->from == NULL)
		return;
	memcpy(&m->name, &p->from->address, sizeof(p->from->address));
	m->name_bytes = p->from->bytes;
}

static bool same_sender(const struct unix_packet *p, const struct abi_ucred *c)
{
	return p->credentials.pid == c->pid && p->credentials.uid == c->uid &&
	       p->credentials.gid == c->gid;
}

/* One packet's worth of a stream; bytes copied or -errno. *stop: nothing may be added to it. */
static ssize_t stream_take(struct unix_socket *u, struct socket_message *m, struct unix_packet *p,
			   bool *stop)
{
	size_t want = p->bytes - p->offset, moved;
	int error = take_control(u, m, p);

	if (error != 0)
		return error;
	*stop = m->file_count > 0;
	if (want > m->io->left)
		want = m->io->left;
	moved = iobuf_put(m->io, p->data + p->offset, want);
	if (m->flags & MSG_PEEK) {
		*stop = true;
	} else {
		queue_advance(u, p, moved);
		if (p->offset == p->bytes)
			queue_drop_first(u, p);
	}
	return moved < want && moved == 0 ? -EFAULT : (ssize_t)moved;
}

static void wake_writers(struct unix_socket *u)
{
	wake_up_key(&u->socket.wait, POLLOUT | POLLWRNORM);
}

static ssize_t stream_receive_locked(struct unix_socket *u, struct socket_message *m,
				     bool nonblocking) REQUIRES(&u->receive_mutex)
{
	size_t target = m->flags & MSG_WAITALL ? m->io->left : 1;
	uint64_t deadline = socket_deadline(u->socket.receive_timeout_ns);
	struct abi_ucred sender = { 0 };
	ssize_t total = 0, done = 0;
	bool stop = false;

	while (m->io->left > 0 && !stop) {
		struct unix_packet *p = queue_peek(u);

		if (p == NULL) {
			if ((size_t)total >= target)
				break;
			mutex_unlock(&u->receive_mutex);
			done = wait_packet(u, nonblocking, deadline);
			mutex_lock(&u->receive_mutex);
			if (done != 0)
				break;
			continue;
		}
		/* Files, and credentials when asked for, mark where a read ends. */
		if (total > 0 && (p->file_count > 0 || (u->socket.pass_credentials &&
							!same_sender(p, &sender))))
			break;
		sender = p->credentials;
		done = stream_take(u, m, p, &stop);
		if (done < 0)
			break;
		total += done;
	}
	if (total > 0) {
		wake_writers(u);
		return total;
	}
	return done < 0 ? done : 0;
}

ssize_t unix_stream_receive(struct socket *s, struct socket_message *m, bool nonblocking)
{
	struct unix_socket *u = unix_of(s);
	ssize_t done;

	if (m->flags & MSG_OOB)
		return -EINVAL;
	if (read_once(u->state) == UNIX_UNCONNECTED || read_once(u->state) == UNIX_LISTENING)
		return -EINVAL;
	m->name_bytes = 0;
	mutex_lock(&u->receive_mutex);
	done = stream_receive_locked(u, m, is_nonblocking(m, nonblocking));
	mutex_unlock(&u->receive_mutex);
	return done;
}

/* --- datagrams and seqpacket ------------------------------------------------------------------ */

/* Where a datagram goes: its own address, or the default peer. Counted. */
static int find_target(struct unix_socket *u, struct socket_message *m, struct unix_socket **out)
{
	if (m->name_bytes > 0) {
		if (u->socket.type != SOCK_DGRAM)
			return read_once(u->state) == UNIX_CONNECTED ? -EISCONN : -EOPNOTSUPP;
		return unix_find(&m->name, m->name_bytes, SOCK_DGRAM, out);
	}
	*out = unix_peer_get(u);
	if (*out != NULL)
		return 0;
	return socket_take_error(&u->socket) == -ECONNRESET ? -ECONNRESET : -ENOTCONN;
}

/* A connected datagram socket hears its peer only. */
static int may_send_to(struct unix_socket *u, struct unix_socket *target)
{
	struct unix_socket *theirs;
	int error = 0;

	if (u->socket.type != SOCK_DGRAM)
		return 0;
	theirs = unix_peer_get(target);
	if (theirs == NULL)
		return 0;
	if (theirs != u)
		error = -EPERM;
	unix_put(theirs);
	return error;
}

ssize_t unix_packet_send(struct socket *s, struct socket_message *m, bool nonblocking)
{
	struct unix_socket *u = unix_of(s), *target;
	uint64_t deadline = socket_deadline(s->send_timeout_ns);
	size_t bytes = m->io->left;
	struct unix_packet *p;
	int error;

	if (m->flags & MSG_OOB)
		return -EOPNOTSUPP;
	if (read_once(u->send_shut))
		return -EPIPE;
	error = find_target(u, m, &target);
	if (error != 0)
		return error;
	error = may_send_to(u, target);
	if (error == 0 && bytes > s->send_buffer)
		error = -EMSGSIZE;
	if (error == 0)
		error = packet_make(u, m, bytes, &p);
	if (error == 0) {
		error = send_packet(u, target, p, is_nonblocking(m, nonblocking), deadline);
		if (error != 0)
			packet_cancel(p, m);
	}
	unix_put(target);
	return error != 0 ? error : (ssize_t)bytes;
}

static ssize_t packet_take(struct unix_socket *u, struct socket_message *m, struct unix_packet *p)
{
	size_t want = p->bytes < m->io->left ? p->bytes : m->io->left, moved;
	ssize_t result = m->flags & MSG_TRUNC ? (ssize_t)p->bytes : (ssize_t)want;

	if (want < p->bytes)
		m->out_flags |= MSG_TRUNC;
	if (u->socket.type == SOCK_SEQPACKET)
		m->out_flags |= MSG_EOR;
	put_source(m, p);
	moved = iobuf_put(m->io, p->data, want);
	if (moved < want)
		result = -EFAULT;
	else if (take_control(u, m, p) != 0)
		result = -ENOMEM;
	if ((m->flags & MSG_PEEK) == 0)
		queue_drop_first(u, p);
	return result;
}

ssize_t unix_packet_receive(struct socket *s, struct socket_message *m, bool nonblocking)
{
	struct unix_socket *u = unix_of(s);
	uint64_t deadline = socket_deadline(s->receive_timeout_ns);
	ssize_t done;

	if (m->flags & MSG_OOB)
		return -EOPNOTSUPP;
	if (s->type == SOCK_SEQPACKET && (read_once(u->state) == UNIX_UNCONNECTED ||
					  read_once(u->state) == UNIX_LISTENING))
		return -ENOTCONN;
	for (;;) {
		struct unix_packet *p;

		mutex_lock(&u->receive_mutex);
		p = queue_peek(u);
		done = p != NULL ? packet_take(u, m, p) : 0;
		mutex_unlock(&u->receive_mutex);
		if (p != NULL) {
			wake_writers(u);
			return done;
		}
		done = wait_packet(u, is_nonblocking(m, nonblocking), deadline);
		if (done != 0)
			return done == 1 ? 0 : done;
	}
}

/* --- poll, ioctl ------------------------------------------------------------------------------ */

static uint32_t own_events(struct unix_socket *u, struct unix_socket **peer)
{
	uint32_t events = 0;

	spin_lock(&u->lock);
	*peer = u->peer;
	if (*peer != NULL)
		unix_get(*peer);
	if (!list_is_empty(&u->packets) || !list_is_empty(&u->waiting) || u->receive_shut)
		events |= POLLIN | POLLRDNORM;
	if (u->receive_shut)
		events |= POLLRDHUP;
	if (u->receive_shut && u->send_shut)
		events |= POLLHUP;
	if (u->socket.type != SOCK_DGRAM && u->state == UNIX_UNCONNECTED)
		events |= POLLHUP;
	if (u->socket.error != 0)
		events |= POLLERR;
	spin_unlock(&u->lock);
	return events;
}

static void hold_peer(void *peer) { unix_get(peer); }
static void unhold_peer(void *peer) { unix_put(peer); }

/* poll(2) says "writable" below a quarter, as Linux does: a writer is not woken for every byte. */
static bool queue_is_writable(struct unix_socket *to)
{
	bool yes;

	spin_lock(&to->lock);
	if (to->socket.type == SOCK_DGRAM)
		yes = !queue_is_full(to, 0);
	else
		yes = to->receive_shut || queue_cost(to) * 4 <= to->socket.receive_buffer;
	spin_unlock(&to->lock);
	return yes;
}

uint32_t unix_poll(struct socket *s, struct file *file, struct poll_table *table)
{
	struct unix_socket *u = unix_of(s), *peer;
	uint32_t events;
	bool room = true;

	poll_wait(file, &s->wait, table);
	events = own_events(u, &peer);
	if (peer != NULL) {
		/* The peer may go while somebody still waits on its queue. */
		const struct poll_holder holder = { peer, hold_peer, unhold_peer };

		poll_wait_held(file, &peer->socket.wait, table, &holder);
		room = queue_is_writable(peer);
		unix_put(peer);
	}
	if (room && read_once(u->state) != UNIX_LISTENING)
		events |= POLLOUT | POLLWRNORM | POLLWRBAND;
	return events;
}

long unix_ioctl(struct socket *s, unsigned int command, uint64_t arg)
{
	struct unix_socket *u = unix_of(s);
	struct unix_packet *p;
	int n = 0;

	if (command != FIONREAD)
		return -ENOIOCTLCMD;
	if (read_once(u->state) == UNIX_LISTENING)
		return -EINVAL;
	spin_lock(&u->lock);
	p = queue_first(u);
	if (s->type == SOCK_STREAM)
		n = (int)u->queued_bytes;
	else if (p != NULL)
		n = (int)p->bytes;
	spin_unlock(&u->lock);
	return copy_to_user(user_addr(arg), &n, sizeof(n));
}
