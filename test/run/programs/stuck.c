/*
 * For the monitor's test: `quiet` does nothing; `faults` has a handler that returns to the fault it
 * did not repair; `waits` spins with SCHED_FIFO while a child of its is runnable on its processor,
 * without a limit for real-time threads. Then /proc/headway and this thread's own headway.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

static volatile int faults;

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

/* musl's sched_setscheduler() is ENOSYS by choice, so the call itself. */
static void starve_child(void)
{
	const struct sched_param fifo = { .sched_priority = 10 };
	int limit = open("/proc/sys/kernel/sched_rt_runtime_us", O_WRONLY);
	cpu_set_t first;
	pid_t child;

	CPU_ZERO(&first);
	CPU_SET(0, &first);
	if (write(limit, "-1", 2) != 2 || sched_setaffinity(0, sizeof(first), &first) != 0 ||
	    (child = fork()) < 0) {
		perror("starve_child");
		return;
	}
	while (child == 0)
		;
	if (syscall(SYS_sched_setscheduler, 0, SCHED_FIFO, &fifo) != 0)
		perror("SCHED_FIFO");
	spin_seconds(5);
	printf("spinner %d child %d\n", getpid(), child);
	fflush(stdout);
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
	/* The monitor looks twice a second. */
	usleep(1200000);
	show("/proc/headway");
	show("/proc/self/headway");
	return 0;
}
