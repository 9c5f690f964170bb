/*
 * inotify: watches on names.
 */
#include "abi/errno.h"
#include "abi/fcntl.h"
#include "fs/inotify.h"
#include "proc/task.h"
#include "syscall/syscalls.h"
#include "syscall/user_path.h"

#define KNOWN_BITS                                                                                \
	(IN_ALL_EVENTS | IN_UNMOUNT | IN_Q_OVERFLOW | IN_IGNORED | IN_ONLYDIR | IN_DONT_FOLLOW |  \
	 IN_EXCL_UNLINK | IN_MASK_ADD | IN_MASK_CREATE | IN_ISDIR | IN_ONESHOT)

long sys_inotify_init1(uint64_t flags)
{
	struct file *file = NULL;
	int error;

	if (((int)flags & ~(IN_CLOEXEC | IN_NONBLOCK)) != 0)
		return -EINVAL;
	error = inotify_create_file((int)flags & ~IN_CLOEXEC, &file);
	return error != 0 ? error : fd_add(file, (flags & IN_CLOEXEC) != 0);
}

long sys_inotify_init(void) { return sys_inotify_init1(0); }

static int add_watch(struct file *file, uint64_t name, uint32_t mask)
{
	unsigned int lookup = ((mask & IN_DONT_FOLLOW) == 0 ? LOOKUP_FOLLOW : 0) |
			      ((mask & IN_ONLYDIR) != 0 ? LOOKUP_DIRECTORY : 0);
	struct path path;
	int error = user_path_lookup(AT_FDCWD, name, lookup, &path);

	if (error != 0)
		return error;
	error = inode_permission(path_inode(&path), 4, &cred_current()->vfs);
	if (error == 0)
		error = inotify_add(file, &path, mask);
	path_put(&path);
	return error;
}

long sys_inotify_add_watch(uint64_t fd, uint64_t name, uint64_t mask)
{
	struct fd_ref ref;
	long result;

	if ((uint32_t)mask == 0 || ((uint32_t)mask & ~(uint32_t)KNOWN_BITS) != 0)
		return -EINVAL;
	if (!fd_get((int)fd, &ref))
		return -EBADF;
	if (!inotify_is_file(ref.file) ||
	    ((uint32_t)mask & (IN_MASK_ADD | IN_MASK_CREATE)) == (IN_MASK_ADD | IN_MASK_CREATE))
		result = -EINVAL;
	else
		result = add_watch(ref.file, name, (uint32_t)mask);
	fd_put(&ref);
	return result;
}

long sys_inotify_rm_watch(uint64_t fd, uint64_t watch)
{
	struct fd_ref ref;
	long result;

	if (!fd_get((int)fd, &ref))
		return -EBADF;
	result = inotify_remove(ref.file, (int)watch);
	fd_put(&ref);
	return result;
}
