/*
 * Zstandard's entropy coders. RFC 8878: 4.1 (FSE), 4.2 (Huffman).
 *
 * FSE: a state selects an entry with a symbol and how many bits to add to which base for the next
 * state. The table is laid out by spreading each symbol's share over the states in a fixed stride,
 * which is what the description, a list of shares, leaves unsaid. Huffman: a description gives a
 * weight for each symbol but the last, whose weight follows from the sum having to be a power of
 * two.
 */
#include "abi/errno.h"
#include "lib/assert.h"
#include "lib/bits.h"
#include "lib/string.h"
#include "lib/zstd_entropy.h"

/* --- bits ------------------------------------------------------------------------------------- */

int zstd_bits_init(struct zstd_bits *bits, const unsigned char *start, size_t size)
{
	if (size == 0 || start[size - 1] == 0)
		return -EINVAL;
	bits->start = start;
	bits->left = (int64_t)(size - 1) * 8 + ilog2(start[size - 1]);
	return 0;
}

static uint64_t load64(const unsigned char *from)
{
	uint64_t value;

	__builtin_memcpy(&value, from, sizeof(value));
	return value;
}

uint32_t zstd_bits_peek(const struct zstd_bits *bits, unsigned count)
{
	int64_t end = (bits->left + 7) / 8;
	uint64_t mask = BIT64(count) - 1, word = 0;

	if (bits->left <= 0 || count == 0)
		return 0;
	/* The eight bytes up to the last one with a bit that is left. */
	if (end >= 8) {
		unsigned have = (unsigned)(bits->left - 8 * (end - 8));

		return (uint32_t)(load64(bits->start + end - 8) >> (have - count) & mask);
	}
	for (int64_t i = end; i-- > 0;)
		word = word << 8 | bits->start[i];
	if ((int64_t)count <= bits->left)
		return (uint32_t)(word >> (bits->left - count) & mask);
	word &= BIT64(bits->left) - 1;
	return (uint32_t)(word << (count - bits->left) & mask);
}

/* A bit stream read from its start, for table descriptions. */
struct forward {
	const unsigned char *from;
	size_t bits; /* that there are */
	size_t at;
};

static uint32_t forward_take(struct forward *in, unsigned count)
{
	uint32_t value = 0;

	for (unsigned i = 0; i < count; i++, in->at++) {
		if (in->at < in->bits)
			value |= (uint32_t)(in->from[in->at / 8] >> (in->at % 8) & 1) << i;
	}
	return value;
}

/* --- FSE -------------------------------------------------------------------------------------- */

/*
 * Puts each symbol into its share of the entries. Every entry is filled, because the shares sum up
 * to the size.
 */
static void spread(struct zstd_fse *table, const int16_t *counts, unsigned symbols)
{
	unsigned size = 1U << table->log, step = (size >> 1) + (size >> 3) + 3;
	unsigned high = size, at = 0;

	for (unsigned s = 0; s < symbols; s++) {
		if (counts[s] == -1)
			table->entry[--high].symbol = (uint8_t)s;
	}
	for (unsigned s = 0; s < symbols; s++) {
		for (int i = 0; i < counts[s]; i++) {
			table->entry[at].symbol = (uint8_t)s;
			do {
				at = (at + step) & (size - 1);
			} while (at >= high && high > 0);
		}
	}
}

int zstd_fse_make(struct zstd_fse *table, const int16_t *counts, unsigned symbols, unsigned log)
{
	uint16_t next[256];
	unsigned sum = 0, size = 1U << log;

	LIB_ASSERT(log <= ZSTD_FSE_LOG_MAX && symbols <= ARRAY_SIZE(next));
	for (unsigned s = 0; s < symbols; s++) {
		next[s] = (uint16_t)(counts[s] == -1 ? 1 : counts[s]);
		sum += next[s];
	}
	if (sum != size)
		return -EINVAL;
	table->log = log;
	spread(table, counts, symbols);
	for (unsigned i = 0; i < size; i++) {
		struct zstd_fse_entry *entry = &table->entry[i];
		unsigned state = next[entry->symbol]++;

		entry->bits = (uint8_t)(log - ilog2(state));
		entry->base = (uint16_t)((state << entry->bits) - size);
	}
	return 0;
}

void zstd_fse_make_rle(struct zstd_fse *table, uint8_t symbol)
{
	table->log = 0;
	table->entry[0] = (struct zstd_fse_entry){.symbol = symbol};
}

/* One share, as a count plus one, in as few bits as what is left to share out allows. */
static unsigned take_share(struct forward *in, unsigned remaining)
{
	unsigned bits = ilog2(remaining + 1) + 1;
	unsigned low_mask = (1U << (bits - 1)) - 1;
	unsigned threshold = (1U << bits) - 1 - (remaining + 1);
	unsigned value = forward_take(in, bits);

	if ((value & low_mask) < threshold) {
		in->at--;
		return value & low_mask;
	}
	return value > low_mask ? value - threshold : value;
}

/* The shares; returns how many symbols they are for, 0 if they are malformed. */
static unsigned take_shares(struct forward *in, int16_t *counts, unsigned symbols, unsigned log)
{
	unsigned remaining = 1U << log, s = 0;

	while (remaining > 0) {
		unsigned share, repeat;

		if (s >= symbols || in->at > in->bits)
			return 0;
		share = take_share(in, remaining);
		counts[s++] = (int16_t)((int)share - 1);
		if (share != 1) {
			unsigned used = share == 0 ? 1 : share - 1;

			if (used > remaining)
				return 0;
			remaining -= used;
			continue;
		}
		do {
			repeat = forward_take(in, 2);
			if (repeat > symbols - s)
				return 0;
			for (unsigned i = 0; i < repeat; i++)
				counts[s++] = 0;
		} while (repeat == 3);
	}
	return s;
}

