/*
 * lab_explore.c - `tine lab explore`: machines side by side, a shard each, and one table.
 *
 * Each machine is a `tine run` of /lab/explore (test/explore) with instruction counting and three
 * processors; its lines go to a file, and are read when all have ended.
 */
#include "lab_explore.h"

#include "explore_table.h"
#include "kernel.h"
#include "text.h"

#include <argp.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define JOBS_MAX 16
#define QUICK_STRIDE 61
#define QUICK_PAIRS 1500
#define FULL_PAIRS 60000

struct explore_options {
	unsigned int shard, shards, jobs, bound;
	bool quick;
	const char *json, *replay, *pairs;
	struct strings scenarios;
};

static const struct argp_option option_list[] = {
	{ "bound", 'b', "N", 0, "preemptions at most: 1 or 2 (default 2)", 0 },
	{ "shard", 's', "I/N", 0, "the Ith of N parts of the space, from 0", 0 },
	{ "quick", 'q', NULL, 0, "a sample of a few minutes", 0 },
	{ "pairs", 'p', "N", 0, "pairs of each scenario, about", 0 },
	{ "jobs", 'j', "N", 0, "machines side by side (default: one a processor)", 0 },
	{ "json", 'o', "FILE", 0, "the results for a program, and for tine lab merge", 0 },
	{ "replay", 'r', "SCHEDULE", 0, "one schedule, as a violation names it", 0 },
	{ NULL, 0, NULL, 0, NULL, 0 },
};

static unsigned int parse_number(const char *text, unsigned int low, unsigned int high)
{
	char *end;
	unsigned long value = strtoul(text, &end, 10);

	if (*text == '\0' || *end != '\0' || value < low || value > high)
		die(STATUS_USAGE, "lab explore: %s: not a number from %u to %u", text, low, high);
	return (unsigned int)value;
}

static error_t parse_option(int key, char *text, struct argp_state *state)
{
	struct explore_options *o = state->input;

	switch (key) {
	case 'b':
		o->bound = parse_number(text, 1, 2);
		return 0;
	case 's':
		if (sscanf(text, "%u/%u", &o->shard, &o->shards) != 2 || o->shard >= o->shards)
			die(STATUS_USAGE, "lab explore: --shard %s: not I/N with I below N", text);
		return 0;
	case 'q':
		o->quick = true;
		return 0;
	case 'p':
		o->pairs = text;
		return 0;
	case 'j':
		o->jobs = parse_number(text, 1, JOBS_MAX);
		return 0;
	case 'o':
		o->json = text;
		return 0;
	case 'r':
		o->replay = text;
		return 0;
	case ARGP_KEY_ARG:
		strings_add(&o->scenarios, text);
		return 0;
	}
	return ARGP_ERR_UNKNOWN;
}

/* The command of one machine: the job's shard of this run's shard. */
static void job_command(struct strings *command, const struct explore_options *o, unsigned int job)
{
	unsigned int pairs = o->quick ? QUICK_PAIRS : FULL_PAIRS;

	strings_addf(command, "%s/launcher/tine", output_directory());
	strings_add(command, "run");
	strings_add(command, "--icount");
	strings_add(command, "--smp");
	strings_add(command, "3");
	strings_add(command, "--append");
	/* The monitor's looks would fall into other schedules each time. */
	strings_add(command, "explore nomonitor");
	strings_add(command, "--");
	strings_add(command, "/lab/explore");
	strings_add(command, "--shard");
	strings_addf(command, "%u/%u", o->shard * o->jobs + job, o->shards * o->jobs);
	strings_add(command, "--stride");
	strings_addf(command, "%u", o->quick ? QUICK_STRIDE : 1);
	strings_add(command, "--budget");
	if (o->bound == 1)
		strings_add(command, "0");
	else
		strings_addf(command, "%s", o->pairs ? o->pairs : text_format("%u", pairs));
	if (o->replay) {
		strings_add(command, "--replay");
		strings_add(command, o->replay);
	}
	for (size_t i = 0; i < o->scenarios.count; i++)
		strings_add(command, o->scenarios.items[i]);
}

