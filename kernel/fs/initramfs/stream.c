/*
 * Archives inside gzip or zstd: a cpio reader that is fed piece by piece, as the decompressor puts
 * them out.
 *
 * States: HEADER (110 bytes), NAME (with its padding), then by kind DATA (a file's, written as it
 * comes), TARGET (a link's, gathered) or SKIP, then PAD to a multiple of 4. Between archives zeros
 * are skipped. Nothing in the input is trusted: sizes are bounded before anything is gathered.
 */
#include "abi/errno.h"
#include "core/klog.h"
#include "fs/initramfs/initramfs_internal.h"
#include "lib/bits.h"
#include "lib/inflate.h"
#include "lib/string.h"
#include "lib/zstd.h"
#include "mem/kvmap.h"
#include "mem/slab.h"
#include "vfs/inode.h"

#define HEADER_BYTES 110
#define ZSTD_WINDOW_MAX (128UL << 20)	/* what zstd --long asks for */

enum stream_state { BETWEEN, HEADER, NAME, DATA, TARGET, SKIP };

struct stream {
	struct unpack *unpack;
	enum stream_state state;
	uint64_t offset;		/* in this archive, for alignment */
	size_t have, want;		/* of the header, name or target being gathered */
	uint64_t left;			/* of data to write or skip, padding included */
	uint64_t written;
	struct cpio_entry entry;
	struct file *file;		/* counted, in DATA */
	char header[HEADER_BYTES + 1];
	char name[PATH_MAX_BYTES + 4];
	char target[PATH_MAX_BYTES + 4];
};

static void begin(struct stream *s, enum stream_state state, size_t want)
{
	s->state = state;
	s->have = 0;
	s->want = want;
}

/* Takes bytes until `want` are there; true then. */
static bool gather(struct stream *s, char *to, const char **at, const char *end)
{
	size_t n = MIN(s->want - s->have, (size_t)(end - *at));

	memcpy(to + s->have, *at, n);
	s->have += n;
	s->offset += n;
	*at += n;
	return s->have == s->want;
}

/*
 * A header alone is an archive of one nameless entry: the plain reader's own check of its fields.
 */
static int parse_header(struct stream *s)
{
	static const size_t name_size_at = 6 + 11 * 8, file_size_at = 6 + 6 * 8;
	uint64_t name_size = 0, size = 0;

	if (memcmp(s->header, "070701", 6) != 0 && memcmp(s->header, "070702", 6) != 0)
		return -EINVAL;
	for (size_t i = 0; i < 13 * 8; i++) {
		char c = s->header[6 + i];
		unsigned int digit;

		if (c >= '0' && c <= '9')
			digit = (unsigned int)(c - '0');
		else if ((c | 0x20) >= 'a' && (c | 0x20) <= 'f')
			digit = (unsigned int)((c | 0x20) - 'a') + 10;
		else
			return -EINVAL;
		if (i + 6 >= name_size_at && i + 6 < name_size_at + 8)
			name_size = name_size << 4 | digit;
		if (i + 6 >= file_size_at && i + 6 < file_size_at + 8)
			size = size << 4 | digit;
	}
	if (name_size == 0 || name_size > PATH_MAX_BYTES)
		return -EINVAL;
	s->entry.size = size;
	begin(s, NAME, align_up(HEADER_BYTES + name_size, 4) - HEADER_BYTES);
	s->entry.name_length = name_size;	/* with terminator, until the name is here */
	return 0;
}

static uint32_t header_field(const struct stream *s, unsigned int index)
{
	uint32_t value = 0;

	for (unsigned int i = 0; i < 8; i++) {
		char c = s->header[6 + index * 8 + i];

		value = value << 4 | (c <= '9' ? (uint32_t)(c - '0')
					       : (uint32_t)((c | 0x20) - 'a') + 10);
	}
	return value;
}

static void fill_entry(struct stream *s)
{
	struct cpio_entry *e = &s->entry;

	e->name = s->name;
	e->name_length = strlen(s->name);
	e->ino = header_field(s, 0);
	e->mode = header_field(s, 1);
	e->uid = header_field(s, 2);
	e->gid = header_field(s, 3);
	e->nlink = header_field(s, 4);
	e->mtime = header_field(s, 5);
	e->dev_major = header_field(s, 7);
	e->dev_minor = header_field(s, 8);
	e->rdev_major = header_field(s, 9);
	e->rdev_minor = header_field(s, 10);
	e->data = NULL;
}

/* A failed entry is skipped; only running out of room ends it all. */
static int make_entry(struct stream *s, const char *target)
{
	int error = unpack_entry(s->unpack, &s->entry, target, &s->file);

	if (error == 0 || error == -ENOMEM || error == -ENOSPC)
		return error;
	log_warn("initramfs: %s: error %d", s->entry.name, error);
	s->file = NULL;
	return 0;
}

