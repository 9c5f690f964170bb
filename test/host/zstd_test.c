/*
 * Does what zstd packed come back byte for byte, and is everything else refused?
 *
 * links: lib/xxhash64.c lib/zstd.c lib/zstd_block.c lib/zstd_entropy.c
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "abi/errno.h"
#include "host_test.h"
#include "lib/zstd.h"

#define SIZE_TESTED 1500000

static unsigned char original[SIZE_TESTED], unpacked[SIZE_TESTED], packed[SIZE_TESTED + 65536];
static size_t unpacked_size;
static int sink_error;

static int sink(void *context, const void *bytes, size_t size)
{
	if (sink_error != 0)
		return sink_error;
	if (size > sizeof(unpacked) - unpacked_size)
		return -ENOSPC;
	memcpy(unpacked + unpacked_size, bytes, size);
	unpacked_size += size;
	return 0;
}

static int decompress(size_t size, size_t *consumed)
{
	struct zstd *zstd = malloc(sizeof(*zstd));
	/* A copy of exactly that size, for the sanitiser to see any access beyond. */
	unsigned char *copy = malloc(size + (size == 0)), *window;
	uint64_t window_size = 0;
	int error;

	memset(zstd, 0xa5, sizeof(*zstd));
	memcpy(copy, packed, size);
	unpacked_size = 0;
	error = zstd_window_size(copy, size, &window_size);
	if (error == 0 && window_size > 128U << 20)
		error = -ENOBUFS;
	window = malloc(error == 0 ? window_size : 1);
	if (error == 0)
		error =
		    zstd_decompress(zstd, window, window_size, copy, size, consumed, sink, NULL);
	free(window);
	free(copy);
	free(zstd);
	return error;
}

/*
 * Packs original[0..size) with the host's zstd, from a pipe or from a file: then the size is in the
 * frame.
 */
static size_t pack(size_t size, const char *options, bool from_pipe)
{
	char command[200], name[] = "/tmp/zstd_testXXXXXX";
	FILE *file = fdopen(mkstemp(name), "w");
	size_t packed_size;

	fwrite(original, 1, size, file);
	fclose(file);
	snprintf(command, sizeof(command), "zstd -q %s -c %s %s", options, from_pipe ? "<" : "",
		 name);
	file = popen(command, "r");
	packed_size = fread(packed, 1, sizeof(packed), file);
	pclose(file);
	remove(name);
	return packed_size;
}

static void round_trip(size_t size, const char *options)
{
	for (int from_pipe = 0; from_pipe < 2; from_pipe++) {
		size_t packed_size = pack(size, options, from_pipe), consumed = 0;

		CHECK(packed_size > 0);
		packed[packed_size] = 'x';
		CHECK_EQUAL(decompress(packed_size + 1, &consumed), 0);
		CHECK_EQUAL(consumed, packed_size);
		CHECK_EQUAL(unpacked_size, size);
		CHECK(memcmp(unpacked, original, size) == 0);
	}
}

/* Something like text: words of a small vocabulary, now and then a new one. */
static void fill_words(size_t size)
{
	unsigned char words[500][8];

	for (size_t at = 0; at < size;) {
		unsigned word = (unsigned)(host_test_below(500) * host_test_below(500) / 500);

		if (at < 4000 || host_test_below(100) == 0)
			for (int i = 0; i < 8; i++)
				words[word][i] = (unsigned char)('a' + host_test_below(26));
		for (unsigned i = 0; i < 2 + word % 7 && at < size; i++)
			original[at++] = words[word][i];
		if (at < size)
			original[at++] = ' ';
	}
}

TEST(zstd_round_trips)
{
	static const char *const options[] = {"-1", "-3 --no-check", "-9", "-19", "--fast=5",
					      "-3 --zstd=wlog=10", "-6 --long=27"};

	for (unsigned o = 0; o < sizeof(options) / sizeof(*options); o++) {
		round_trip(0, options[o]);
		fill_words(SIZE_TESTED);
		round_trip(1, options[o]);
		round_trip(300, options[o]);
		round_trip(131072, options[o]);
		round_trip(SIZE_TESTED, options[o]);
		for (size_t i = 0; i < SIZE_TESTED; i++) /* raw blocks */
			original[i] = (unsigned char)host_test_random();
		round_trip(300000, options[o]);
		for (size_t i = 0; i < SIZE_TESTED; i++) /* literals worth coding, no matches */
			original[i] = (unsigned char)(host_test_below(16) * host_test_below(16));
		round_trip(300000, options[o]);
		memset(original, 'z', SIZE_TESTED); /* repeated blocks */
		round_trip(SIZE_TESTED, options[o]);
	}
}

