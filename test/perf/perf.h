/*
 * perf.h - the measuring programs: a metric is a name and a function that takes samples.
 *
 * Time is the time stamp counter, the same instruction on every kernel. Where the emulator counts
 * instructions (`--icount`) one tick is one instruction. What a reading costs is taken off. A cheap
 * operation is repeated within a sample, so a sample is then a mean; each function says how often.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#define ARRAY_SIZE(a)	(sizeof(a) / sizeof((a)[0]))

struct metric {
	const char *name;
	const char *what;		/* what one operation is */
	void (*run)(const struct metric *metric);
	uint64_t argument;		/* the function's own: a count, a size in MiB */
	unsigned int memory_mib;	/* that the machine must have; 0: any */
	unsigned int processors;	/* that the machine must have; 0: one */
};

extern const struct metric calls_metrics[], ipc_metrics[], signal_metrics[], memory_metrics[],
	process_metrics[], fork_metrics[];	/* each ends with a nameless one */

/* How many samples a metric takes: the option -n, by default what the function finds right. */
unsigned int samples_wanted(unsigned int usual);

/*
 * Records one sample: `ticks` for `operations`. `part` names one of several results of a metric,
 * NULL is its only one.
 */
void sample(const char *part, uint64_t ticks, uint64_t operations);

/*
 * Brings the emulator back to rest before time is measured: its table of translations, which each
 * flush clears, grows with the memory that was used and shrinks at a flush after a tenth of a
 * second in which little was. Forks flush.
 */
void settle(void);

uint64_t clock_ns(void);

/* Ends the metric with a message: it could not be measured. */
_Noreturn void fail(const char *what);

/* As rdtsc, with all before it done and nothing after it begun (Intel SDM vol. 2, LFENCE). */
static inline uint64_t ticks_now(void)
{
	uint32_t low, high;

	__asm__ volatile("lfence\n\trdtsc\n\tlfence" : "=a"(low), "=d"(high) : : "memory");
	return (uint64_t)high << 32 | low;
}

/* What is between the two is counted by tools/profile: see count.c there. */
static inline void stretch_begin(void)
{
	__asm__ volatile("nopl 0x74696e01(%%rax,%%rax,1)" : : : "memory");
}

static inline void stretch_end(void)
{
	__asm__ volatile("nopl 0x74696e02(%%rax,%%rax,1)" : : : "memory");
}

/* Takes `usual` samples of `statement` done `times` times each, after one that is not counted. */
#define MEASURE(usual, times, statement)                                                          \
	do {                                                                                      \
		for (unsigned int s_ = 0; s_ <= samples_wanted(usual); s_++) {                    \
			uint64_t begin_ = ticks_now();                                            \
			if (s_ > 0)                                                               \
				stretch_begin();                                                  \
			for (unsigned int i_ = 0; i_ < (times); i_++)                             \
				statement;                                                        \
			stretch_end();                                                            \
			if (s_ > 0)                                                               \
				sample(NULL, ticks_now() - begin_, times);                        \
		}                                                                                 \
	} while (0)

static inline void must(int good, const char *what)
{
	if (!good)
		fail(what);
}
