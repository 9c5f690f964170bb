/*
 * Names: in the file system, abstract (first byte NUL), or given by the kernel.
 */
#include "abi/errno.h"
#include "abi/fcntl.h"
#include "abi/stat.h"
#include "lib/format.h"
#include "lib/hash.h"
#include "lib/string.h"
#include "mem/slab.h"
#include "net/unix/unix_internal.h"
#include "proc/task.h"
#include "vfs/inode.h"

#define FAMILY_BYTES sizeof(uint16_t)
#define ABSTRACT_BUCKETS 64

static struct hlist_head abstract_names[ABSTRACT_BUCKETS];	/* unix_mutex */
static uint32_t next_autobind;					/* unix_mutex */

void unix_name_put(struct unix_name *n)
{
	if (n != NULL && refcount_put(&n->references))
		kfree(n);
}

static struct unix_name *name_create(const void *address, size_t bytes)
{
	struct unix_name *n = kzalloc(sizeof(*n));

	if (n == NULL)
		return NULL;
	refcount_init(&n->references);
	memcpy(&n->address, address, bytes);
	n->bytes = bytes;
	return n;
}

static struct hlist_head *abstract_bucket(const struct unix_name *n)
{
	static const struct hash_key key = { { 0x756e6978, 0x6e616d65 } };

	return &abstract_names[hash_bytes(key, n->address.sun_path, n->bytes - FAMILY_BYTES) %
			       ABSTRACT_BUCKETS];
}

static struct unix_socket *abstract_find(const struct unix_name *n)
{
	struct hlist_node *at = abstract_bucket(n)->first;

	for (; at != NULL; at = at->next) {
		struct unix_socket *u = container_of(at, struct unix_socket, abstract_node);

		if (u->name->bytes == n->bytes &&
		    memcmp(&u->name->address, &n->address, n->bytes) == 0)
			return u;
	}
	return NULL;
}

/* An address as given: 0; -EINVAL for a wrong family or length. */
static int check_name(const struct abi_sockaddr_storage *name, size_t bytes)
{
	if (bytes < FAMILY_BYTES || bytes > sizeof(struct abi_sockaddr_un) ||
	    name->ss_family != AF_UNIX)
		return -EINVAL;
	return 0;
}

static int bind_abstract(struct unix_socket *u, struct unix_name *n)
{
	if (abstract_find(n) != NULL)
		return -EADDRINUSE;
	u->name = n;
	hlist_push_front(abstract_bucket(n), &u->abstract_node);
	return 0;
}

/* bind(2) with the family alone: five hexadecimal digits that nobody has. */
static int bind_any(struct unix_socket *u)
{
	struct abi_sockaddr_un address = { .sun_family = AF_UNIX };
	int error = -EADDRINUSE;

	for (int tries = 0; error == -EADDRINUSE && tries < 1 << 20; tries++) {
		struct unix_name *n;

		format_string(address.sun_path + 1, 8, "%05x", next_autobind++ & 0xfffff);
		n = name_create(&address, FAMILY_BYTES + 6);
		if (n == NULL)
			return -ENOMEM;
		error = bind_abstract(u, n);
		if (error != 0)
			unix_name_put(n);
	}
	return error;
}

/* Gives u, if it is still unbound, the node just made at `path`, whose reference moves in. */
static int take_path(struct unix_socket *u, struct unix_name *n, const struct path *path)
{
	struct inode *inode = path_inode(path);
	int error = 0;

	mutex_lock(&unix_mutex);
	if (u->name != NULL)
		error = -EINVAL;
	else if (!S_ISSOCK(inode->mode) || inode->socket != NULL)
		error = -EADDRINUSE;	/* somebody put another in its place */
	if (error == 0) {
		inode->socket = u;
		u->path = *path;
		u->name = n;
	}
	mutex_unlock(&unix_mutex);
	return error;
}

/*
 * Makes the socket's node and remembers who is bound to it in the inode. Names are walked without
 * unix_mutex: a walk may wait for long, or put the last reference to a socket (/proc/self/fd).
 */
static int bind_path(struct unix_socket *u, struct unix_name *n)
{
	char text[UNIX_PATH_MAX + 1] = { 0 };
	struct task *task = task_current();
	struct path_base base;
	struct path path;
	int error;

	memcpy(text, n->address.sun_path, n->bytes - FAMILY_BYTES);
	error = path_base_get(AT_FDCWD, text, &base);
	if (error != 0)
		return error;
	error = vfs_create(&base.ctx, text, S_IFSOCK | (0777 & ~task->fs->umask), 0);
	if (error != 0) {
		path_base_put(&base);
		return error == -EEXIST ? -EADDRINUSE : error;
	}
	/* The name that getsockname tells ends with its NUL. */
	n->bytes = FAMILY_BYTES + strlen(text) + 1;
	error = path_lookup(&base.ctx, text, 0, &path);
	if (error == 0) {
		error = take_path(u, n, &path);
		if (error != 0)
			path_put(&path);
		/* As Linux: the node goes, whatever that says. */
		if (error == -EINVAL && vfs_unlink(&base.ctx, text) != 0)
			error = -EINVAL;
	}
	path_base_put(&base);
	return error;
}

