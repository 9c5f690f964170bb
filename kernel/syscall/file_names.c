/*
 * Names: directories, links, rename, and where we are.
 */
#include "abi/capability.h"
#include "abi/errno.h"
#include "abi/fcntl.h"
#include "core/user_copy.h"
#include "lib/string.h"
#include "mem/slab.h"
#include "proc/fs_state.h"
#include "syscall/syscalls.h"
#include "syscall/user_path.h"
#include "vfs/dentry.h"
#include "vfs/inode.h"

static uint32_t masked(uint64_t mode, uint32_t bits)
{
	return (uint32_t)mode & bits & ~task_current()->fs->umask;
}

long sys_mkdirat(uint64_t dirfd, uint64_t name, uint64_t mode)
{
	struct user_path p;
	int error = user_path_get(&p, (int)dirfd, name, 0);

	if (error != 0)
		return error;
	error = vfs_mkdir(&p.base.ctx, p.name, masked(mode, 01777));
	user_path_put(&p);
	return error;
}

long sys_mkdir(uint64_t name, uint64_t mode)
{
	return sys_mkdirat((uint64_t)AT_FDCWD, name, mode);
}

long sys_mknodat(uint64_t dirfd, uint64_t name, uint64_t mode, uint64_t device)
{
	uint32_t kind = (uint32_t)mode & S_IFMT;
	struct user_path p;
	int error;

	if (kind == S_IFDIR)
		return -EPERM;
	if (kind != 0 && kind != S_IFREG && kind != S_IFCHR && kind != S_IFBLK &&
	    kind != S_IFIFO && kind != S_IFSOCK)
		return -EINVAL;
	error = user_path_get(&p, (int)dirfd, name, 0);
	if (error != 0)
		return error;
	error = vfs_create(&p.base.ctx, p.name, (kind == 0 ? S_IFREG : kind) | masked(mode, 07777),
			   (uint32_t)device);
	user_path_put(&p);
	return error;
}

long sys_mknod(uint64_t name, uint64_t mode, uint64_t device)
{
	return sys_mknodat((uint64_t)AT_FDCWD, name, mode, device);
}

long sys_unlinkat(uint64_t dirfd, uint64_t name, uint64_t flags)
{
	struct user_path p;
	int error;

	if ((flags & ~(uint64_t)AT_REMOVEDIR) != 0)
		return -EINVAL;
	error = user_path_get(&p, (int)dirfd, name, 0);
	if (error != 0)
		return error;
	if (flags & AT_REMOVEDIR)
		error = vfs_rmdir(&p.base.ctx, p.name);
	else
		error = vfs_unlink(&p.base.ctx, p.name);
	user_path_put(&p);
	return error;
}

long sys_unlink(uint64_t name)
{
	return sys_unlinkat((uint64_t)AT_FDCWD, name, 0);
}

long sys_rmdir(uint64_t name)
{
	return sys_unlinkat((uint64_t)AT_FDCWD, name, AT_REMOVEDIR);
}

long sys_symlinkat(uint64_t target, uint64_t dirfd, uint64_t name)
{
	struct user_path p;
	char *text;
	int error = user_string_get(target, PATH_MAX_BYTES, &text);

	if (error != 0)
		return error;
	error = text[0] == '\0' ? -ENOENT : user_path_get(&p, (int)dirfd, name, 0);
	if (error == 0) {
		error = vfs_symlink(&p.base.ctx, p.name, text);
		user_path_put(&p);
	}
	kfree(text);
	return error;
}

long sys_symlink(uint64_t target, uint64_t name)
{
	return sys_symlinkat(target, (uint64_t)AT_FDCWD, name);
}

/* The two path arguments of link and rename. */
struct path_pair { struct user_path from, to; };

static int pair_get(struct path_pair **out, int from_fd, uint64_t from, int to_fd, uint64_t to,
		    unsigned int from_flags)
{
	struct path_pair *pair = kmalloc(sizeof(*pair));
	int error;

	if (pair == NULL)
		return -ENOMEM;
	error = user_path_get(&pair->from, from_fd, from, from_flags);
	if (error == 0) {
		error = user_path_get(&pair->to, to_fd, to, 0);
		if (error == 0) {
			*out = pair;
			return 0;
		}
		user_path_put(&pair->from);
	}
	kfree(pair);
	return error;
}

static void pair_put(struct path_pair *pair)
{
	user_path_put(&pair->to);
	user_path_put(&pair->from);
	kfree(pair);
}

long sys_linkat(uint64_t from_fd, uint64_t from, uint64_t to_fd, uint64_t to, uint64_t flags)
{
	unsigned int lookup = (flags & AT_SYMLINK_FOLLOW ? LOOKUP_FOLLOW : 0) |
			      (flags & AT_EMPTY_PATH ? LOOKUP_EMPTY : 0);
	struct path_pair *pair;
	int error;

	if ((flags & ~(uint64_t)(AT_SYMLINK_FOLLOW | AT_EMPTY_PATH)) != 0)
		return -EINVAL;
	if ((flags & AT_EMPTY_PATH) && !capable(CAP_DAC_READ_SEARCH))
		return -ENOENT;
	error = pair_get(&pair, (int)from_fd, from, (int)to_fd, to,
			 (flags & AT_EMPTY_PATH) != 0 ? LOOKUP_EMPTY : 0);
	if (error != 0)
		return error;
	error = vfs_link(&pair->from.base.ctx, pair->from.name, lookup, &pair->to.base.ctx,
			 pair->to.name);
	pair_put(pair);
	return error;
}

long sys_link(uint64_t from, uint64_t to)
{
	return sys_linkat((uint64_t)AT_FDCWD, from, (uint64_t)AT_FDCWD, to, 0);
}

