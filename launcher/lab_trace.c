/*
 * lab_trace.c - `tine lab trace`: the emulator's trace of fork, instruction by instruction, beside
 * the kernel's own record of the same run.
 *
 * Each of the kernel's events takes its time by an RDTSC of trace_record()'s, which the emulator's
 * trace shows too: the n-th there is the n-th record; its place and its count of instructions are
 * compared. The call would not do: an interrupt at its first instructions makes records before it.
 *
 * The emulator's trace of a whole run is some 300 MB. It goes through a pipe to a process of ours
 * that keeps what lies between the program's `int 0x80` and the second time that one of its sides
 * is at 0x10000018: one is the parent's return, the other the child's first instruction.
 */
#include "lab.h"

#include "kernel.h"
#include "scratch.h"
#include "symbols.h"
#include "text.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define FORK_CALL	0x10000016ull
#define FORK_RETURN	0x10000018ull
#define KERNEL		0xffffffff80000000ull
#define EVENTS_MAX	256
#define LINES_SHOWN	30
/* An instruction that faults or is interrupted stands in the emulator's trace twice. */
#define DIFFERENCE_MAX	100

/* The address of an instruction's line: "Trace 0: HOST [BASE/ADDRESS/...]". */
static bool parse_step(const char *line, uint64_t *address)
{
	const char *at = strncmp(line, "Trace ", 6) == 0 ? strchr(line, '[') : NULL;

	at = at ? strchr(at, '/') : NULL;
	if (!at)
		return false;
	*address = strtoull(at + 1, NULL, 16);
	return true;
}

/* Reads all, so that the emulator does not wait; writes the window's. */
static void filter(FILE *in, FILE *out)
{
	unsigned int returns = 0;
	bool in_window = false;
	char line[512];
	uint64_t at;

	while (fgets(line, sizeof(line), in)) {
		const bool is_step = parse_step(line, &at);

		if (is_step && at == FORK_CALL)
			in_window = true;
		if (in_window && returns < 2 && (is_step || strstr(line, ": v=")))
			fputs(line, out);
		if (in_window && is_step && at == FORK_RETURN)
			returns++;
	}
	fflush(out);
}

static char *run_traced(const struct lab_machine *machine, struct lab_result *r)
{
	struct lab_machine traced = *machine;
	const int keep = scratch_file("lab-steps");
	int ends[2], status;
	pid_t pid;

	fflush(stdout);
	if (pipe(ends) < 0 || (pid = fork()) < 0)
		die(STATUS_FAILED, "lab trace: %s; end some programs of the host", strerror(errno));
	if (pid == 0) {
		FILE *in = fdopen(ends[0], "r"), *out = fdopen(keep, "w");

		close(ends[1]);
		if (in && out)
			filter(in, out);
		_exit(0);
	}
	close(ends[0]);
	traced.emulator = text_format("-d int,exec,nochain -singlestep -D %s",
				      scratch_path(ends[1]));
	lab_run(&traced, r);
	close(ends[1]);
	waitpid(pid, &status, 0);
	return lab_read_all(keep);
}

/* --- the emulator's side ---------------------------------------------------------------------- */

struct event {
	unsigned int step;	/* the emulator's count since int 0x80 */
	const char *caller;
	char *record;		/* the kernel's: "thread event arguments" */
	uint64_t ns;
};

struct window {
	unsigned int steps, kernel, unknown, returns, calls, interrupts;
	struct event events[EVENTS_MAX];
	unsigned int count;
};

/* Intel SDM volume 2B, RDTSC. */
static bool is_rdtsc(const struct symbols *symbols, uint64_t at)
{
	const uint8_t *code = symbols_code(symbols, at, 2);

	return code && code[0] == 0x0f && code[1] == 0x31;
}

static void take_step(struct window *w, const struct symbols *symbols, uint64_t at,
		      const char **last)
{
	const char *name;
	uint64_t offset;

	w->steps++;
	w->returns += at == FORK_RETURN;
	if (at < KERNEL)
		return;
	w->kernel++;
	if (!symbols_find(symbols, at, &name, &offset))
		w->unknown++;
	else if (strcmp(name, "trace_record") != 0)
		*last = name;
	else if (is_rdtsc(symbols, at) && w->count < EVENTS_MAX)
		w->events[w->count++] = (struct event){ .step = w->steps, .caller = *last };
}

