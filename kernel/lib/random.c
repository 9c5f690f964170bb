/*
 * ChaCha20 (RFC 8439) as a generator: the counter starts at 0 with every key, block 0 gives the
 * next key (and the first 32 bytes), the following blocks the rest. Nonce zero: no key is used
 * twice.
 */
#include "lib/bits.h"
#include "lib/blake2s.h"
#include "lib/random.h"
#include "lib/string.h"

#define BLOCK 64

/* Inlined, the indices are constants and the state stays in registers. */
static inline __attribute__((always_inline)) void quarter(uint32_t x[16], unsigned a, unsigned b,
							  unsigned c, unsigned d)
{
	x[a] += x[b];
	x[d] = rotate_left32(x[d] ^ x[a], 16);
	x[c] += x[d];
	x[b] = rotate_left32(x[b] ^ x[c], 12);
	x[a] += x[b];
	x[d] = rotate_left32(x[d] ^ x[a], 8);
	x[c] += x[d];
	x[b] = rotate_left32(x[b] ^ x[c], 7);
}

static void chacha_block(const uint32_t key[8], uint64_t counter, uint32_t out[16])
{
	const uint32_t in[16] = {
		0x61707865, 0x3320646e, 0x79622d32, 0x6b206574, key[0], key[1], key[2], key[3],
		key[4],     key[5],     key[6],     key[7],     (uint32_t)counter,
		(uint32_t)(counter >> 32), 0, 0};

	memcpy(out, in, sizeof(in));
	for (int i = 0; i < 10; i++) {
		quarter(out, 0, 4, 8, 12);
		quarter(out, 1, 5, 9, 13);
		quarter(out, 2, 6, 10, 14);
		quarter(out, 3, 7, 11, 15);
		quarter(out, 0, 5, 10, 15);
		quarter(out, 1, 6, 11, 12);
		quarter(out, 2, 7, 8, 13);
		quarter(out, 3, 4, 9, 14);
	}
	for (int i = 0; i < 16; i++)
		out[i] += in[i];
}

static void wipe(void *memory, size_t size)
{
	memset(memory, 0, size);
	__asm__ volatile("" : : "r"(memory) : "memory");
}

void random_init(struct random *random)
{
	memset(random, 0, sizeof(*random));
}

void random_wipe(struct random *random)
{
	wipe(random, sizeof(*random));
}

void random_reseed(struct random *random, const void *input, size_t size)
{
	unsigned char hash[BLAKE2S_SIZE];
	struct blake2s state;

	blake2s_init(&state);
	blake2s_update(&state, random->key, sizeof(random->key));
	blake2s_update(&state, input, size);
	blake2s_final(&state, hash);
	memcpy(random->key, hash, sizeof(random->key));
	wipe(&state, sizeof(state));
	wipe(hash, sizeof(hash));
}

void random_fork(struct random *random, struct random *child)
{
	random_fill(random, child->key, sizeof(child->key));
}

void random_fill(struct random *random, void *to, size_t size)
{
	unsigned char *out = to;
	uint32_t key[8], block[BLOCK / 4];
	size_t part = MIN(size, (size_t)(BLOCK - RANDOM_KEY_SIZE));

	memcpy(key, random->key, sizeof(key));
	chacha_block(key, 0, block);
	memcpy(random->key, block, sizeof(random->key));
	memcpy(out, block + 8, part);
	for (uint64_t counter = 1; (out += part, size -= part) > 0; counter++) {
		chacha_block(key, counter, block);
		part = MIN(size, (size_t)BLOCK);
		memcpy(out, block, part);
	}
	wipe(key, sizeof(key));
	wipe(block, sizeof(block));
}
