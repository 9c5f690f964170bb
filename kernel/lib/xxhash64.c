/*
 * XXH64: four lanes over stripes of 32 bytes, folded together, then the rest of less than a stripe.
 */
#include "lib/bits.h"
#include "lib/string.h"
#include "lib/xxhash64.h"

#define STRIPE 32
#define PRIME1 0x9e3779b185ebca87ULL
#define PRIME2 0xc2b2ae3d27d4eb4fULL
#define PRIME3 0x165667b19e3779f9ULL
#define PRIME4 0x85ebca77c2b2ae63ULL
#define PRIME5 0x27d4eb2f165667c5ULL

static uint64_t load64(const unsigned char *from)
{
	uint64_t value;

	__builtin_memcpy(&value, from, sizeof(value));
	return value;
}

static uint32_t load32(const unsigned char *from)
{
	uint32_t value;

	__builtin_memcpy(&value, from, sizeof(value));
	return value;
}

static uint64_t mix(uint64_t lane, uint64_t word)
{
	return rotate_left64(lane + word * PRIME2, 31) * PRIME1;
}

void xxhash64_init(struct xxhash64 *state)
{
	state->lane[0] = PRIME1 + PRIME2;
	state->lane[1] = PRIME2;
	state->lane[2] = 0;
	state->lane[3] = 0 - PRIME1;
	state->size = 0;
}

static void add_stripe(struct xxhash64 *state, const unsigned char *bytes)
{
	for (int lane = 0; lane < 4; lane++)
		state->lane[lane] = mix(state->lane[lane], load64(bytes + 8 * lane));
}

void xxhash64_update(struct xxhash64 *state, const void *from, size_t size)
{
	const unsigned char *bytes = from;
	size_t have = state->size % STRIPE;

	state->size += size;
	if (have > 0) {
		size_t part = MIN(STRIPE - have, size);

		memcpy(state->tail + have, bytes, part);
		bytes += part;
		size -= part;
		if (have + part < STRIPE)
			return;
		add_stripe(state, state->tail);
	}
	for (; size >= STRIPE; size -= STRIPE, bytes += STRIPE)
		add_stripe(state, bytes);
	memcpy(state->tail, bytes, size);
}

static uint64_t fold_lanes(const struct xxhash64 *state)
{
	uint64_t hash = rotate_left64(state->lane[0], 1) + rotate_left64(state->lane[1], 7) +
			rotate_left64(state->lane[2], 12) + rotate_left64(state->lane[3], 18);

	for (int lane = 0; lane < 4; lane++)
		hash = (hash ^ mix(0, state->lane[lane])) * PRIME1 + PRIME4;
	return hash;
}

uint64_t xxhash64_final(const struct xxhash64 *state)
{
	uint64_t hash = (state->size >= STRIPE ? fold_lanes(state) : PRIME5) + state->size;
	const unsigned char *tail = state->tail;
	unsigned rest = state->size % STRIPE;

	for (; rest >= 8; rest -= 8, tail += 8)
		hash = rotate_left64(hash ^ mix(0, load64(tail)), 27) * PRIME1 + PRIME4;
	if (rest >= 4) {
		hash = rotate_left64(hash ^ load32(tail) * PRIME1, 23) * PRIME2 + PRIME3;
		rest -= 4;
		tail += 4;
	}
	for (; rest > 0; rest--, tail++)
		hash = rotate_left64(hash ^ *tail * PRIME5, 11) * PRIME1;
	hash = (hash ^ hash >> 33) * PRIME2;
	hash = (hash ^ hash >> 29) * PRIME3;
	return hash ^ hash >> 32;
}
