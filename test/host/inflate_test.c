/*
 * Does gzip's output come back byte for byte, and is everything else refused?
 *
 * links: lib/inflate.c
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "abi/errno.h"
#include "host_test.h"
#include "lib/inflate.h"

#define SIZE_MAX_TESTED 400000

static unsigned char original[SIZE_MAX_TESTED], unpacked[SIZE_MAX_TESTED];
static unsigned char packed[SIZE_MAX_TESTED + 4096];
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

static int inflate(size_t size, size_t *consumed)
{
	struct inflate *inflate = malloc(sizeof(*inflate));
	/* A copy of exactly that size, for the sanitiser to see any access beyond. */
	unsigned char *copy = malloc(size + (size == 0));
	int error;

	memset(inflate, 0xa5, sizeof(*inflate));
	memcpy(copy, packed, size);
	unpacked_size = 0;
	error = inflate_gzip(inflate, copy, size, consumed, sink, NULL);
	free(copy);
	free(inflate);
	return error;
}

/* Packs original[0..size) with the host's gzip. */
static size_t pack(size_t size, int level)
{
	char command[200];
	char name[] = "/tmp/inflate_testXXXXXX";
	int fd = mkstemp(name);
	FILE *file = fdopen(fd, "w");
	size_t packed_size;

	fwrite(original, 1, size, file);
	fclose(file);
	snprintf(command, sizeof(command), "gzip -%d -c %s", level, name);
	file = popen(command, "r");
	packed_size = fread(packed, 1, sizeof(packed), file);
	pclose(file);
	remove(name);
	return packed_size;
}

static void round_trip(size_t size, int level)
{
	size_t packed_size = pack(size, level), consumed = 0;

	packed[packed_size] = 'x';
	CHECK_EQUAL(inflate(packed_size + 1, &consumed), 0);
	CHECK_EQUAL(consumed, packed_size);
	CHECK_EQUAL(unpacked_size, size);
	CHECK(memcmp(unpacked, original, size) == 0);
}

static void fill_random(size_t size, unsigned letters)
{
	for (size_t i = 0; i < size; i++)
		original[i] = (unsigned char)host_test_below(letters);
}

static void fill_repeats(size_t size)
{
	fill_random(200, 256);
	for (size_t i = 200; i < size; i++)
		original[i] = host_test_below(100) ? original[i - 1 - i % 150]
						   : (unsigned char)host_test_random();
}

TEST(inflate_round_trips)
{
	for (int level = 1; level <= 9; level += 4) {
		round_trip(0, level);
		fill_random(70000, 256); /* stored blocks */
		round_trip(70000, level);
		fill_random(SIZE_MAX_TESTED, 4);
		round_trip(SIZE_MAX_TESTED, level);
		fill_repeats(SIZE_MAX_TESTED);
		round_trip(1, level);
		round_trip(300, level); /* fixed codes */
		round_trip(32768, level);
		round_trip(32769, level);
		round_trip(SIZE_MAX_TESTED, level);
		memset(original, 'z', SIZE_MAX_TESTED); /* a single distance code */
		round_trip(SIZE_MAX_TESTED, level);
	}
}

TEST(inflate_refuses_truncation)
{
	size_t packed_size, consumed;

	fill_repeats(3000);
	packed_size = pack(3000, 9);
	for (size_t size = 0; size < packed_size; size++)
		CHECK_EQUAL(inflate(size, &consumed), -EINVAL);
}

TEST(inflate_notices_corruption)
{
	size_t packed_size, consumed;

	fill_repeats(3000);
	packed_size = pack(3000, 6);
	for (int round = 0; round < 2000; round++) {
		size_t at = 10 + host_test_below(packed_size - 10);
		unsigned char flip = (unsigned char)(1U << host_test_below(8));
		int error;

		packed[at] ^= flip;
		error = inflate(packed_size, &consumed);
		CHECK(error != 0 || memcmp(unpacked, original, 3000) == 0);
		packed[at] ^= flip;
	}
	sink_error = -ENOSPC;
	CHECK_EQUAL(inflate(packed_size, &consumed), -ENOSPC);
	sink_error = 0;
}

