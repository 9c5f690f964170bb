/*
 * spaces.c - does a change of what is mapped take effect at once, also in a space that is not the
 * one loaded? For `tine lab tlb`, under each way to change page tables.
 *
 * Each case first touches its pages, so that the processor has translations that are then wrong. It
 * says a line for each case, and ends with 0 only if all are right. It runs on Linux as well.
 */
#define _GNU_SOURCE
#include <setjmp.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

#define PAGE	4096
#define PAGES	20		/* above 16 the kernel flushes all instead of each */
#define ROUNDS	3
#define SIDES	12		/* more than the kernel keeps tags for, 8 a processor */
#define RW	(PROT_READ | PROT_WRITE)

static sigjmp_buf fault_exit;

static void on_fault(int signal) { siglongjmp(fault_exit, signal); }

/* The signal that a read, or a write of `value`, ends with; 0: none. */
static int touch(volatile char *at, bool writes, char value)
{
	const int signal = sigsetjmp(fault_exit, 1);

	if (signal == 0) {
		if (writes)
			*at = value;
		else
			(void)*at;
	}
	return signal;
}

static bool all_are(volatile const char *pages, char value)
{
	bool same = true;

	for (int i = 0; i < PAGES; i++)
		same &= pages[i * PAGE] == value;
	return same;
}

static void fill(volatile char *pages, char value)
{
	for (int i = 0; i < PAGES; i++)
		pages[i * PAGE] = value;
}

static char *map(int flags, int fd)
{
	void *pages = mmap(NULL, PAGES * PAGE, RW, flags, fd, 0);

	if (pages == MAP_FAILED) {
		perror("spaces: mmap");
		_exit(2);
	}
	return pages;
}

static char *map_private(char value)
{
	char *pages = map(MAP_PRIVATE | MAP_ANONYMOUS, -1);

	fill(pages, value);
	return pages;
}

