/*
 * forkcost.c - how long fork() takes as the process grows.
 *
 *	forkcost [ROUNDS]
 *
 * For each size: that much memory touched, then ROUNDS forks, each timed from the call to its
 * return in the parent; the child exits at once. One line a size: the median and the lowest.
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define MIB		(1024u * 1024)
#define ROUNDS_MAX	1000

static double now_us(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (double)now.tv_sec * 1e6 + (double)now.tv_nsec / 1e3;
}

static int compare(const void *left, const void *right)
{
	const double a = *(const double *)left, b = *(const double *)right;

	return (a > b) - (a < b);
}

static double time_fork(void)
{
	const double start = now_us();
	const pid_t pid = fork();
	double elapsed;

	if (pid == 0)
		_exit(0);
	elapsed = now_us() - start;
	if (pid < 0) {
		perror("fork");
		exit(1);
	}
	waitpid(pid, NULL, 0);
	return elapsed;
}

/* False when there is not that much memory. */
static int measure(size_t mib, int rounds)
{
	static double times[ROUNDS_MAX];
	const size_t bytes = mib * MIB;
	char *memory = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS,
			    -1, 0);

	if (memory == MAP_FAILED)
		return 0;
	for (size_t at = 0; at < bytes; at += 4096)
		memory[at] = 1;
	for (int i = 0; i < rounds; i++)
		times[i] = time_fork();
	qsort(times, (size_t)rounds, sizeof(times[0]), compare);
	printf("    %4zu MiB in use: fork() takes %7.0f us (lowest %.0f)\n", mib,
	       times[rounds / 2], times[0]);
	munmap(memory, bytes);
	return 1;
}

int main(int argc, char **argv)
{
	static const size_t sizes_mib[] = { 1, 16, 64, 256 };
	int rounds = argc > 1 ? atoi(argv[1]) : 20;

	if (rounds < 1 || rounds > ROUNDS_MAX)
		rounds = 20;
	setvbuf(stdout, NULL, _IONBF, 0);
	for (size_t i = 0; i < sizeof(sizes_mib) / sizeof(sizes_mib[0]); i++) {
		if (!measure(sizes_mib[i], rounds))
			return 1;
	}
	return 0;
}