TEST(inflate_reads_optional_header_fields)
{
	static const unsigned char header[] = {
	    0x1f, 0x8b, 8, 4 | 8 | 16 | 2, 0, 0, 0, 0, 0, 3, 2, 0, 'x', 'y', 'n', 0, 'c', 0, 1, 2};
	size_t packed_size, consumed, name;

	memcpy(original, "hello", 5);
	packed_size = pack(5, 6);
	/* gzip wrote a name: skip its header, and put ours before the data. */
	name = 10 + (packed[3] & 8 ? strlen((char *)packed + 10) + 1 : 0);
	memmove(packed + sizeof(header), packed + name, packed_size - name);
	memcpy(packed, header, sizeof(header));
	packed_size += sizeof(header) - name;
	CHECK_EQUAL(inflate(packed_size, &consumed), 0);
	CHECK_EQUAL(unpacked_size, 5);
	packed[3] |= 0x80;
	CHECK_EQUAL(inflate(packed_size, &consumed), -EINVAL);
}

/* Writes a gzip header and then bits, lowest first, for streams that no packer makes. */
static size_t written;

static void write_start(void)
{
	memset(packed, 0, 1000);
	memcpy(packed, "\x1f\x8b\x08", 3);
	written = 80;
}

static void write_bits(unsigned value, unsigned count)
{
	for (unsigned i = 0; i < count; i++, written++)
		packed[written / 8] |= (unsigned char)((value >> i & 1) << (written % 8));
}

/* A Huffman code: its highest bit comes first. */
static void write_code(unsigned code, unsigned length)
{
	while (length-- > 0)
		write_bits(code >> length & 1, 1);
}

/* With zeros behind, so that it is not refused for being too short. */
static int inflate_written(void)
{
	size_t consumed;

	return inflate(written / 8 + 100, &consumed);
}

TEST(inflate_refuses_distances_before_the_start)
{
	for (unsigned distance_code = 0; distance_code < 32; distance_code++) {
		write_start();
		write_bits(1 | 1 << 1, 3);        /* last block, fixed codes */
		write_code(0x30 + 'a', 8);        /* one byte of output */
		write_code(1, 7);                 /* length 3 */
		write_code(distance_code, 5);     /* only distance 1 is right */
		write_bits(0, distance_code < 4 ? 0 : distance_code / 2 - 1);
		write_code(0, 7);                 /* end of block */
		CHECK_EQUAL(inflate_written(), distance_code == 0 ? -EIO : -EINVAL);
	}
}

TEST(inflate_refuses_malformed_blocks)
{
	write_start();
	write_bits(1 | 3 << 1, 3); /* no such kind */
	CHECK_EQUAL(inflate_written(), -EINVAL);

	write_start();
	write_bits(1 | 2 << 1, 3); /* dynamic codes: 257 lengths, 1 distance, 4 + 15 code lengths */
	write_bits(0 | 0 << 5 | 15 << 10, 14);
	for (int i = 0; i < 19; i++)
		write_bits(1, 3); /* nineteen codes of one bit */
	CHECK_EQUAL(inflate_written(), -EINVAL);

	write_start();
	write_bits(1 | 2 << 1, 3);
	write_bits(29 | 29 << 5 | 15 << 10, 14);
	for (int i = 0; i < 19; i++)
		write_bits(i == 2 || i == 3, 3); /* only 18 (138 zeros at most) and 0 */
	for (int i = 0; i < 3; i++) {
		write_code(1, 1);
		write_bits(127, 7); /* the third goes beyond 316 lengths */
	}
	CHECK_EQUAL(inflate_written(), -EINVAL);
}
