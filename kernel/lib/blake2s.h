/*
 * BLAKE2s-256, the hash that mixes entropy into the random number generator. RFC 7693, without a
 * key.
 *
 * The state is the caller's; no allocation, no tables of secrets.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#define BLAKE2S_SIZE 32
#define BLAKE2S_BLOCK 64

struct blake2s {
	uint32_t h[8];
	uint64_t count; /* bytes hashed */
	size_t filled;  /* bytes in the block */
	unsigned char block[BLAKE2S_BLOCK];
};

void blake2s_init(struct blake2s *state);
void blake2s_update(struct blake2s *state, const void *bytes, size_t size);
void blake2s_final(struct blake2s *state, unsigned char hash[BLAKE2S_SIZE]);
