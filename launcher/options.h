/*
 * options.h - what `tine run` was asked for.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

enum machine_kind { MACHINE_MICROVM, MACHINE_Q35, MACHINE_PC };

struct options {
	const char *root;	/* host directory, or NULL for the built-in image */
	bool write;
	unsigned int processors;
	unsigned int memory_mib;
	const char *kernel;	/* "tine", "linux" or a path */
	bool icount;
	const char *append;	/* never NULL */
	const char *log;	/* file for the kernel's log, or NULL */
	const char *trace;	/* file for the flight recorder's events, or NULL */
	const char *trace_format;	/* json, html or txt; NULL: as its name ends */
	unsigned int gdb_port;	/* 0: no debugger */
	enum machine_kind machine;
	unsigned int timeout_ms;	/* 0: none */
	bool dry_run;
	const char *emulator;	/* more words for its command line, or NULL */
	char **command;		/* NULL-terminated, at least one */
};

/* Defaults, then what `argv` says; argv[0] is skipped. Ends the program on a mistake or --help. */
void options_parse(struct options *options, int argc, char **argv);
void options_default(struct options *options);
