/*
 * lab_explore.c - `tine lab explore`: the space in parts, a machine for each, and one table.
 *
 * Each machine is a `tine run` of /lab/explore (test/explore) with instruction counting and three
 * processors; its lines go to a file, and are read when all have ended. How many parts there are
 * depends on nothing but --quick, and a part is the same whoever goes through it and whatever runs
 * beside it: so is the table.
 */
#include "lab_explore.h"

#include "explore_table.h"
#include "kernel.h"
#include "scratch.h"
#include "text.h"

#include <argp.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#define JOBS_MAX 16
#define PARTS 16
#define QUICK_PARTS 2
/* Of the host's time, for one part: many times what it takes. */
#define LIMIT_SECONDS 3000
#define QUICK_LIMIT_SECONDS 900
#define QUICK_STRIDE 15
#define QUICK_PAIRS 1500
#define FULL_PAIRS 200000

struct explore_options {
	unsigned int shard, shards, jobs, bound;
	bool quick, verbose, red;
	unsigned int pairs;
	const char *json, *replay;
	struct strings scenarios;
};

enum { KEY_LIST = 256, KEY_RED };

static const struct argp_option option_list[] = {
	{ "bound", 'b', "N", 0, "preemptions at most: 1 or 2 (default 2)", 0 },
	{ "shard", 's', "I/N", 0, "the Ith of N shares of the space, from 0", 0 },
	{ "quick", 'q', NULL, 0, "every 15th boundary and fewer pairs", 0 },
	{ "pairs", 'p', "N", 0, "pairs of each scenario, about", 0 },
	{ "jobs", 'j', "N", 0, "machines side by side (default: one a processor)", 0 },
	{ "json", 'o', "FILE", 0, "the results for a program, and for tine lab merge", 0 },
	{ "verbose", 'v', NULL, 0, "a line for each kind of schedule", 0 },
	{ "replay", 'r', "SCHEDULE", 0, "one schedule, as a violation names it", 0 },
	{ "red", KEY_RED, NULL, 0, "the controls' lost updates count as violations: what one "
	  "looks like", 0 },
	{ "list", KEY_LIST, NULL, 0, "the scenarios", 0 },
	{ "help", '?', NULL, 0, "this", -1 },
	{ 0 },
};

static const char about[] =
	"Preempts scenarios (all, without a name) at every instruction boundary, and at pairs of "
	"them; doc/headway.md."
	"\vTakes 13 minutes on two processors, with --quick half a minute; a scenario alone its "
	"part of that. The status is 0 when nothing was violated and all that must be seen "
	"was, with --replay the schedule itself, 1 when not, 2 when the words make no sense.";

static void parse_shard(struct explore_options *o, const char *text)
{
	int end = 0;

	/* No number is longer than that of the parts. */
	if (sscanf(text, "%4u/%4u%n", &o->shard, &o->shards, &end) != 2 || text[end] ||
	    o->shard >= o->shards || strspn(text, "0123456789/") != strlen(text))
		die(STATUS_USAGE, "lab explore: --shard %s: not I/N with I below N", text);
}

static error_t parse_option(int key, char *text, struct argp_state *state);
static const struct argp argp = {
	option_list, parse_option, "[SCENARIO...]", about, NULL, NULL, NULL,
};

/* The explorer's program runs on the host as well, to say what it knows. */
static char *program(void) { return text_format("%s/user/explore", output_directory()); }

static _Noreturn void show_list(void)
{
	char *const path = program(), *argv[] = { path, (char *)"--list", NULL };

	execv(path, argv);
	die(STATUS_FAILED, "%s: %s", path, strerror(errno));
}

