/*
 * lab.c - `tine lab`: the table of its commands.
 */
#include "lab.h"

#include "lab_explore.h"
#include "text.h"

#include <stdio.h>
#include <string.h>

#define APPEND	"  --append   more words for the kernel: what is said of another one?\n"
#define QUICK	APPEND "  --quick    "

static const struct lab_command commands[] = {
	{ "report", "the report's program and settings: both sides of fork go on", lab_report,
	  "[--quick] [--append WORDS]",
	  "Runs the report's program under its settings (a tick of 10 Hz, a line of log at\n"
	  "each switch, an eager fork): in QEMU, at the rate of its divisor, and in Bochs.\n"
	  "Virtual time: a busy host makes it slower, and changes nothing of what it says.\n"
	  QUICK "at 10 Hz in QEMU alone\n"
	  "Takes up to a minute, with --quick 10 s.\n" },
	{ "livelock", "the report's failure on purpose, its causes, and the cure", lab_livelock,
	  "[--quick] [--append WORDS]",
	  "Makes a switch take longer than a tick, with and without the rule of headway, and\n"
	  "changes one cause at a time. Virtual time: what it says is the same on any host.\n"
	  QUICK "without the flush beside the line\n"
	  "Takes 20 s.\n" },
	{ "step", "each instruction of the child from its debug exception", lab_step,
	  "[--quick] [--append WORDS]",
	  "Runs the report's forked child under the trap flag, in QEMU and in Bochs.\n"
	  QUICK "in QEMU alone\n"
	  "Takes 20 s, with --quick 1 s.\n" },
	{ "latency", "histograms: IRETQ to the timer, wake-ups, switches", lab_latency,
	  "[--quick] [--append WORDS]",
	  "Reads the flight recorder of runs that count instructions: a forked child's dispatches\n"
	  "beside all others, the report's machine, and what recording costs.\n"
	  QUICK "3 rounds of each program, not 10\n"
	  "Takes some minutes, with --quick a minute.\n" },
	{ "tlb", "ways to switch page tables, compared", lab_tlb,
	  "[--quick] [--append WORDS]",
	  "Times each way to change page tables that the processor has, and runs a program that\n"
	  "changes mappings under it: in QEMU those it has, in Bochs all four.\n"
	  QUICK "in QEMU alone\n"
	  "Takes some minutes, with --quick 4 s.\n" },
	{ "compare", "parent and child after fork: what differs and why", lab_compare,
	  "[--quick] [--append WORDS]",
	  "Puts both sides of the report's fork side by side at its commit: registers, roots, the\n"
	  "entries of the tables; then the same with fork=eager.\n"
	  QUICK "the entries that fork=eager makes are counted, not listed\n"
	  "Takes up to 3 s.\n" },
	{ "explore", "preemption at every instruction boundary of some scenarios", lab_explore,
	  NULL, NULL },
	{ "merge", "the table of several shards of explore", lab_merge,
	  "[--verbose] FILE...",
	  "Joins what ./tine lab explore --shard I/N --json FILE wrote: all N shares.\n"
	  "  --verbose  a line for each kind of schedule\n"
	  "Takes less than 1 s.\n" },
	{ "trace", "the emulator's trace of fork beside the kernel's own", lab_trace,
	  "[--quick] [--append WORDS]",
	  "Has the emulator write each instruction from fork's call to the child's first, and\n"
	  "compares that with the kernel's events of the same run.\n"
	  QUICK "the same\n"
	  "Takes up to a minute.\n" },
};

static int help(void)
{
	printf("usage: ./tine lab NAME [ARG...]       doc/headway.md explains each\n");
	for (size_t i = 0; i < sizeof(commands) / sizeof(commands[0]); i++)
		printf("  %-10s %s\n", commands[i].name, commands[i].help);
	printf("./tine lab NAME --help says what it does and how long it takes. 0: all that it "
	       "claims was observed.\n");
	return 0;
}

static bool asks_for_help(int argc, char **argv)
{
	for (int i = 1; i < argc; i++)
		if (strcmp(argv[i], "--help") == 0)
			return true;
	return false;
}

static int run(const struct lab_command *command, int argc, char **argv)
{
	if (!command->about || !asks_for_help(argc, argv))
		return command->run(argc, argv);
	printf("usage: ./tine lab %s %s\n%s", command->name, command->usage, command->about);
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
			return run(&commands[i], argc - 1, argv + 1);
	}
	die(STATUS_USAGE, "lab %s: no such command; see ./tine lab --help", argv[1]);
}
