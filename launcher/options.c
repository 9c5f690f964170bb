/*
 * options.c - the command line of `tine run`.
 *
 * A mistake ends with one line that names it and status 2. Options stop at the first word that is
 * none: the command's own options are never taken for ours.
 */
#include "options.h"

#include "text.h"

#include <argp.h>
#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum {
	KEY_ROOT = 256, KEY_DISK, KEY_RW, KEY_SMP, KEY_MEMORY, KEY_PUBLISH, KEY_NO_NET, KEY_KERNEL,
	KEY_ICOUNT, KEY_APPEND, KEY_TRACE, KEY_LOG, KEY_GDB, KEY_MACHINE, KEY_TIMEOUT, KEY_DRY_RUN,
	KEY_EMULATOR, KEY_TRACE_FORMAT,
};

#define PROCESSORS_MAX	16
#define MEMORY_MIN_MIB	32
#define MEMORY_MAX_MIB	(16 * 1024)
#define GDB_PORT	1234

static const struct argp_option run_options[] = {
	{ "root", KEY_ROOT, "DIR", 0, "the file system it sees (default: the built-in image); "
	  "nothing in DIR changes", 0 },
	{ "rw", KEY_RW, NULL, 0, "let writes reach DIR", 0 },
	{ "smp", KEY_SMP, "N", 0, "processors, 1 to 16 (default 1)", 0 },
	{ "memory", KEY_MEMORY, "SIZE", 0, "memory, 32M to 16G (default 512M)", 0 },
	{ "kernel", KEY_KERNEL, "tine|linux|PATH", 0, "the kernel: ours, Debian's, or an ELF or "
	  "bzImage file", 0 },
	{ "icount", KEY_ICOUNT, NULL, 0, "deterministic: virtual time counts instructions, "
	  "from 2020-01-01 00:00 UTC on", 0 },
	{ "append", KEY_APPEND, "WORDS", 0, "words for the kernel's command line", 0 },
	{ "log", KEY_LOG, "FILE", 0, "the kernel's log", 0 },
	{ "gdb", KEY_GDB, "PORT", OPTION_ARG_OPTIONAL, "wait for a debugger (default port 1234)",
	  0 },
	{ "machine", KEY_MACHINE, "microvm|q35|pc|auto", 0, "the virtual machine (default auto)",
	  0 },
	{ "timeout", KEY_TIMEOUT, "SECONDS", 0, "end it after that time, with status 124", 0 },
	{ "dry-run", KEY_DRY_RUN, NULL, 0, "print the emulator's command line for a shell, "
	  "where descriptor 3 is the socket to the launcher, and do nothing", 0 },
	{ "emulator", KEY_EMULATOR, "WORDS", 0, "more words for the emulator's command line", 0 },
	{ "no-net", KEY_NO_NET, NULL, 0, "no network device (there is none yet)", 0 },
	{ "disk", KEY_DISK, "IMAGE", 0, "not there yet", 0 },
	{ "publish", KEY_PUBLISH, "HOST:GUEST", 0, "not there yet", 0 },
	{ "trace", KEY_TRACE, "FILE", 0, "write the kernel's events: JSON for Perfetto; "
	  "FILE.html shows itself, FILE.txt has a line for each", 0 },
	{ "trace-format", KEY_TRACE_FORMAT, "json|html|txt", 0, "whatever FILE's name ends in", 0 },
	{ "help", '?', NULL, 0, "this list", -1 },
	{ 0 },
};

static const char run_doc[] =
	"Runs CMD in Tine: its stdin, stdout and stderr are yours, and its exit status is returned "
	"(128+N when signal N ended it)."
	"\vOther statuses: 2 the command line is wrong, 124 the time was up, 125 the machine "
	"failed, its kernel panicked or its output could not be written, 126 CMD cannot be "
	"executed, 127 there is no CMD.";

/* "512", "512M" and "2G"; in MiB. */
static unsigned int parse_memory(const char *text)
{
	unsigned long long value;
	char *end;

	errno = 0;
	value = strtoull(text, &end, 10);
	if (errno || end == text || !isdigit((unsigned char)text[0]) || value > MEMORY_MAX_MIB)
		goto bad;
	if (strcmp(end, "G") == 0 || strcmp(end, "g") == 0)
		value *= 1024;
	else if (*end && strcmp(end, "M") != 0 && strcmp(end, "m") != 0)
		goto bad;
	if (value >= MEMORY_MIN_MIB && value <= MEMORY_MAX_MIB)
		return (unsigned int)value;
bad:
	die(STATUS_USAGE, "--memory %s: must be a number of M or G, from %dM to %dG", text,
	    MEMORY_MIN_MIB, MEMORY_MAX_MIB / 1024);
}

static unsigned int parse_timeout(const char *text)
{
	double seconds;
	char *end;

	seconds = strtod(text, &end);
	if (end == text || *end || !(seconds > 0) || seconds > 1e6)
		die(STATUS_USAGE, "--timeout %s: must be a number of seconds above 0", text);
	return seconds < 0.001 ? 1 : (unsigned int)(seconds * 1000);
}

