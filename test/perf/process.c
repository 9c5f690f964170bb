/*
 * Processes and threads: made, executed, ended; many at once; several makers at once.
 */
#include "perf.h"

#include <pthread.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

static void reap(pid_t pid)
{
	int status;

	must(pid > 0 && waitpid(pid, &status, 0) == pid && status == 0, "a child");
}

static void fork_exit(void)
{
	pid_t pid = fork();

	if (pid == 0)
		_exit(0);
	reap(pid);
}

static void run_fork_exit(const struct metric *m)
{
	(void)m;
	MEASURE(200, 5, fork_exit());
}

static char *const commands[][4] = {
	{ "/perf/nothing", NULL },
	{ "/perf/dynamic", NULL },
	{ "/bin/sh", "-c", ":", NULL },
};

static void fork_execute(char *const *argv)
{
	pid_t pid = fork();

	if (pid == 0) {
		execv(argv[0], argv);
		_exit(127);
	}
	reap(pid);
}

static void vfork_execute(char *const *argv)
{
	pid_t pid = vfork();

	if (pid == 0) {
		execv(argv[0], argv);
		_exit(127);
	}
	reap(pid);
}

static void run_fork_exec(const struct metric *m)
{
	MEASURE(100, 2, fork_execute(commands[m->argument]));
}

static void run_vfork_exec(const struct metric *m)
{
	MEASURE(100, 2, vfork_execute(commands[m->argument]));
}

static void *thread_main(void *argument)
{
	return argument;
}

static void thread_create_join(void)
{
	pthread_t thread;

	must(pthread_create(&thread, NULL, thread_main, NULL) == 0, "pthread_create");
	must(pthread_join(thread, NULL) == 0, "pthread_join");
}

static void run_thread(const struct metric *m)
{
	(void)m;
	MEASURE(200, 10, thread_create_join());
}

/* --- many at once ------------------------------------------------------------------------- */

/* N children wait on a pipe together, then all end: a sample is the whole, for one of them. */
static void many(unsigned int count)
{
	uint64_t begin = ticks_now();
	int gate[2];
	char byte;

	must(pipe(gate) == 0, "pipe");
	for (unsigned int i = 0; i < count; i++) {
		pid_t pid = fork();

		must(pid >= 0, "fork");
		if (pid == 0) {
			close(gate[1]);
			(void)!read(gate[0], &byte, 1);
			_exit(0);
		}
	}
	close(gate[1]);
	close(gate[0]);
	for (unsigned int i = 0; i < count; i++)
		must(wait(NULL) > 0, "wait");
	sample(NULL, ticks_now() - begin, count);
}

static void run_many(const struct metric *m)
{
	struct rlimit limit = { 100000, 100000 };

	setrlimit(RLIMIT_NPROC, &limit);
	for (unsigned int i = 0; i < samples_wanted(5); i++)
		many((unsigned int)m->argument);
}

/* --- several makers ----------------------------------------------------------------------- */

/* Each worker forks and reaps; a sample is the time of one fork of all of them together. */
static void run_workers(const struct metric *m)
{
	const unsigned int rounds = 200, workers = (unsigned int)m->argument;

	for (unsigned int s = 0; s <= samples_wanted(10); s++) {
		uint64_t begin = ticks_now();
		pid_t pids[8];

		for (unsigned int i = 0; i < workers; i++) {
			pids[i] = fork();
			must(pids[i] >= 0, "fork");
			if (pids[i] != 0)
				continue;
			for (unsigned int r = 0; r < rounds; r++)
				fork_exit();
			_exit(0);
		}
		for (unsigned int i = 0; i < workers; i++)
			reap(pids[i]);
		if (s > 0)
			sample(NULL, ticks_now() - begin, workers * rounds);
	}
}

const struct metric process_metrics[] = {
	{ "fork-exit", "fork, exit and wait", run_fork_exit, 0, 0, 0 },
	{ "fork-exec", "fork, execution of a static program, wait", run_fork_exec, 0, 0, 0 },
	{ "vfork-exec", "the same with vfork", run_vfork_exec, 0, 0, 0 },
	{ "exec-dynamic", "fork, execution of a dynamic program (glibc), wait", run_fork_exec, 1,
	  0, 0 },
	{ "shell", "fork, sh -c :, wait", run_fork_exec, 2, 0, 0 },
	{ "thread", "a thread made and joined", run_thread, 0, 0, 0 },
	{ "processes-1000", "one of 1,000 processes alive together", run_many, 1000, 1024, 0 },
	{ "processes-10000", "one of 10,000 processes alive together", run_many, 10000, 4096, 0 },
	{ "workers-1", "fork, exit and wait by one worker", run_workers, 1, 1024, 4 },
	{ "workers-2", "the same by two workers at once", run_workers, 2, 1024, 4 },
	{ "workers-4", "the same by four workers at once", run_workers, 4, 1024, 4 },
	{ 0 },
};
