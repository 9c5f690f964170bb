/*
 * A storm of forks, executions, signals, mappings, futexes, pipes, sockets and files that checks
 * itself.
 *
 *     storm SECONDS WORKERS SEED
 *
 * Each worker is a process that plays rounds chosen by its own generator, from the seed; every
 * round knows what must come out: checksums of copy-on-write memory, of what went through pipes and
 * files, counters kept by futexes, numbers of signals. A round that finds otherwise says so and
 * ends everything with 1. A worker without a finished round for a minute is a hang, and named.
 * It ends with one line: what was done.
 *
 * Where the kernel has /proc/tine/leaks, every page and object must be back after the storm. A calm
 * before it, a second of the same, fills what is filled once; and all of both happens in a child,
 * so that the process which compares has changed nothing itself.
 */
#include "storm.h"

#include <sys/prctl.h>

static void work(int number, uint64_t seed)
{
	struct worker *me = &board->worker[number];

	generator = seed * 1000003 + number;
	setpgid(0, 0);
	prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
	while (!board->stop) {
		int kind = below(KINDS);

		me->kind = kind;
		me->since_ns = guest_now_ns();
		kinds[kind].play();
		me->rounds[kind]++;
	}
	_exit(0);
}

/* Whether all is well: no worker has ended, none stands still. */
static bool look_after(int workers)
{
	for (int i = 0; i < workers; i++) {
		struct worker *worker = &board->worker[i];
		int64_t idle_ns = guest_now_ns() - worker->since_ns;
		int status;

		if (waitpid(worker->pid, &status, WNOHANG) == worker->pid) {
			printf("storm: worker %d ended with 0x%x in a round of %s\n", i, status,
			       kinds[worker->kind].name);
			return false;
		}
		if (worker->since_ns && idle_ns > HANG_SECONDS * 1000000000LL) {
			printf("storm: worker %d (pid %d) hangs in a round of %s\n", i,
			       (int)worker->pid, kinds[worker->kind].name);
			return false;
		}
	}
	return true;
}

/* Lets the workers finish their rounds; those that do not hang. */
static bool finish(int workers)
{
	bool good = true;

	board->stop = true;
	for (int i = 0; i < workers; i++) {
		int64_t until = guest_now_ns() + HANG_SECONDS * 1000000000LL;
		int status = -1;

		while (waitpid(board->worker[i].pid, &status, WNOHANG) == 0 &&
		       guest_now_ns() < until)
			guest_sleep_ms(5);
		if (status != 0) {
			printf("storm: worker %d did not end well (0x%x) after a round of %s\n", i,
			       status, kinds[board->worker[i].kind].name);
			kill(-board->worker[i].pid, SIGKILL);
			good = false;
		}
	}
	return good;
}

static void print_summary(int seconds, int workers, uint64_t seed, bool good)
{
	long total = 0;

	for (int kind = 0; kind < KINDS; kind++) {
		for (int i = 0; i < workers; i++)
			total += board->worker[i].rounds[kind];
	}
	printf("storm: %d s, %d workers, seed %llu: %ld rounds (", seconds, workers,
	       (unsigned long long)seed, total);
	for (int kind = 0; kind < KINDS; kind++) {
		long rounds = 0;

		for (int i = 0; i < workers; i++)
			rounds += board->worker[i].rounds[kind];
		printf("%s%s %ld", kind ? ", " : "", kinds[kind].name, rounds);
	}
	printf("), %ld forks, %ld execs: %s\n", board->forks, board->execs,
	       good ? "good" : "FAILED");
}

/* The whole of it, in a process of its own. */
static bool conduct(int seconds, int workers, uint64_t seed)
{
	bool good = true;

	board = guest_shared(sizeof *board);
	for (int i = 0; i < workers; i++) {
		pid_t pid = guest_fork();

		if (pid == 0)
			work(i, seed);
		board->worker[i].pid = pid;
	}
	for (int64_t end = guest_now_ns() + seconds * 1000000000LL; good && guest_now_ns() < end;) {
		guest_sleep_ms(50);
		good = look_after(workers);
	}
	good = finish(workers) && good;
	print_summary(seconds, workers, seed, good);
	return good;
}

static bool conduct_apart(int seconds, int workers, uint64_t seed)
{
	pid_t pid = guest_fork();

	if (pid == 0)
		exit(conduct(seconds, workers, seed) ? 0 : 1);
	return guest_wait(pid) == 0;
}

int main(int argc, char **argv)
{
	struct guest_leaks before, after;
	int seconds, workers;
	uint64_t seed;

	guest_find_self(argv[0]);
	if (argc > 1 && strcmp(argv[1], "--answer") == 0)
		return answer(argc, argv);
	if (argc != 4) {
		fprintf(stderr, "usage: storm SECONDS WORKERS SEED\n");
		return 2;
	}
	seconds = atoi(argv[1]);
	workers = atoi(argv[2]);
	seed = strtoull(argv[3], NULL, 10);
	if (workers < 1 || workers > MAX_WORKERS || chdir(getenv("TMPDIR") ?: "/tmp") < 0)
		return 2;
	setvbuf(stdout, NULL, _IOLBF, 0);
	if (!conduct_apart(1, workers, seed + 1))
		return 1;
	/* Once for nothing, so that this process has all the memory that comparing takes. */
	guest_leaks_keep_open();
	guest_leaks_read(&before);
	(void)guest_leaked(&before, &after);
	guest_leaks_read(&before);
	if (!conduct_apart(seconds, workers, seed))
		return 1;
	if (guest_leaked(&before, &after)) {
		guest_leaks_note(&before, &after);
		return 1;
	}
	return 0;
}
