/*
 * first.c - when does the machine run its first program?
 *
 * Given to the kernel as its init (`init=/bin/first`, Linux: `rdinit=/bin/first`), it writes one
 * line to the console and becomes /init:
 *
 *	first: TICKS ticks, NANOSECONDS ns
 *
 * The time stamp counter is read first of all; it counts from the machine's start. How fast it
 * counts is measured afterwards with the kernel's clock; where the emulator counts instructions, a
 * tick is one.
 */
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>
#include <x86intrin.h>

#define MEASURE_NS	(20 * 1000 * 1000)

static uint64_t clock_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

static double measure_ticks_per_ns(void)
{
	const uint64_t ns = clock_ns(), ticks = __rdtsc();
	uint64_t end;

	do {
		end = clock_ns();
	} while (end - ns < MEASURE_NS);
	return (double)(__rdtsc() - ticks) / (double)(end - ns);
}

int main(int argc, char **argv)
{
	const uint64_t ticks = __rdtsc();
	const int console = open("/dev/console", O_WRONLY | O_NOCTTY | O_CLOEXEC);
	static char name[] = "/init";

	(void)argc;
	dprintf(console, "first: %llu ticks, %.0f ns\n", (unsigned long long)ticks,
		(double)ticks / measure_ticks_per_ns());
	argv[0] = name;
	execv(name, argv);
	dprintf(console, "first: /init cannot be executed\n");
	return 1;
}
