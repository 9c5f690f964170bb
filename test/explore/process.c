/*
 * Scenarios of processes: fork, vfork, exec, exit against wait.
 */
#include "explore.h"

static volatile int private_word;

/* Fifty instructions of a loop that has a result; the child's registers must be its own. */
static int count_to_25(int from)
{
	int n = from, left = 25;

	__asm__ volatile("1: incl %0\n\tdecl %1\n\tjnz 1b" : "+r"(n), "+r"(left));
	return n;
}

static const char *reap(pid_t pid, int expected)
{
	int status = -1;

	if (syscall(SYS_wait4, pid, &status, 0, NULL) != pid)
		return "wait4 failed";
	if (!WIFEXITED(status))
		return "the child was killed";
	return WEXITSTATUS(status) == expected ? "reaped" : "wrong exit status";
}

static const char *const reaped_only[] = { "reaped", NULL };

/* --- fork ------------------------------------------------------------------------------ */

static const char *run_fork(void)
{
	unsigned long canary = 0x1234567890abcdefUL;
	const char *outcome;
	long pid;

	private_word = 1;
	__asm__ volatile("" : "+r"(canary));
	pid = raw_fork();
	if (pid == 0) {
		int n = count_to_25(10);

		if (private_word != 1 || canary != 0x1234567890abcdefUL)
			quit(99);
		private_word = 2;
		quit(private_word == 2 ? n : 98);
	}
	if (pid < 0)
		return "fork failed";
	if (private_word != 1 || canary != 0x1234567890abcdefUL)
		return "the parent's memory changed";
	private_word = 3;
	outcome = reap((pid_t)pid, 35);
	return private_word == 3 ? outcome : "the child wrote the parent's memory";
}

/* --- vfork ----------------------------------------------------------------------------- */

static const char *run_vfork(void)
{
	pid_t pid;

	private_word = 1;
	pid = vfork();
	if (pid == 0) {
		private_word = 2;
		_exit(count_to_25(0));
	}
	if (pid < 0)
		return "vfork failed";
	if (private_word != 2)
		return "the parent ran before its child had ended";
	return reap(pid, 25);
}

/* --- exec ------------------------------------------------------------------------------ */

static const char *run_exec(void)
{
	static char *const argv[] = { "/lab/tiny", "argument", NULL };
	static char *const envp[] = { NULL };
	pid_t pid = vfork();

	if (pid == 0) {
		execve(argv[0], argv, envp);
		_exit(97);
	}
	return pid < 0 ? "vfork failed" : reap(pid, 42);
}

/* --- exit against wait ----------------------------------------------------------------- */

static void other_exits(void)
{
	shared->child_status = 7;
}

static const char *run_wait(void)
{
	return reap(partner_child, 7);
}

/* --- stop and continue ----------------------------------------------------------------- */

/* A group of its own that is not orphaned, where SIGTSTP stops. Children inherit the mask. */
static void setup_stop(void)
{
	unsigned long blocked = 1UL << (SIGTSTP - 1);

	setpgid(0, 0);
	syscall(SYS_rt_sigprocmask, SIG_BLOCK, &blocked, NULL, 8);
}

static void other_takes_stop(void)
{
	unsigned long blocked = 1UL << (SIGTSTP - 1);

	syscall(SYS_rt_sigprocmask, SIG_UNBLOCK, &blocked, NULL, 8);
	shared->child_status = 7;
}

/* Wherever the child is in taking the one, the other follows it: it goes on, and ends. */
static const char *run_stop(void)
{
	syscall(SYS_kill, partner_child, SIGTSTP);
	sched_yield();
	syscall(SYS_kill, partner_child, SIGCONT);
	return reap(partner_child, 7);
}

/* --- the copy on write of a parent and its child --------------------------------------- */

#define COW_BYTES 65536UL	/* aligned: the entries of a table that are copied together */

static volatile long *cow_memory, *cow_pages;

