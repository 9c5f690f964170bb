/*
 * Small arithmetic on words: rounding, powers of two, minimum and maximum, array length.
 *
 * Everything is pure and branch-light. Alignments must be powers of two. The functions take and
 * return 64-bit values, wide enough for any address or size; the upper-case macros are for constant
 * expressions (array bounds, static assertions) and for any scalar type. Rounding up wraps past
 * 2^64 like the addition it is: a caller with a hostile value uses align_up_checked().
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define ARRAY_SIZE(array)                                                                        \
	(sizeof(array) / sizeof((array)[0]) +                                                    \
	 0 * sizeof(char[1 - 2 * __builtin_types_compatible_p(typeof(array), typeof(&(array)[0]))]))

#define MIN(a, b)                                                                                \
	({                                                                                       \
		__auto_type min_a_ = (a);                                                        \
		__auto_type min_b_ = (b);                                                        \
		min_a_ < min_b_ ? min_a_ : min_b_;                                               \
	})
#define MAX(a, b)                                                                                \
	({                                                                                       \
		__auto_type max_a_ = (a);                                                        \
		__auto_type max_b_ = (b);                                                        \
		max_a_ > max_b_ ? max_a_ : max_b_;                                               \
	})
#define CLAMP(value, low, high) MIN(MAX(value, low), high)

#define DIV_ROUND_UP(n, d) (((n) + (d) - 1) / (d))
#define ALIGN_UP(x, a) (((x) + ((a) - 1)) & ~((typeof(x))(a) - 1))
#define ALIGN_DOWN(x, a) ((x) & ~((typeof(x))(a) - 1))
#define BIT64(n) (1ULL << (n))

static inline bool is_power_of_two(uint64_t x)
{
	return x != 0 && (x & (x - 1)) == 0;
}

static inline uint64_t align_up(uint64_t x, uint64_t alignment)
{
	return (x + alignment - 1) & ~(alignment - 1);
}

static inline uint64_t align_down(uint64_t x, uint64_t alignment)
{
	return x & ~(alignment - 1);
}

static inline bool is_aligned(uint64_t x, uint64_t alignment)
{
	return (x & (alignment - 1)) == 0;
}

/* False, with *result untouched, when the rounded value does not fit. */
static inline bool align_up_checked(uint64_t x, uint64_t alignment, uint64_t *result)
{
	uint64_t sum;

	if (__builtin_add_overflow(x, alignment - 1, &sum))
		return false;
	*result = sum & ~(alignment - 1);
	return true;
}

/* The index of the highest set bit. x must not be 0. */
static inline unsigned ilog2(uint64_t x)
{
	return 63U - (unsigned)__builtin_clzll(x);
}

/* The smallest n with 2^n >= x; 0 for 0 and 1. */
static inline unsigned ilog2_up(uint64_t x)
{
	return x <= 1 ? 0 : ilog2(x - 1) + 1;
}

/* The index of the lowest set bit. x must not be 0. */
static inline unsigned lowest_bit(uint64_t x)
{
	return (unsigned)__builtin_ctzll(x);
}

static inline uint64_t rotate_left64(uint64_t x, unsigned n)
{
	return (x << n) | (x >> ((64 - n) & 63));
}

static inline uint32_t rotate_left32(uint32_t x, unsigned n)
{
	return (x << n) | (x >> ((32 - n) & 31));
}

/*
 * Population count without a library call: the kernel is not built for a processor that has POPCNT.
 */
static inline unsigned popcount64(uint64_t x)
{
	x -= (x >> 1) & 0x5555555555555555ULL;
	x = (x & 0x3333333333333333ULL) + ((x >> 2) & 0x3333333333333333ULL);
	x = (x + (x >> 4)) & 0x0f0f0f0f0f0f0f0fULL;
	return (unsigned)((x * 0x0101010101010101ULL) >> 56);
}
