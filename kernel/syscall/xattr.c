/*
 * Extended attributes: twelve calls that differ in how they name the file.
 */
#include "abi/errno.h"
#include "abi/fcntl.h"
#include "core/user_copy.h"
#include "lib/string.h"
#include "mem/slab.h"
#include "syscall/syscalls.h"
#include "syscall/user_path.h"
#include "vfs/inode.h"

#define XATTR_NAME_BYTES 256
#define XATTR_VALUE_MAX 65536

/* By name (following links or not), or by descriptor. Counted. */
enum how { FOLLOW, NOFOLLOW, DESCRIPTOR };

static int target_get(uint64_t target, enum how how, struct path *out)
{
	struct fd_ref ref;

	if (how != DESCRIPTOR)
		return user_path_lookup(AT_FDCWD, target, how == FOLLOW ? LOOKUP_FOLLOW : 0, out);
	if (!fd_get((int)target, &ref))
		return -EBADF;
	*out = ref.file->path;
	path_get(out);
	fd_put(&ref);
	return 0;
}

static int name_get(uint64_t address, char *name)
{
	ssize_t n = copy_string_from_user(name, user_addr(address), XATTR_NAME_BYTES);

	if (n < 0)
		return n == -ENAMETOOLONG ? -ERANGE : (int)n;
	return n == 0 ? -ERANGE : 0;
}

static long get(uint64_t target, uint64_t name_at, uint64_t to, uint64_t size, enum how how)
{
	char name[XATTR_NAME_BYTES];
	struct path path;
	void *value = NULL;
	size_t n = size < XATTR_VALUE_MAX ? size : XATTR_VALUE_MAX, got;
	long result = name_get(name_at, name);

	if (result != 0)
		return result;
	if (n > 0 && (value = kmalloc(n)) == NULL)
		return -ENOMEM;
	result = target_get(target, how, &path);
	if (result == 0) {
		result = inode_getxattr(path_inode(&path), name, value, n, &got,
					&cred_current()->vfs);
		path_put(&path);
		if (result == 0 && n > 0)
			result = copy_to_user(user_addr(to), value, got);
		if (result == 0)
			result = (long)got;
	}
	kfree(value);
	return result;
}

static long set(uint64_t target, uint64_t name_at, uint64_t from, uint64_t size, uint64_t flags,
		enum how how)
{
	char name[XATTR_NAME_BYTES];
	struct path path;
	void *value = NULL;
	long result;

	if ((flags & ~3UL) != 0)		/* XATTR_CREATE, XATTR_REPLACE */
		return -EINVAL;
	result = name_get(name_at, name);
	if (result != 0)
		return result;
	if (size > XATTR_VALUE_MAX)
		return -E2BIG;
	if (size > 0) {
		value = kmalloc(size);
		if (value == NULL)
			return -ENOMEM;
		result = copy_from_user(value, user_addr(from), size);
	}
	if (result == 0)
		result = target_get(target, how, &path);
	if (result == 0) {
		result = vfs_setxattr(&path, name, value, size, (int)flags, &cred_current()->vfs);
		path_put(&path);
	}
	kfree(value);
	return result;
}

static long list(uint64_t target, uint64_t to, uint64_t size, enum how how)
{
	size_t n = size < XATTR_VALUE_MAX ? size : XATTR_VALUE_MAX, got;
	struct path path;
	char *names = NULL;
	long result;

	if (n > 0 && (names = kmalloc(n)) == NULL)
		return -ENOMEM;
	result = target_get(target, how, &path);
	if (result == 0) {
		result = inode_listxattr(path_inode(&path), names, n, &got, &cred_current()->vfs);
		path_put(&path);
		if (result == 0 && n > 0)
			result = copy_to_user(user_addr(to), names, got);
		if (result == 0)
			result = (long)got;
	}
	kfree(names);
	return result;
}

static long remove(uint64_t target, uint64_t name_at, enum how how)
{
	char name[XATTR_NAME_BYTES];
	struct path path;
	long result = name_get(name_at, name);

	if (result == 0)
		result = target_get(target, how, &path);
	if (result == 0) {
		result = vfs_removexattr(&path, name, &cred_current()->vfs);
		path_put(&path);
	}
	return result;
}

long sys_getxattr(uint64_t t, uint64_t name, uint64_t to, uint64_t size)
{
	return get(t, name, to, size, FOLLOW);
}

long sys_lgetxattr(uint64_t t, uint64_t name, uint64_t to, uint64_t size)
{
	return get(t, name, to, size, NOFOLLOW);
}

long sys_fgetxattr(uint64_t t, uint64_t name, uint64_t to, uint64_t size)
{
	return get(t, name, to, size, DESCRIPTOR);
}

long sys_setxattr(uint64_t t, uint64_t name, uint64_t from, uint64_t size, uint64_t flags)
{
	return set(t, name, from, size, flags, FOLLOW);
}

long sys_lsetxattr(uint64_t t, uint64_t name, uint64_t from, uint64_t size, uint64_t flags)
{
	return set(t, name, from, size, flags, NOFOLLOW);
}

long sys_fsetxattr(uint64_t t, uint64_t name, uint64_t from, uint64_t size, uint64_t flags)
{
	return set(t, name, from, size, flags, DESCRIPTOR);
}

long sys_listxattr(uint64_t t, uint64_t to, uint64_t size) { return list(t, to, size, FOLLOW); }
long sys_llistxattr(uint64_t t, uint64_t to, uint64_t size) { return list(t, to, size, NOFOLLOW); }
long sys_flistxattr(uint64_t t, uint64_t to, uint64_t size)
{
	return list(t, to, size, DESCRIPTOR);
}

long sys_removexattr(uint64_t t, uint64_t name) { return remove(t, name, FOLLOW); }
long sys_lremovexattr(uint64_t t, uint64_t name) { return remove(t, name, NOFOLLOW); }
long sys_fremovexattr(uint64_t t, uint64_t name) { return remove(t, name, DESCRIPTOR); }
