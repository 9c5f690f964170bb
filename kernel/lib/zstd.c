/*
 * Zstandard decompression: frames, blocks, and the output. RFC 8878.
 *
 * A frame is a header and blocks. The output goes into a ring of the window's size, so a match is a
 * copy within the ring in at most a few pieces, and the sink gets what is new whenever the ring
 * wraps and at the end of each block. What a block may make is booked before it is made, so no
 * block outgrows its limit.
 */
#include "abi/errno.h"
#include "lib/bits.h"
#include "lib/string.h"
#include "lib/zstd_internal.h"

#define MAGIC 0xfd2fb528U
#define SKIPPABLE_MAGIC 0x184d2a50U
#define SKIPPABLE_MASK 0xfffffff0U

enum { BLOCK_RAW, BLOCK_RLE, BLOCK_COMPRESSED };

/* --- output ----------------------------------------------------------------------------------- */

static int flush(struct zstd *z)
{
	const unsigned char *bytes = z->window + z->flushed;
	size_t size = z->position - z->flushed;

	if (size == 0)
		return 0;
	if (z->has_checksum)
		xxhash64_update(&z->hash, bytes, size);
	z->flushed = z->position;
	return z->sink(z->context, bytes, size);
}

/* Accounts for size bytes written at the position, which did not cross the end of the ring. */
static int advance(struct zstd *z, size_t size)
{
	int error = 0;

	z->position += size;
	z->total += size;
	if (z->position == z->window_size) {
		error = flush(z);
		z->position = 0;
		z->flushed = 0;
	}
	return error;
}

/* Whether the block may make that much more; if so, it is booked. */
static int book(struct zstd *z, size_t size)
{
	if (size > z->block_left)
		return -EINVAL;
	z->block_left -= size;
	return 0;
}

int zstd_put(struct zstd *z, const unsigned char *bytes, size_t size)
{
	int error = book(z, size);

	while (size > 0 && error == 0) {
		size_t part = MIN(size, z->window_size - z->position);

		memcpy(z->window + z->position, bytes, part);
		bytes += part;
		size -= part;
		error = advance(z, part);
	}
	return error;
}

static int put_repeated(struct zstd *z, unsigned char byte, size_t size)
{
	int error = book(z, size);

	while (size > 0 && error == 0) {
		size_t part = MIN(size, z->window_size - z->position);

		memset(z->window + z->position, byte, part);
		size -= part;
		error = advance(z, part);
	}
	return error;
}

/*
 * Repeats what lies offset back. A piece never overlaps its source, so short offsets go in short
 * pieces.
 */
int zstd_put_match(struct zstd *z, uint64_t offset, size_t size)
{
	int error = book(z, size);

	if (offset == 0 || offset > z->total || offset > z->window_size)
		return -EINVAL;
	while (size > 0 && error == 0) {
		size_t from = z->position >= offset ? z->position - offset
						    : z->position + z->window_size - offset;
		size_t part = MIN(size, z->window_size - MAX(from, z->position));

		part = MIN(part, offset);
		memmove(z->window + z->position, z->window + from, part);
		size -= part;
		error = advance(z, part);
	}
	return error;
}

/* --- blocks and frames ------------------------------------------------------------------------ */

static int run_block(struct zstd *z, bool *last)
{
	uint32_t header, size;
	int error = -EINVAL;

	if (zstd_left(z) < 3)
		return -EINVAL;
	header = (uint32_t)zstd_load(z->at, 3);
	z->at += 3;
	*last = header & 1;
	size = header >> 3;
	z->block_left = ZSTD_BLOCK_MAX;
	switch (header >> 1 & 3) {
	case BLOCK_RAW:
		if (zstd_left(z) < size)
			return -EINVAL;
		error = zstd_put(z, z->at, size);
		z->at += size;
		break;
	case BLOCK_RLE:
		if (zstd_left(z) == 0)
			return -EINVAL;
		error = put_repeated(z, *z->at++, size);
		break;
	case BLOCK_COMPRESSED:
		if (size > ZSTD_BLOCK_MAX || zstd_left(z) < size)
			return -EINVAL;
		error = zstd_run_compressed_block(z, size);
		break;
	}
	return error == 0 ? flush(z) : error;
}

struct frame_header {
	size_t size; /* of the header, with the magic number */
	uint64_t window_size;
	uint64_t content_size;
	bool has_content_size;
	bool has_checksum;
};

