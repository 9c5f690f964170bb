/*
 * latency.c - what `tine lab latency` looks at through the flight recorder.
 *
 *	lab-latency [ROUNDS [forks [COUNTS]]]
 *
 * Forked children and their parent count side by side, so that slices end; then, beside a process
 * that counts, one sleeps for ever other times, so that timers hit anywhere, and two pass a byte to
 * and fro (`forks` leaves these out). At the start a call that does next to nothing is timed by the
 * time stamp counter: what the recorder adds to it is told by a second run without.
 */
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#include <x86intrin.h>

#define CALLS		1000
#define SLEEPS		20
#define PASSES		20

static int counts = 10 * 1000 * 1000;	/* instructions: three slices of 1 ns each */

static void count(void)
{
	for (volatile int i = 0; i < counts / 5; i++) {
	}
}

static void time_calls(void)
{
	uint64_t begin, cycles = 0;

	for (int warm = 0; warm < 2; warm++) {
		begin = __rdtsc();
		for (int i = 0; i < CALLS; i++)
			syscall(SYS_getppid);
		cycles = __rdtsc() - begin;
	}
	printf("call: %llu cycles for %d\n", (unsigned long long)cycles, CALLS);
	fflush(stdout);
}

static pid_t fork_or_die(void)
{
	const pid_t pid = fork();

	if (pid < 0) {
		perror("fork");
		exit(1);
	}
	return pid;
}

static void fork_and_count(void)
{
	const pid_t pid = fork_or_die();

	count();
	if (pid == 0)
		_exit(0);
	waitpid(pid, NULL, 0);
}

static void sleep_beside(void)
{
	const pid_t pid = fork_or_die();

	/* Not a jump to itself: that looks as if nothing retired. */
	while (pid == 0)
		count();
	for (int i = 0; i < SLEEPS; i++) {
		const struct timespec time = { .tv_nsec = 50000 + i * 4973 };

		nanosleep(&time, NULL);
	}
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
}

static void pass(void)
{
	int there[2], back[2];
	char byte = 0;
	pid_t pid;

	if (pipe(there) < 0 || pipe(back) < 0)
		exit(1);
	pid = fork_or_die();
	for (int i = 0; i < PASSES; i++) {
		if (pid == 0 && (read(there[0], &byte, 1) != 1 || write(back[1], &byte, 1) != 1))
			_exit(1);
		if (pid != 0 && (write(there[1], &byte, 1) != 1 || read(back[0], &byte, 1) != 1))
			exit(1);
	}
	if (pid == 0)
		_exit(0);
	waitpid(pid, NULL, 0);
}

int main(int argc, char **argv)
{
	const int rounds = argc > 1 ? atoi(argv[1]) : 10;
	const int forks_only = argc > 2;

	if (argc > 3)
		counts = atoi(argv[3]);
	time_calls();
	for (int i = 0; i < rounds; i++) {
		fork_and_count();
		if (forks_only)
			continue;
		sleep_beside();
		pass();
	}
	puts("done");
	return 0;
}
