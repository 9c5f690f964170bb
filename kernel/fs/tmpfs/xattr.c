/*
 * Extended attributes of tmpfs inodes: a short list, under the inode's mutex.
 *
 * All of an inode's together are limited, since they are kernel memory that a program fills.
 */
#include "abi/errno.h"
#include "fs/tmpfs/tmpfs_internal.h"
#include "lib/string.h"
#include "mem/slab.h"

#define XATTR_BYTES_MAX (256 * 1024)
#define XATTR_CREATE 1
#define XATTR_REPLACE 2

struct tmpfs_xattr {
	struct list_head node;
	size_t size;
	size_t name_size;		/* with the terminator */
	char bytes[];			/* name, then value */
};

static struct tmpfs_xattr *find(struct tmpfs_inode *ti, const char *name)
{
	struct tmpfs_xattr *x;

	list_for_each(x, &ti->xattrs, node) {
		if (strcmp(x->bytes, name) == 0)
			return x;
	}
	return NULL;
}

static void drop(struct tmpfs_inode *ti, struct tmpfs_xattr *x)
{
	ti->xattr_bytes -= sizeof(*x) + x->name_size + x->size;
	list_remove(&x->node);
	kfree(x);
}

int tmpfs_getxattr(struct inode *inode, const char *name, void *buf, size_t n, size_t *out)
{
	const struct tmpfs_xattr *x = find(tmpfs_inode_of(inode), name);

	if (x == NULL)
		return -ENODATA;
	*out = x->size;
	if (n == 0)
		return 0;
	if (n < x->size)
		return -ERANGE;
	memcpy(buf, x->bytes + x->name_size, x->size);
	return 0;
}

int tmpfs_setxattr(struct inode *inode, const char *name, const void *buf, size_t n, int flags)
{
	struct tmpfs_inode *ti = tmpfs_inode_of(inode);
	struct tmpfs_xattr *old = find(ti, name), *x;
	size_t name_size = strlen(name) + 1, total = sizeof(*x) + name_size + n;

	if ((flags & XATTR_CREATE) != 0 && old != NULL)
		return -EEXIST;
	if ((flags & XATTR_REPLACE) != 0 && old == NULL)
		return -ENODATA;
	if (total > XATTR_BYTES_MAX - ti->xattr_bytes)
		return -ENOSPC;
	x = kmalloc(total);
	if (x == NULL)
		return -ENOMEM;
	x->size = n;
	x->name_size = name_size;
	memcpy(x->bytes, name, name_size);
	memcpy(x->bytes + name_size, buf, n);
	if (old != NULL)
		drop(ti, old);
	list_push_back(&ti->xattrs, &x->node);
	ti->xattr_bytes += total;
	return 0;
}

int tmpfs_listxattr(struct inode *inode, char *buf, size_t n, size_t *out)
{
	struct tmpfs_inode *ti = tmpfs_inode_of(inode);
	const struct tmpfs_xattr *x;
	size_t used = 0;

	list_for_each(x, &ti->xattrs, node) {
		if (n > 0) {
			if (n - used < x->name_size)
				return -ERANGE;
			memcpy(buf + used, x->bytes, x->name_size);
		}
		used += x->name_size;
	}
	*out = used;
	return 0;
}

int tmpfs_removexattr(struct inode *inode, const char *name)
{
	struct tmpfs_inode *ti = tmpfs_inode_of(inode);
	struct tmpfs_xattr *x = find(ti, name);

	if (x == NULL)
		return -ENODATA;
	drop(ti, x);
	return 0;
}

void tmpfs_xattrs_free(struct tmpfs_inode *ti)
{
	while (!list_is_empty(&ti->xattrs))
		drop(ti, list_first(&ti->xattrs, struct tmpfs_xattr, node));
}