int zstd_fse_read(struct zstd_fse *table, const unsigned char *from, size_t *size, unsigned symbols,
		  unsigned log_max)
{
	struct forward in = {.from = from, .bits = *size * 8};
	int16_t counts[256];
	unsigned log = forward_take(&in, 4) + 5, count;

	if (log > log_max || symbols > ARRAY_SIZE(counts))
		return -EINVAL;
	count = take_shares(&in, counts, symbols, log);
	if (count == 0 || in.at > in.bits)
		return -EINVAL;
	*size = (in.at + 7) / 8;
	return zstd_fse_make(table, counts, count, log);
}

/* --- Huffman ---------------------------------------------------------------------------------- */

#define WEIGHTS_MAX 255 /* the last symbol's is implied */
#define WEIGHT_LOG_MAX 6

/*
 * Decodes weights until the stream is used up. Two states take turns; the one whose turn comes when
 * the bits have run out gives the last symbol. Returns how many, 0 if malformed.
 */
static unsigned take_weights(const struct zstd_fse *table, struct zstd_bits *bits, uint8_t *weights)
{
	uint32_t state[2];
	unsigned count = 0, turn = 0;

	state[0] = zstd_bits_take(bits, table->log);
	state[1] = zstd_bits_take(bits, table->log);
	if (bits->left < 0)
		return 0;
	for (;; turn ^= 1) {
		const struct zstd_fse_entry *entry = &table->entry[state[turn]];

		if (count + 2 > WEIGHTS_MAX)
			return 0;
		weights[count++] = entry->symbol;
		state[turn] = entry->base + zstd_bits_take(bits, entry->bits);
		if (bits->left < 0) {
			weights[count++] = table->entry[state[turn ^ 1]].symbol;
			return count;
		}
	}
}

static unsigned read_coded_weights(const unsigned char *from, size_t size, uint8_t *weights)
{
	struct zstd_fse table;
	struct zstd_bits bits;
	size_t used = size;

	if (zstd_fse_read(&table, from, &used, ZSTD_HUFFMAN_LOG_MAX + 1, WEIGHT_LOG_MAX) != 0 ||
	    zstd_bits_init(&bits, from + used, size - used) != 0)
		return 0;
	return take_weights(&table, &bits, weights);
}

/*
 * Adds the last weight. Returns the number of bits of the longest code, 0 if the weights make no
 * code.
 */
static unsigned complete_weights(uint8_t *weights, unsigned count)
{
	uint32_t sum = 0, rest;
	unsigned log;

	for (unsigned i = 0; i < count; i++) {
		if (weights[i] > ZSTD_HUFFMAN_LOG_MAX)
			return 0;
		sum += weights[i] > 0 ? 1U << (weights[i] - 1) : 0;
	}
	if (sum == 0)
		return 0;
	log = ilog2(sum) + 1;
	rest = (1U << log) - sum;
	if (log > ZSTD_HUFFMAN_LOG_MAX || !is_power_of_two(rest))
		return 0;
	weights[count] = (uint8_t)(ilog2(rest) + 1);
	return log;
}

/*
 * The lightest symbols, which have the longest codes, come first; among equals the order is theirs.
 */
static void fill_huffman(struct zstd_huffman *table, const uint8_t *weights, unsigned symbols)
{
	unsigned at = 0;

	for (unsigned weight = 1; weight <= table->log; weight++) {
		for (unsigned s = 0; s < symbols; s++) {
			unsigned span = 1U << (weight - 1);

			if (weights[s] != weight)
				continue;
			LIB_ASSERT(at + span <= 1U << table->log);
			for (unsigned i = 0; i < span; i++)
				table->entry[at++] = (struct zstd_huffman_entry){
					(uint8_t)s, (uint8_t)(table->log + 1 - weight)};
		}
	}
	LIB_ASSERT(at == 1U << table->log);
}

int zstd_huffman_read(struct zstd_huffman *table, const unsigned char *from, size_t *size)
{
	uint8_t weights[WEIGHTS_MAX + 1] = {0};
	unsigned count;
	size_t used;

	if (*size == 0)
		return -EINVAL;
	if (from[0] < 128) {
		used = from[0];
		count = used < *size ? read_coded_weights(from + 1, used, weights) : 0;
	} else {
		count = from[0] - 127U;
		used = (count + 1) / 2;
		if (used >= *size)
			return -EINVAL;
		for (unsigned i = 0; i < count; i++)
			weights[i] = i % 2 ? from[1 + i / 2] & 15 : from[1 + i / 2] >> 4;
	}
	*size = 1 + used;
	if (count == 0)
		return -EINVAL;
	table->log = complete_weights(weights, count);
	if (table->log == 0)
		return -EINVAL;
	fill_huffman(table, weights, count + 1);
	return 0;
}

int zstd_huffman_decode(const struct zstd_huffman *table, const unsigned char *from, size_t size,
			unsigned char *to, size_t count)
{
	struct zstd_bits bits;

	if (zstd_bits_init(&bits, from, size) != 0)
		return -EINVAL;
	for (; count > 0 && bits.left > 0; count--) {
		struct zstd_huffman_entry entry =
			table->entry[zstd_bits_peek(&bits, table->log)];

		*to++ = entry.symbol;
		bits.left -= entry.bits;
	}
	return count == 0 && bits.left == 0 ? 0 : -EINVAL;
}
