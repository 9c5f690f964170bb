/*
 * Hashing for tables.
 *
 * hash_u64() mixes an integer or an address (the finaliser of MurmurHash3: every input bit reaches
 * every output bit); take the bits you need from the result with hash_bucket(). hash_bytes() is
 * SipHash-1-3, keyed: whoever hashes names that a program chooses passes a random key, so that the
 * program cannot choose collisions.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

struct hash_key {
	uint64_t word[2];
};

static inline uint64_t hash_u64(uint64_t x)
{
	x ^= x >> 33;
	x *= 0xff51afd7ed558ccdULL;
	x ^= x >> 33;
	x *= 0xc4ceb9fe1a85ec53ULL;
	x ^= x >> 33;
	return x;
}

static inline uint64_t hash_pair(uint64_t a, uint64_t b)
{
	return hash_u64(hash_u64(a) ^ (b + 0x9e3779b97f4a7c15ULL));
}

/* The top `bits` bits (1 to 32) of a hash: an index into a table of 2^bits buckets. */
static inline uint32_t hash_bucket(uint64_t hash, unsigned bits)
{
	return (uint32_t)(hash >> (64 - bits));
}

uint64_t hash_bytes(struct hash_key key, const void *bytes, size_t size);
