/*
 * lab.c - `tine lab`: the table of its commands.
 */
#include "lab.h"

#include "lab_explore.h"
#include "text.h"

#include <stdio.h>
#include <string.h>

static const struct lab_command commands[] = {
	{ "report", lab_report, "the report's program and settings: both sides of fork go on" },
	{ "livelock", lab_livelock, "the report's failure on purpose, its causes, and the cure" },
	{ "step", lab_step, "each instruction of the child from its debug exception" },
	{ "latency", lab_latency, "histograms: IRETQ to the timer, wake-ups, switches" },
	{ "tlb", lab_tlb, "ways to switch page tables, compared" },
	{ "compare", lab_compare, "parent and child after fork: what differs and why" },
	{ "explore", lab_explore, "preemption at every instruction boundary of some scenarios" },
	{ "merge", lab_merge, "the table of several shards of explore" },
	{ "trace", lab_trace, "the emulator's trace of fork beside the kernel's own" },
};

static int help(void)
{
	printf("usage: ./tine lab NAME [ARG...]       doc/headway.md explains each\n");
	for (size_t i = 0; i < sizeof(commands) / sizeof(commands[0]); i++)
		printf("  %-10s %s\n", commands[i].name, commands[i].help);
	return 0;
}

int lab(int argc, char **argv)
{
	if (argc < 2)
		die(STATUS_USAGE, "lab: no name; see ./tine lab --help");
	if (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "help") == 0)
		return help();
	for (size_t i = 0; i < sizeof(commands) / sizeof(commands[0]); i++) {
		if (strcmp(argv[1], commands[i].name) == 0)
			return commands[i].run(argc - 1, argv + 1);
	}
	die(STATUS_USAGE, "lab %s: no such command; see ./tine lab --help", argv[1]);
}
