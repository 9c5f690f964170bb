/*
 * Are the hash and the cipher those of the standards, and is no output or key given twice?
 *
 * links: lib/blake2s.c lib/random.c
 */
#include <stdio.h>
#include <string.h>

#include "host_test.h"
#include "lib/blake2s.h"
#include "lib/random.h"

static void hash(const void *bytes, size_t size, size_t step, const char *expected)
{
	unsigned char digest[BLAKE2S_SIZE];
	char text[2 * BLAKE2S_SIZE + 1];
	struct blake2s state;

	blake2s_init(&state);
	for (size_t at = 0; at < size; at += step)
		blake2s_update(&state, (const char *)bytes + at,
			       size - at < step ? size - at : step);
	blake2s_final(&state, digest);
	for (int i = 0; i < BLAKE2S_SIZE; i++)
		sprintf(text + 2 * i, "%02x", digest[i]);
	CHECK_STRING(text, expected);
}

TEST(blake2s_known_answers)
{
	char text[129];

	hash("", 0, 1, "69217a3079908094e11121d042354a7c1f55b6482ca1a51e1b250dfd1ed0eef9");
	hash("abc", 3, 3, "508c5e8c327c14e2e1a72ba34eeb452f37458b209ed63a294d999b4c86675982");
	memset(text, 'a', 64);
	hash(text, 64, 64, "651d2f5f20952eacaea2fba2f2af2bcd633e511ea2d2e4c9ae2ac0d9ffb7b252");
	memset(text, 'b', 129);
	for (size_t step = 1; step <= 129; step++)
		hash(text, 129, step,
		     "861fe650274264bbf44a757e998cd2c7c7af045a4dca44af5ab5ededfdca948a");
}

/*
 * A zero key: the key stream of ChaCha20 with key, nonce and counter zero (RFC 8439, A.1, test
 * vectors 1 and 2). The first half of block 0 becomes the next key.
 */
TEST(random_is_chacha20)
{
	static const unsigned char block0[64] = {
	    0x76, 0xb8, 0xe0, 0xad, 0xa0, 0xf1, 0x3d, 0x90, 0x40, 0x5d, 0x6a, 0xe5, 0x53,
	    0x86, 0xbd, 0x28, 0xbd, 0xd2, 0x19, 0xb8, 0xa0, 0x8d, 0xed, 0x1a, 0xa8, 0x36,
	    0xef, 0xcc, 0x8b, 0x77, 0x0d, 0xc7, 0xda, 0x41, 0x59, 0x7c, 0x51, 0x57, 0x48,
	    0x8d, 0x77, 0x24, 0xe0, 0x3f, 0xb8, 0xd8, 0x4a, 0x37, 0x6a, 0x43, 0xb8, 0xf4,
	    0x15, 0x18, 0xa1, 0x1c, 0xc3, 0x87, 0xb6, 0x69, 0xb2, 0xee, 0x65, 0x86};
	static const unsigned char block1[8] = {0x9f, 0x07, 0xe7, 0xbe, 0x55, 0x51, 0x38, 0x7a};
	unsigned char out[40];
	struct random random;

	random_init(&random);
	random_fill(&random, out, sizeof(out));
	CHECK(memcmp(random.key, block0, 32) == 0);
	CHECK(memcmp(out, block0 + 32, 32) == 0);
	CHECK(memcmp(out + 32, block1, 8) == 0);
}

TEST(random_fills_exactly)
{
	struct random random;

	random_init(&random);
	for (size_t size = 0; size < 200; size++) {
		unsigned char out[201];

		memset(out, 0xee, sizeof(out));
		random_fill(&random, out, size);
		CHECK_EQUAL(out[size], 0xee);
	}
}

TEST(random_keys_differ)
{
	struct random a, b, child;
	unsigned char x[32], y[32];

	random_init(&a);
	random_init(&b);
	random_reseed(&a, "1", 1);
	random_reseed(&b, "2", 1);
	CHECK(memcmp(&a, &b, sizeof(a)) != 0);
	random_fork(&a, &child);
	random_fill(&a, x, sizeof(x));
	random_fill(&child, y, sizeof(y));
	CHECK(memcmp(x, y, sizeof(x)) != 0);
	CHECK(memcmp(&a, &child, sizeof(a)) != 0);
	random_wipe(&child);
	CHECK_EQUAL(child.key[0] | child.key[7], 0);
}