static bool exits_with_0(pid_t pid)
{
	int status;

	return waitpid(pid, &status, 0) == pid && WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

/* A child, and a way to wait for each other. */
struct pair {
	pid_t pid;			/* 0 in the child */
	int hears, tells;
};

static bool start_pair(struct pair *pair)
{
	int down[2], up[2];

	if (pipe(down) < 0 || pipe(up) < 0)
		return false;
	pair->pid = fork();
	pair->hears = pair->pid ? up[0] : down[0];
	pair->tells = pair->pid ? down[1] : up[1];
	close(pair->pid ? down[0] : up[0]);
	close(pair->pid ? up[1] : down[1]);
	return pair->pid >= 0;
}

static void tell(int fd) { (void)!write(fd, "", 1); }

static bool hear(int fd)
{
	char byte;

	return read(fd, &byte, 1) == 1;
}

static bool end_pair(const struct pair *pair)
{
	close(pair->hears);
	close(pair->tells);
	return exits_with_0(pair->pid);
}

/* --- cases -------------------------------------------------------------------------------- */

static bool parent_writes(void)
{
	char *pages = map_private('a');
	struct pair pair;

	if (!start_pair(&pair))
		return false;
	if (pair.pid == 0)
		_exit(!hear(pair.hears) || !all_are(pages, 'a'));
	fill(pages, 'p');
	tell(pair.tells);
	return end_pair(&pair) && all_are(pages, 'p');
}

static bool child_writes(void)
{
	char *pages = map_private('a');
	const pid_t pid = fork();

	if (pid == 0) {
		fill(pages, 'c');
		_exit(!all_are(pages, 'c'));
	}
	return exits_with_0(pid) && all_are(pages, 'a');
}

static bool unmapped(void)
{
	char *pages = map_private('a');
	bool right = true;

	for (int i = 0; i < ROUNDS; i++) {
		fill(pages, 'b');
		/* One page, and many. */
		munmap(pages + PAGE, PAGE);
		right &= touch(pages + PAGE, false, 0) == SIGSEGV && pages[0] == 'b';
		munmap(pages, PAGES * PAGE);
		right &= touch(pages + 9 * PAGE, true, 'x') == SIGSEGV;
		right &= mmap(pages, PAGES * PAGE, RW, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1,
			      0) == pages && all_are(pages, 0);
	}
	return right;
}

static bool moved(void)
{
	char *pages = map_private('a'), *to = map_private('b');
	const bool done = mremap(pages, PAGES * PAGE, PAGES * PAGE, MREMAP_MAYMOVE | MREMAP_FIXED,
				 to) == to;

	return done && all_are(to, 'a') && touch(pages + PAGE, false, 0) == SIGSEGV;
}

static bool protected(void)
{
	char *pages = map_private('a');
	bool right = true;

	for (int i = 0; i < ROUNDS; i++) {
		/* The first round takes one page, the others all. */
		const size_t bytes = (i ? PAGES : 1) * PAGE;

		fill(pages, 'b');
		mprotect(pages, bytes, PROT_READ);
		right &= touch(pages, true, 'x') == SIGSEGV && pages[0] == 'b';
		mprotect(pages, bytes, PROT_NONE);
		right &= touch(pages, false, 0) == SIGSEGV;
		mprotect(pages, bytes, RW);
		right &= touch(pages, true, 'c') == 0 && pages[0] == 'c';
	}
	return right;
}

/* The child sleeps with its translations; its parent changes what is mapped there. */
static bool cut_from_outside(void)
{
	const int file = memfd_create("spaces", 0);
	struct pair pair;
	char *pages;

	if (file < 0 || ftruncate(file, PAGES * PAGE) < 0)
		return false;
	pages = map(MAP_SHARED, file);
	if (!start_pair(&pair))
		return false;
	if (pair.pid == 0) {
		fill(pages, 's');
		tell(pair.tells);
		_exit(!hear(pair.hears) || touch(pages + PAGE, false, 0) != SIGBUS);
	}
	if (!hear(pair.hears) || !all_are(pages, 's') || ftruncate(file, 0) < 0)
		return false;
	tell(pair.tells);
	return end_pair(&pair) && touch(pages, false, 0) == SIGBUS;
}

static bool written_from_outside(void)
{
	char *pages = map_private('a');
	struct iovec mine = { "w", 1 }, its = { pages, 1 };
	struct pair pair;

	if (!start_pair(&pair))
		return false;
	if (pair.pid == 0) {
		/* Shared with the parent so far: the write gives the child a page of its own. */
		const bool before = all_are(pages, 'a');

		tell(pair.tells);
		_exit(!before || !hear(pair.hears) || pages[0] != 'w' || pages[PAGE] != 'a');
	}
	if (!hear(pair.hears) || process_vm_writev(pair.pid, &mine, 1, &its, 1, 0) != 1)
		return false;
	tell(pair.tells);
	return end_pair(&pair) && all_are(pages, 'a');
}

/* Each has another value at the same address; they run in turn. */
static bool take_turns(void)
{
	char *pages = map_private('a');
	struct pair sides[SIDES];
	bool right = true;

	for (int i = 0; i < SIDES; i++) {
		if (!start_pair(&sides[i]))
			return false;
		if (sides[i].pid)
			continue;
		fill(pages, (char)('A' + i));
		for (int round = 0; round < ROUNDS; round++) {
			right &= hear(sides[i].hears) && all_are(pages, (char)('A' + i));
			tell(sides[i].tells);
		}
		_exit(!right);
	}
	for (int i = 0; i < ROUNDS * SIDES; i++) {
		tell(sides[i % SIDES].tells);
		right &= hear(sides[i % SIDES].hears) && all_are(pages, 'a');
	}
	for (int i = 0; i < SIDES; i++)
		right &= end_pair(&sides[i]);
	return right;
}

static const struct {
	const char *name;
	bool (*is_right)(void);
} cases[] = {
	{ "fork, the parent writes", parent_writes },
	{ "fork, the child writes", child_writes },
	{ "munmap, mmap again", unmapped },
	{ "mremap", moved },
	{ "mprotect", protected },
	{ "a file cut from outside", cut_from_outside },
	{ "a write from outside", written_from_outside },
	{ "12 spaces in turn", take_turns },
};

int main(void)
{
	const int count = sizeof(cases) / sizeof(cases[0]);
	int right = 0;

	signal(SIGSEGV, on_fault);
	signal(SIGBUS, on_fault);
	for (int i = 0; i < count; i++) {
		const bool ok = cases[i].is_right();

		right += ok;
		printf("spaces: %s: %s\n", cases[i].name, ok ? "right" : "WRONG");
		fflush(stdout);
	}
	printf("spaces: %d of %d right\n", right, count);
	return right != count;
}