static int bind_unnamed_or_abstract(struct unix_socket *u, struct unix_name *n)
{
	int error;

	mutex_lock(&unix_mutex);
	if (u->name != NULL)
		error = -EINVAL;
	else
		error = n == NULL ? bind_any(u) : bind_abstract(u, n);
	mutex_unlock(&unix_mutex);
	return error;
}

int unix_bind(struct socket *s, const struct abi_sockaddr_storage *name, size_t bytes)
{
	struct unix_socket *u = unix_of(s);
	struct unix_name *n = NULL;
	int error = check_name(name, bytes);

	if (error != 0)
		return error;
	if (bytes > FAMILY_BYTES) {
		n = name_create(name, bytes);
		if (n == NULL)
			return -ENOMEM;
	}
	if (n == NULL || n->address.sun_path[0] == '\0')
		error = bind_unnamed_or_abstract(u, n);
	else
		error = bind_path(u, n);
	if (error != 0)
		unix_name_put(n);
	return error;
}

struct path unix_unbind(struct unix_socket *u)
{
	struct path path = u->path;

	if (path.dentry != NULL) {
		path_inode(&path)->socket = NULL;
		u->path = (struct path){ NULL, NULL };
	} else if (u->name != NULL && hlist_is_linked(&u->abstract_node)) {
		hlist_remove(&u->abstract_node);
	}
	return path;
}

/* The place that a path leads to, counted: connecting takes write permission. */
static int find_path(const struct abi_sockaddr_un *address, size_t bytes, struct path *out)
{
	char text[UNIX_PATH_MAX + 1] = { 0 };
	struct path_base base;
	int error;

	memcpy(text, address->sun_path, bytes - FAMILY_BYTES);
	error = path_base_get(AT_FDCWD, text, &base);
	if (error != 0)
		return error;
	error = path_lookup(&base.ctx, text, LOOKUP_FOLLOW, out);
	if (error == 0) {
		error = inode_permission(path_inode(out), W_OK, base.ctx.cred);
		if (error != 0)
			path_put(out);
	}
	path_base_put(&base);
	return error;
}

/* Who is bound at a path, or to an abstract name; NULL. */
static struct unix_socket *bound_locked(const struct path *path, const struct unix_name *n)
{
	const struct inode *inode = path_inode(path);

	if (inode == NULL)
		return abstract_find(n);
	return S_ISSOCK(inode->mode) ? inode->socket : NULL;
}

int unix_find(const struct abi_sockaddr_storage *name, size_t bytes, int type,
	      struct unix_socket **out)
{
	const struct abi_sockaddr_un *address = (const struct abi_sockaddr_un *)name;
	struct path path = { NULL, NULL };
	struct unix_name *n;
	int error = check_name(name, bytes);

	if (error != 0 || bytes == FAMILY_BYTES)
		return error != 0 ? error : -EINVAL;
	n = name_create(name, bytes);
	if (n == NULL)
		return -ENOMEM;
	if (address->sun_path[0] != '\0')
		error = find_path(address, bytes, &path);
	if (error == 0) {
		mutex_lock(&unix_mutex);
		*out = bound_locked(&path, n);
		if (*out == NULL)
			error = -ECONNREFUSED;
		else if ((*out)->socket.type != type)
			error = -EPROTOTYPE;
		else
			unix_get(*out);
		mutex_unlock(&unix_mutex);
		path_put(&path);
	}
	unix_name_put(n);
	return error;
}

int unix_name(struct socket *s, bool peer, struct abi_sockaddr_storage *name, size_t *bytes)
{
	struct unix_socket *u = unix_of(s), *other = NULL;
	struct unix_name *n;

	if (peer) {
		other = unix_peer_get(u);
		if (other == NULL)
			return -ENOTCONN;
		u = other;
	}
	mutex_lock(&unix_mutex);
	n = unix_name_get(u->name);
	mutex_unlock(&unix_mutex);
	name->ss_family = AF_UNIX;
	*bytes = FAMILY_BYTES;
	if (n != NULL) {
		memcpy(name, &n->address, n->bytes < sizeof(n->address) ? n->bytes
									: sizeof(n->address));
		*bytes = n->bytes;
	}
	unix_name_put(n);
	if (other != NULL)
		unix_put(other);
	return 0;
}
