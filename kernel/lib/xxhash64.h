/*
 * XXH64, the checksum that Zstandard frames carry. Not a keyed hash: for integrity, not for tables.
 *
 * Specification: github.com/Cyan4973/xxHash, doc/xxhash_spec.md. Seed 0.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

struct xxhash64 {
	uint64_t lane[4];
	uint64_t size; /* bytes hashed so far */
	unsigned char tail[32];
};

void xxhash64_init(struct xxhash64 *state);
void xxhash64_update(struct xxhash64 *state, const void *bytes, size_t size);
uint64_t xxhash64_final(const struct xxhash64 *state);