static void read_window(struct window *w, const struct symbols *symbols, char *text)
{
	const char *last = "?";
	uint64_t at;
	char *line;

	while ((line = lab_line(&text))) {
		if (parse_step(line, &at))
			take_step(w, symbols, at, &last);
		else if (strstr(line, ": v=80"))
			w->calls++;
		else
			w->interrupts++;
	}
}

/* --- the kernel's side ------------------------------------------------------------------------ */

/* Gives each event its record; false: they do not fit, or the last is not the child's. */
static bool read_records(struct window *w, char *text)
{
	char *line, *begin = NULL;
	unsigned long long seconds, ns;
	unsigned int n = 0;
	int length;

	for (char *at = text; (at = strstr(at, "syscall_enter number=int80_2 ")); at++)
		begin = at;
	if (!begin)
		return false;
	while (begin > text && begin[-1] != '\n')
		begin--;
	while (n < w->count && (line = lab_line(&begin))) {
		if (sscanf(line, " %llu.%llu cpu%*u %n", &seconds, &ns, &length) != 2)
			return false;
		w->events[n].ns = seconds * 1000000000 + ns;
		w->events[n++].record = line + length;
	}
	return n == w->count && n > 2 &&
	       strstr(w->events[n - 1].record, "user_return pc=0x10000018");
}

/* The largest difference of the two counts, from the first event on. Shows both. */
static unsigned int compare(const struct window *w)
{
	unsigned int most = 0, shown = 0;

	lab_say("  emulator    kernel  %-30s the kernel's event", "function that records");
	for (unsigned int i = 0; i < w->count; i++) {
		const struct event *e = &w->events[i];
		const unsigned int step = e->step - w->events[0].step;
		const uint64_t ns = e->ns - w->events[0].ns;
		const uint64_t difference = ns > step ? ns - step : step - ns;

		if (difference > most)
			most = (unsigned int)difference;
		/* init's, which serves the program's output, are compared but not shown. */
		if (strstr(e->record, "(lab-report)") && shown++ < LINES_SHOWN)
			lab_say("  %8u  %8llu  %-30s %.47s", step, (unsigned long long)ns,
				e->caller, e->record);
	}
	if (shown > LINES_SHOWN)
		lab_say("  ... and %u more", shown - LINES_SHOWN);
	return most;
}

int lab_trace(int argc, char **argv)
{
	const char *build = getenv("TINE_BUILD");
	const struct lab_machine machine = {
		.words = "sched=rr", .command = "/bin/lab-report", .icount = true, .seconds = 300,
		.trace = true,
	};
	struct symbols *symbols = symbols_open(text_format("%s/%s/tine.elf", output_directory(),
						build && build[0] ? build : "release"));
	static struct window w;
	char *steps;
	struct lab_result r;
	unsigned int most;
	bool paired;

	(void)lab_is_quick(argc, argv);
	if (!symbols)
		die(STATUS_FAILED, "lab trace: no symbols in the kernel: build with "
		    "./tine run -- true");
	steps = run_traced(&machine, &r);
	read_window(&w, symbols, steps ? steps : text_format("%s", ""));
	paired = read_records(&w, r.trace);
	lab_check(r.status == 0, "the program ends well under the emulator's trace");
	if (r.status != 0)
		lab_show_failure(&r, r.out);
	lab_check(w.calls > 0 && w.returns == 2 && w.kernel > 1000 && w.unknown == 0,
		  "%u instructions from int 0x80 to the child's first, %u in the kernel,\n"
		  "        all in known functions; %u int 0x80, %u other exceptions and interrupts",
		  w.steps, w.kernel, w.calls, w.interrupts);
	lab_check(paired, "%u time stamps of trace_record's there are the kernel's %u records",
		  w.count, w.count);
	most = compare(&w);
	lab_check(paired && most <= DIFFERENCE_MAX, "both count alike: they differ by %u "
		  "instructions at most", most);
	return lab_verdict("From fork's call both sides came to 0x10000018 and executed it; the "
			   "emulator saw what the\nkernel says of itself.");
}
