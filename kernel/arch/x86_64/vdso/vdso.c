/*
 * The clock calls that need no kernel, mapped into every program.
 *
 * Code here runs in user mode with nothing linked to it: no data of its own, no calls out. What it
 * cannot answer (other clocks, a bad pointer's EFAULT for exotic clocks) goes to the system call.
 * Names and versions are Linux's (vdso(7)), so that C libraries find them.
 */
#include <stddef.h>
#include <stdint.h>

#include "arch/x86_64/vdso_data.h"

#define EXPORT __attribute__((visibility("default")))
#define ALIAS(name) EXPORT __attribute__((weak, alias(#name)))

#define NR_GETTIMEOFDAY 96
#define NR_CLOCK_GETTIME 228
#define NR_CLOCK_GETRES 229
#define NR_GETCPU 309

enum clock_id {
	REALTIME = 0,
	MONOTONIC = 1,
	MONOTONIC_RAW = 4,
	REALTIME_COARSE = 5,
	MONOTONIC_COARSE = 6,
	BOOTTIME = 7,
};

struct timespec { int64_t seconds, nanoseconds; };
struct timeval { int64_t seconds, microseconds; };
struct timezone { int32_t minutes_west, dst; };

extern const struct vdso_data vdso_data __attribute__((visibility("hidden")));

static long call2(long nr, long a, long b)
{
	long result;

	__asm__ volatile("syscall" : "=a"(result) : "a"(nr), "D"(a), "S"(b)
			 : "rcx", "r11", "memory");
	return result;
}

/* Both times from one reading: monotonic, and what to add for wall time. */
static uint64_t read_clock(uint64_t *wall_offset)
{
	const volatile struct vdso_data *d = &vdso_data;
	uint32_t sequence, low, high;
	uint64_t ns;

	do {
		while (((sequence = __atomic_load_n(&d->sequence, __ATOMIC_ACQUIRE)) & 1) != 0)
			__asm__ volatile("pause");
		__asm__ volatile("lfence; rdtsc" : "=a"(low), "=d"(high) : : "memory");
		ns = (uint64_t)((unsigned __int128)(((uint64_t)high << 32 | low) - d->tsc_base) *
				d->tsc_mult >> 32);
		*wall_offset = d->wall_offset_ns;
		__atomic_thread_fence(__ATOMIC_ACQUIRE);
	} while (d->sequence != sequence);
	return ns;
}

EXPORT int __vdso_clock_gettime(int clock, struct timespec *ts);
EXPORT int __vdso_clock_gettime(int clock, struct timespec *ts)
{
	uint64_t offset, ns;

	switch (clock) {
	case REALTIME:
	case REALTIME_COARSE:
		ns = read_clock(&offset);
		ns += offset;
		break;
	case MONOTONIC:
	case MONOTONIC_RAW:
	case MONOTONIC_COARSE:
	case BOOTTIME:
		ns = read_clock(&offset);
		break;
	default:
		return (int)call2(NR_CLOCK_GETTIME, clock, (long)ts);
	}
	ts->seconds = (int64_t)(ns / 1000000000);
	ts->nanoseconds = (int64_t)(ns % 1000000000);
	return 0;
}

EXPORT int __vdso_gettimeofday(struct timeval *tv, struct timezone *tz);
EXPORT int __vdso_gettimeofday(struct timeval *tv, struct timezone *tz)
{
	uint64_t offset, us;

	if (tv != NULL) {
		us = read_clock(&offset);
		us = (us + offset) / 1000;
		tv->seconds = (int64_t)(us / 1000000);
		tv->microseconds = (int64_t)(us % 1000000);
	}
	if (tz != NULL)
		return (int)call2(NR_GETTIMEOFDAY, 0, (long)tz);
	return 0;
}

EXPORT int64_t __vdso_time(int64_t *out);
EXPORT int64_t __vdso_time(int64_t *out)
{
	uint64_t offset, ns = read_clock(&offset);
	int64_t seconds = (int64_t)((ns + offset) / 1000000000);

	if (out != NULL)
		*out = seconds;
	return seconds;
}

EXPORT int __vdso_clock_getres(int clock, struct timespec *ts);
EXPORT int __vdso_clock_getres(int clock, struct timespec *ts)
{
	return (int)call2(NR_CLOCK_GETRES, clock, (long)ts);
}

EXPORT long __vdso_getcpu(unsigned int *cpu, unsigned int *node, void *unused);
EXPORT long __vdso_getcpu(unsigned int *cpu, unsigned int *node, void *unused)
{
	uint32_t low, high, id;

	(void)unused;
	if (!vdso_data.has_rdtscp)
		return call2(NR_GETCPU, (long)cpu, (long)node);
	__asm__ volatile("rdtscp" : "=a"(low), "=d"(high), "=c"(id));
	if (cpu != NULL)
		*cpu = id;
	if (node != NULL)
		*node = 0;
	return 0;
}

ALIAS(__vdso_clock_gettime) int clock_gettime(int clock, struct timespec *ts);
ALIAS(__vdso_gettimeofday) int gettimeofday(struct timeval *tv, struct timezone *tz);
ALIAS(__vdso_time) int64_t time(int64_t *out);
ALIAS(__vdso_clock_getres) int clock_getres(int clock, struct timespec *ts);
ALIAS(__vdso_getcpu) long getcpu(unsigned int *cpu, unsigned int *node, void *unused);
