/*
 * Copy-up: a lower file or directory gets its place in the upper layer, before it is changed.
 *
 * A regular file is made without a name, filled, and linked into place; everything else is made
 * under a passing name in the work directory and renamed. So whoever looks sees the old thing or
 * the whole new one. Parents come first: a loop, from the topmost that lacks an upper. One at a
 * time for the whole overlay, under copy_mutex.
 */
#include "fs/overlay/overlay_internal.h"

#include "lib/bits.h"
#include "lib/format.h"
#include "sched/thread.h"

#define COPY_BYTES (32 * 1024UL)
#define XATTR_LIST_MAX (64 * 1024UL)

void ovl_work_name(struct ovl_super *os, char *buf, size_t n)
{
	format_string(buf, n, "#%lx", (unsigned long)atomic64_add(&os->next_work_name, 1));
}

int ovl_set_opaque(const struct path *dir)
{
	return inode_setxattr(path_inode(dir), OVL_OPAQUE, "y", 1, 0, &vfs_cred_kernel);
}

/* ---- content --------------------------------------------------------------------------------- */

static int copy_loop(struct file *from, struct file *to, char *buffer)
{
	loff_t at = 0;

	for (;;) {
		ssize_t n = file_read_kernel(from, buffer, COPY_BYTES, at), done = 0;

		if (n <= 0)
			return (int)n;
		while (done < n) {
			ssize_t moved = file_write_kernel(to, buffer + done, (size_t)(n - done),
							  at + done);

			if (moved <= 0)
				return moved < 0 ? (int)moved : -EIO;
			done += moved;
		}
		at += n;
		if (thread_current()->pending_kill)
			return -EINTR;
	}
}

static int copy_data(const struct path *lower, struct file *to)
{
	char *buffer = kmalloc(COPY_BYTES);
	struct file *from;
	int error = -ENOMEM;

	if (buffer == NULL)
		return error;
	error = file_open_path(lower, O_RDONLY | O_LARGEFILE, &vfs_cred_kernel, &from);
	if (error == 0) {
		error = copy_loop(from, to, buffer);
		file_put(from);
	}
	kfree(buffer);
	return error;
}

/* ---- attributes ------------------------------------------------------------------------------ */

static int copy_xattr(struct inode *from, struct inode *to, const char *name, void *value)
{
	size_t n;
	int error;

	if (strncmp(name, OVL_XATTR_PREFIX, sizeof(OVL_XATTR_PREFIX) - 1) == 0)
		return 0;
	error = inode_getxattr(from, name, value, XATTR_SIZE_MAX, &n, &vfs_cred_kernel);
	if (error == 0)
		error = inode_setxattr(to, name, value, n, 0, &vfs_cred_kernel);
	/* A name that the upper layer cannot keep is left behind, as on Linux. */
	return error == -EOPNOTSUPP || error == -EPERM || error == -ENODATA ? 0 : error;
}

static int copy_xattrs(struct inode *from, struct inode *to)
{
	size_t total = 0;
	char *list, *value;
	int error;

	if (from->ops->listxattr == NULL)
		return 0;
	error = inode_listxattr(from, NULL, 0, &total, &vfs_cred_kernel);
	if (error != 0 || total == 0)
		return error == -EOPNOTSUPP ? 0 : error;
	total = MIN(total, XATTR_LIST_MAX);
	list = kmalloc(total);
	value = kmalloc(XATTR_SIZE_MAX);
	error = list != NULL && value != NULL ? 0 : -ENOMEM;
	if (error == 0)
		error = inode_listxattr(from, list, total, &total, &vfs_cred_kernel);
	for (size_t at = 0; error == 0 && at < total; at += strlen(list + at) + 1)
		error = copy_xattr(from, to, list + at, value);
	kfree(value);
	kfree(list);
	return error;
}

static int copy_attributes(struct ovl_inode *oi, struct inode *to)
{
	struct inode *from = oi->lower[0]->inode;
	uint64_t origin = oi->inode.number;
	struct inode_attr attr = {
		.valid = ATTR_MODE | ATTR_UID | ATTR_GID | ATTR_ATIME | ATTR_MTIME,
		.mode = from->mode, .uid = from->uid, .gid = from->gid,
		.atime = from->atime, .mtime = from->mtime,
	};
	int error = copy_xattrs(from, to);

	/* Only an upper layer that cannot keep it loses the number: no reason to fail. */
	(void)!inode_setxattr(to, OVL_ORIGIN, &origin, sizeof(origin), 0, &vfs_cred_kernel);
	if (error != 0)
		return error;
	mutex_lock(&to->mutex);
	error = to->ops->setattr(to, &attr);
	mutex_unlock(&to->mutex);
	return error;
}

