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

uint64_t hash_bytes(struct hash_key key, const void *bytes, size_t size)
{
	struct state s = {
		key.word[0] ^ 0x736f6d6570736575ULL,
		key.word[1] ^ 0x646f72616e646f6dULL,
		key.word[0] ^ 0x6c7967656e657261ULL,
		key.word[1] ^ 0x7465646279746573ULL,
	};
	const unsigned char *p = bytes;
	uint64_t last = (uint64_t)size << 56;
	size_t rest = size;

	for (; rest >= 8; rest -= 8, p += 8) {
		uint64_t word;

		memcpy(&word, p, 8);
		absorb(&s, word);
	}
	for (size_t i = 0; i < rest; i++)
		last |= (uint64_t)p[i] << (8 * i);
	absorb(&s, last);
	s.v2 ^= 0xff;
	for (int i = 0; i < 3; i++)
		round_once(&s);
	return s.v0 ^ s.v1 ^ s.v2 ^ s.v3;
}
