/*
 * SipHash-1-3 (Aumasson and Bernstein, "SipHash: a fast short-input PRF", 2012): one round a word,
 * three at the end. The shorter variant is the usual choice for hash tables, where the attacker
 * sees timings, not hashes.
 */
#include "lib/bits.h"
#include "lib/hash.h"
#include "lib/string.h"

struct state {
	uint64_t v0, v1, v2, v3;
};

static inline void round_once(struct state *s)
{
	s->v0 += s->v1;
	s->v1 = rotate_left64(s->v1, 13) ^ s->v0;
	s->v0 = rotate_left64(s->v0, 32);
	s->v2 += s->v3;
	s->v3 = rotate_left64(s->v3, 16) ^ s->v2;
	s->v0 += s->v3;
	s->v3 = rotate_left64(s->v3, 21) ^ s->v0;
	s->v2 += s->v1;
	s->v1 = rotate_left64(s->v1, 17) ^ s->v2;
	s->v2 = rotate_left64(s->v2, 32);
}

static inline void absorb(struct state *s, uint64_t word)
{
	s->v3 ^= word;
	round_once(s);
	s->v0 ^= word;
}

/* Fewer than 8 bytes as a number, the first lowest. */
static inline uint64_t tail(const unsigned char *p, size_t n)
{
	uint64_t word = 0;
	uint32_t four;
	uint16_t two;

	if ((n & 1) != 0)
		word = p[n - 1];
	if ((n & 2) != 0) {
		__builtin_memcpy(&two, p + (n & 4), 2);
		word = word << 16 | two;
	}
	if ((n & 4) != 0) {
		__builtin_memcpy(&four, p, 4);
		word = word << 32 | four;
	}
	return word;
}

uint64_t hash_bytes(struct hash_key key, const void *bytes, size_t size)
{
	struct state s = {
		key.word[0] ^ 0x736f6d6570736575ULL,
		key.word[1] ^ 0x646f72616e646f6dULL,
		key.word[0] ^ 0x6c7967656e657261ULL,
		key.word[1] ^ 0x7465646279746573ULL,
	};
	const unsigned char *p = bytes;
	uint64_t last;
	size_t rest = size;

	for (; rest >= 8; rest -= 8, p += 8) {
		uint64_t word;

		__builtin_memcpy(&word, p, 8);
		absorb(&s, word);
	}
	last = (uint64_t)size << 56 | tail(p, rest);
	absorb(&s, last);
	s.v2 ^= 0xff;
	for (int i = 0; i < 3; i++)
		round_once(&s);
	return s.v0 ^ s.v1 ^ s.v2 ^ s.v3;
}
