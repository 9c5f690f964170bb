/*
 * What the storm's supervisor (storm.c) and its rounds (storm_rounds.c) share: the board in shared
 * memory that all workers write to, and the list of the kinds of rounds.
 */
#pragma once

#include "guest.h"

enum { MAX_WORKERS = 64, KINDS = 12, HANG_SECONDS = 60 };

struct worker {
	pid_t pid;
	volatile long rounds[KINDS];
	volatile int kind;
	volatile int64_t since_ns;
};

struct board {
	volatile bool stop;
	long forks, execs;
	struct worker worker[MAX_WORKERS];
};

struct kind {
	const char *name;
	void (*play)(void);
};

extern struct board *board;
extern const struct kind kinds[KINDS];

/* The calling process's generator: a sequence of its own for each worker. */
extern uint64_t generator;
uint32_t below(uint32_t bound);

/* What the program does when a round executes it again: exits with a sum of its arguments. */
int answer(int argc, char **argv);
