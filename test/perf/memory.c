/*
 * Mappings and page faults.
 */
#include "perf.h"

#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define PAGE		4096
#define FAULT_PAGES	1024
#define FILE_NAME	"/tmp/perf-map"

static char *map(size_t bytes, int protection, int flags, int fd)
{
	char *at = mmap(NULL, bytes, protection, flags, fd, 0);

	must(at != MAP_FAILED, "mmap");
	return at;
}

/* Without huge pages, so that each page is a fault; the next metric has the kernel's own way. */
static void run_fault_anonymous(const struct metric *m)
{
	for (unsigned int i = 0; i <= samples_wanted(50); i++) {
		char *at = map(FAULT_PAGES * PAGE, PROT_READ | PROT_WRITE,
			       MAP_PRIVATE | MAP_ANONYMOUS, -1);
		uint64_t begin;

		if (m->argument == 0)
			madvise(at, FAULT_PAGES * PAGE, MADV_NOHUGEPAGE);
		begin = ticks_now();
		for (size_t page = 0; page < FAULT_PAGES; page++)
			((volatile char *)at)[page * PAGE] = 1;
		if (i > 0)
			sample(NULL, ticks_now() - begin, FAULT_PAGES);
		munmap(at, FAULT_PAGES * PAGE);
	}
}

static void run_touch(const struct metric *m)
{
	size_t bytes = m->argument << 20;

	for (unsigned int i = 0; i <= samples_wanted(10); i++) {
		char *at = map(bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1);
		uint64_t begin = ticks_now();

		for (size_t offset = 0; offset < bytes; offset += PAGE)
			((volatile char *)at)[offset] = 1;
		if (i > 0)
			sample(NULL, ticks_now() - begin, bytes >> 20);
		munmap(at, bytes);
	}
}

static void run_fault_file(const struct metric *m)
{
	static char page[PAGE];
	int fd = open(FILE_NAME, O_RDWR | O_CREAT | O_TRUNC, 0600);

	(void)m;
	must(fd >= 0, "open");
	for (int i = 0; i < FAULT_PAGES; i++)
		must(write(fd, page, PAGE) == PAGE, "write");
	for (unsigned int i = 0; i <= samples_wanted(50); i++) {
		char *at = map(FAULT_PAGES * PAGE, PROT_READ, MAP_PRIVATE, fd);
		uint64_t begin = ticks_now();

		for (size_t p = 0; p < FAULT_PAGES; p++)
			(void)((volatile char *)at)[p * PAGE];
		if (i > 0)
			sample(NULL, ticks_now() - begin, FAULT_PAGES);
		munmap(at, FAULT_PAGES * PAGE);
	}
}

static void map_and_unmap(void)
{
	char *at = map(16 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1);

	*(volatile char *)at = 1;
	must(munmap(at, 16 * PAGE) == 0, "munmap");
}

static void run_mmap(const struct metric *m)
{
	(void)m;
	MEASURE(200, 50, map_and_unmap());
}

const struct metric memory_metrics[] = {
	{ "fault", "the first write to an anonymous page", run_fault_anonymous, 0, 0, 0 },
	{ "fault-file", "the first read of a page of a mapped file", run_fault_file, 0, 0, 0 },
	{ "touch", "a MiB of new memory touched, huge pages allowed", run_touch, 64, 1024, 0 },
	{ "mmap", "mmap, one page touched, munmap", run_mmap, 0, 0, 0 },
	{ 0 },
};
