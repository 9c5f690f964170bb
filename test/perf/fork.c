/*
 * fork of a process with much memory, or with many areas.
 *
 * Parts taken first, while the memory is as it was first written:
 *	call		the call, in the parent, which has just written every page; so its
 *			translations are in the processor, and flushing them is part of it: under
 *			emulation the larger one
 *	call-again	the call over and over, no page used between: what a preloader does
 *	whole-0		fork, a child that exits at once, wait
 * Then those after which no two pages need lie together any more (a huge page that is written while
 * it is shared is split):
 *	first-write	the parent's first write after it, to a page that it shares since; another
 *			page each time, which a kernel cannot guess
 *	parent-write	a page written by the parent, over all; the child holds the old ones
 *	child-write	the same by the child
 *	touch-all	both of these, for all pages together
 *	exit-wait	from the child's exit to the parent's return from wait
 *	whole-P		fork, a child that touches P percent of the pages and exits, wait
 *
 * Where the machine could not hold every page twice, those that write every page are left out.
 */
#include "perf.h"

#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#define PAGE		4096ul
#define MANY_AREAS	10000
#define COPY_MAX_MIB	1024
#define FIRST_WRITES	3
#define FIRST_WRITE_STEP 7
#define FIRST_WRITE_PAGES 256		/* all sizes have as many */
#define AGAIN_NS	500000000u
#define AGAIN_MIN	5
#define AGAIN_MAX	5000

struct memory {
	volatile char *at;
	size_t pages;
};

/* Told by the child to its parent. */
struct report {
	uint64_t write_ticks;
	uint64_t exit_begin;
};

static struct report *report;
static uint64_t exit_wait_ticks;	/* of the last child that was waited for */

static struct memory make_memory(size_t mib)
{
	struct memory memory = { .pages = mib << 20 >> 12 };

