/*
 * memcpy, memmove, memset, memcmp, memchr.
 *
 * Plain loops over 8-byte words, four a turn: under emulation, where this kernel mostly runs, they
 * beat the string instructions, whose every iteration leaves translated code; and the kernel owns
 * no vector registers to do better with. Unaligned words are fine on every machine we run on, so
 * there is no aligning prologue.
 *
 * The compiler recognises such loops and would turn each into a call of the very function it stands
 * in: the attribute forbids it.
 */
#include <stdint.h>

#include "lib/string.h"

#ifdef __clang__
#define NO_IDIOM __attribute__((weak, no_builtin("memcpy", "memset", "memmove", "memcmp")))
#else
#define NO_IDIOM __attribute__((weak, optimize("no-tree-loop-distribute-patterns")))
#endif

/* A word that may lie anywhere and alias anything. */
struct word {
	uint64_t value;
} __attribute__((packed, may_alias));

#define WORD sizeof(struct word)

static inline uint64_t load(const void *from)
{
	return ((const struct word *)from)->value;
}

static inline void store(void *to, uint64_t value)
{
	((struct word *)to)->value = value;
}

static inline void copy_forward(unsigned char *to, const unsigned char *from, size_t size)
{
	for (; size >= 4 * WORD; size -= 4 * WORD, to += 4 * WORD, from += 4 * WORD) {
		uint64_t a = load(from), b = load(from + WORD);
		uint64_t c = load(from + 2 * WORD), d = load(from + 3 * WORD);

		store(to, a);
		store(to + WORD, b);
		store(to + 2 * WORD, c);
		store(to + 3 * WORD, d);
	}
	for (; size >= WORD; size -= WORD, to += WORD, from += WORD)
		store(to, load(from));
	for (; size > 0; size--)
		*to++ = *from++;
}

static inline void copy_backward(unsigned char *to, const unsigned char *from, size_t size)
{
	to += size;
	from += size;
	for (; size >= WORD; size -= WORD) {
		to -= WORD;
		from -= WORD;
		store(to, load(from));
	}
	for (; size > 0; size--)
		*--to = *--from;
}

NO_IDIOM void *memcpy(void *restrict to, const void *restrict from, size_t size)
{
	copy_forward(to, from, size);
	return to;
}

NO_IDIOM void *memmove(void *to, const void *from, size_t size)
{
	/*
	 * One comparison: below zero distance wraps to a huge number, and forward is right then
	 * too.
	 */
	if ((uintptr_t)to - (uintptr_t)from >= size)
		copy_forward(to, from, size);
	else
		copy_backward(to, from, size);
	return to;
}

NO_IDIOM void *memset(void *to, int byte, size_t size)
{
	unsigned char *p = to;
	uint64_t pattern = (unsigned char)byte * 0x0101010101010101ULL;

	for (; size >= 4 * WORD; size -= 4 * WORD, p += 4 * WORD) {
		store(p, pattern);
		store(p + WORD, pattern);
		store(p + 2 * WORD, pattern);
		store(p + 3 * WORD, pattern);
	}
	for (; size >= WORD; size -= WORD, p += WORD)
		store(p, pattern);
	for (; size > 0; size--)
		*p++ = (unsigned char)byte;
	return to;
}

NO_IDIOM int memcmp(const void *a, const void *b, size_t size)
{
	const unsigned char *p = a, *q = b;

	/* Skip what is equal by words; the bytes then find which way the first difference goes. */
	for (; size >= WORD && load(p) == load(q); size -= WORD, p += WORD, q += WORD)
		;
	for (; size > 0; size--, p++, q++) {
		if (*p != *q)
			return *p - *q;
	}
	return 0;
}

NO_IDIOM void *memchr(const void *memory, int byte, size_t size)
{
	const unsigned char *p = memory;

	for (; size > 0; size--, p++) {
		if (*p == (unsigned char)byte)
			return (void *)(uintptr_t)p;
	}
	return NULL;
}