TEST(zstd_unpacks_a_program)
{
	FILE *file = fopen("/proc/self/exe", "r");
	size_t size = fread(original, 1, sizeof(original), file);

	fclose(file);
	round_trip(size, "-3");
	round_trip(size, "-19");
}

TEST(zstd_refuses_truncation)
{
	size_t packed_size, consumed;

	fill_words(3000);
	packed_size = pack(3000, "-19", false);
	for (size_t size = 0; size < packed_size; size++)
		CHECK_EQUAL(decompress(size, &consumed), -EINVAL);
}

TEST(zstd_notices_corruption)
{
	size_t packed_size, consumed;

	fill_words(3000);
	packed_size = pack(3000, "-19", false);
	for (int round = 0; round < 4000; round++) {
		size_t at = 6 + host_test_below(packed_size - 6);
		unsigned char flip = (unsigned char)(1U << host_test_below(8));
		int error;

		packed[at] ^= flip;
		error = decompress(packed_size, &consumed);
		CHECK(error != 0 ||
		      (unpacked_size == 3000 && memcmp(unpacked, original, 3000) == 0));
		packed[at] ^= flip;
	}
	sink_error = -ENOSPC;
	CHECK_EQUAL(decompress(packed_size, &consumed), -ENOSPC);
	sink_error = 0;
}

TEST(zstd_refuses_offsets_before_the_start)
{
	/* One literal, then a match of three from 1 back, and from 5 back. */
	static const unsigned char frame[] = {
		0x28, 0xb5, 0x2f, 0xfd, 0, 0, 1 | 2 << 1 | 8 << 3, 0, 0, /* headers */
		1 << 3, 'a', 1, 0x54, 1, 2, 0, 1 << 2,
	};
	size_t consumed = 0;

	memcpy(packed, frame, sizeof(frame));
	CHECK_EQUAL(decompress(sizeof(frame), &consumed), 0);
	CHECK_EQUAL(unpacked_size, 4);
	CHECK(memcmp(unpacked, "aaaa", 4) == 0);
	packed[sizeof(frame) - 3] = 3;
	packed[sizeof(frame) - 1] = 1 << 3;
	CHECK_EQUAL(decompress(sizeof(frame), &consumed), -EINVAL);
}

TEST(xxhash64_known_answers)
{
	struct xxhash64 whole, pieces;

	xxhash64_init(&whole);
	CHECK(xxhash64_final(&whole) == 0xef46db3751d8e999);
	xxhash64_update(&whole, "abc", 3);
	CHECK(xxhash64_final(&whole) == 0x44bc2cf5ad770999);
	for (size_t step = 1; step < 100; step++) {
		xxhash64_init(&whole);
		xxhash64_init(&pieces);
		xxhash64_update(&whole, original, 1000);
		for (size_t at = 0; at < 1000; at += step)
			xxhash64_update(&pieces, original + at,
					1000 - at < step ? 1000 - at : step);
		CHECK(xxhash64_final(&whole) == xxhash64_final(&pieces));
	}
}

TEST(zstd_skips_skippable_frames)
{
	static const unsigned char frame[] = {0x53, 0x2a, 0x4d, 0x18, 3, 0, 0, 0, 'a', 'b', 'c'};
	size_t consumed = 0;

	memcpy(packed, frame, sizeof(frame));
	CHECK(zstd_is_zstd(packed, sizeof(frame)));
	CHECK_EQUAL(decompress(sizeof(frame), &consumed), 0);
	CHECK_EQUAL(consumed, sizeof(frame));
	CHECK_EQUAL(unpacked_size, 0);
	CHECK_EQUAL(decompress(sizeof(frame) - 1, &consumed), -EINVAL);
}
