/*
 * BLAKE2s-256 (RFC 7693). A full block is compressed only when more follows, because the last one
 * is marked.
 */
#include "lib/bits.h"
#include "lib/blake2s.h"
#include "lib/string.h"

static const uint32_t iv[8] = {0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a,
			       0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19};

static const uint8_t sigma[10][16] = {
	{0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15},
	{14, 10, 4, 8, 9, 15, 13, 6, 1, 12, 0, 2, 11, 7, 5, 3},
	{11, 8, 12, 0, 5, 2, 15, 13, 10, 14, 3, 6, 7, 1, 9, 4},
	{7, 9, 3, 1, 13, 12, 11, 14, 2, 6, 5, 10, 4, 0, 15, 8},
	{9, 0, 5, 7, 2, 4, 10, 15, 14, 1, 11, 12, 6, 8, 3, 13},
	{2, 12, 6, 10, 0, 11, 8, 3, 4, 13, 7, 5, 15, 14, 1, 9},
	{12, 5, 1, 15, 14, 13, 4, 10, 0, 7, 6, 3, 9, 2, 8, 11},
	{13, 11, 7, 14, 12, 1, 3, 9, 5, 0, 15, 4, 8, 6, 2, 10},
	{6, 15, 14, 9, 11, 3, 0, 8, 12, 2, 13, 7, 1, 4, 10, 5},
	{10, 2, 8, 4, 7, 6, 1, 5, 15, 11, 9, 14, 3, 12, 13, 0},
};

static uint32_t rotate_right(uint32_t x, unsigned n)
{
	return rotate_left32(x, 32 - n);
}

static void mix(uint32_t v[16], const unsigned lane[4], uint32_t x, uint32_t y)
{
	uint32_t *a = &v[lane[0]], *b = &v[lane[1]], *c = &v[lane[2]], *d = &v[lane[3]];

	*a += *b + x;
	*d = rotate_right(*d ^ *a, 16);
	*c += *d;
	*b = rotate_right(*b ^ *c, 12);
	*a += *b + y;
	*d = rotate_right(*d ^ *a, 8);
	*c += *d;
	*b = rotate_right(*b ^ *c, 7);
}

static void compress(struct blake2s *state, uint32_t last)
{
	static const unsigned lanes[8][4] = {{0, 4, 8, 12}, {1, 5, 9, 13},  {2, 6, 10, 14},
					     {3, 7, 11, 15}, {0, 5, 10, 15}, {1, 6, 11, 12},
					     {2, 7, 8, 13},  {3, 4, 9, 14}};
	uint32_t v[16], message[16];

	/* The words are little-endian, like every machine we run on. */
	memcpy(message, state->block, sizeof(message));
	memcpy(v, state->h, sizeof(state->h));
	memcpy(v + 8, iv, sizeof(iv));
	v[12] ^= (uint32_t)state->count;
	v[13] ^= (uint32_t)(state->count >> 32);
	v[14] ^= last;
	for (int round = 0; round < 10; round++) {
		for (int i = 0; i < 8; i++)
			mix(v, lanes[i], message[sigma[round][2 * i]],
			    message[sigma[round][2 * i + 1]]);
	}
	for (int i = 0; i < 8; i++)
		state->h[i] ^= v[i] ^ v[i + 8];
}

void blake2s_init(struct blake2s *state)
{
	memset(state, 0, sizeof(*state));
	memcpy(state->h, iv, sizeof(iv));
	state->h[0] ^= 0x01010000 | BLAKE2S_SIZE;
}

void blake2s_update(struct blake2s *state, const void *bytes, size_t size)
{
	const unsigned char *from = bytes;

	while (size > 0) {
		size_t part;

		if (state->filled == BLAKE2S_BLOCK) {
			state->count += BLAKE2S_BLOCK;
			compress(state, 0);
			state->filled = 0;
		}
		part = MIN(size, BLAKE2S_BLOCK - state->filled);
		memcpy(state->block + state->filled, from, part);
		state->filled += part;
		from += part;
		size -= part;
	}
}

void blake2s_final(struct blake2s *state, unsigned char hash[BLAKE2S_SIZE])
{
	state->count += state->filled;
	memset(state->block + state->filled, 0, BLAKE2S_BLOCK - state->filled);
	compress(state, ~0U);
	memcpy(hash, state->h, BLAKE2S_SIZE);
}