	memory.at = mmap(NULL, memory.pages * PAGE, PROT_READ | PROT_WRITE,
			 MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	must(memory.at != MAP_FAILED, "mmap");
	return memory;
}

/* Every second page has another permission, so that neighbours do not become one area. */
static void split_into_areas(const struct memory *memory, size_t areas)
{
	for (size_t i = 0; i < areas; i += 2)
		must(mprotect((void *)(memory->at + i * PAGE), PAGE,
			      PROT_READ | PROT_WRITE | PROT_EXEC) == 0, "mprotect");
}

static uint64_t write_pages(const struct memory *memory, size_t first, size_t end, size_t step)
{
	uint64_t begin = ticks_now();

	/* No read before: it would map the page of zeros, on Linux a huge one, and split it. */
	for (size_t page = first; page < end; page += step)
		memory->at[page * PAGE] = 1;
	return ticks_now() - begin;
}

/* All memory written, by an emulator that was at rest before. */
static void write_all(const struct memory *memory)
{
	settle();
	write_pages(memory, 0, memory->pages, 1);
}

/* Holds the memory until told to go on; then writes it all, if asked, and ends. */
static _Noreturn void child(const struct memory *memory, const int gate[2], int copies)
{
	char byte;

	close(gate[1]);
	(void)!read(gate[0], &byte, 1);
	if (copies)
		report->write_ticks = write_pages(memory, 0, memory->pages, 1);
	report->exit_begin = ticks_now();
	_exit(0);
}

/* A child that shares the memory while the parent writes pages [first,end); the time of that. */
static uint64_t write_shared(const struct memory *memory, size_t first, size_t end,
			     int child_copies)
{
	uint64_t ticks;
	int gate[2];
	pid_t pid;

	must(pipe(gate) == 0, "pipe");
	pid = fork();
	if (pid == 0)
		child(memory, gate, child_copies);
	must(pid > 0, "fork");
	close(gate[0]);
	ticks = write_pages(memory, first, end, 1);
	close(gate[1]);
	must(waitpid(pid, NULL, 0) == pid, "waitpid");
	exit_wait_ticks = ticks_now() - report->exit_begin;
	return ticks;
}

static void first_write(const struct memory *memory)
{
	static size_t page;

	write_all(memory);
	sample("first-write", write_shared(memory, page, page + 1, 0), 1);
	page = (page + FIRST_WRITE_STEP) % FIRST_WRITE_PAGES;
}

static void touch_all(const struct memory *memory)
{
	uint64_t parent;

	write_all(memory);
	parent = write_shared(memory, 0, memory->pages, 1);
	sample("parent-write", parent, memory->pages);
	sample("child-write", report->write_ticks, memory->pages);
	sample("touch-all", parent + report->write_ticks, 1);
	sample("exit-wait", exit_wait_ticks, 1);
}

static void whole(const struct memory *memory, const char *part, size_t step)
{
	uint64_t begin = ticks_now();
	pid_t pid = fork();

	if (pid == 0) {
		if (step != 0)
			write_pages(memory, 0, memory->pages, step);
		_exit(0);
	}
	must(pid > 0 && waitpid(pid, NULL, 0) == pid, "fork and wait");
	sample(part, ticks_now() - begin, 1);
}

static void call(const char *part)
{
	uint64_t begin = ticks_now(), end;
	pid_t pid = fork();

	if (pid == 0)
		_exit(0);
	end = ticks_now();
	must(pid > 0 && waitpid(pid, NULL, 0) == pid, "fork and wait");
	sample(part, end - begin, 1);
}

static void call_again(void)
{
	uint64_t end;
	int n = 0;

	settle();
	end = clock_ns() + AGAIN_NS;
	while (n < AGAIN_MIN || (n < AGAIN_MAX && clock_ns() < end)) {
		call("call-again");
		n++;
	}
}

static void measure(const struct memory *memory, int copies, unsigned int usual)
{
	report = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	must(report != MAP_FAILED, "mmap");
	report->write_ticks = 0;
	for (unsigned int i = 0; i < samples_wanted(usual); i++) {
		write_all(memory);
		call("call");
		whole(memory, "whole-0", 0);
	}
	call_again();
	for (unsigned int i = 0; i < samples_wanted(usual); i++) {
		/* A single write, hence more of them. */
		for (int n = 0; n < FIRST_WRITES; n++)
			first_write(memory);
		if (!copies) {
			sample("exit-wait", exit_wait_ticks, 1);
			continue;
		}
		touch_all(memory);
		whole(memory, "whole-1", 100);
		whole(memory, "whole-100", 1);
	}
}

static void run_size(const struct metric *m)
{
	struct memory memory = make_memory(m->argument);

	measure(&memory, m->argument <= COPY_MAX_MIB, m->argument < 256 ? 30 : 5);
}

static void run_areas(const struct metric *m)
{
	struct memory memory = make_memory(m->argument);

	split_into_areas(&memory, MANY_AREAS);
	measure(&memory, 1, m->argument < 256 ? 10 : 5);
}

const struct metric fork_metrics[] = {
	{ "fork-1m", "fork with 1 MiB touched", run_size, 1, 1024, 0 },
	{ "fork-16m", "fork with 16 MiB touched", run_size, 16, 1024, 0 },
	{ "fork-64m", "fork with 64 MiB touched", run_size, 64, 1024, 0 },
	{ "fork-256m", "fork with 256 MiB touched", run_size, 256, 1024, 0 },
	{ "fork-1g", "fork with 1 GiB touched", run_size, 1024, 3072, 0 },
	{ "fork-8g", "fork with 8 GiB touched", run_size, 8192, 10240, 0 },
	{ "fork-areas", "fork with 64 MiB in 10,000 areas", run_areas, 64, 1024, 0 },
	{ "fork-1g-areas", "fork with 1 GiB in 10,000 areas", run_areas, 1024, 3072, 0 },
	{ 0 },
};
