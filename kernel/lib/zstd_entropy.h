/*
 * The two entropy coders of Zstandard: finite state entropy (FSE) and Huffman, and the bit stream
 * that both are read from, backwards. Used by lib/zstd.c alone.
 *
 * Tables are made from hostile descriptions and checked while they are made: a table that was made
 * decodes any bits without leaving its bounds. Format: RFC 8878, section 4.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define ZSTD_FSE_LOG_MAX 9
#define ZSTD_FSE_SYMBOLS_MAX 53
#define ZSTD_HUFFMAN_LOG_MAX 11

struct zstd_fse_entry {
	uint16_t base; /* of the next state */
	uint8_t bits;  /* to read and add to it */
	uint8_t symbol;
};

struct zstd_fse {
	unsigned log; /* the table has 2^log entries */
	struct zstd_fse_entry entry[1U << ZSTD_FSE_LOG_MAX];
};

struct zstd_huffman_entry {
	uint8_t symbol;
	uint8_t bits;
};

struct zstd_huffman {
	unsigned log;
	struct zstd_huffman_entry entry[1U << ZSTD_HUFFMAN_LOG_MAX];
};

/*
 * A bit stream read from its end. `left` counts the bits that are left and goes below zero when
 * more are taken: those read as zeros, and the caller looks once in a while.
 */
struct zstd_bits {
	const unsigned char *start;
	int64_t left;
};

/* -EINVAL: empty, or without the end mark in its last byte. */
int zstd_bits_init(struct zstd_bits *bits, const unsigned char *start, size_t size);

/* The next count (0 to 32) bits, the first one highest. */
uint32_t zstd_bits_peek(const struct zstd_bits *bits, unsigned count);

static inline uint32_t zstd_bits_take(struct zstd_bits *bits, unsigned count)
{
	uint32_t value = zstd_bits_peek(bits, count);

	bits->left -= count;
	return value;
}

/* From normalised counts (-1: less than one), which sum up to 2^log. -EINVAL if they do not. */
int zstd_fse_make(struct zstd_fse *table, const int16_t *counts, unsigned symbols, unsigned log);

/* The table of one symbol that takes no bits. */
void zstd_fse_make_rle(struct zstd_fse *table, uint8_t symbol);

/*
 * Reads a table description of at most `symbols` symbols and accuracy log_max, and makes the table.
 * *size: of what there is; becomes what the description took.
 */
int zstd_fse_read(struct zstd_fse *table, const unsigned char *from, size_t *size, unsigned symbols,
		  unsigned log_max);

/* Reads a Huffman tree description and makes the table; *size as above. */
int zstd_huffman_read(struct zstd_huffman *table, const unsigned char *from, size_t *size);

/* Decodes exactly count symbols from a stream that must then be used up. */
int zstd_huffman_decode(const struct zstd_huffman *table, const unsigned char *from, size_t size,
			unsigned char *to, size_t count);