long sys_renameat2(uint64_t from_fd, uint64_t from, uint64_t to_fd, uint64_t to, uint64_t flags)
{
	struct path_pair *pair;
	int error;

	if ((flags & ~(uint64_t)(RENAME_NOREPLACE | RENAME_EXCHANGE | RENAME_WHITEOUT)) != 0 ||
	    ((flags & RENAME_EXCHANGE) && (flags & (RENAME_NOREPLACE | RENAME_WHITEOUT))))
		return -EINVAL;
	error = pair_get(&pair, (int)from_fd, from, (int)to_fd, to, 0);
	if (error != 0)
		return error;
	error = vfs_rename(&pair->from.base.ctx, pair->from.name, &pair->to.base.ctx,
			   pair->to.name, (unsigned int)flags);
	pair_put(pair);
	return error;
}

long sys_renameat(uint64_t from_fd, uint64_t from, uint64_t to_fd, uint64_t to)
{
	return sys_renameat2(from_fd, from, to_fd, to, 0);
}

long sys_rename(uint64_t from, uint64_t to)
{
	return sys_renameat2((uint64_t)AT_FDCWD, from, (uint64_t)AT_FDCWD, to, 0);
}

/* An empty name is the descriptor itself: no link there is as no name. */
static int read_link(const struct user_path *p, char **target)
{
	struct inode *inode;
	struct path path;
	int error = path_lookup(&p->base.ctx, p->name, LOOKUP_EMPTY, &path);

	if (error != 0)
		return error;
	inode = path_inode(&path);
	if (S_ISLNK(inode->mode) && inode->ops->readlink != NULL)
		error = inode->ops->readlink(inode, target);
	else
		error = p->name[0] == '\0' ? -ENOENT : -EINVAL;
	path_put(&path);
	return error;
}

long sys_readlinkat(uint64_t dirfd, uint64_t name, uint64_t to, uint64_t size)
{
	struct user_path p;
	char *target;
	size_t n;
	int error;

	if ((int)size <= 0)
		return -EINVAL;
	error = user_path_get(&p, (int)dirfd, name, LOOKUP_EMPTY);
	if (error != 0)
		return error;
	error = read_link(&p, &target);
	user_path_put(&p);
	if (error != 0)
		return error;
	n = strlen(target);
	if (n > (uint32_t)size)
		n = (uint32_t)size;
	error = copy_to_user(user_addr(to), target, n);
	kfree(target);
	return error != 0 ? error : (long)n;
}

long sys_readlink(uint64_t name, uint64_t to, uint64_t size)
{
	return sys_readlinkat((uint64_t)AT_FDCWD, name, to, size);
}

/* --- the working directory and the root ------------------------------------------------------- */

static int enter(const struct path *path)
{
	struct inode *inode = path_inode(path);

	if (!S_ISDIR(inode->mode))
		return -ENOTDIR;
	return inode_permission(inode, X_OK, &cred_current()->vfs);
}

long sys_chdir(uint64_t name)
{
	struct path path;
	int error = user_path_lookup(AT_FDCWD, name, LOOKUP_FOLLOW | LOOKUP_DIRECTORY, &path);

	if (error != 0)
		return error;
	error = enter(&path);
	if (error == 0)
		fs_state_set(task_current()->fs, &task_current()->fs->cwd, &path);
	path_put(&path);
	return error;
}

long sys_fchdir(uint64_t fd)
{
	struct fd_ref ref;
	int error;

	if (!fd_get_any((int)fd, &ref))
		return -EBADF;
	error = enter(&ref.file->path);
	if (error == 0)
		fs_state_set(task_current()->fs, &task_current()->fs->cwd, &ref.file->path);
	fd_put(&ref);
	return error;
}

long sys_chroot(uint64_t name)
{
	struct path path;
	int error = user_path_lookup(AT_FDCWD, name, LOOKUP_FOLLOW | LOOKUP_DIRECTORY, &path);

	if (error != 0)
		return error;
	error = enter(&path);
	if (error == 0 && !capable(CAP_SYS_CHROOT))
		error = -EPERM;
	if (error == 0)
		fs_state_set(task_current()->fs, &task_current()->fs->root, &path);
	path_put(&path);
	return error;
}

/* Outside the root the name begins with "(unreachable)", as Linux has it. */
static long copy_cwd(const struct path_base *b, char *buffer, uint64_t to, uint64_t size)
{
	static const char prefix[] = "(unreachable)";
	bool reachable;
	char *name;
	size_t n;

	if (!path_inode(&b->base) || !b->base.dentry->hashed) {
		if (b->base.dentry->parent != b->base.dentry)
			return -ENOENT;
	}
	name = path_name(&b->base, &b->root, buffer + sizeof(prefix), PATH_MAX_BYTES, &reachable);
	if (name == NULL)
		return -ENAMETOOLONG;
	if (!reachable) {
		name -= sizeof(prefix) - 1;
		memcpy(name, prefix, sizeof(prefix) - 1);
	}
	n = strlen(name) + 1;
	if (n > size)
		return -ERANGE;
	return copy_to_user(user_addr(to), name, n) != 0 ? -EFAULT : (long)n;
}

long sys_getcwd(uint64_t to, uint64_t size)
{
	struct path_base b;
	char *buffer;
	long result = path_base_get(AT_FDCWD, NULL, &b);

	if (result != 0)
		return result;
	buffer = kmalloc(PATH_MAX_BYTES + 32);
	result = buffer != NULL ? copy_cwd(&b, buffer, to, size) : -ENOMEM;
	kfree(buffer);
	path_base_put(&b);
	return result;
}

long sys_umask(uint64_t mask)
{
	struct fs_state *fs = task_current()->fs;

	return __atomic_exchange_n(&fs->umask, (uint32_t)mask & 0777, __ATOMIC_RELAXED);
}
