/*
 * Zstandard's compressed blocks. RFC 8878, section 3.1.1.3.
 *
 * A block is a string of literals, plain or Huffman-coded, and a list of sequences; each sequence
 * is three numbers (how many literals to copy, how long a match to repeat, from how far back),
 * whose codes come from three FSE states and whose low bits are read from the same stream,
 * backwards. What is left of the literals ends the block.
 */
#include "abi/errno.h"
#include "lib/bits.h"
#include "lib/string.h"
#include "lib/zstd_internal.h"

enum { LITERALS_RAW, LITERALS_RLE, LITERALS_COMPRESSED, LITERALS_TREELESS };
enum { TABLE_PREDEFINED, TABLE_RLE, TABLE_CODED, TABLE_REPEAT };

#define LITERAL_LENGTH_CODES 36
#define MATCH_LENGTH_CODES 53
#define OFFSET_CODES 32

static const uint32_t literal_length_base[LITERAL_LENGTH_CODES] = {
	0,  1,  2,  3,  4,  5,  6,  7,   8,   9,   10,   11,   12,   13,   14,    15,    16,    18,
	20, 22, 24, 28, 32, 40, 48, 64,  128, 256, 512, 1024, 2048, 4096, 8192, 16384, 32768, 65536,
};
static const uint8_t literal_length_bits[LITERAL_LENGTH_CODES] = {
	0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,  0,  1,  1,
	1, 1, 2, 2, 3, 3, 4, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16,
};
static const uint32_t match_length_base[MATCH_LENGTH_CODES] = {
	3,  4,  5,  6,  7,  8,  9,  10, 11,  12,  13,  14,   15,   16,   17,   18,    19,    20,
	21, 22, 23, 24, 25, 26, 27, 28, 29,  30,  31,  32,   33,   34,   35,   37,    39,    41,
	43, 47, 51, 59, 67, 83, 99, 131, 259, 515, 1027, 2051, 4099, 8195, 16387, 32771, 65539,
};
static const uint8_t match_length_bits[MATCH_LENGTH_CODES] = {
	0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,  0,  0,  0,  0,  0,  0,
	0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,  0,  0,  1,  1,  1,  1,
	2, 2, 3, 3, 4, 4, 5, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16,
};

static const int16_t literal_length_default[LITERAL_LENGTH_CODES] = {
	4, 3, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 1, 1, 1,  2,  2,
	2, 2, 2, 2, 2, 2, 2, 3, 2, 1, 1, 1, 1, 1, -1, -1, -1, -1,
};
static const int16_t match_length_default[MATCH_LENGTH_CODES] = {
	1, 4, 3, 2, 2, 2, 2, 2, 2, 1, 1, 1,  1,  1,  1,  1,  1,  1,
	1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1,  1,  1,  1,  1,  1,  1,
	1, 1, 1, 1, 1, 1, 1, 1, 1, 1, -1, -1, -1, -1, -1, -1, -1,
};
static const int16_t offset_default[29] = {
	1, 1, 1, 1, 1, 1, 2, 2, 2, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, -1, -1, -1, -1, -1,
};

/* --- literals --------------------------------------------------------------------------------- */

/* Raw and repeated literals: a size of 5, 12 or 20 bits behind the type. */
static int read_plain_literals(struct zstd *z, bool raw)
{
	unsigned format = z->at[0] >> 2 & 3;
	unsigned header = format == 1 ? 2 : format == 3 ? 3 : 1;
	size_t size, stored;

	if (zstd_left(z) < header)
		return -EINVAL;
	size = (size_t)(zstd_load(z->at, header) >> (header == 1 ? 3 : 4));
	stored = raw ? size : 1;
	z->at += header;
	if (size > ZSTD_BLOCK_MAX || zstd_left(z) < stored)
		return -EINVAL;
	if (raw) {
		z->literals = z->at;
	} else {
		memset(z->literal_buffer, z->at[0], size);
		z->literals = z->literal_buffer;
	}
	z->literals_left = size;
	z->at += stored;
	return 0;
}

/*
 * Four streams, found by three sizes; each but the last makes a quarter of the literals, rounded
 * up.
 */