static int name_complete(struct stream *s)
{
	int error;

	if (s->name[s->entry.name_length - 1] != '\0')
		return -EINVAL;
	fill_entry(s);
	if (strcmp(s->name, "TRAILER!!!") == 0) {
		begin(s, BETWEEN, 0);
		return 0;
	}
	if (S_ISLNK(s->entry.mode)) {
		if (s->entry.size >= PATH_MAX_BYTES)
			return -EINVAL;
		begin(s, TARGET, align_up(s->entry.size, 4));
		return 0;
	}
	error = make_entry(s, NULL);
	s->left = align_up(s->entry.size, 4);
	s->written = 0;
	s->state = s->file != NULL ? DATA : SKIP;
	return error;
}

static int target_complete(struct stream *s)
{
	int error;

	s->target[s->entry.size] = '\0';
	error = make_entry(s, s->target);
	begin(s, HEADER, HEADER_BYTES);
	return error;
}

static int take_data(struct stream *s, const char **at, const char *end)
{
	size_t n = MIN(s->left, (uint64_t)(end - *at));
	size_t content = MIN(n, s->entry.size - MIN(s->written, s->entry.size));

	if (s->state == DATA && content > 0) {
		ssize_t moved = file_write_kernel(s->file, *at, content, (loff_t)s->written);

		if (moved != (ssize_t)content)
			return moved < 0 ? (int)moved : -EIO;
		s->written += content;
		s->unpack->copied_bytes += content;
	}
	*at += n;
	s->offset += n;
	s->left -= n;
	return 0;
}

static void end_data(struct stream *s)
{
	if (s->file != NULL)
		unpack_finish(&s->entry, s->file);
	s->file = NULL;
	begin(s, HEADER, HEADER_BYTES);
}

/* One step of the machine; takes at least a byte or changes the state. */
static int step(struct stream *s, const char **at, const char *end)
{
	switch (s->state) {
	case BETWEEN:
		if (**at == '\0') {
			++*at;
			return 0;
		}
		s->offset = 0;
		begin(s, HEADER, HEADER_BYTES);
		return 0;
	case HEADER:
		return gather(s, s->header, at, end) ? parse_header(s) : 0;
	case NAME:
		return gather(s, s->name, at, end) ? name_complete(s) : 0;
	case TARGET:
		return gather(s, s->target, at, end) ? target_complete(s) : 0;
	case DATA:
	case SKIP:
		return take_data(s, at, end);
	}
	return -EINVAL;
}

static int stream_sink(void *context, const void *bytes, size_t size)
{
	struct stream *s = context;
	const char *at = bytes, *end = at + size;

	while (at < end) {
		int error = step(s, &at, end);

		if (error != 0)
			return error;
		/* Files without content end where they begin. */
		if ((s->state == DATA || s->state == SKIP) && s->left == 0)
			end_data(s);
	}
	return 0;
}

/* A stream for one compressed member; NULL: no memory. */
static struct stream *stream_create(struct unpack *u)
{
	struct stream *s = kzalloc(sizeof(*s));

	if (s == NULL)
		return NULL;
	s->unpack = u;
	begin(s, BETWEEN, 0);
	return s;
}

/* After the member: its status, or that the archive in it was cut short. */
static int stream_end(struct stream *s, int error)
{
	if (error == 0 && s->state != BETWEEN)
		error = -EINVAL;
	if (s->file != NULL)
		file_put(s->file);
	kfree(s);
	return error;
}

int unpack_gzip(struct unpack *u, const void *data, size_t size, size_t *consumed)
{
	struct inflate *inflate = kmalloc(sizeof(*inflate));
	struct stream *s = stream_create(u);
	int error = -ENOMEM;

	if (inflate != NULL && s != NULL)
		error = inflate_gzip(inflate, data, size, consumed, stream_sink, s);
	if (s != NULL)
		error = stream_end(s, error);
	kfree(inflate);
	return error;
}

int unpack_zstd(struct unpack *u, const void *data, size_t size, size_t *consumed)
{
	struct zstd *zstd;
	struct stream *s;
	void *window;
	uint64_t bytes;
	size_t pages;
	int error = zstd_window_size(data, size, &bytes);

	if (error != 0)
		return error;
	if (bytes > ZSTD_WINDOW_MAX)
		return -ENOMEM;
	pages = page_round_up(bytes) >> PAGE_SHIFT;
	window = kvmap_create(pages, PAGE_KERNEL);
	zstd = kmalloc(sizeof(*zstd));
	s = stream_create(u);
	error = -ENOMEM;
	if (window != NULL && zstd != NULL && s != NULL)
		error = zstd_decompress(zstd, window, bytes, data, size, consumed, stream_sink, s);
	else
		log_error("initramfs: no memory for a zstd window of %lu bytes",
			  (unsigned long)bytes);
	if (s != NULL)
		error = stream_end(s, error);
	kfree(zstd);
	if (window != NULL)
		kvmap_destroy_many(&window, 1, pages);
	return error;
}
