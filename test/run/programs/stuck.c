/*
 * For the monitor's test: `quiet` does nothing; `faults` has a handler that returns to the fault it
 * did not repair; `waits` spins with SCHED_FIFO while a child of its is runnable on its processor,
 * without a limit for real-time threads; `busy` is the same with the limit, beside processes that
 * fork, fault and pass bytes; `jumps` has a child whose only instruction jumps to itself, beside a
 * spinner; `lost` has a child that pauses and is sent a signal. Then /proc/headway and this
 * thread's own headway.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static volatile int faults;
extern char jump[];

static void on_fault(int number)
{
	if (++faults == 1500)
		mmap((void *)0x123000, 4096, PROT_READ | PROT_WRITE,
		     MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
}

static void show(const char *path)
{
	char text[16384];
	int fd = open(path, O_RDONLY);
	ssize_t n;

	while ((n = read(fd, text, sizeof(text))) > 0)
		write(1, text, n);
	close(fd);
}

static void spin_seconds(int seconds)
{
	struct timespec begin, now;

	clock_gettime(CLOCK_MONOTONIC, &begin);
	do
		clock_gettime(CLOCK_MONOTONIC, &now);
	while (now.tv_sec - begin.tv_sec < seconds);
}

static void must(int good, const char *what)
{
	if (!good) {
		perror(what);
		_exit(1);
	}
}

static void stay_on_first(void)
{
	cpu_set_t first;

	CPU_ZERO(&first);
	CPU_SET(0, &first);
	must(sched_setaffinity(0, sizeof(first), &first) == 0, "affinity");
}

/* musl's sched_setscheduler() is ENOSYS by choice, so the call itself. */
static void become_fifo(void)
{
	const struct sched_param fifo = { .sched_priority = 10 };

	must(syscall(SYS_sched_setscheduler, 0, SCHED_FIFO, &fifo) == 0, "SCHED_FIFO");
}

static pid_t fork_or_fail(void)
{
	pid_t child = fork();

	must(child >= 0, "fork");
	return child;
}

static void starve_child(void)
{
	int limit = open("/proc/sys/kernel/sched_rt_runtime_us", O_WRONLY);
	pid_t child;

	must(write(limit, "-1", 2) == 2, "the limit");
	stay_on_first();
	child = fork_or_fail();
	while (child == 0)
		;
	become_fifo();
	spin_seconds(5);
	printf("spinner %d child %d\n", getpid(), child);
	fflush(stdout);
	kill(child, SIGKILL);
}

/* Forks, faults, sleeps, and bytes there and back, for ever. */
static void work(void)
{
	int there[2], back[2];
	char byte = 0;

	must(pipe(there) == 0 && pipe(back) == 0, "pipe");
	for (;;) {
		pid_t child = fork_or_fail();

		if (child == 0) {
			must(read(there[0], &byte, 1) == 1, "read");
			must(write(back[1], &byte, 1) == 1, "write");
			_exit(0);
		}
		must(write(there[1], &byte, 1) == 1 && read(back[0], &byte, 1) == 1, "parent");
		waitpid(child, NULL, 0);
		usleep(100);
	}
}

#define WORKERS 8

/* More than the machine can do, for longer than any of the monitor's bounds. */
static void be_busy(void)
{
	pid_t workers[WORKERS];

	stay_on_first();
	for (int i = 0; i < WORKERS; i++) {
		workers[i] = fork_or_fail();
		if (workers[i] == 0) {
			setpgid(0, 0);
			work();
		}
		setpgid(workers[i], workers[i]);
	}
	become_fifo();
	spin_seconds(6);
	for (int i = 0; i < WORKERS; i++)
		kill(-workers[i], SIGKILL);
}

static void jump_to_itself(void)
{
	pid_t child;

	stay_on_first();
	child = fork_or_fail();
	if (child == 0)
		__asm__ volatile(".globl jump\n" "jump: jmp jump");
	spin_seconds(3);
	printf("child %d jump %p\n", child, (void *)jump);
	fflush(stdout);
	kill(child, SIGKILL);
}

static void on_signal(int number) { _exit(0); }

/* Polls: this process is not to be woken by a signal either. */
static void signal_child(void)
{
	int ended = 0;
	pid_t child;

	signal(SIGUSR1, on_signal);
	child = fork_or_fail();
	while (child == 0)
		pause();
	usleep(500000);
	kill(child, SIGUSR1);
	for (int i = 0; i < 30 && !ended; i++) {
		usleep(100000);
		ended = waitpid(child, NULL, WNOHANG) == child;
	}
	printf("child %d ended %d\n", child, ended);
	fflush(stdout);
	if (!ended)
		kill(child, SIGKILL);
}

int main(int argc, char **argv)
{
	if (strcmp(argv[1], "faults") == 0) {
		signal(SIGSEGV, on_fault);
		*(volatile char *)0x123000 = 1;
	}
	if (strcmp(argv[1], "waits") == 0)
		starve_child();
	if (strcmp(argv[1], "busy") == 0)
		be_busy();
	if (strcmp(argv[1], "jumps") == 0)
		jump_to_itself();
	if (strcmp(argv[1], "lost") == 0)
		signal_child();
	/* The monitor looks twice a second. */
	usleep(1200000);
	show("/proc/headway");
	show("/proc/self/headway");
	return 0;
}