static enum machine_kind parse_machine(const char *text)
{
	if (strcmp(text, "auto") == 0 || strcmp(text, "microvm") == 0)
		return MACHINE_MICROVM;
	if (strcmp(text, "q35") == 0)
		return MACHINE_Q35;
	if (strcmp(text, "pc") == 0)
		return MACHINE_PC;
	die(STATUS_USAGE, "--machine %s: must be microvm, q35, pc or auto", text);
}

static const char *parse_trace_format(const char *text)
{
	if (strcmp(text, "json") != 0 && strcmp(text, "html") != 0 && strcmp(text, "txt") != 0)
		die(STATUS_USAGE, "--trace-format %s: must be json, html or txt", text);
	return text;
}

/* The port may be a word of its own: `--gdb 1234`. */
static unsigned int parse_gdb(const char *argument, struct argp_state *state)
{
	if (!argument && state->next < state->argc) {
		const char *next = state->argv[state->next];

		if (next[0] && strspn(next, "0123456789") == strlen(next)) {
			argument = next;
			state->next++;
		}
	}
	return argument ? text_number("--gdb", argument, 1, 65535) : GDB_PORT;
}

_Noreturn static void refuse(const char *option)
{
	die(STATUS_USAGE, "%s is not there yet", option);
}

static error_t parse_option(int key, char *argument, struct argp_state *state);
static const struct argp run_argp = {
	run_options, parse_option, "-- CMD [ARG...]", run_doc, NULL, NULL, NULL,
};

/* The rest of the options, those that only set something, are in parse_option. */
static error_t parse_other(int key, char *argument, struct argp_state *state)
{
	struct options *options = state->input;

	switch (key) {
	case KEY_TRACE_FORMAT:
		options->trace_format = parse_trace_format(argument);
		return 0;
	case KEY_DISK:
		refuse("--disk");
	case KEY_PUBLISH:
		refuse("--publish");
	case '?':
		argp_help(&run_argp, stdout, ARGP_HELP_LONG | ARGP_HELP_USAGE | ARGP_HELP_DOC,
			  (char *)"tine run");
		exit(0);
	case ARGP_KEY_ARG:
		options->command = &state->argv[state->next - 1];
		state->next = state->argc;
		return 0;
	case ARGP_KEY_NO_ARGS:
		die(STATUS_USAGE, "run: no command; try ./tine run -- CMD [ARG...]");
	case ARGP_KEY_ERROR:
		die(STATUS_USAGE, "run: %s: unknown option, or its value is missing; "
		    "see ./tine run --help", state->argv[state->next > 0 ? state->next - 1 : 0]);
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

/* One that is left open would take the words that follow, the emulator's own, into its word. */
static void check_quotes(const char *words)
{
	unsigned int quotes = 0;

	for (const char *c = words; *c; c++)
		quotes += *c == '"';
	if (quotes % 2)
		die(STATUS_USAGE, "run: --append %s: a quote is not closed", words);
}

static error_t parse_option(int key, char *argument, struct argp_state *state)
{
	struct options *options = state->input;

	switch (key) {
	case KEY_ROOT:
		options->root = argument;
		return 0;
	case KEY_RW:
		options->write = true;
		return 0;
	case KEY_SMP:
		options->processors = text_number("--smp", argument, 1, PROCESSORS_MAX);
		return 0;
	case KEY_MEMORY:
		options->memory_mib = parse_memory(argument);
		return 0;
	case KEY_KERNEL:
		options->kernel = argument;
		return 0;
	case KEY_ICOUNT:
		options->icount = true;
		return 0;
	case KEY_APPEND:
		options->append = argument;
		check_quotes(argument);
		return 0;
	case KEY_LOG:
		options->log = argument;
		return 0;
	case KEY_TRACE:
		options->trace = argument;
		return 0;
	case KEY_GDB:
		options->gdb_port = parse_gdb(argument, state);
		return 0;
	case KEY_MACHINE:
		options->machine = parse_machine(argument);
		return 0;
	case KEY_TIMEOUT:
		options->timeout_ms = parse_timeout(argument);
		return 0;
	case KEY_DRY_RUN:
		options->dry_run = true;
		return 0;
	case KEY_EMULATOR:
		options->emulator = argument;
		return 0;
	case KEY_NO_NET:
		return 0;
	default:
		return parse_other(key, argument, state);
	}
}

void options_default(struct options *options)
{
	*options = (struct options){
		.processors = 1, .memory_mib = 512, .kernel = "tine", .append = "",
	};
}

void options_parse(struct options *options, int argc, char **argv)
{
	options_default(options);
	argp_parse(&run_argp, argc, argv, ARGP_IN_ORDER | ARGP_NO_ERRS | ARGP_NO_HELP, NULL,
		   options);
	if (options->write && !options->root)
		die(STATUS_USAGE, "--rw: needs --root DIR");
}
