/*
 * Reader for cpio archives in the "new ASCII" format (070701, 070702), the format of an initramfs.
 *
 * Works in place on a range of memory and trusts none of it: every field is checked against what is
 * left. A boot image may be several archives one behind the other with zero bytes between them, and
 * compressed ones among them: the iterator goes through all plain archives and stops at the first
 * byte that starts none, leaving `at` there.
 *
 * Format: `cpio(5)`; linux Documentation/driver-api/early-userspace/buffer-format.rst.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

struct cpio {
	const unsigned char *start; /* of the current archive: alignment counts from it */
	const unsigned char *at;
	const unsigned char *end;
};

struct cpio_entry {
	const char *name; /* terminated, in the archive; may be absolute, or hold `.` and `..` */
	size_t name_length;
	const void *data; /* content of a file, target of a symbolic link (not terminated) */
	size_t size;
	uint32_t ino;
	uint32_t mode;
	uint32_t uid;
	uint32_t gid;
	uint32_t nlink;
	uint32_t mtime;
	uint32_t dev_major;
	uint32_t dev_minor;
	uint32_t rdev_major;
	uint32_t rdev_minor;
};

void cpio_init(struct cpio *cpio, const void *archive, size_t size);

/*
 * 0 with the next entry; trailers are not reported. -ENOENT: the end, or something else than cpio
 * begins at cpio->at. -EINVAL: the archive is malformed or cut short.
 */
int cpio_next(struct cpio *cpio, struct cpio_entry *entry);