static uint64_t window_of(unsigned char descriptor)
{
	uint64_t base = BIT64(10 + (descriptor >> 3));

	return base + base / 8 * (descriptor & 7);
}

static int parse_header(const unsigned char *input, size_t size, struct frame_header *header)
{
	static const uint8_t dictionary_sizes[4] = {0, 1, 2, 4}, content_sizes[4] = {0, 2, 4, 8};
	unsigned descriptor, dictionary_size, content_size;
	bool single;
	size_t at = 5;

	if (size < 5 || zstd_load(input, 4) != MAGIC)
		return -EINVAL;
	descriptor = input[4];
	single = descriptor >> 5 & 1;
	dictionary_size = dictionary_sizes[descriptor & 3];
	content_size = descriptor >> 6 == 0 ? single : content_sizes[descriptor >> 6];
	header->size = 5 + !single + dictionary_size + content_size;
	if ((descriptor & 8) != 0 || size < header->size)
		return -EINVAL;
	if (!single)
		header->window_size = window_of(input[at++]);
	if (zstd_load(input + at, dictionary_size) != 0)
		return -EINVAL;
	at += dictionary_size;
	header->content_size = zstd_load(input + at, content_size) + (content_size == 2 ? 256 : 0);
	header->has_content_size = content_size != 0;
	if (single)
		header->window_size = MAX(header->content_size, (uint64_t)1);
	else if (header->has_content_size)
		header->window_size = CLAMP(header->content_size, (uint64_t)1, header->window_size);
	header->has_checksum = descriptor >> 2 & 1;
	return 0;
}

static bool is_skippable(const unsigned char *input, size_t size)
{
	return size >= 8 && (zstd_load(input, 4) & SKIPPABLE_MASK) == SKIPPABLE_MAGIC;
}

bool zstd_is_zstd(const void *input, size_t size)
{
	return is_skippable(input, size) || (size >= 4 && zstd_load(input, 4) == MAGIC);
}

int zstd_window_size(const void *input, size_t size, uint64_t *window_size)
{
	struct frame_header header = {.window_size = 1};
	int error = is_skippable(input, size) ? 0 : parse_header(input, size, &header);

	if (error == 0)
		*window_size = header.window_size;
	return error;
}

static int run_frame(struct zstd *z)
{
	bool last = false;

	while (!last) {
		int error = run_block(z, &last);

		if (error != 0)
			return error;
		if (z->has_content_size && z->total > z->content_size)
			return -EIO;
	}
	if (z->has_content_size && z->total != z->content_size)
		return -EIO;
	if (z->has_checksum) {
		if (zstd_left(z) < 4)
			return -EINVAL;
		if (zstd_load(z->at, 4) != (uint32_t)xxhash64_final(&z->hash))
			return -EIO;
		z->at += 4;
	}
	return 0;
}

static void start_frame(struct zstd *z, const struct frame_header *header)
{
	z->position = 0;
	z->flushed = 0;
	z->total = 0;
	z->content_size = header->content_size;
	z->has_content_size = header->has_content_size;
	z->has_checksum = header->has_checksum;
	z->has_huffman = false;
	z->has_tables = false;
	z->repeated[0] = 1;
	z->repeated[1] = 4;
	z->repeated[2] = 8;
	xxhash64_init(&z->hash);
}

int zstd_decompress(struct zstd *z, void *window, size_t window_size, const void *input,
		    size_t size, size_t *consumed, zstd_sink_fn sink, void *context)
{
	struct frame_header header;
	int error;

	if (is_skippable(input, size)) {
		uint64_t skipped = zstd_load((const unsigned char *)input + 4, 4);

		if (skipped > size - 8)
			return -EINVAL;
		*consumed = (size_t)skipped + 8;
		return 0;
	}
	error = parse_header(input, size, &header);
	if (error != 0)
		return error;
	if (window_size < header.window_size)
		return -ENOBUFS;
	z->at = (const unsigned char *)input + header.size;
	z->end = (const unsigned char *)input + size;
	z->window = window;
	z->window_size = (size_t)header.window_size;
	z->sink = sink;
	z->context = context;
	start_frame(z, &header);
	error = run_frame(z);
	*consumed = (size_t)(z->at - (const unsigned char *)input);
	return error;
}
