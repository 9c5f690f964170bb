/*
 * Inflate. Idea: canonical Huffman codes need only the count of codes of each length and the
 * symbols in order (the decoder then walks one bit a step); codes of up to 10 bits, nearly all in
 * practice, are found in one look-up instead. The bit reader holds up to 64 bits and reads zeros
 * past the end, counting that it did: a truncated input is noticed when more bits were taken than
 * there were.
 */
#include "abi/errno.h"
#include "lib/bits.h"
#include "lib/inflate.h"
#include "lib/string.h"

#define END_OF_BLOCK 256
#define FAST_SIZE (1U << INFLATE_FAST_BITS)

static const uint16_t length_base[29] = {
	3,  4,  5,  6,  7,  8,  9,  10, 11, 13,  15,  17,  19,  23,  27,
	31, 35, 43, 51, 59, 67, 83, 99, 115, 131, 163, 195, 227, 258,
};
static const uint8_t length_extra[29] = {
	0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 2, 2, 2, 2, 3, 3, 3, 3, 4, 4, 4, 4, 5, 5, 5, 5, 0,
};
static const uint16_t distance_base[30] = {
	1,   2,   3,   4,   5,   7,    9,    13,   17,   25,   33,   49,   65,    97,    129,
	193, 257, 385, 513, 769, 1025, 1537, 2049, 3073, 4097, 6145, 8193, 12289, 16385, 24577,
};
static const uint8_t distance_extra[30] = {
	0, 0, 0, 0, 1, 1, 2, 2,  3,  3,  4,  4,  5,  5,  6,
	6, 7, 7, 8, 8, 9, 9, 10, 10, 11, 11, 12, 12, 13, 13,
};

/* --- input ------------------------------------------------------------------------------------ */

/* Makes at least 32 bits available, zeros past the end. */
static void refill(struct inflate *inf)
{
	while (inf->bit_count <= 56) {
		if (inf->at < inf->size)
			inf->bits |= (uint64_t)inf->input[inf->at] << inf->bit_count;
		inf->at++; /* past the end too: is_overrun() tells by how much */
		inf->bit_count += 8;
	}
}

/* Whether more was taken than there is. Whole bytes of read-ahead do not count as taken. */
static int is_overrun(const struct inflate *inf)
{
	return inf->at > inf->size && inf->at - inf->size > inf->bit_count / 8;
}

static uint32_t take_bits(struct inflate *inf, unsigned count)
{
	uint32_t value;

	refill(inf);
	value = (uint32_t)(inf->bits & (BIT64(count) - 1));
	inf->bits >>= count;
	inf->bit_count -= count;
	return value;
}

/* Gives the whole bytes of the read-ahead back and drops the bits up to the byte boundary. */
static void align_to_byte(struct inflate *inf)
{
	inf->at -= inf->bit_count / 8;
	inf->bits = 0;
	inf->bit_count = 0;
}

/* --- output ----------------------------------------------------------------------------------- */

static void make_crc_table(uint32_t table[256])
{
	for (uint32_t i = 0; i < 256; i++) {
		uint32_t c = i;

		for (int bit = 0; bit < 8; bit++)
			c = c >> 1 ^ (c & 1 ? 0xedb88320U : 0);
		table[i] = c;
	}
}

static int flush(struct inflate *inf)
{
	uint32_t crc = inf->crc;
	int error;

	for (size_t i = 0; i < inf->window_used; i++)
		crc = inf->crc_table[(crc ^ inf->window[i]) & 0xff] ^ crc >> 8;
	inf->crc = crc;
	inf->total += (uint32_t)inf->window_used;
	error = inf->window_used > 0 ? inf->sink(inf->context, inf->window, inf->window_used) : 0;
	inf->window_used = 0;
	return error;
}

static int put(struct inflate *inf, unsigned char byte)
{
	inf->window[inf->window_used++] = byte;
	if (inf->window_used < INFLATE_WINDOW)
		return 0;
	inf->window_past = INFLATE_WINDOW;
	return flush(inf);
}

/*
 * Repeats what lies distance back. Byte by byte: source and target overlap when length > distance.
 */
static int put_copy(struct inflate *inf, size_t distance, size_t length)
{
	int error = 0;

	if (distance > MAX(inf->window_used, inf->window_past))
		return -EINVAL;
	for (; length > 0 && error == 0; length--)
		error = put(inf, inf->window[(inf->window_used - distance) & (INFLATE_WINDOW - 1)]);
	return error;
}

/* --- Huffman codes ---------------------------------------------------------------------------- */

static void make_fast(struct inflate_code *code)
{
	unsigned value = 0, index = 0;

	memset(code->fast, 0, sizeof(code->fast));
	for (unsigned length = 1; length <= INFLATE_FAST_BITS; length++, value <<= 1) {
		for (unsigned i = 0; i < code->count[length]; i++, value++, index++) {
			unsigned reversed = 0;

			/* Codes arrive highest bit first, in a stream read lowest bit first. */
			for (unsigned bit = 0; bit < length; bit++)
				reversed |= (value >> bit & 1) << (length - 1 - bit);
			for (; reversed < FAST_SIZE; reversed += 1U << length)
				code->fast[reversed] =
					(uint16_t)(code->symbol[index] << 4 | length);
		}
	}
}

