/*
 * Bitmaps of any length, as arrays of 64-bit words, bit 0 first.
 *
 * The caller states the number of bits to every search; the bits of the last word beyond it may
 * hold anything. Plain accesses: whoever shares a bitmap locks it.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/bits.h"

#define BITMAP_WORDS(bits) (((bits) + 63) / 64)

static inline bool bitmap_test(const uint64_t *map, size_t bit)
{
	return (map[bit / 64] >> (bit % 64) & 1) != 0;
}

static inline void bitmap_set(uint64_t *map, size_t bit)
{
	map[bit / 64] |= BIT64(bit % 64);
}

static inline void bitmap_clear(uint64_t *map, size_t bit)
{
	map[bit / 64] &= ~BIT64(bit % 64);
}

static inline void bitmap_zero(uint64_t *map, size_t bits)
{
	for (size_t word = 0; word < BITMAP_WORDS(bits); word++)
		map[word] = 0;
}

/* The first bit at `from` or above that has the value, `bits` when there is none. */
static inline size_t bitmap_find(const uint64_t *map, size_t bits, size_t from, bool value)
{
	uint64_t flip = value ? 0 : ~0ULL;

	while (from < bits) {
		uint64_t rest = (map[from / 64] ^ flip) >> (from % 64);

		if (rest != 0) {
			from += lowest_bit(rest);
			return from < bits ? from : bits;
		}
		from = (from / 64 + 1) * 64;
	}
	return bits;
}

static inline size_t bitmap_find_set(const uint64_t *map, size_t bits, size_t from)
{
	return bitmap_find(map, bits, from, true);
}

static inline size_t bitmap_find_clear(const uint64_t *map, size_t bits, size_t from)
{
	return bitmap_find(map, bits, from, false);
}

static inline void bitmap_set_range(uint64_t *map, size_t from, size_t count)
{
	for (; count > 0 && from % 64 != 0; count--)
		bitmap_set(map, from++);
	for (; count >= 64; count -= 64, from += 64)
		map[from / 64] = ~0ULL;
	for (; count > 0; count--)
		bitmap_set(map, from++);
}

static inline void bitmap_clear_range(uint64_t *map, size_t from, size_t count)
{
	for (; count > 0 && from % 64 != 0; count--)
		bitmap_clear(map, from++);
	for (; count >= 64; count -= 64, from += 64)
		map[from / 64] = 0;
	for (; count > 0; count--)
		bitmap_clear(map, from++);
}

/* How many of the first `bits` bits are set. */
static inline size_t bitmap_count(const uint64_t *map, size_t bits)
{
	size_t count = 0;

	for (size_t word = 0; word < bits / 64; word++)
		count += popcount64(map[word]);
	if (bits % 64 != 0)
		count += popcount64(map[bits / 64] & (BIT64(bits % 64) - 1));
	return count;
}
