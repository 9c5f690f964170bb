/*
 * What the two files of the Zstandard decompressor share: reading from the input, which is bounded
 * by z->end, and putting out, which is bounded by the block's limit and the window. Private to
 * lib/zstd*.c.
 */
#pragma once

#include "lib/zstd.h"

static inline size_t zstd_left(const struct zstd *z)
{
	return (size_t)(z->end - z->at);
}

/* A little-endian number of up to 8 bytes, which are there. */
static inline uint64_t zstd_load(const unsigned char *from, unsigned size)
{
	uint64_t value = 0;

	for (unsigned i = 0; i < size; i++)
		value |= (uint64_t)from[i] << (8 * i);
	return value;
}

/*
 * Puts out bytes, or what was put out `offset` bytes ago. -EINVAL: beyond a limit; or the sink's
 * error.
 */
int zstd_put(struct zstd *z, const unsigned char *bytes, size_t size);
int zstd_put_match(struct zstd *z, uint64_t offset, size_t size);

/* Decodes the compressed block of that size at z->at, which is there, and moves z->at behind it. */
int zstd_run_compressed_block(struct zstd *z, size_t size);
