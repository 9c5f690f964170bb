/*
 * One entry of an archive: directory, file, link, device.
 *
 * Everything is made by the file layer's own operations with the archive's root as the ceiling, so
 * a name with ".." in it stays below. A later entry replaces an earlier one of the same name.
 */
#include "abi/errno.h"
#include "core/assert.h"
#include "fs/initramfs/initramfs_internal.h"
#include "lib/bits.h"
#include "lib/device_number.h"
#include "lib/string.h"
#include "mem/page.h"
#include "mem/slab.h"
#include "vfs/inode.h"

/* A file with several names: the first one, for the others to be linked to. */
struct known_link {
	struct list_head node;
	uint32_t ino, dev_major, dev_minor;
	char name[];
};

static struct path unpack_root;

void unpack_init(struct unpack *u, const struct path *root)
{
	memset(u, 0, sizeof(*u));
	unpack_root = *root;
	u->ctx = (struct path_context){ .root = &unpack_root, .base = &unpack_root,
					.cred = &vfs_cred_kernel };
	list_init(&u->links);
}

void unpack_fini(struct unpack *u)
{
	struct list_head *node;

	while ((node = list_pop_front(&u->links)) != NULL)
		kfree(list_entry(node, struct known_link, node));
}

static const struct known_link *find_link(const struct unpack *u, const struct cpio_entry *entry)
{
	const struct known_link *link;

	list_for_each(link, &u->links, node) {
		if (link->ino == entry->ino && link->dev_major == entry->dev_major &&
		    link->dev_minor == entry->dev_minor)
			return link;
	}
	return NULL;
}

static int remember_link(struct unpack *u, const struct cpio_entry *entry)
{
	struct known_link *link = kmalloc(sizeof(*link) + entry->name_length + 1);

	if (link == NULL)
		return -ENOMEM;
	link->ino = entry->ino;
	link->dev_major = entry->dev_major;
	link->dev_minor = entry->dev_minor;
	memcpy(link->name, entry->name, entry->name_length + 1);
	list_push_back(&u->links, &link->node);
	return 0;
}

/* Archives may leave out the directories above a file. */
static int make_parents(struct unpack *u, const char *name)
{
	char path[PATH_MAX_BYTES];

	if (strlcpy(path, name, sizeof(path)) >= sizeof(path))
		return -ENAMETOOLONG;
	for (char *slash = strchr(path + 1, '/'); slash != NULL; slash = strchr(slash + 1, '/')) {
		int error;

		*slash = '\0';
		error = vfs_mkdir(&u->ctx, path, 0755);
		*slash = '/';
		if (error != 0 && error != -EEXIST)
			return error;
	}
	return 0;
}

static int open_new(struct unpack *u, const struct cpio_entry *entry, struct file **file)
{
	return file_open(&u->ctx, entry->name, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW,
			 entry->mode & 07777, file);
}

static int make_regular(struct unpack *u, const struct cpio_entry *entry, struct file **file)
{
	const struct known_link *link = entry->nlink > 1 ? find_link(u, entry) : NULL;
	int error;

	if (link != NULL) {
		error = vfs_link(&u->ctx, link->name, 0, &u->ctx, entry->name);
		/* The content comes with the last name. */
		if (error != 0 || entry->size == 0)
			return error;
		return file_open(&u->ctx, entry->name, O_WRONLY | O_TRUNC, 0, file);
	}
	error = open_new(u, entry, file);
	if (error == 0 && entry->nlink > 1) {
		error = remember_link(u, entry);
		if (error != 0) {
			file_put(*file);
			*file = NULL;
		}
	}
	return error;
}

static int make_once(struct unpack *u, const struct cpio_entry *entry, const char *target,
		     struct file **file)
{
	uint32_t mode = entry->mode;

	switch (mode & S_IFMT) {
	case S_IFREG:
		return make_regular(u, entry, file);
	case S_IFDIR:
		return vfs_mkdir(&u->ctx, entry->name, mode & 07777);
	case S_IFLNK:
		return vfs_symlink(&u->ctx, entry->name, target);
	case S_IFCHR:
	case S_IFBLK:
	case S_IFIFO:
	case S_IFSOCK:
		return vfs_create(&u->ctx, entry->name, mode,
				  device_make(entry->rdev_major, entry->rdev_minor));
	}
	return -EINVAL;
}

static void set_attributes(const struct cpio_entry *entry, struct inode *inode)
{
	struct inode_attr attr = {
		.valid = ATTR_MODE | ATTR_UID | ATTR_GID | ATTR_ATIME | ATTR_MTIME,
		.mode = entry->mode, .uid = entry->uid, .gid = entry->gid,
		.atime = { .tv_sec = entry->mtime }, .mtime = { .tv_sec = entry->mtime },
	};

	if (inode->ops->setattr != NULL)
		(void)inode->ops->setattr(inode, &attr);
}

/* What has no content gets its attributes at once. */
static int finish_named(struct unpack *u, const struct cpio_entry *entry)
{
	struct path path;
	int error = path_lookup(&u->ctx, entry->name, 0, &path);

	if (error != 0)
		return error;
	set_attributes(entry, path_inode(&path));
	path_put(&path);
	return 0;
}

int unpack_entry(struct unpack *u, const struct cpio_entry *entry, const char *target,
		 struct file **file)
{
	int error;

	*file = NULL;
	u->entries++;
	if (entry->name_length == 0)
		return -EINVAL;
	error = make_once(u, entry, target, file);
	if (error == -ENOENT) {
		error = make_parents(u, entry->name);
		if (error == 0)
			error = make_once(u, entry, target, file);
	}
	if (error == -EEXIST && S_ISDIR(entry->mode))
		error = 0;
	if (error == -EEXIST || error == -ELOOP) {
		error = vfs_unlink(&u->ctx, entry->name);
		if (error == 0)
			error = make_once(u, entry, target, file);
	}
	if (error == 0 && *file == NULL && !S_ISREG(entry->mode))
		error = finish_named(u, entry);
	return error;
}

void unpack_finish(const struct cpio_entry *entry, struct file *file)
{
	set_attributes(entry, file->inode);
	file_put(file);
}

/* Full pages of the initrd that the file begins with: how many bytes were taken over. */
static size_t adopt_pages(struct unpack *u, struct object *object, const char *data, size_t size)
{
	size_t done = 0;

	if (!is_aligned((uint64_t)data, PAGE_SIZE))
		return 0;
	for (; size - done >= PAGE_SIZE; done += PAGE_SIZE) {
		struct page *page = virt_to_page(data + done);

		if (page->kind != PAGE_RESERVED)
			break;
		page_adopt(page, PAGE_CACHE);
		if (object_adopt_page(object, done >> PAGE_SHIFT, page) != 0) {
			page_put(page);
			break;
		}
		u->adopted_pages++;
	}
	if (done > 0)
		write_once(object->size_bytes, done);
	return done;
}

int unpack_content(struct unpack *u, struct file *file, const void *data, size_t size)
{
	size_t done = 0;

	if (file->inode->object != NULL && file->inode->object->ops->read_page == NULL)
		done = adopt_pages(u, file->inode->object, data, size);
	while (done < size) {
		ssize_t n = file_write_kernel(file, (const char *)data + done, size - done,
					      (loff_t)done);

		if (n <= 0)
			return n < 0 ? (int)n : -EIO;
		u->copied_bytes += (size_t)n;
		done += (size_t)n;
	}
	return 0;
}
