/*
 * Decompressor for gzip: from a range of memory to a function that takes the output piece by piece.
 *
 * The output goes through a 32 KiB window, which is all the memory it needs: `struct inflate`,
 * about 40 KiB, is the caller's, uninitialised is fine. Hostile input ends in an error, never in a
 * wild access or an endless loop; what the sink got until then is to be thrown away.
 *
 * Formats: RFC 1951 (deflate), RFC 1952 (gzip).
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

/*
 * Takes the next bytes of output; an error other than 0 ends the decompression and is returned by
 * it.
 */
typedef int (*inflate_sink_fn)(void *context, const void *bytes, size_t size);

#define INFLATE_WINDOW 32768U
#define INFLATE_FAST_BITS 10
#define INFLATE_LENGTH_MAX 15

/* A Huffman code: symbols in canonical order, and a table that decodes the short ones at once. */
struct inflate_code {
	uint16_t count[INFLATE_LENGTH_MAX + 1]; /* codes of each length; [0]: unused symbols */
	uint16_t symbol[288];                   /* by code length, then value */
	uint16_t fast[1U << INFLATE_FAST_BITS]; /* symbol << 4 | length; 0: not a short code */
};

struct inflate {
	const unsigned char *input;
	size_t size;
	size_t at; /* the next byte to read ahead; runs past size on truncated input */
	uint64_t bits; /* read ahead, lowest first */
	unsigned bit_count;
	inflate_sink_fn sink;
	void *context;
	uint32_t crc;
	uint32_t total;     /* bytes put out, modulo 2^32 as in the trailer */
	size_t window_used; /* bytes in the window that the sink has not seen */
	size_t window_past; /* valid bytes behind those: 0 until the window was full once */
	struct inflate_code literals;
	struct inflate_code distances;
	uint32_t crc_table[256];
	unsigned char window[INFLATE_WINDOW];
};

/*
 * Decompresses one gzip member and stores in *consumed how much of the input it took. -EINVAL: not
 * gzip, malformed or cut short; -EIO: checksum or length is wrong; or the sink's error.
 */
int inflate_gzip(struct inflate *inflate, const void *input, size_t size, size_t *consumed,
		 inflate_sink_fn sink, void *context);

/* Whether the input starts like gzip. */
static inline int inflate_is_gzip(const void *input, size_t size)
{
	const unsigned char *bytes = input;

	return size >= 2 && bytes[0] == 0x1f && bytes[1] == 0x8b;
}
