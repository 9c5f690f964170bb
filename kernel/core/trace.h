/*
 * The flight recorder: per-CPU rings of fixed records, always compiled in; off, an event costs a
 * load and a predicted branch. Events are listed once, in core/trace_events.def.
 *
 * A record is written with interrupts off on its own CPU, so rings need no lock; the newest records
 * overwrite the oldest. Rings are memory given by boot/ when `trace` stands on the command line.
 */
#pragma once

#include "core/types.h"

enum trace_id {
#define TRACE_EVENT(id, name, a, b) TRACE_##id,
#include "core/trace_events.def"
#undef TRACE_EVENT
	TRACE_COUNT,
};

struct trace_record {
	uint64_t time_ns;
	uint32_t id;			/* enum trace_id */
	uint32_t cpu;
	uint64_t a, b;
};

extern bool trace_on;

void trace_record_event(enum trace_id id, uint64_t a, uint64_t b);

static inline void trace_event(enum trace_id id, uint64_t a, uint64_t b)
{
	if (unlikely(trace_on))
		trace_record_event(id, a, b);
}

/* Gives one CPU its ring: `records` is a power of two; the memory is kept for ever. */
void trace_set_ring(uint32_t cpu, struct trace_record *ring, uint64_t records);
void trace_start(void);
void trace_stop(void);
/* The index'th oldest record of a CPU's ring; false past the newest. Stable only when stopped. */
bool trace_read(uint32_t cpu, uint64_t index, struct trace_record *out);
const char *trace_name(uint32_t id);