static int decode_four_streams(struct zstd *z, const unsigned char *from, size_t packed,
			       size_t size)
{
	size_t quarter = (size + 3) / 4, at = 6;

	if (packed < 6 || size < 3 * quarter)
		return -EINVAL;
	for (unsigned i = 0; i < 4; i++) {
		size_t stream = i < 3 ? (size_t)zstd_load(from + 2 * i, 2) : packed - at;
		size_t count = i < 3 ? quarter : size - 3 * quarter;

		if (stream > packed - at)
			return -EINVAL;
		if (zstd_huffman_decode(&z->huffman, from + at, stream,
					z->literal_buffer + i * quarter, count) != 0)
			return -EINVAL;
		at += stream;
	}
	return 0;
}

/* Two sizes of 10, 14 or 18 bits: of the literals and of their coded form. */
static int read_coded_literals(struct zstd *z, bool has_tree)
{
	unsigned format = z->at[0] >> 2 & 3;
	unsigned header = format < 2 ? 3 : format + 2;
	unsigned bits = format < 2 ? 10 : format == 2 ? 14 : 18;
	const unsigned char *from;
	size_t size, packed;
	uint64_t fields;
	int error;

	if (zstd_left(z) < header)
		return -EINVAL;
	fields = zstd_load(z->at, header) >> 4;
	size = (size_t)(fields & (BIT64(bits) - 1));
	packed = (size_t)(fields >> bits & (BIT64(bits) - 1));
	z->at += header;
	if (size > ZSTD_BLOCK_MAX || packed > zstd_left(z))
		return -EINVAL;
	from = z->at;
	z->at += packed;
	if (has_tree) {
		size_t tree = packed;

		z->has_huffman = false;
		if (zstd_huffman_read(&z->huffman, from, &tree) != 0)
			return -EINVAL;
		z->has_huffman = true;
		from += tree;
		packed -= tree;
	}
	if (!z->has_huffman)
		return -EINVAL;
	error = format == 0
		    ? zstd_huffman_decode(&z->huffman, from, packed, z->literal_buffer, size)
		    : decode_four_streams(z, from, packed, size);
	z->literals = z->literal_buffer;
	z->literals_left = size;
	return error;
}

static int read_literals(struct zstd *z)
{
	unsigned type;

	if (zstd_left(z) == 0)
		return -EINVAL;
	type = z->at[0] & 3;
	if (type == LITERALS_RAW || type == LITERALS_RLE)
		return read_plain_literals(z, type == LITERALS_RAW);
	return read_coded_literals(z, type == LITERALS_COMPRESSED);
}

/* --- sequences -------------------------------------------------------------------------------- */

struct table_kind {
	const int16_t *defaults;
	unsigned default_symbols;
	unsigned default_log;
	unsigned symbols;
	unsigned log_max;
};

static const struct table_kind literal_length_kind = {
	literal_length_default, ARRAY_SIZE(literal_length_default), 6, LITERAL_LENGTH_CODES, 9};
static const struct table_kind offset_kind = {offset_default, ARRAY_SIZE(offset_default), 5,
					      OFFSET_CODES, 8};
static const struct table_kind match_length_kind = {
	match_length_default, ARRAY_SIZE(match_length_default), 6, MATCH_LENGTH_CODES, 9};

static int read_table(struct zstd *z, struct zstd_fse *table, const struct table_kind *kind,
		      unsigned mode)
{
	size_t size = zstd_left(z);
	int error;

	switch (mode) {
	case TABLE_PREDEFINED:
		return zstd_fse_make(table, kind->defaults, kind->default_symbols,
				     kind->default_log);
	case TABLE_RLE:
		if (size == 0 || z->at[0] >= kind->symbols)
			return -EINVAL;
		zstd_fse_make_rle(table, *z->at++);
		return 0;
	case TABLE_CODED:
		error = zstd_fse_read(table, z->at, &size, kind->symbols, kind->log_max);
		if (error == 0)
			z->at += size;
		return error;
	default:
		return z->has_tables ? 0 : -EINVAL;
	}
}

