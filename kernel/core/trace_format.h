/*
 * The flight recorder's records and the file that carries them to the launcher, which includes this
 * too: nothing here needs the kernel.
 */
#pragma once

#include <stdint.h>

enum trace_id {
	TRACE_NONE,			/* a record that is being written */
#define TRACE_EVENT1(id, name, ...) TRACE_##id,
#define TRACE_EVENT2 TRACE_EVENT1
#define TRACE_EVENT3 TRACE_EVENT1
#define TRACE_EVENT4 TRACE_EVENT1
#define TRACE_EVENT5 TRACE_EVENT1
#define TRACE_EVENT6 TRACE_EVENT1
#include "core/trace_events.def"
	TRACE_COUNT,
};

#define TRACE_ARGS 6
#define TRACE_I386 (1UL << 31)	/* in a call's number: from int $0x80 */

struct trace_record {
	uint64_t cycles;		/* arch_cycles() */
	uint32_t thread;		/* that ran: thread_trace_id(), 0: idle */
	uint16_t id;			/* enum trace_id */
	uint16_t cpu;
	uint64_t args[TRACE_ARGS];
};

_Static_assert(sizeof(struct trace_record) == 64, "a record is a cache line");

#define TRACE_CHUNK_RECORDS 8192u	/* 512 KiB */
#define TRACE_CHUNKS_MAX 128u

/*
 * What is read from /proc/tine/trace_data: this head, then for each processor a struct
 * trace_ring_head and its records, oldest first.
 */
#define TRACE_MAGIC 0x0145434152544e54ULL	/* "TNTRACE", version 1 */

struct trace_head {
	uint64_t magic;
	uint32_t cpus;
	uint32_t record_bytes;
	uint64_t cycles_base, cycles_mult;	/* ns = (cycles - base) * mult >> 32 */
};

struct trace_ring_head {
	uint32_t cpu, zero;
	uint64_t records;		/* that follow */
	uint64_t lost;			/* older ones, overwritten */
};
