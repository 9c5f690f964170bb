/*
 * Reading directories: getdents64, getdents.
 */
#include "abi/dirent.h"
#include "abi/errno.h"
#include "lib/bits.h"
#include "lib/container_of.h"
#include "lib/string.h"
#include "proc/fdtable.h"
#include "syscall/syscalls.h"
#include "vfs/file.h"

struct dirent_writer {
	struct dir_context ctx;
	user_addr_t to;
	size_t left;
	size_t written;
	int error;
	bool old_format;
};

#define RECORD_MAX 280			/* header, 255 bytes of name, NUL, type, padding */

static size_t record_new(uint8_t *record, const char *name, size_t length, uint64_t inode,
			 uint8_t type, loff_t next)
{
	struct abi_dirent64 *d = (struct abi_dirent64 *)record;
	size_t bytes = (offsetof(struct abi_dirent64, d_name) + length + 1 + 7) & ~7UL;

	memset(record, 0, bytes);
	d->d_ino = inode;
	d->d_off = next;
	d->d_reclen = (uint16_t)bytes;
	d->d_type = type;
	memcpy(d->d_name, name, length);
	return bytes;
}

/* The old form has the type in the record's last byte. */
static size_t record_old(uint8_t *record, const char *name, size_t length, uint64_t inode,
			 uint8_t type, loff_t next)
{
	struct abi_dirent *d = (struct abi_dirent *)record;
	size_t bytes = (offsetof(struct abi_dirent, d_name) + length + 2 + 7) & ~7UL;

	memset(record, 0, bytes);
	d->d_ino = inode;
	d->d_off = (uint64_t)next;
	d->d_reclen = (uint16_t)bytes;
	memcpy(d->d_name, name, length);
	record[bytes - 1] = type;
	return bytes;
}

static bool dirent_emit(struct dir_context *ctx, const char *name, size_t length, uint64_t inode,
			uint8_t type, loff_t next)
{
	struct dirent_writer *w = container_of(ctx, struct dirent_writer, ctx);
	uint8_t record[RECORD_MAX] __attribute__((aligned(8)));
	size_t bytes;

	if (length > NAME_MAX_BYTES) {
		w->error = -EIO;
		return false;
	}
	bytes = w->old_format ? record_old(record, name, length, inode, type, next)
			      : record_new(record, name, length, inode, type, next);
	if (bytes > w->left) {
		w->error = -EINVAL;	/* what is said when not even one fits */
		return false;
	}
	if (copy_to_user(w->to, record, bytes) != 0) {
		w->error = -EFAULT;
		return false;
	}
	w->to = user_add(w->to, bytes);
	w->left -= bytes;
	w->written += bytes;
	return true;
}

static long read_directory(uint64_t fd, uint64_t to, uint64_t bytes, bool old_format)
{
	struct dirent_writer w = {
		.ctx.emit = dirent_emit, .to = user_addr(to), .left = (uint32_t)bytes,
		.old_format = old_format,
	};
	struct fd_ref ref;
	long error;

	if (!fd_get((int)fd, &ref))
		return -EBADF;
	error = file_getdents(ref.file, &w.ctx);
	fd_put(&ref);
	if (w.written > 0)
		return (long)w.written;
	return error != 0 ? error : w.error;
}

long sys_getdents64(uint64_t fd, uint64_t to, uint64_t bytes)
{
	return read_directory(fd, to, bytes, false);
}

long sys_getdents(uint64_t fd, uint64_t to, uint64_t bytes)
{
	return read_directory(fd, to, bytes, true);
}