static void setup_cow(void)
{
	char *memory = mmap(NULL, 2 * COW_BYTES, PROT_READ | PROT_WRITE,
			    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (memory == MAP_FAILED)
		fatal("mmap");
	cow_memory = (long *)(((unsigned long)memory + COW_BYTES - 1) & ~(COW_BYTES - 1));
}

/* Others than the last time: what a parent wrote then its next fork copies. */
static void prepare_cow(void)
{
	static unsigned long turn;

	cow_pages = cow_memory + turn++ % 8 * 1024;
	cow_pages[0] = 1;
	cow_pages[512] = 2;
}

static void child_writes(void)
{
	shared->child_status = 96;
	if (cow_pages[0] != 1)
		return;
	cow_pages[0] = 10;
	if (cow_pages[512] != 2)
		return;
	cow_pages[512] = 20;
	shared->child_status = cow_pages[0] == 10 && cow_pages[512] == 20 ? 7 : 95;
}

static const char *run_cow(void)
{
	const char *outcome;

	if (cow_pages[512] != 2)
		return "the parent sees its child's write";
	cow_pages[512] = 200;
	if (cow_pages[0] != 1)
		return "the parent sees its child's write";
	cow_pages[0] = 100;
	outcome = reap(partner_child, 7);
	if (cow_pages[0] != 100 || cow_pages[512] != 200)
		return "the parent's write is lost";
	return outcome;
}

/* --- fork against a write of another thread -------------------------------------------- */

static volatile long *fork_page;
static volatile long fork_writes;

static void setup_fork_write(void)
{
	fork_page = mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (fork_page == MAP_FAILED)
		fatal("mmap");
}

static void prepare_fork_write(void)
{
	fork_page[0] = 1;
	fork_page[512] = 1;
}

static void other_writes(void)
{
	fork_page[0] = 2;
	fork_page[512] = 2;
}

/* The child has a state that the parent had; it does not change under its hands. */
static void fork_child(void)
{
	long first = fork_page[0], second = fork_page[512];

	if (first < second)
		quit(94);
	for (int i = 0; i < 20; i++)
		if (fork_page[0] != first)
			quit(93);
	fork_page[512] = 5;
	quit(fork_page[0] == first && fork_page[512] == 5 ? 10 + (int)(first + second) : 92);
}

static const char *run_fork_write(void)
{
	static const char *const names[] = { "before both", "between", "after both" };
	long pid = raw_fork();
	int status;

	if (pid == 0)
		fork_child();
	if (pid < 0)
		return "fork failed";
	if (syscall(SYS_wait4, pid, &status, 0, NULL) != pid || !WIFEXITED(status))
		return "wait4 failed";
	if (WEXITSTATUS(status) < 12 || WEXITSTATUS(status) > 14)
		return "the child's memory changed";
	return names[WEXITSTATUS(status) - 12];
}

static const char *judge_fork_write(void)
{
	if (fork_page[0] != 2 || fork_page[512] != 2)
		return "a write of the thread is lost";
	return NULL;
}

static const char *const states[] = { "before both", "between", "after both", NULL };

const struct scenario process_scenarios[] = {
	{ .name = "fork", .about = "fork; 50 instructions of the child; its exit; wait",
	  .allowed = reaped_only, .run = run_fork, .processors = 1 },
	{ .name = "vfork", .about = "vfork: the parent waits for the child's exit",
	  .allowed = reaped_only, .run = run_vfork, .processors = 1 },
	{ .name = "exec", .about = "vfork, execve of a small program, its exit, wait",
	  .allowed = reaped_only, .run = run_exec, .processors = 1 },
	{ .name = "exit-wait", .about = "a child's exit against its parent's wait4",
	  .allowed = reaped_only, .run = run_wait, .other = other_exits, .processors = 1,
	  .other_is_child = true },
	{ .name = "stop", .about = "SIGTSTP and SIGCONT to a child: it goes on",
	  .allowed = reaped_only, .setup = setup_stop, .run = run_stop,
	  .other = other_takes_stop, .processors = 1,
	  .other_is_child = true },
	{ .name = "cow", .about = "parent and child write the same two pages after fork",
	  .allowed = reaped_only, .setup = setup_cow, .prepare = prepare_cow, .run = run_cow,
	  .other = child_writes, .processors = 1, .other_is_child = true },
	{ .name = "fork-write", .about = "fork against a write by another thread",
	  .allowed = states, .setup = setup_fork_write, .prepare = prepare_fork_write,
	  .run = run_fork_write, .other = other_writes, .judge = judge_fork_write,
	  .processors = 1 },
	{ .name = "exit-wait-2", .about = "exit on one processor against wait4 on another",
	  .allowed = reaped_only, .run = run_wait, .other = other_exits, .processors = 2,
	  .other_is_child = true },
	{ .name = "stop-2", .about = "SIGTSTP and SIGCONT to a child on another processor",
	  .allowed = reaped_only, .setup = setup_stop, .run = run_stop,
	  .other = other_takes_stop, .processors = 2,
	  .other_is_child = true },
	{ .name = "cow-2", .about = "parent and child write after fork, each on its processor",
	  .allowed = reaped_only, .setup = setup_cow, .prepare = prepare_cow, .run = run_cow,
	  .other = child_writes, .processors = 2, .other_is_child = true },
	{ .name = "fork-write-2", .about = "fork against a write by a thread on another processor",
	  .allowed = states, .setup = setup_fork_write, .prepare = prepare_fork_write,
	  .run = run_fork_write, .other = other_writes, .judge = judge_fork_write,
	  .processors = 2 },
	{ .name = NULL },
};
