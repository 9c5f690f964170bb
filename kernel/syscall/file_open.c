/*
 * open, openat, openat2, creat, close and what makes descriptors from names.
 */
#include "abi/errno.h"
#include "abi/fcntl.h"
#include "lib/string.h"
#include "syscall/syscalls.h"
#include "syscall/user_copy_struct.h"
#include "syscall/user_path.h"
#include "vfs/file.h"

#define VALID_OPEN_FLAGS                                                                          \
	(O_ACCMODE | O_CREAT | O_EXCL | O_NOCTTY | O_TRUNC | O_APPEND | O_NONBLOCK | O_SYNC |     \
	 O_DSYNC | FASYNC | O_DIRECT | O_LARGEFILE | O_DIRECTORY | O_NOFOLLOW | O_NOATIME |       \
	 O_CLOEXEC | O_PATH | O_TMPFILE)
#define TMPFILE_BIT (O_TMPFILE & ~O_DIRECTORY)

struct open_request {
	int flags;
	uint32_t mode;
	unsigned int lookup;			/* LOOKUP_* restrictions of openat2 */
};

static long do_open(int dirfd, uint64_t name, const struct open_request *r)
{
	struct user_path p;
	struct file *file;
	int error = user_path_get(&p, dirfd, name, r->lookup);

	if (error != 0)
		return error;
	error = file_open_lookup(&p.base.ctx, p.name, r->flags, r->mode, r->lookup, &file);
	user_path_put(&p);
	return error != 0 ? error : fd_add(file, (r->flags & O_CLOEXEC) != 0);
}

/* open(2) ignores unknown bits and fixes combinations that openat2(2) refuses; files of a 64-bit
 * program are large. */
static long open_legacy(int dirfd, uint64_t name, uint64_t flags, uint64_t mode)
{
	struct open_request r = { .flags = ((int)flags & VALID_OPEN_FLAGS) | O_LARGEFILE };

	if (r.flags & O_PATH)
		r.flags &= O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC;
	if (r.flags & (O_CREAT | TMPFILE_BIT))
		r.mode = (uint32_t)mode & 07777 & ~task_current()->fs->umask;
	if ((r.flags & TMPFILE_BIT) &&
	    ((r.flags & O_TMPFILE) != O_TMPFILE || (r.flags & O_ACCMODE) == O_RDONLY))
		return -EINVAL;
	return do_open(dirfd, name, &r);
}

long sys_open(uint64_t name, uint64_t flags, uint64_t mode)
{
	return open_legacy(AT_FDCWD, name, flags, mode);
}

long sys_openat(uint64_t dirfd, uint64_t name, uint64_t flags, uint64_t mode)
{
	return open_legacy((int)dirfd, name, flags, mode);
}

long sys_creat(uint64_t name, uint64_t mode)
{
	return open_legacy(AT_FDCWD, name, O_CREAT | O_WRONLY | O_TRUNC, mode);
}

static int resolve_to_lookup(uint64_t resolve, unsigned int *lookup)
{
	static const struct { uint64_t resolve; unsigned int lookup; } bits[] = {
		{ RESOLVE_NO_XDEV, LOOKUP_NO_XDEV },
		{ RESOLVE_NO_MAGICLINKS, LOOKUP_NO_MAGIC },
		{ RESOLVE_NO_SYMLINKS, LOOKUP_NO_SYMLINKS },
		{ RESOLVE_BENEATH, LOOKUP_BENEATH },
		{ RESOLVE_IN_ROOT, LOOKUP_IN_ROOT },
		{ RESOLVE_CACHED, LOOKUP_CACHED },
	};

	*lookup = 0;
	for (size_t i = 0; i < sizeof(bits) / sizeof(bits[0]); i++) {
		if (resolve & bits[i].resolve)
			*lookup |= bits[i].lookup;
		resolve &= ~bits[i].resolve;
	}
	if (resolve != 0 || (*lookup & (LOOKUP_BENEATH | LOOKUP_IN_ROOT)) ==
				    (LOOKUP_BENEATH | LOOKUP_IN_ROOT))
		return -EINVAL;
	return 0;
}

/* openat2(2): what open ignores is an error here. */
static int check_how(const struct abi_open_how *how)
{
	bool creates = (how->flags & (O_CREAT | TMPFILE_BIT)) != 0;

	if ((how->flags & ~(uint64_t)VALID_OPEN_FLAGS) != 0 || how->flags >> 32 != 0)
		return -EINVAL;
	if (how->mode != 0 && (!creates || (how->mode & ~07777UL) != 0))
		return -EINVAL;
	if ((how->flags & TMPFILE_BIT) &&
	    ((how->flags & O_TMPFILE) != O_TMPFILE || (how->flags & O_ACCMODE) == O_RDONLY))
		return -EINVAL;
	if ((how->flags & O_PATH) &&
	    (how->flags & ~(uint64_t)(O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC)) != 0)
		return -EINVAL;
	return 0;
}

long sys_openat2(uint64_t dirfd, uint64_t name, uint64_t how_address, uint64_t size)
{
	struct abi_open_how how;
	struct open_request r;
	int error = user_struct_get(&how, sizeof(how), 24, user_addr(how_address), size);

	if (error == 0)
		error = check_how(&how);
	if (error == 0)
		error = resolve_to_lookup(how.resolve, &r.lookup);
	if (error != 0)
		return error;
	r.flags = (int)how.flags;
	r.mode = (uint32_t)how.mode & ~task_current()->fs->umask;
	return do_open((int)dirfd, name, &r);
}

long sys_close(uint64_t fd)
{
	return fd_close((int)fd);
}

long sys_close_range(uint64_t first, uint64_t last, uint64_t flags)
{
	return fd_close_range((unsigned int)first, (unsigned int)last, (unsigned int)flags);
}
