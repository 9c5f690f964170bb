/*
 * Decompressor for Zstandard: from a range of memory to a function that takes the output piece by
 * piece.
 *
 * Memory is the caller's: `struct zstd`, about 150 KiB, uninitialised is fine, and a window buffer
 * whose size zstd_window_size() reads from the frame; a packer's higher levels ask for up to 8 MiB,
 * `--long` for more. Hostile input ends in an error, never in a wild access or an endless loop;
 * what the sink got until then is to be thrown away. Dictionaries are not supported.
 *
 * Format: RFC 8878.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "lib/xxhash64.h"
#include "lib/zstd_entropy.h"

typedef int (*zstd_sink_fn)(void *context, const void *bytes, size_t size);

#define ZSTD_BLOCK_MAX (128U * 1024)

struct zstd {
	/* input */
	const unsigned char *at;
	const unsigned char *end;
	/* output: a ring of the last window_size bytes */
	unsigned char *window;
	size_t window_size;
	size_t position; /* where the next byte goes */
	size_t flushed;  /* up to where the sink has seen it */
	uint64_t total;  /* bytes of this frame so far */
	zstd_sink_fn sink;
	void *context;
	/* of the frame */
	uint64_t content_size;
	bool has_content_size;
	bool has_checksum;
	struct xxhash64 hash;
	/* of the frame, kept from block to block */
	bool has_huffman;
	bool has_tables; /* of sequences */
	uint32_t repeated[3];
	struct zstd_huffman huffman;
	struct zstd_fse literal_lengths;
	struct zstd_fse offsets;
	struct zstd_fse match_lengths;
	/* of the block */
	const unsigned char *literals;
	size_t literals_left;
	size_t block_left; /* bytes that the block may still make */
	unsigned char literal_buffer[ZSTD_BLOCK_MAX];
};

/* Whether the input starts like Zstandard, a skippable frame included. */
bool zstd_is_zstd(const void *input, size_t size);

/*
 * The window that the frame at the start of the input needs, at least 1. -EINVAL: malformed or
 * unsupported.
 */
int zstd_window_size(const void *input, size_t size, uint64_t *window_size);

/*
 * Decompresses one frame (a skippable one gives nothing) and stores in *consumed how much of the
 * input it took. -EINVAL: malformed, cut short or unsupported; -ENOBUFS: the window buffer is too
 * small; -EIO: checksum or length is wrong; or the sink's error.
 */
int zstd_decompress(struct zstd *zstd, void *window, size_t window_size, const void *input,
		    size_t size, size_t *consumed, zstd_sink_fn sink, void *context);
