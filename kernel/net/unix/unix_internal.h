/*
 * What the files of net/unix share.
 *
 * Every byte is in some socket's receive queue, as packets; a stream's packets are just pieces. A
 * sender puts into its peer's queue and waits while that is full.
 *
 * Locking: unix_mutex covers names and who is connected to whom (bind, connect, accept, close: all
 * may sleep); a socket's `lock` its queue, state and peer. Sending and receiving take only the
 * latter, one at a time. A unix_socket is counted: by its file, its peer, names looked up.
 */
#pragma once

#include "core/spinlock.h"
#include "lib/hlist.h"
#include "lib/list.h"
#include "net/socket.h"
#include "sched/mutex.h"
#include "vfs/path.h"

enum unix_state { UNIX_UNCONNECTED, UNIX_LISTENING, UNIX_CONNECTED, UNIX_CLOSED };

#define UNIX_PACKET_MAX (32 * 1024UL)	/* of a stream; a datagram is one packet of any size */
#define UNIX_DATAGRAM_QUEUE 10		/* datagrams waiting: net.unix.max_dgram_qlen of Linux */

struct unix_name {			/* counted; immutable */
	struct refcount references;
	size_t bytes;			/* of the whole address */
	struct abi_sockaddr_un address;
};

struct unix_packet {
	struct list_head node;
	size_t bytes, offset;		/* data[offset, bytes) is unread */
	struct file **files;		/* counted; NULL when none */
	size_t file_count;
	struct inflight_user *sender;	/* while in a queue with files: gc.c */
	struct abi_ucred credentials;
	struct unix_name *from;		/* sender's name, counted; NULL: unnamed */
	uint8_t data[];
};

struct unix_socket {
	struct socket socket;
	struct refcount references;
	struct spinlock lock;			/* RANK_SOCKET */
	/* lock */
	uint8_t state;				/* enum unix_state */
	bool receive_shut, send_shut;
	bool reset;				/* the peer went with our data unread */
	struct unix_socket *peer;		/* counted; a stream's other end, or the default */
	struct list_head packets;
	size_t queued_bytes, queued_packets;
	struct list_head waiting;		/* a listener's to accept, by accept_node */
	uint32_t waiting_count, backlog;
	/* unix_mutex */
	struct unix_name *name;			/* counted; NULL: unbound */
	struct path path;			/* bound in the file system: counted */
	struct hlist_node abstract_node;
	struct list_head accept_node;
	struct abi_ucred credentials, peer_credentials;
	struct mutex receive_mutex;		/* the first packet is its holder's */
	/* gc.c, under inflight_lock */
	struct list_head inflight_node;
	uint32_t inflight, reachable_work;
	bool candidate;
};

static inline struct unix_socket *unix_of(struct socket *s) { return (struct unix_socket *)s; }

extern struct mutex unix_mutex;
extern const struct socket_ops unix_stream_ops, unix_datagram_ops, unix_seqpacket_ops;

/* unix.c */
must_check struct unix_socket *unix_socket_create(int type);
static inline void unix_get(struct unix_socket *u) { refcount_get(&u->references); }
void unix_put(struct unix_socket *u);
void unix_fill_credentials(struct abi_ucred *to);
/* The peer, counted; NULL. */
struct unix_socket *unix_peer_get(struct unix_socket *u);

/* name.c */
void unix_name_put(struct unix_name *n);
static inline struct unix_name *unix_name_get(struct unix_name *n)
{
	if (n != NULL)
		refcount_get(&n->references);
	return n;
}
int unix_bind(struct socket *s, const struct abi_sockaddr_storage *name, size_t bytes);
int unix_name(struct socket *s, bool peer, struct abi_sockaddr_storage *name, size_t *bytes);
/* The bound socket of this type that a name leads to, counted. -ECONNREFUSED, -EPROTOTYPE, ... */
must_check int unix_find(const struct abi_sockaddr_storage *name, size_t bytes, int type,
			 struct unix_socket **out);
/* unix_mutex held; the path that it was bound at is the caller's to put, without the mutex. */
struct path unix_unbind(struct unix_socket *u);
void unix_names_init(void);

/* connect.c: streams and seqpacket */
int unix_listen(struct socket *s, int backlog);
int unix_connect(struct socket *s, const struct abi_sockaddr_storage *name, size_t bytes,
		 bool nonblocking);
int unix_accept(struct socket *s, bool nonblocking, struct socket **out);
int unix_pair(struct socket *a, struct socket *b);
int unix_shutdown(struct socket *s, int how);
void unix_release(struct socket *s);
void unix_drop_queue(struct unix_socket *u);
void unix_drop_waiting(struct unix_socket *u);		/* connections that nobody will accept */

/* transfer.c */
void unix_packet_free(struct unix_packet *p);
ssize_t unix_stream_send(struct socket *s, struct socket_message *m, bool nonblocking);
ssize_t unix_stream_receive(struct socket *s, struct socket_message *m, bool nonblocking);
ssize_t unix_packet_send(struct socket *s, struct socket_message *m, bool nonblocking);
ssize_t unix_packet_receive(struct socket *s, struct socket_message *m, bool nonblocking);
uint32_t unix_poll(struct socket *s, struct file *file, struct poll_table *table);
long unix_ioctl(struct socket *s, unsigned int command, uint64_t arg);

/* gc.c: files in flight */
/* p enters a queue. -ETOOMANYREFS: its sender has too many there (unix(7)); -ENOMEM. */
must_check int unix_files_sent(struct unix_packet *p);
/* Its files leave for a receiver, or are dropped. */
void unix_files_taken(struct unix_packet *p);
/* References to files that stay in a queue were taken: until then no collection judges by their
 * counts. */
void unix_files_peeked(void);
void unix_collect_garbage(void);			/* may sleep */