static error_t parse_other(int key, char *text, struct argp_state *state)
{
	struct explore_options *o = state->input;

	switch (key) {
	case 'v':
		o->verbose = true;
		return 0;
	case KEY_RED:
		o->red = true;
		return 0;
	case KEY_LIST:
		show_list();
	case '?':
		argp_help(&argp, stdout, ARGP_HELP_LONG | ARGP_HELP_USAGE | ARGP_HELP_DOC,
			  (char *)"tine lab explore");
		exit(0);
	case ARGP_KEY_ARG:
		strings_add(&o->scenarios, text);
		return 0;
	case ARGP_KEY_ERROR:
		die(STATUS_USAGE, "lab explore: %s: unknown option, or its value is missing; "
		    "see ./tine lab explore --help", state->argv[state->next - 1]);
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

static error_t parse_option(int key, char *text, struct argp_state *state)
{
	struct explore_options *o = state->input;

	switch (key) {
	case 'b':
		o->bound = text_number("lab explore: --bound", text, 1, 2);
		return 0;
	case 's':
		parse_shard(o, text);
		return 0;
	case 'q':
		o->quick = true;
		return 0;
	case 'p':
		o->pairs = text_number("lab explore: --pairs", text, 1, 100000000);
		return 0;
	case 'j':
		o->jobs = text_number("lab explore: --jobs", text, 1, JOBS_MAX);
		return 0;
	case 'o':
		o->json = text;
		return 0;
	case 'r':
		o->replay = text;
		return 0;
	default:
		return parse_other(key, text, state);
	}
}

static unsigned int part_count(const struct explore_options *o)
{
	return o->replay ? 1 : o->quick ? QUICK_PARTS : PARTS;
}

/* The words that the explorer's program may find wrong. */
static char *what_to_explore(const struct explore_options *o)
{
	char *words = text_format("%s", o->red ? " --red" : "");

	if (o->replay)
		words = text_format("%s --replay %s", words, o->replay);
	for (size_t i = 0; i < o->scenarios.count; i++)
		words = text_format("%s %s", words, o->scenarios.items[i]);
	return words;
}

/* The first process's arguments; they stand on the kernel's command line. */
static char *explorer_words(const struct explore_options *o, unsigned int part)
{
	unsigned int pairs = o->bound == 1 ? 0 : o->pairs ? o->pairs :
			     o->quick ? QUICK_PAIRS : FULL_PAIRS;

	return text_format("--shard %u/%u --stride %u --budget %u%s", part, part_count(o),
			   o->quick ? QUICK_STRIDE : 1, pairs, what_to_explore(o));
}

/*
 * The command of the machine that goes through a part. The explorer is its first process, before
 * the launcher's command can come, which only shows what was found.
 */
static void part_command(struct strings *command, const struct explore_options *o,
			 unsigned int part)
{
	strings_addf(command, "%s/launcher/tine", output_directory());
	strings_add(command, "run");
	strings_add(command, "--icount");
	strings_add(command, "--smp");
	strings_add(command, "3");
	strings_add(command, "--timeout");
	strings_addf(command, "%u", o->quick ? QUICK_LIMIT_SECONDS : LIMIT_SECONDS);
	strings_add(command, "--append");
	/* The monitor's looks would fall into other schedules each time. */
	strings_addf(command, "explore nomonitor init=\"/lab/explore %s\"",
		     explorer_words(o, part));
	strings_add(command, "--");
	strings_add(command, "cat");
	strings_add(command, "/explored");
	strings_add(command, "/explored.whole");
}

struct part {
	pid_t pid;		/* 0: not this share's, or ended */
	FILE *output;
	int status;
};

static void part_start(const struct explore_options *o, unsigned int index, struct part *part)
{
	struct strings command = { 0 };

	part->output = fdopen(scratch_file("explored"), "w+");
	if (!part->output)
		die(STATUS_FAILED, "out of memory");
	part_command(&command, o, index);
	fflush(stdout);
	part->pid = fork();
	if (part->pid < 0)
		die(STATUS_FAILED, "fork: %s", strerror(errno));
	if (part->pid == 0) {
		int null = open("/dev/null", O_RDONLY);

		prctl(PR_SET_PDEATHSIG, SIGTERM);
		dup2(null, STDIN_FILENO);
		dup2(fileno(part->output), STDOUT_FILENO);
		execv(command.items[0], command.items);
		_exit(127);
	}
}

/* Until one of those that run has ended. Who executed us may have left us children of its own. */
static void part_await(struct part *parts, unsigned int count)
{
	int status;
	pid_t pid;

	while ((pid = wait(&status)) > 0)
		for (unsigned int i = 0; i < count; i++)
			if (parts[i].pid == pid) {
				parts[i].pid = 0;
				parts[i].status = status;
				return;
			}
	die(STATUS_FAILED, "wait: %s", strerror(errno));
}

static struct symbols *kernel_symbols(void)
{
	const char *build = getenv("TINE_BUILD");

	return symbols_open(text_format("%s/%s/tine.elf", output_directory(),
					build && build[0] ? build : "release"));
}

/* Reads what a machine said; false when it ended otherwise than with its last line. */
static bool part_read(struct explore_table *table, const struct part *part, bool echo)
{
	size_t ended = table->ended;
	char line[700];

	rewind(part->output);
	while (fgets(line, sizeof(line), part->output)) {
		line[strcspn(line, "\n")] = '\0';
		if (!explore_table_line(table, line))
			complain("explorer: %s", line);
		else if (echo && strncmp(line, "replay ", 7) == 0)
			explore_line_print(line, kernel_symbols());
	}
	fclose(part->output);
	return part->status == 0 && table->ended > ended;
}

/* The parts of this share, `jobs` at a time; false: one failed. */
static bool run_parts(const struct explore_options *o, struct explore_table *table)
{
	const unsigned int count = part_count(o);
	struct part parts[PARTS] = { { 0 } };
	unsigned int running = 0;
	bool good = true;

	for (unsigned int i = o->shard; i < count; i += o->shards) {
		if (running == o->jobs)
			part_await(parts, count), running--;
		part_start(o, i, &parts[i]), running++;
	}
	for (; running != 0; running--)
		part_await(parts, count);
	for (unsigned int i = o->shard; i < count; i += o->shards)
		if (!part_read(table, &parts[i], o->replay != NULL)) {
			complain("the explorer's machine %u of %u failed, status %d", i, count,
				 WIFEXITED(parts[i].status) ? WEXITSTATUS(parts[i].status) : -1);
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

/* Has the explorer's program look at the words, on the host: what it says ends us. */
static void check_words(const struct explore_options *o)
{
	struct strings command = { 0 };
	char said[300] = "";
	FILE *from;
	pid_t pid;
	int ends[2], status;

	strings_add(&command, program());
	strings_add(&command, "--check");
	strings_add_words(&command, what_to_explore(o));
	if (pipe2(ends, O_CLOEXEC) < 0 || (pid = fork()) < 0)
		die(STATUS_FAILED, "lab explore: %s", strerror(errno));
	if (pid == 0) {
		dup2(ends[1], STDERR_FILENO);
		execv(command.items[0], command.items);
		dprintf(STDERR_FILENO, "%s: %s\n", command.items[0], strerror(errno));
		_exit(STATUS_FAILED);
	}
	close(ends[1]);
	from = fdopen(ends[0], "r");
	if (from && !fgets(said, sizeof(said), from))
		said[0] = '\0';
	if (waitpid(pid, &status, 0) != pid || !WIFEXITED(status))
		die(STATUS_FAILED, "lab explore: %s was killed", command.items[0]);
	said[strcspn(said, "\n")] = '\0';
	if (WEXITSTATUS(status) != 0)
		die(WEXITSTATUS(status), "lab explore: %s", said);
}

/* What two results must have in common to be of one space. */
static char *space_text(const struct explore_options *o)
{
	char *text = text_format("bound %u pairs %u of %u%s", o->bound, o->pairs, part_count(o),
				 o->quick ? " quick" : "");

	if (o->red)
		text = text_format("%s red", text);

	for (size_t i = 0; i < o->scenarios.count; i++)
		text = text_format("%s %s", text, o->scenarios.items[i]);
	return text;
}

static void check_options(struct explore_options *o)
{
	if (o->jobs == 0)
		o->jobs = (unsigned int)sysconf(_SC_NPROCESSORS_ONLN);
	if (o->jobs > JOBS_MAX)
		o->jobs = JOBS_MAX;
	if (o->replay)
		o->shards = 1, o->shard = 0;
	if (o->shards > part_count(o))
		die(STATUS_USAGE, "lab explore: --shard: at most %u shares%s", part_count(o),
		    o->quick ? " with --quick" : "");
}

static int show(const struct explore_table *table, bool whole, bool verbose)
{
	const struct explore_view view = {
		.whole = whole, .verbose = verbose, .symbols = kernel_symbols(),
	};

	return explore_table_print(table, &view) ? 0 : 1;
}

/* True when the schedule took place and nothing was violated. */
static bool show_replay(const struct explore_options *o, const struct explore_table *table)
{
	for (size_t i = 0; i < table->violation_count; i++)
		explore_line_print(text_format("violation: %s", table->violations[i]),
				   kernel_symbols());
	if (table->missed)
		complain("lab explore: --replay %s: it did not take place: the scenario ended "
			 "before the shot", o->replay);
	return table->violation_count == 0 && !table->missed;
}

int lab_explore(int argc, char **argv)
{
	struct explore_options o = { .shards = 1, .bound = 2 };
	struct explore_table table = { 0 };
	bool good;

	argp_parse(&argp, argc, argv, ARGP_IN_ORDER | ARGP_NO_ERRS | ARGP_NO_HELP, NULL, &o);
	check_options(&o);
	check_words(&o);
	table.share = (struct explore_share){ o.shard, o.shards, space_text(&o) };
	good = run_parts(&o, &table);
	if (o.json && good)
		write_json(&table, o.json);
	if (o.replay)
		return show_replay(&o, &table) && good ? 0 : 1;
	/* What must be seen may be in another share; the merge asks for it. */
	return show(&table, o.shards == 1, o.verbose) == 0 && good ? 0 : 1;
}

/* Adds a share; `seen` are those that were. */
static void merge_file(struct explore_table *table, const char *path, bool *seen)
{
	const struct explore_share before = table->share;
	FILE *in = fopen(path, "r");

	if (!in)
		die(STATUS_USAGE, "%s: %s", path, strerror(errno));
	if (!explore_table_read(table, in) || table->share.index >= table->share.count ||
	    table->share.count > PARTS)
		die(STATUS_USAGE, "%s: not a complete result of tine lab explore", path);
	if (before.space && (before.count != table->share.count ||
			     strcmp(before.space, table->share.space)))
		die(STATUS_USAGE, "%s: a share of another space than those before", path);
	if (seen[table->share.index])
		die(STATUS_USAGE, "%s: share %u is there twice", path, table->share.index);
	seen[table->share.index] = true;
	fclose(in);
}

/* Each share of one space once: else the table would say more than was done. */
int lab_merge(int argc, char **argv)
{
	struct explore_table table = { 0 };
	bool seen[PARTS] = { false }, verbose = false;
	unsigned int files = 0;

	for (int i = 1; i < argc; i++) {
		if (strcmp(argv[i], "--verbose") == 0) {
			verbose = true;
			continue;
		}
		if (argv[i][0] == '-')
			die(STATUS_USAGE, "lab merge: %s: unknown option; see ./tine lab merge "
			    "--help", argv[i]);
		merge_file(&table, argv[i], seen);
		files++;
	}
	if (files == 0)
		die(STATUS_USAGE, "lab merge: needs the JSON files of tine lab explore");
	if (files != table.share.count)
		die(STATUS_USAGE, "lab merge: %u of %u shares", files, table.share.count);
	return show(&table, true, verbose);
}
