/*
 * Scenarios of memory: faults against faults, and against munmap and mprotect.
 */
#include "explore.h"

#include <setjmp.h>

#define PAGE 4096UL

static char *window;			/* where pages come and go */
static volatile int faults_got;
static sigjmp_buf out_of_fault;

static void *map_at(void *at, int protection)
{
	void *p = mmap(at, 2 * PAGE, protection, MAP_PRIVATE | MAP_ANONYMOUS |
		       (at != NULL ? MAP_FIXED : 0), -1, 0);

	if (p == MAP_FAILED)
		fatal("mmap");
	return p;
}

/* The thread that faults may go: it leaves its part. */
static void on_fault(int signo)
{
	(void)signo;
	faults_got++;
	siglongjmp(out_of_fault, 1);
}

static void setup_window(void)
{
	const struct sigaction action = { .sa_handler = on_fault, .sa_flags = SA_NODEFER };

	window = map_at(NULL, PROT_READ | PROT_WRITE);
	sigaction(SIGSEGV, &action, NULL);
}

/* --- two threads fault on one fresh page ----------------------------------------------- */

static void prepare_fresh(void)
{
	if (munmap(window, 2 * PAGE) != 0)
		fatal("munmap");
	map_at(window, PROT_READ | PROT_WRITE);
}

static void other_touches(void)
{
	window[1] = 2;
	window[PAGE] = 4;
}

static const char *run_fault(void)
{
	window[0] = 1;
	window[PAGE + 1] = 3;
	return "written";
}

static const char *judge_fault(void)
{
	if (window[0] != 1 || window[1] != 2 || window[PAGE] != 4 || window[PAGE + 1] != 3)
		return "a write is lost";
	return NULL;
}

static const char *const written_only[] = { "written", NULL };

/* --- munmap and a new mapping against writes ------------------------------------------- */

static volatile int last_written;

static void prepare_unmap(void)
{
	prepare_fresh();
	window[0] = 1;
	faults_got = 0;
	last_written = 0;
}

/* Writes 2, then 3; after the hole it may find itself in the new mapping. */
static void other_writes_on(void)
{
	if (sigsetjmp(out_of_fault, 1) != 0)
		return;
	for (int i = 2; i < 6; i++) {
		((volatile char *)window)[0] = (char)i;
		last_written = i;
	}
}

/* What is written to the old page is not seen in the new one, once it was there. */
static const char *run_unmap(void)
{
	if (syscall(SYS_munmap, window, 2 * PAGE) != 0)
		return "munmap failed";
	if (syscall(SYS_mmap, window, 2 * PAGE, PROT_READ | PROT_WRITE,
		    MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) != (long)window)
		return "mmap failed";
	return "done";
}

static const char *judge_unmap(void)
{
	int got = window[0];

	/* The last write, or the fresh page's zero when all came before. */
	if (faults_got != 0 ? got != 0 : got != 0 && got != 5)
		return "a write went to the wrong page";
	return NULL;
}

static const char *const done_only[] = { "done", NULL };

/* --- mprotect against writes ----------------------------------------------------------- */

static const char *run_protect(void)
{
	char seen;

	if (syscall(SYS_mprotect, window, 2 * PAGE, PROT_READ) != 0)
		return "mprotect failed";
	/* From here on nobody writes. */
	seen = ((volatile char *)window)[0];
	for (int i = 0; i < 30; i++)
		if (((volatile char *)window)[0] != seen)
			return "written through a stale translation";
	shared->a = seen;
	return "done";
}

static void other_writes_protected(void)
{
	if (sigsetjmp(out_of_fault, 1) != 0)
		return;
	for (int i = 2; i < 40; i++)
		((volatile char *)window)[0] = (char)i;
}

static const char *judge_protect(void)
{
	char now = window[0];

	if (mprotect(window, 2 * PAGE, PROT_READ | PROT_WRITE) != 0)
		fatal("mprotect");
	return now == shared->a ? NULL : "written after mprotect";
}

#define FAULT(n, name_, about_) \
	{ .name = name_, .about = about_, .allowed = written_only, .setup = setup_window, \
	  .prepare = prepare_fresh, .run = run_fault, .other = other_touches, \
	  .judge = judge_fault, .processors = n }
#define UNMAP(n, name_, about_) \
	{ .name = name_, .about = about_, .allowed = done_only, .setup = setup_window, \
	  .prepare = prepare_unmap, .run = run_unmap, .other = other_writes_on, \
	  .judge = judge_unmap, .processors = n }
#define PROTECT(n, name_, about_) \
	{ .name = name_, .about = about_, .allowed = done_only, .setup = setup_window, \
	  .prepare = prepare_unmap, .run = run_protect, .other = other_writes_protected, \
	  .judge = judge_protect, .processors = n }

const struct scenario memory_scenarios[] = {
	FAULT(1, "fault", "two threads' first writes to the same two pages"),
	FAULT(2, "fault-2", "first writes to the same pages on two processors"),
	UNMAP(1, "munmap", "munmap and mmap against another thread's writes"),
	UNMAP(2, "munmap-2", "munmap and mmap against writes on another processor"),
	PROTECT(2, "mprotect-2", "mprotect against writes on another processor"),
	{ .name = NULL },
};
