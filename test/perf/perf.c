/*
 * perf - takes the samples of the named metrics, in a process of its own each.
 *
 *	perf -l			lists them: name, memory in MiB, processors, what one operation is
 *	perf [-i] [-n N] NAME...	takes them, N samples each
 *
 * A line for each result: "NAME VALUE...", NAME being METRIC or METRIC.PART, values in nanoseconds
 * an operation; with -i ticks, which are instructions under `--icount`. A metric that fails is a
 * line "NAME ! REASON"; the status is then 1.
 */
#include "perf.h"

#include <errno.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define SAMPLES_MAX	20000
#define PARTS_MAX	16

struct part {
	char name[64];
	unsigned int count;
	double values[SAMPLES_MAX];
};

static const struct metric *const families[] = {
	calls_metrics, ipc_metrics, signal_metrics, memory_metrics, process_metrics, fork_metrics,
};

static const struct metric *current;
static struct part *parts[PARTS_MAX];
static unsigned int samples_option;
static double ticks_per_ns = 1;
static uint64_t overhead;
static char in_instructions;

unsigned int samples_wanted(unsigned int usual)
{
	return samples_option != 0 ? samples_option : usual;
}

_Noreturn void fail(const char *what)
{
	printf("%s ! %s: %s\n", current->name, what, strerror(errno));
	fflush(stdout);
	_exit(1);
}

static struct part *find_part(const char *name)
{
	for (unsigned int i = 0; i < PARTS_MAX; i++) {
		if (parts[i] == NULL) {
			parts[i] = mmap(NULL, sizeof(*parts[i]), PROT_READ | PROT_WRITE,
					MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
			must(parts[i] != MAP_FAILED, "mmap");
			snprintf(parts[i]->name, sizeof(parts[i]->name), "%s", name);
		}
		if (strcmp(parts[i]->name, name) == 0)
			return parts[i];
	}
	errno = ENOSPC;
	fail("too many parts");
}

void sample(const char *name, uint64_t ticks, uint64_t operations)
{
	struct part *part = find_part(name != NULL ? name : "");
	uint64_t net = ticks > overhead ? ticks - overhead : 0;

	if (part->count < SAMPLES_MAX)
		part->values[part->count++] = (double)net / ticks_per_ns / (double)operations;
}

static void print_parts(void)
{
	for (unsigned int i = 0; i < PARTS_MAX && parts[i] != NULL; i++) {
		printf("%s%s%s", current->name, parts[i]->name[0] != '\0' ? "." : "",
		       parts[i]->name);
		for (unsigned int j = 0; j < parts[i]->count; j++)
			printf(" %.1f", parts[i]->values[j]);
		printf("\n");
	}
	fflush(stdout);
}

/* What two readings with nothing between them give, at least. */
static void measure_overhead(void)
{
	overhead = UINT64_MAX;
	for (int i = 0; i < 100; i++) {
		uint64_t begin = ticks_now(), ticks = ticks_now() - begin;

		if (ticks < overhead)
			overhead = ticks;
	}
}

uint64_t clock_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

#define SETTLE_NS 150000000u

void settle(void)
{
	const uint64_t end = clock_ns() + SETTLE_NS;

	while (!in_instructions && clock_ns() < end) {
		pid_t pid = fork();

		if (pid == 0)
			_exit(0);
		must(pid > 0 && waitpid(pid, NULL, 0) == pid, "fork and wait");
	}
}

static void measure_frequency(void)
{
	const uint64_t ns = clock_ns(), ticks = ticks_now();
	uint64_t end;

	do {
		end = clock_ns();
	} while (end - ns < 50 * 1000 * 1000);
	ticks_per_ns = (double)(ticks_now() - ticks) / (double)(end - ns);
}

static const struct metric *find_metric(const char *name)
{
	for (size_t f = 0; f < ARRAY_SIZE(families); f++) {
		for (const struct metric *m = families[f]; m->name != NULL; m++) {
			if (strcmp(m->name, name) == 0)
				return m;
		}
	}
	fprintf(stderr, "perf: no metric %s; see perf -l\n", name);
	exit(2);
}

static void list(void)
{
	for (size_t f = 0; f < ARRAY_SIZE(families); f++) {
		for (const struct metric *m = families[f]; m->name != NULL; m++)
			printf("%s %u %u %s\n", m->name, m->memory_mib, m->processors, m->what);
	}
}

static int run(const struct metric *metric)
{
	int status;
	pid_t pid;

	fflush(stdout);
	pid = fork();
	if (pid == 0) {
		current = metric;
		settle();
		metric->run(metric);
		print_parts();
		_exit(0);
	}
	if (pid < 0 || waitpid(pid, &status, 0) != pid || status != 0) {
		if (pid < 0 || !WIFEXITED(status))
			printf("%s ! ended by signal %d\n", metric->name, WTERMSIG(status));
		return 1;
	}
	return 0;
}

int main(int argc, char **argv)
{
	int option, result = 0;

	while ((option = getopt(argc, argv, "lin:")) != -1) {
		switch (option) {
		case 'l':
			list();
			return 0;
		case 'i':
			in_instructions = 1;
			break;
		case 'n':
			samples_option = (unsigned int)strtoul(optarg, NULL, 10);
			break;
		default:
			return 2;
		}
	}
	for (int i = optind; i < argc; i++)
		(void)find_metric(argv[i]);
	measure_overhead();
	if (!in_instructions)
		measure_frequency();
	for (int i = optind; i < argc; i++)
		result |= run(find_metric(argv[i]));
	return result;
}
