/*
 * Making what an archive's entry describes: shared by the reader of plain archives and that of
 * compressed ones, which come in pieces.
 */
#pragma once

#include "lib/cpio.h"
#include "lib/list.h"
#include "vfs/file.h"
#include "vfs/path.h"

struct unpack {
	struct path_context ctx;
	struct list_head links;			/* names of files with several, until the end */
	uint64_t entries, adopted_pages, copied_bytes;
	const void *initrd;			/* where adoption of pages is possible */
	size_t initrd_bytes;
};

void unpack_init(struct unpack *u, const struct path *root);
void unpack_fini(struct unpack *u);
/* Makes the entry. A regular file's open file is *file (counted), NULL for the others. */
must_check int unpack_entry(struct unpack *u, const struct cpio_entry *entry, const char *target,
			    struct file **file);
/* The whole content, in place in the initrd: full pages are adopted, not copied. */
must_check int unpack_content(struct unpack *u, struct file *file, const void *data, size_t size);
/* After the content: owner, mode, times. */
void unpack_finish(const struct cpio_entry *entry, struct file *file);

/* A gzip member, a zstd frame with archives in it; *consumed of the input. */
must_check int unpack_gzip(struct unpack *u, const void *data, size_t size, size_t *consumed);
must_check int unpack_zstd(struct unpack *u, const void *data, size_t size, size_t *consumed);