/* The number of sequences in one to three bytes, and the kinds of the tables if there are any. */
static int read_sequence_header(struct zstd *z, unsigned *count)
{
	unsigned size, modes;
	int error;

	if (zstd_left(z) == 0)
		return -EINVAL;
	size = z->at[0] < 128 ? 1 : z->at[0] < 255 ? 2 : 3;
	if (zstd_left(z) < size)
		return -EINVAL;
	*count = size == 1   ? z->at[0]
		 : size == 2 ? (z->at[0] - 128U) << 8 | z->at[1]
			     : (unsigned)zstd_load(z->at + 1, 2) + 0x7f00;
	z->at += size;
	if (*count == 0)
		return zstd_left(z) == 0 ? 0 : -EINVAL;
	if (zstd_left(z) == 0 || (z->at[0] & 3) != 0)
		return -EINVAL;
	modes = *z->at++;
	error = read_table(z, &z->literal_lengths, &literal_length_kind, modes >> 6);
	if (error == 0)
		error = read_table(z, &z->offsets, &offset_kind, modes >> 4 & 3);
	if (error == 0)
		error = read_table(z, &z->match_lengths, &match_length_kind, modes >> 2 & 3);
	z->has_tables = error == 0;
	return error;
}

/*
 * The offset that a value means: 1 to 3 name a recent one (another one if no literals come before),
 * else itself.
 */
static uint32_t resolve_offset(struct zstd *z, uint64_t value, bool no_literals)
{
	uint32_t offset;
	unsigned index;

	if (value > 3) {
		offset = (uint32_t)(value - 3);
		index = 2;
	} else {
		index = (unsigned)value - 1 + no_literals;
		offset = index < 3 ? z->repeated[index] : z->repeated[0] - 1;
	}
	if (index > 1)
		z->repeated[2] = z->repeated[1];
	if (index > 0)
		z->repeated[1] = z->repeated[0];
	z->repeated[0] = offset;
	return offset;
}

struct states {
	uint32_t literal_length, offset, match_length;
};

static void next_state(const struct zstd_fse *table, uint32_t *state, struct zstd_bits *bits)
{
	struct zstd_fse_entry entry = table->entry[*state];

	*state = entry.base + zstd_bits_take(bits, entry.bits);
}

static int run_sequence(struct zstd *z, struct zstd_bits *bits, const struct states *states)
{
	unsigned literal_code = z->literal_lengths.entry[states->literal_length].symbol;
	unsigned offset_code = z->offsets.entry[states->offset].symbol;
	unsigned match_code = z->match_lengths.entry[states->match_length].symbol;
	uint64_t offset = BIT64(offset_code) + zstd_bits_take(bits, offset_code);
	size_t match = match_length_base[match_code] +
		       zstd_bits_take(bits, match_length_bits[match_code]);
	size_t literals = literal_length_base[literal_code] +
			  zstd_bits_take(bits, literal_length_bits[literal_code]);
	int error;

	if (bits->left < 0 || literals > z->literals_left)
		return -EINVAL;
	error = zstd_put(z, z->literals, literals);
	z->literals += literals;
	z->literals_left -= literals;
	if (error != 0)
		return error;
	return zstd_put_match(z, resolve_offset(z, offset, literals == 0), match);
}

static int run_sequences(struct zstd *z, unsigned count)
{
	struct zstd_bits bits;
	struct states states;

	if (zstd_bits_init(&bits, z->at, zstd_left(z)) != 0)
		return -EINVAL;
	states.literal_length = zstd_bits_take(&bits, z->literal_lengths.log);
	states.offset = zstd_bits_take(&bits, z->offsets.log);
	states.match_length = zstd_bits_take(&bits, z->match_lengths.log);
	while (count > 0) {
		int error = run_sequence(z, &bits, &states);

		if (error != 0)
			return error;
		if (--count > 0) {
			next_state(&z->literal_lengths, &states.literal_length, &bits);
			next_state(&z->match_lengths, &states.match_length, &bits);
			next_state(&z->offsets, &states.offset, &bits);
		}
	}
	return bits.left == 0 ? 0 : -EINVAL;
}

int zstd_run_compressed_block(struct zstd *z, size_t size)
{
	const unsigned char *end = z->end;
	unsigned count = 0;
	int error;

	/* All reading below is bounded by the block. */
	z->end = z->at + size;
	error = read_literals(z);
	if (error == 0)
		error = read_sequence_header(z, &count);
	if (error == 0 && count > 0)
		error = run_sequences(z, count);
	if (error == 0)
		error = zstd_put(z, z->literals, z->literals_left);
	z->at = z->end;
	z->end = end;
	return error;
}

