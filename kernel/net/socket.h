/*
 * Sockets: what the calls of socket(2) see of a protocol family, and the open file around it.
 *
 * A family registers itself; socket_create() makes an unconnected socket of it. The file's private
 * is the struct socket, which the family embeds in its own and frees when the file is released.
 */
#pragma once

#include "abi/socket.h"
#include "core/clock.h"
#include "vfs/file.h"

struct socket;
struct poll_table;

#define SOCKET_NAME_MAX sizeof(struct abi_sockaddr_storage)

/* One sendmsg or recvmsg, all in kernel memory but the data. */
struct socket_message {
	struct iobuf *io;
	struct abi_sockaddr_storage name;	/* send: destination; receive: source */
	size_t name_bytes;			/* 0: none */
	int flags;				/* MSG_* of the call */
	int out_flags;				/* receive: MSG_TRUNC, MSG_CTRUNC, MSG_EOR */
	/* ancillary data (net/control.c): what SCM_* brought or brings */
	struct file **files;			/* counted; send: to pass on, receive: got */
	size_t file_count;
	struct abi_ucred credentials;
	bool has_credentials;			/* send: given; receive: to be told */
};

struct socket_ops {
	int (*bind)(struct socket *s, const struct abi_sockaddr_storage *name, size_t bytes);
	int (*connect)(struct socket *s, const struct abi_sockaddr_storage *name, size_t bytes,
		       bool nonblocking);
	int (*listen)(struct socket *s, int backlog);
	/* The accepted connection as a new socket. */
	int (*accept)(struct socket *s, bool nonblocking, struct socket **out);
	int (*name)(struct socket *s, bool peer, struct abi_sockaddr_storage *name, size_t *bytes);
	ssize_t (*send)(struct socket *s, struct socket_message *m, bool nonblocking);
	ssize_t (*receive)(struct socket *s, struct socket_message *m, bool nonblocking);
	int (*shutdown)(struct socket *s, int how);
	uint32_t (*poll)(struct socket *s, struct file *file, struct poll_table *table);
	/* Options beyond those of socket_options.c: -ENOPROTOOPT. */
	int (*set_option)(struct socket *s, int level, int name, const void *value, size_t bytes);
	int (*get_option)(struct socket *s, int level, int name, void *value, size_t *bytes);
	long (*ioctl)(struct socket *s, unsigned int command, uint64_t arg);
	/* Connects two new sockets; NULL: the family has no pairs. */
	int (*pair)(struct socket *a, struct socket *b);
	void (*release)(struct socket *s);	/* the file is gone: frees s in the end */
};

struct socket {
	const struct socket_ops *ops;		/* [I] */
	int family, type, protocol;		/* [I] */
	struct file *file;			/* [I] not counted; NULL before the file is made */
	struct wait_queue wait;			/* everything: readers, writers, polls, accepts */
	uint64_t receive_timeout_ns, send_timeout_ns;	/* 0: none */
	uint32_t send_buffer, receive_buffer;	/* limits in bytes */
	bool pass_credentials, reuse_address, keep_alive, broadcast;
	int32_t linger;				/* seconds, -1: off */
	uint32_t error;				/* [a] SO_ERROR */
};

struct socket_family {
	int family;
	/* type without SOCK_ flags: -ESOCKTNOSUPPORT, -EPROTONOSUPPORT, -ENOMEM. */
	int (*create)(int type, int protocol, struct socket **out);
	struct socket_family *next;
};

void socket_family_register(struct socket_family *family);
void socket_init(struct socket *s, const struct socket_ops *ops, int family, int type,
		 int protocol);
/* -EAFNOSUPPORT, and the family's. */
must_check int socket_create(int family, int type, int protocol, struct socket **out);
/*
 * The open file around a socket (`flags`: O_NONBLOCK); on failure the socket is still the caller's.
 */
must_check int socket_file_create(struct socket *s, int flags, struct file **out);
/* The socket of a file, NULL when it is none. */
struct socket *socket_of_file(const struct file *file);
/* The deadline of an operation that starts now. */
uint64_t socket_deadline(uint64_t timeout_ns);
/* Takes and clears the pending error: 0 or -errno. */
int socket_take_error(struct socket *s);

/* setsockopt(2), getsockopt(2): SOL_SOCKET here, the rest by the family. Kernel memory. */
must_check int socket_set_option(struct socket *s, int level, int name, const void *value,
				 size_t bytes);
must_check int socket_get_option(struct socket *s, int level, int name, void *value, size_t *bytes);

/* Ancillary data. Send: parses the control buffer at a user address into m (files are counted).
 * Receive: writes what m has into it, with descriptors made; *bytes becomes what was written. */
must_check int control_parse(struct socket_message *m, uint64_t address, size_t bytes);
void control_write(struct socket_message *m, uint64_t address, size_t *bytes);
void control_put_files(struct socket_message *m);	/* drops what was not passed on */

void net_init(void);
