/*
 * lab.h - the lab (doc/headway.md): commands that measure, each ending in an answer of one screen.
 *
 * A command returns 0 only when it observed what it claims. One file a group of them; the table
 * is in lab.c.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct lab_command {
	const char *name;
	const char *help;			/* one line */
	int (*run)(int argc, char **argv);	/* argv[0] is the name */
	const char *usage, *about;		/* of --help; NULL: run answers it itself */
};

/* `tine lab NAME [ARG...]`; argv[0] is "lab". */
int lab(int argc, char **argv);

int lab_report(int argc, char **argv);
int lab_step(int argc, char **argv);
int lab_livelock(int argc, char **argv);
int lab_latency(int argc, char **argv);
int lab_tlb(int argc, char **argv);
int lab_compare(int argc, char **argv);
int lab_trace(int argc, char **argv);

/* --- machines (lab_run.c) ------------------------------------------------------------------- */

struct lab_machine {
	const char *words;		/* for the kernel */
	const char *command;		/* words separated by spaces; NULL: true */
	bool icount;
	unsigned int seconds;		/* at most, of ours */
	const char *until;		/* in the log: what ends it, and the log; or NULL */
	const char *emulator;		/* more words for the emulator, or NULL */
	bool trace;			/* the flight recorder's text is wanted */
};

struct lab_result {
	int status;			/* the command's; -1 when `until` or the time ended it */
	char *out;			/* its stdout and stderr */
	char *log;			/* the kernel's */
	char *trace;			/* of --trace, empty when none came */
	double seconds;
};

/* Runs one in QEMU, by `tine run`. What it returns is kept until the end. */
void lab_run(const struct lab_machine *machine, struct lab_result *result);
/* The same from an ISO in Bochs: what the command says stands in the log. Status 0: it ended. */
void lab_run_bochs(const struct lab_machine *machine, struct lab_result *result);
/* Reads a command's arguments: true when they ask for less (--quick). One not known ends us. */
bool lab_is_quick(int argc, char **argv);
/* A machine's words with those of --append, whose values are the last and so count. */
const char *lab_words(const char *words);
/* All that a file holds, as text; NULL when it cannot be read. */
char *lab_read_all(int fd);

/* --- what is found -------------------------------------------------------------------------- */

/* A line of the answer: what was to be observed, and whether it was. */
void lab_check(bool ok, const char *format, ...) __attribute__((format(printf, 2, 3)));
void lab_say(const char *format, ...) __attribute__((format(printf, 1, 2)));
/* Ends the answer; 0 when all checks held. */
int lab_verdict(const char *format, ...) __attribute__((format(printf, 1, 2)));
/* Shows how a run ended that failed, and the end of what it said, its output or its log. */
void lab_show_failure(const struct lab_result *result, const char *said);

/* The next line of `*text`, cut out; NULL after the last. Skips empty ones. */
char *lab_line(char **text);
/* The number behind `key` in `line`, in C's notation; false when there is none. */
bool lab_number(const char *line, const char *key, uint64_t *value);
/* A line's time stamp in microseconds; 0 without. */
uint64_t lab_time_us(const char *line);
/* How many lines of `text` have `word`. */
unsigned int lab_count(const char *text, const char *word);

/* A line of log=sync: a switch of threads. */
struct lab_switch {
	uint64_t time_us, from, to, rip, rsp, cr3;
	bool is_report;			/* to the report's program, on its way to user mode */
};
bool lab_parse_switch(const char *line, struct lab_switch *s);
