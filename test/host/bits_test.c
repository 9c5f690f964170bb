/*
 * Are the word arithmetic, bitmaps, rings and hashes right at their edges?
 *
 * links: lib/hash.c
 */
#include <string.h>

#include "host_test.h"
#include "lib/bitmap.h"
#include "lib/bits.h"
#include "lib/hash.h"
#include "lib/ring.h"

TEST(bits_arithmetic)
{
	uint64_t result = 5;

	CHECK_EQUAL(align_up(0, 4096), 0);
	CHECK_EQUAL(align_up(1, 4096), 4096);
	CHECK_EQUAL(align_up(4096, 4096), 4096);
	CHECK_EQUAL(align_down(4097, 4096), 4096);
	CHECK(!align_up_checked(UINT64_MAX, 4096, &result));
	CHECK_EQUAL(result, 5);
	CHECK(align_up_checked(UINT64_MAX - 4095, 4096, &result));
	CHECK_EQUAL(result, UINT64_MAX - 4095);
	CHECK_EQUAL(ilog2(1), 0);
	CHECK_EQUAL(ilog2(UINT64_MAX), 63);
	CHECK_EQUAL(ilog2_up(0), 0);
	CHECK_EQUAL(ilog2_up(5), 3);
	CHECK_EQUAL(ilog2_up(8), 3);
	CHECK(is_power_of_two(1ULL << 63) && !is_power_of_two(0) && !is_power_of_two(6));
	CHECK_EQUAL(rotate_left32(0x80000001, 1), 3);
	CHECK_EQUAL(rotate_left64(1, 0), 1);
	CHECK_EQUAL(MIN(3, 4) + MAX(3, 4) + CLAMP(9, 1, 5), 12);
	for (int i = 0; i < 1000; i++) {
		uint64_t x = host_test_random() & host_test_random();

		CHECK_EQUAL(popcount64(x), __builtin_popcountll(x));
	}
}

#define BITS 200

TEST(bitmap_searches)
{
	uint64_t map[BITMAP_WORDS(BITS)] = {0};
	bool model[BITS] = {false};

	for (int round = 0; round < 5000; round++) {
		size_t from = host_test_below(BITS), count = host_test_below(BITS - from + 1), set,
		       clear;
		size_t total = 0;
		bool value = host_test_below(2);

		if (value)
			bitmap_set_range(map, from, count);
		else
			bitmap_clear_range(map, from, count);
		memset(model + from, value, count);
		from = host_test_below(BITS + 1);
		for (set = from; set < BITS && !model[set];)
			set++;
		for (clear = from; clear < BITS && model[clear];)
			clear++;
		CHECK_EQUAL(bitmap_find_set(map, BITS, from), set);
		CHECK_EQUAL(bitmap_find_clear(map, BITS, from), clear);
		for (size_t i = 0; i < BITS; i++) {
			total += model[i];
			CHECK_EQUAL(bitmap_test(map, i), model[i]);
		}
		CHECK_EQUAL(bitmap_count(map, BITS), total);
	}
}

TEST(ring_is_a_queue)
{
	unsigned char buffer[16], bytes[40], next_in = 0, next_out = 0;
	struct ring ring;

	ring_init(&ring, buffer, sizeof(buffer));
	ring.head = ring.tail = (size_t)-5; /* the counters wrap */
	for (int round = 0; round < 20000; round++) {
		size_t length = host_test_below(sizeof(bytes)), done;

		for (size_t i = 0; i < length; i++)
			bytes[i] = (unsigned char)(next_in + i);
		done = ring_write(&ring, bytes, length);
		next_in = (unsigned char)(next_in + done);
		CHECK(done == length || ring_free(&ring) == 0);
		if (!ring_is_empty(&ring))
			CHECK_EQUAL(ring_peek(&ring, 0), next_out);
		length = ring_read(&ring, bytes, host_test_below(sizeof(bytes)));
		for (size_t i = 0; i < length; i++)
			CHECK_EQUAL(bytes[i], next_out++);
	}
	ring_clear(&ring);
	CHECK(ring_put(&ring, 9));
	CHECK_EQUAL(ring_unput(&ring), 9);
	CHECK(ring_is_empty(&ring));
	CHECK_ASSERTS((void)ring_unput(&ring));
	CHECK_ASSERTS(ring_init(&ring, buffer, 12));
}

/* The values of an independent implementation, itself checked against CPython's. */
TEST(hash_is_siphash_1_3)
{
	struct hash_key key = {{0x0706050403020100, 0x0f0e0d0c0b0a0908}}, zero = {{0, 0}};

	CHECK(hash_bytes(zero, "abc", 3) == 0xc03bc3a0042630f2);
	CHECK(hash_bytes(key, "", 0) == 0xabac0158050fc4dc);
	CHECK(hash_bytes(key, "abc", 3) == 0x6fce24e8af8146eb);
	CHECK(hash_bytes(key, "0123456789abcdef0", 17) == 0xc90046f1475b9974);
}

TEST(hash_is_keyed_and_spreads)
{
	struct hash_key a = {{1, 2}}, b = {{1, 3}};
	unsigned buckets[64] = {0}, largest = 0;

	CHECK(hash_bytes(a, "name", 4) == hash_bytes(a, "name", 4));
	CHECK(hash_bytes(a, "name", 4) != hash_bytes(b, "name", 4));
	CHECK(hash_bytes(a, "name", 4) != hash_bytes(a, "name\0", 5));
	for (uint64_t i = 0; i < 64000; i++)
		buckets[hash_bucket(hash_u64(i << 12), 6)]++;
	for (int i = 0; i < 64; i++)
		largest = MAX(largest, buckets[i]);
	CHECK(largest < 1200);
}