/*
 * Makes the code from the length of each symbol's code (0: unused). -EINVAL when more codes are
 * wanted than fit. A code that leaves some values unused is allowed: the format has distance codes
 * of a single symbol.
 */
static int make_code(struct inflate_code *code, const uint8_t *lengths, unsigned symbols)
{
	uint16_t offset[INFLATE_LENGTH_MAX + 2] = {0};
	int room = 1;

	memset(code->count, 0, sizeof(code->count));
	for (unsigned i = 0; i < symbols; i++)
		code->count[lengths[i]]++;
	for (unsigned length = 1; length <= INFLATE_LENGTH_MAX; length++) {
		room = room * 2 - code->count[length];
		if (room < 0)
			return -EINVAL;
		offset[length + 1] = (uint16_t)(offset[length] + code->count[length]);
	}
	for (unsigned i = 0; i < symbols; i++) {
		if (lengths[i] != 0)
			code->symbol[offset[lengths[i]]++] = (uint16_t)i;
	}
	make_fast(code);
	return 0;
}

/* The next symbol, or -EINVAL for a bit pattern that is no code. */
static int take_symbol(struct inflate *inf, const struct inflate_code *code)
{
	unsigned value = 0, first = 0, index = 0, fast;

	refill(inf);
	fast = code->fast[inf->bits & (FAST_SIZE - 1)];
	if (fast != 0) {
		inf->bits >>= fast & 15;
		inf->bit_count -= fast & 15;
		return (int)(fast >> 4);
	}
	for (unsigned length = 1; length <= INFLATE_LENGTH_MAX; length++) {
		unsigned count = code->count[length];

		value |= (unsigned)(inf->bits >> (length - 1) & 1);
		if (value - first < count) {
			inf->bits >>= length;
			inf->bit_count -= length;
			return code->symbol[index + value - first];
		}
		index += count;
		first = (first + count) << 1;
		value <<= 1;
	}
	return -EINVAL;
}

/* --- blocks ----------------------------------------------------------------------------------- */

static int inflate_stored(struct inflate *inf)
{
	const unsigned char *from;
	unsigned length, complement;
	int error = 0;

	align_to_byte(inf);
	if (inf->at > inf->size || inf->size - inf->at < 4)
		return -EINVAL;
	from = inf->input + inf->at;
	length = from[0] | (unsigned)from[1] << 8;
	complement = from[2] | (unsigned)from[3] << 8;
	inf->at += 4;
	if ((length ^ complement) != 0xffff || inf->size - inf->at < length)
		return -EINVAL;
	for (; length > 0 && error == 0; length--)
		error = put(inf, inf->input[inf->at++]);
	return error;
}

/* A length symbol and the distance behind it. */
static int inflate_copy(struct inflate *inf, unsigned symbol)
{
	size_t length;
	int distance;

	if (symbol - 257 >= ARRAY_SIZE(length_base))
		return -EINVAL;
	symbol -= 257;
	length = length_base[symbol] + take_bits(inf, length_extra[symbol]);
	distance = take_symbol(inf, &inf->distances);
	if (distance < 0 || (size_t)distance >= ARRAY_SIZE(distance_base))
		return -EINVAL;
	return put_copy(inf, distance_base[distance] + take_bits(inf, distance_extra[distance]),
			length);
}

static int inflate_coded(struct inflate *inf)
{
	for (;;) {
		int symbol = take_symbol(inf, &inf->literals), error;

		if (symbol < 0 || is_overrun(inf))
			return -EINVAL;
		if (symbol == END_OF_BLOCK)
			return 0;
		if (symbol < END_OF_BLOCK)
			error = put(inf, (unsigned char)symbol);
		else
			error = inflate_copy(inf, (unsigned)symbol);
		if (error != 0)
			return error;
	}
}

static int inflate_fixed(struct inflate *inf)
{
	uint8_t lengths[288];

	memset(lengths, 8, 144);
	memset(lengths + 144, 9, 112);
	memset(lengths + 256, 7, 24);
	memset(lengths + 280, 8, 8);
	(void)make_code(&inf->literals, lengths, 288);
	memset(lengths, 5, 30);
	(void)make_code(&inf->distances, lengths, 30);
	return inflate_coded(inf);
}

