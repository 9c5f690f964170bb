/*
 * Does the cpio reader find what the packer packed, and refuse what is malformed?
 *
 * links: lib/cpio.c
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "abi/errno.h"
#include "host_test.h"
#include "lib/cpio.h"

struct archive {
	char bytes[8192];
	size_t size;
};

static void pad(struct archive *archive)
{
	while (archive->size % 4 != 0)
		archive->bytes[archive->size++] = '\0';
}

/* name_size counts the terminator, and may be more than that. */
static void add(struct archive *archive, const char *name, size_t name_size, unsigned mode,
		const char *data)
{
	archive->size += (size_t)sprintf(
	    archive->bytes + archive->size,
	    "070701%08x%08x%08x%08x%08X%08x%08zx%08x%08x%08x%08x%08zx%08x", 17, mode, 1000, 100, 1,
	    0x5EADBEEF, strlen(data), 8, 1, 4, 64, name_size, 0);
	memset(archive->bytes + archive->size, 0, name_size);
	memcpy(archive->bytes + archive->size, name, strlen(name));
	archive->size += name_size;
	pad(archive);
	memcpy(archive->bytes + archive->size, data, strlen(data));
	archive->size += strlen(data);
	pad(archive);
}

static void check_entry(struct cpio *cpio, const char *name, const char *data)
{
	struct cpio_entry entry;

	if (!CHECK_EQUAL(cpio_next(cpio, &entry), 0))
		return;
	CHECK_STRING(entry.name, name);
	CHECK_EQUAL(entry.name_length, strlen(name));
	CHECK_EQUAL(entry.size, strlen(data));
	CHECK(memcmp(entry.data, data, strlen(data)) == 0);
}

TEST(cpio_reads_entries)
{
	struct archive archive = {.size = 0};
	struct cpio_entry entry;
	struct cpio cpio;

	add(&archive, ".", 2, 040755, "");
	add(&archive, "init", 5, 0100755, "#!/bin/sh\n");
	add(&archive, "padded", 20, 0100644, "x");
	add(&archive, "link", 5, 0120777, "init");
	add(&archive, "TRAILER!!!", 11, 0, "");
	cpio_init(&cpio, archive.bytes, archive.size);
	check_entry(&cpio, ".", "");
	CHECK_EQUAL(cpio_next(&cpio, &entry), 0);
	CHECK_STRING(entry.name, "init");
	CHECK_EQUAL(entry.mode, 0100755);
	CHECK_EQUAL(entry.ino, 17);
	CHECK_EQUAL(entry.uid, 1000);
	CHECK_EQUAL(entry.gid, 100);
	CHECK_EQUAL(entry.nlink, 1);
	CHECK_EQUAL(entry.mtime, 0x5eadbeef);
	CHECK_EQUAL(entry.dev_major, 8);
	CHECK_EQUAL(entry.rdev_minor, 64);
	check_entry(&cpio, "padded", "x");
	check_entry(&cpio, "link", "init");
	CHECK_EQUAL(cpio_next(&cpio, &entry), -ENOENT);
	CHECK_EQUAL(cpio_next(&cpio, &entry), -ENOENT);
}

TEST(cpio_reads_concatenated_archives)
{
	struct archive archive = {.size = 0};
	struct cpio_entry entry;
	struct cpio cpio;

	add(&archive, "a", 2, 0100644, "1");
	add(&archive, "TRAILER!!!", 11, 0, "");
	memset(archive.bytes + archive.size, 0, 512);
	archive.size += 512;
	add(&archive, "b", 2, 0100644, "2");
	add(&archive, "TRAILER!!!", 11, 0, "");
	memcpy(archive.bytes + archive.size, "\x1f\x8b gzip", 7);
	archive.size += 7;
	cpio_init(&cpio, archive.bytes, archive.size);
	check_entry(&cpio, "a", "1");
	check_entry(&cpio, "b", "2");
	CHECK_EQUAL(cpio_next(&cpio, &entry), -ENOENT);
	CHECK_EQUAL(cpio.end - cpio.at, 7);
}

TEST(cpio_refuses_every_truncation)
{
	struct archive archive = {.size = 0};
	struct cpio_entry entry;

	add(&archive, "name", 5, 0100644, "some data");
	for (size_t size = 1; size < archive.size - 3; size++) {
		/* A copy of exactly that size, for the sanitiser to see any access beyond. */
		char *copy = malloc(size);
		struct cpio cpio;

		memcpy(copy, archive.bytes, size);
		cpio_init(&cpio, copy, size);
		CHECK_EQUAL(cpio_next(&cpio, &entry), size < 6 ? -ENOENT : -EINVAL);
		free(copy);
	}
}

static int with_byte(size_t offset, char byte)
{
	struct archive archive = {.size = 0};
	struct cpio_entry entry;
	struct cpio cpio;

	add(&archive, "name", 5, 0100644, "some data");
	archive.bytes[offset] = byte;
	cpio_init(&cpio, archive.bytes, archive.size);
	return cpio_next(&cpio, &entry);
}

TEST(cpio_refuses_bad_fields)
{
	CHECK_EQUAL(with_byte(6 + 8 * 6, 'f'), -EINVAL);  /* file size: huge */
	CHECK_EQUAL(with_byte(6 + 8 * 11, 'f'), -EINVAL); /* name size: huge */
	CHECK_EQUAL(with_byte(6 + 8 * 11 + 7, '0'), -EINVAL);
	CHECK_EQUAL(with_byte(6 + 8 * 11 + 7, '4'), -EINVAL); /* the name loses its terminator */
	CHECK_EQUAL(with_byte(6 + 3, 'x'), -EINVAL);
	CHECK_EQUAL(with_byte(6 + 3, ' '), -EINVAL);
	CHECK_EQUAL(with_byte(6 + 3, 'A'), 0);
}