static pid_t job_start(const struct explore_options *o, unsigned int job, FILE *output)
{
	struct strings command = { 0 };
	pid_t pid;

	job_command(&command, o, job);
	fflush(stdout);
	pid = fork();
	if (pid < 0)
		die(STATUS_FAILED, "fork: %s", strerror(errno));
	if (pid == 0) {
		int null = open("/dev/null", O_RDONLY);

		dup2(null, STDIN_FILENO);
		dup2(fileno(output), STDOUT_FILENO);
		execv(command.items[0], command.items);
		_exit(127);
	}
	return pid;
}

/* Reads what a machine said; false when it ended otherwise than with its last line. */
static bool job_read(struct explore_table *table, FILE *output, bool echo)
{
	size_t ended = table->ended;
	char line[700];

	rewind(output);
	while (fgets(line, sizeof(line), output)) {
		line[strcspn(line, "\n")] = '\0';
		if (!explore_table_line(table, line))
			complain("explorer: %s", line);
		else if (echo && strncmp(line, "replay ", 7) == 0)
			printf("%s\n", line);
	}
	return table->ended > ended;
}

static bool run_jobs(const struct explore_options *o, struct explore_table *table)
{
	FILE *outputs[JOBS_MAX];
	pid_t pids[JOBS_MAX];
	bool good = true;

	for (unsigned int i = 0; i < o->jobs; i++) {
		outputs[i] = tmpfile();
		if (!outputs[i])
			die(STATUS_FAILED, "temporary file: %s", strerror(errno));
		pids[i] = job_start(o, i, outputs[i]);
	}
	for (unsigned int i = 0; i < o->jobs; i++) {
		int status;

		if (waitpid(pids[i], &status, 0) < 0 || status != 0) {
			complain("a machine of the explorer failed");
			good = false;
		}
		if (!job_read(table, outputs[i], o->replay != NULL))
			good = false;
	}
	return good;
}

static void write_json(const struct explore_table *table, const char *path)
{
	FILE *out = fopen(path, "w");

	if (!out)
		die(STATUS_USAGE, "%s: %s", path, strerror(errno));
	explore_table_json(table, out);
	if (fclose(out) != 0)
		die(STATUS_FAILED, "%s: %s", path, strerror(errno));
}

static struct symbols *kernel_symbols(void)
{
	const char *build = getenv("TINE_BUILD");

	return symbols_open(text_format("%s/%s/tine.elf", output_directory(),
					build && build[0] ? build : "release"));
}

int lab_explore(int argc, char **argv)
{
	const struct argp argp = { option_list, parse_option, "[SCENARIO...]",
		"Preempts at every instruction boundary; doc/headway.md.", NULL, NULL, NULL };
	struct explore_options o = { .shards = 1, .bound = 2 };
	struct explore_table table = { 0 };
	bool good;

	argp_parse(&argp, argc, argv, 0, NULL, &o);
	if (o.jobs == 0)
		o.jobs = (unsigned int)sysconf(_SC_NPROCESSORS_ONLN);
	if (o.jobs > JOBS_MAX)
		o.jobs = JOBS_MAX;
	if (o.replay)
		o.jobs = o.shards = 1, o.shard = 0;
	good = run_jobs(&o, &table);
	if (o.json)
		write_json(&table, o.json);
	if (o.replay) {
		for (size_t i = 0; i < table.violation_count; i++)
			printf("violation: %s\n", table.violations[i]);
		return good && table.violation_count == 0 ? 0 : 1;
	}
	return explore_table_print(&table, kernel_symbols()) && good ? 0 : 1;
}

int lab_merge(int argc, char **argv)
{
	struct explore_table table = { 0 };

	if (argc < 2)
		die(STATUS_USAGE, "lab merge: needs the JSON files of tine lab explore");
	for (int i = 1; i < argc; i++) {
		FILE *in = fopen(argv[i], "r");

		if (!in)
			die(STATUS_USAGE, "%s: %s", argv[i], strerror(errno));
		if (!explore_table_read(&table, in))
			die(STATUS_USAGE, "%s: not a complete result of tine lab explore", argv[i]);
		fclose(in);
	}
	return explore_table_print(&table, kernel_symbols()) ? 0 : 1;
}