/* Reads count code lengths, themselves coded by inf->literals, with repetitions. */
static int take_lengths(struct inflate *inf, uint8_t *lengths, unsigned count)
{
	for (unsigned done = 0; done < count;) {
		int symbol = take_symbol(inf, &inf->literals);
		unsigned repeat = 1;
		uint8_t value = 0;

		if (symbol < 0 || is_overrun(inf))
			return -EINVAL;
		if (symbol < 16) {
			value = (uint8_t)symbol;
		} else if (symbol == 16) {
			if (done == 0)
				return -EINVAL;
			value = lengths[done - 1];
			repeat = 3 + take_bits(inf, 2);
		} else if (symbol == 17) {
			repeat = 3 + take_bits(inf, 3);
		} else {
			repeat = 11 + take_bits(inf, 7);
		}
		if (repeat > count - done)
			return -EINVAL;
		memset(lengths + done, value, repeat);
		done += repeat;
	}
	return 0;
}

static int inflate_dynamic(struct inflate *inf)
{
	static const uint8_t order[19] = {16, 17, 18, 0, 8,  7, 9,  6, 10, 5,
					  11, 4,  12, 3, 13, 2, 14, 1, 15};
	unsigned literals = take_bits(inf, 5) + 257, distances = take_bits(inf, 5) + 1;
	unsigned ordered = take_bits(inf, 4) + 4;
	uint8_t lengths[288 + 32] = {0};

	if (literals > 286 || distances > 30)
		return -EINVAL;
	for (unsigned i = 0; i < ordered; i++)
		lengths[order[i]] = (uint8_t)take_bits(inf, 3);
	if (make_code(&inf->literals, lengths, 19) != 0 ||
	    take_lengths(inf, lengths, literals + distances) != 0)
		return -EINVAL;
	/* Without an end symbol the block could not end. */
	if (lengths[END_OF_BLOCK] == 0 ||
	    make_code(&inf->literals, lengths, literals) != 0 ||
	    make_code(&inf->distances, lengths + literals, distances) != 0)
		return -EINVAL;
	return inflate_coded(inf);
}

static int inflate_blocks(struct inflate *inf)
{
	uint32_t last;

	do {
		int error = -EINVAL;

		last = take_bits(inf, 1);
		switch (take_bits(inf, 2)) {
		case 0:
			error = inflate_stored(inf);
			break;
		case 1:
			error = inflate_fixed(inf);
			break;
		case 2:
			error = inflate_dynamic(inf);
			break;
		}
		if (error != 0)
			return error;
		if (is_overrun(inf))
			return -EINVAL;
	} while (!last);
	align_to_byte(inf);
	return flush(inf);
}

/* --- gzip ------------------------------------------------------------------------------------- */

enum { FLAG_HCRC = 2, FLAG_EXTRA = 4, FLAG_NAME = 8, FLAG_COMMENT = 16, FLAGS_RESERVED = 0xe0 };

static int skip_string(struct inflate *inf)
{
	while (inf->at < inf->size) {
		if (inf->input[inf->at++] == 0)
			return 0;
	}
	return -EINVAL;
}

static int skip_bytes(struct inflate *inf, size_t count)
{
	if (inf->size - inf->at < count)
		return -EINVAL;
	inf->at += count;
	return 0;
}

static int skip_header(struct inflate *inf)
{
	const unsigned char *header = inf->input + inf->at;
	unsigned flags;

	if (skip_bytes(inf, 10) != 0 || !inflate_is_gzip(header, 10) || header[2] != 8)
		return -EINVAL;
	flags = header[3];
	if (flags & FLAGS_RESERVED)
		return -EINVAL;
	if (flags & FLAG_EXTRA) {
		const unsigned char *size = inf->input + inf->at;

		if (skip_bytes(inf, 2) != 0 ||
		    skip_bytes(inf, size[0] | (size_t)size[1] << 8) != 0)
			return -EINVAL;
	}
	if ((flags & FLAG_NAME) && skip_string(inf) != 0)
		return -EINVAL;
	if ((flags & FLAG_COMMENT) && skip_string(inf) != 0)
		return -EINVAL;
	return flags & FLAG_HCRC ? skip_bytes(inf, 2) : 0;
}

static uint32_t load_le32(const unsigned char *from)
{
	return from[0] | (uint32_t)from[1] << 8 | (uint32_t)from[2] << 16 |
	       (uint32_t)from[3] << 24;
}

int inflate_gzip(struct inflate *inf, const void *input, size_t size, size_t *consumed,
		 inflate_sink_fn sink, void *context)
{
	const unsigned char *trailer;
	int error;

	inf->input = input;
	inf->size = size;
	inf->at = 0;
	inf->bits = 0;
	inf->bit_count = 0;
	inf->sink = sink;
	inf->context = context;
	inf->crc = ~0U;
	inf->total = 0;
	inf->window_used = 0;
	inf->window_past = 0;
	make_crc_table(inf->crc_table);
	error = skip_header(inf);
	if (error == 0)
		error = inflate_blocks(inf);
	if (error != 0)
		return error;
	trailer = inf->input + inf->at;
	if (skip_bytes(inf, 8) != 0)
		return -EINVAL;
	if (load_le32(trailer) != ~inf->crc || load_le32(trailer + 4) != inf->total)
		return -EIO;
	*consumed = inf->at;
	return 0;
}