/* ---- the kinds ------------------------------------------------------------------------------- */

static int copy_regular(struct ovl_inode *oi, const struct path *dir, bool with_data)
{
	struct path_context ctx = ovl_context(dir, &vfs_cred_kernel), source;
	struct path lower = { ovl_real_mount(oi, oi->lower[0]), oi->lower[0] };
	struct file *file;
	int error = file_open(&ctx, ".", O_TMPFILE | O_RDWR, 0600, &file);

	if (error != 0)
		return error;
	if (with_data)
		error = copy_data(&lower, file);
	if (error == 0)
		error = copy_attributes(oi, file->inode);
	if (error == 0) {
		source = ovl_context(&file->path, &vfs_cred_kernel);
		error = vfs_link(&source, "", LOOKUP_EMPTY, &ctx, oi->name);
	}
	file_put(file);
	return error;
}

/* Makes it in the work directory; *out is where (counted). */
static int make_in_work(struct ovl_inode *oi, const struct path_context *work, const char *name,
			struct path *out)
{
	struct inode *lower = oi->lower[0]->inode;
	char *target;
	int error;

	if (S_ISDIR(lower->mode)) {
		error = vfs_mkdir(work, name, 0700);
	} else if (S_ISLNK(lower->mode)) {
		error = lower->ops->readlink(lower, &target);
		if (error != 0)
			return error;
		error = vfs_symlink(work, name, target);
		kfree(target);
	} else {
		error = vfs_create(work, name, (lower->mode & S_IFMT) | 0600, lower->rdev);
	}
	return error != 0 ? error : path_lookup(work, name, 0, out);
}

static void remove_from_work(const struct path_context *work, const char *name, bool is_dir)
{
	int error = is_dir ? vfs_rmdir(work, name) : vfs_unlink(work, name);

	ASSERT(error == 0);
	(void)error;
}

static int copy_other(struct ovl_inode *oi, const struct path *dir)
{
	struct ovl_super *os = ovl_super_of(&oi->inode);
	struct path_context ctx = ovl_context(dir, &vfs_cred_kernel);
	struct path_context work = ovl_context(&os->work, &vfs_cred_kernel);
	struct path made;
	char name[32];
	int error;

	ovl_work_name(os, name, sizeof(name));
	error = make_in_work(oi, &work, name, &made);
	if (error != 0)
		return error;
	error = copy_attributes(oi, path_inode(&made));
	path_put(&made);
	if (error == 0)
		error = vfs_rename(&work, name, &ctx, oi->name, 0);
	if (error != 0)
		remove_from_work(&work, name, S_ISDIR(oi->inode.mode));
	return error;
}

/* oi's parent has an upper, oi has none. copy_mutex is held. */
static int copy_one(struct ovl_inode *oi, bool with_data)
{
	struct path dir = ovl_upper_path(oi->parent);
	struct dentry *upper;
	int error;

	if (S_ISREG(oi->inode.mode))
		error = copy_regular(oi, &dir, with_data);
	else
		error = copy_other(oi, &dir);
	if (error == 0)
		error = dentry_lookup(dir.dentry, oi->name, strlen(oi->name), &upper);
	if (error != 0)
		return error;
	ASSERT(upper->inode != NULL);
	/* From here on the upper one is real; pairs with ovl_upper(). The reference stays. */
	store_release(&oi->upper, upper);
	return 0;
}

int ovl_copy_up(struct ovl_inode *oi, bool with_data)
{
	struct ovl_super *os = ovl_super_of(&oi->inode);
	int error = 0;

	if (ovl_upper(oi) != NULL)
		return 0;
	if (os->upper.mount == NULL)
		return -EROFS;
	mutex_lock(&os->copy_mutex);
	/* What has lost its name cannot get one above: Linux refuses as well. */
	if (oi->unlinked && ovl_upper(oi) == NULL)
		error = -ESTALE;
	while (error == 0 && ovl_upper(oi) == NULL) {
		struct ovl_inode *top = oi;

		while (ovl_upper(top->parent) == NULL)
			top = top->parent;
		error = copy_one(top, with_data || top != oi);
	}
	mutex_unlock(&os->copy_mutex);
	return error;
}
