/*
 * Single calls, and files of the page cache (tmpfs in /tmp).
 */
#include "perf.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#define FILE_NAME	"/tmp/perf-file"
#define FILE_BYTES	(8 << 20)
#define BLOCK_BYTES	(64 << 10)
#define BLOCKS		(FILE_BYTES / BLOCK_BYTES)

static char block[BLOCK_BYTES];

static int make_file(size_t bytes)
{
	int fd = open(FILE_NAME, O_RDWR | O_CREAT | O_TRUNC, 0600);

	must(fd >= 0, "open " FILE_NAME);
	for (size_t done = 0; done < bytes; done += BLOCK_BYTES)
		must(write(fd, block, BLOCK_BYTES) == BLOCK_BYTES, "write " FILE_NAME);
	return fd;
}

static void run_null(const struct metric *m)
{
	(void)m;
	MEASURE(200, 1000, syscall(SYS_getppid));
}

static void run_clock(const struct metric *m)
{
	struct timespec now;

	(void)m;
	MEASURE(200, 1000, clock_gettime(CLOCK_MONOTONIC, &now));
}

static void run_read(const struct metric *m)
{
	int fd = make_file(BLOCK_BYTES);

	MEASURE(200, 200, must(pread(fd, block, m->argument, 0) == (ssize_t)m->argument, "pread"));
}

static void run_write(const struct metric *m)
{
	int fd = make_file(BLOCK_BYTES);

	MEASURE(200, 200,
		must(pwrite(fd, block, m->argument, 0) == (ssize_t)m->argument, "pwrite"));
}

static void run_open(const struct metric *m)
{
	(void)m;
	close(make_file(0));
	MEASURE(200, 100, must(close(open(FILE_NAME, O_RDONLY)) == 0, "open and close"));
}

static void run_stat(const struct metric *m)
{
	struct stat status;

	(void)m;
	close(make_file(0));
	MEASURE(200, 200, must(stat(FILE_NAME, &status) == 0, "stat"));
}

static void create_and_unlink(void)
{
	must(close(open("/tmp/perf-new", O_WRONLY | O_CREAT | O_EXCL, 0600)) == 0, "create");
	must(unlink("/tmp/perf-new") == 0, "unlink");
}

static void run_create(const struct metric *m)
{
	(void)m;
	MEASURE(200, 50, create_and_unlink());
}

static void read_all(int fd)
{
	for (off_t at = 0; at < FILE_BYTES; at += BLOCK_BYTES)
		must(pread(fd, block, BLOCK_BYTES, at) == BLOCK_BYTES, "pread");
}

static void run_file_read(const struct metric *m)
{
	int fd = make_file(FILE_BYTES);

	(void)m;
	for (unsigned int i = 0; i < samples_wanted(20); i++) {
		uint64_t begin = ticks_now();

		read_all(fd);
		sample(NULL, ticks_now() - begin, FILE_BYTES >> 20);
	}
}

/* Each time into a file that has no pages yet. */
static void run_file_write(const struct metric *m)
{
	int fd = make_file(FILE_BYTES);

	(void)m;
	for (unsigned int i = 0; i < samples_wanted(20); i++) {
		uint64_t begin;

		must(ftruncate(fd, 0) == 0, "ftruncate");
		begin = ticks_now();
		for (off_t at = 0; at < FILE_BYTES; at += BLOCK_BYTES)
			must(pwrite(fd, block, BLOCK_BYTES, at) == BLOCK_BYTES, "pwrite");
		sample(NULL, ticks_now() - begin, FILE_BYTES >> 20);
	}
}

const struct metric calls_metrics[] = {
	{ "null", "a call that does nothing (getppid)", run_null, 0, 0, 0 },
	{ "clock", "clock_gettime(CLOCK_MONOTONIC)", run_clock, 0, 0, 0 },
	{ "read", "pread of one byte of a cached page", run_read, 1, 0, 0 },
	{ "write", "pwrite of one byte to a cached page", run_write, 1, 0, 0 },
	{ "read-4k", "pread of a cached page", run_read, 4096, 0, 0 },
	{ "write-4k", "pwrite to a cached page", run_write, 4096, 0, 0 },
	{ "open", "open and close of a file", run_open, 0, 0, 0 },
	{ "stat", "stat of a file", run_stat, 0, 0, 0 },
	{ "create", "a file made, closed and unlinked", run_create, 0, 0, 0 },
	{ "file-read", "a MiB read from the page cache, 64 KiB a call", run_file_read, 0, 0, 0 },
	{ "file-write", "a MiB written to new pages, 64 KiB a call", run_file_write, 0, 0, 0 },
	{ 0 },
};
