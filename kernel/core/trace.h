/*
 * The flight recorder: per-CPU rings of fixed records, always compiled in. Off, an event costs a
 * compare and a predicted branch, and in a system call nothing: there the recorder rides on looks
 * that are taken anyway (trace_rare_mask; trace_on is work at the way out). Events are listed once,
 * in core/trace_events.def; each has an emitter trace_NAME() here, for any context.
 *
 * A record's place is taken by one fetch-and-add with interrupts off, so a machine check or an NMI
 * in the middle takes the next. Time is the raw counter; who decodes it converts. The newest
 * records overwrite the oldest; `written` counts all, so what was lost is known.
 *
 * Rings are memory given by boot/ when `trace` stands on the command line. A ring is a table of
 * chunks: a large one need not be one block.
 */
#pragma once

#include "core/trace_format.h"
#include "core/types.h"

/* 0 or 1; a word, to be joined with others in one look. */
extern uint32_t trace_on;
/* The same for who looks at nothing else: the compiler compares a byte where it stands. */
static inline bool trace_is_on(void) { return *(const uint8_t *)&trace_on != 0; }
/*
 * For a path that counts its passes and goes a slow way at each TRACE_RARE'th: it does so when the
 * count has none of these bits. While the recorder is on they are 0: each pass goes the slow way,
 * where the events are.
 */
#define TRACE_RARE 128u
extern uint32_t trace_rare_mask;
/*
 * What to add to a count that has come to such a pass: a path that alternates between two things
 * would show the same one each time. The passes are TRACE_RARE_MEAN apart then.
 */
#define TRACE_RARE_MEAN 96u
static inline uint32_t trace_rare_skip(uint32_t count)
{
	return count / TRACE_RARE * 2654435769u >> 26;
}

void trace_record(enum trace_id id, uint64_t a, uint64_t b, uint64_t c, uint64_t d, uint64_t e,
		  uint64_t f);

#define TRACE_EMIT(id, ...)                                                                       \
	do {                                                                                      \
		if (unlikely(trace_is_on()))                                                      \
			trace_record(TRACE_##id, __VA_ARGS__);                                    \
	} while (0)
#define TRACE_EVENT1(id, name, ta, a, doc)                                                        \
	static inline void trace_##name(uint64_t a) { TRACE_EMIT(id, a, 0, 0, 0, 0, 0); }
#define TRACE_EVENT2(id, name, ta, a, tb, b, doc)                                                 \
	static inline void trace_##name(uint64_t a, uint64_t b)                                   \
	{                                                                                         \
		TRACE_EMIT(id, a, b, 0, 0, 0, 0);                                                 \
	}
#define TRACE_EVENT3(id, name, ta, a, tb, b, tc, c, doc)                                          \
	static inline void trace_##name(uint64_t a, uint64_t b, uint64_t c)                       \
	{                                                                                         \
		TRACE_EMIT(id, a, b, c, 0, 0, 0);                                                 \
	}
#define TRACE_EVENT4(id, name, ta, a, tb, b, tc, c, td, d, doc)                                   \
	static inline void trace_##name(uint64_t a, uint64_t b, uint64_t c, uint64_t d)           \
	{                                                                                         \
		TRACE_EMIT(id, a, b, c, d, 0, 0);                                                 \
	}
#define TRACE_EVENT5(id, name, ta, a, tb, b, tc, c, td, d, te, e, doc)                            \
	static inline void trace_##name(uint64_t a, uint64_t b, uint64_t c, uint64_t d,           \
					uint64_t e)                                               \
	{                                                                                         \
		TRACE_EMIT(id, a, b, c, d, e, 0);                                                 \
	}
#define TRACE_EVENT6(id, name, ta, a, tb, b, tc, c, td, d, te, e, tf, f, doc)                     \
	static inline void trace_##name(uint64_t a, uint64_t b, uint64_t c, uint64_t d,           \
					uint64_t e, uint64_t f)                                   \
	{                                                                                         \
		TRACE_EMIT(id, a, b, c, d, e, f);                                                 \
	}
#include "core/trace_events.def"

/* From here on this CPU's records are this thread's. Interrupts off; tracing is on. */
void trace_set_thread(uint32_t thread);
/* A name of up to 16 bytes as the two arguments of type chars. */
static inline uint64_t trace_chars(const char name[16], unsigned int half)
{
	uint64_t word;

	__builtin_memcpy(&word, name + 8 * half, 8);
	return word;
}

/* Gives one CPU its ring: TRACE_CHUNK_RECORDS records each, a power of two of chunks; kept for
 * ever, the table too. */
void trace_set_ring(uint32_t cpu, struct trace_record *const *chunks, uint32_t count);
bool trace_has_rings(void);
void trace_start(void);
/* Nothing is being written when it returns. May wait for the other processors: interrupts on. */
void trace_stop(void);
/* At once; a record may still be under way elsewhere. For panic. */
void trace_off(void);
/* How many records a CPU's ring holds, and how many were overwritten. */
uint64_t trace_held(uint32_t cpu, uint64_t *lost);
/* The record so many written before the newest (0: the newest); false: overwritten meanwhile, being
 * written, or never there. Any context. */
bool trace_read_back(uint32_t cpu, uint64_t back, struct trace_record *out);
/* The index'th oldest of those held; valid while stopped. */
const struct trace_record *trace_at(uint32_t cpu, uint64_t index);

struct trace_event_info {
	const char *name;
	uint8_t args;
	const char *arg_names[TRACE_ARGS];
};

/* NULL: no such event. */
const struct trace_event_info *trace_event_find(uint32_t id);
/* The last `count` records of all processors, oldest first, each given to `put`. Any context, no
 * lock; stable only when nothing is recorded. */
void trace_for_each_last(uint32_t count,
			 void (*put)(void *arg, const struct trace_record *record), void *arg);
