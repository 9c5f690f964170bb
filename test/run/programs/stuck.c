/*
 * For the monitor's test: `quiet` does nothing; `faults` has a handler that returns to the fault it
 * did not repair. Then /proc/headway and this thread's own headway.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
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

int main(int argc, char **argv)
{
	if (strcmp(argv[1], "faults") == 0) {
		signal(SIGSEGV, on_fault);
		*(volatile char *)0x123000 = 1;
	}
	/* The monitor looks twice a second. */
	usleep(1200000);
	show("/proc/headway");
	show("/proc/self/headway");
	return 0;
}
