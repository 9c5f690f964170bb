/*
 * explore_table.h - the explorer's results: read from its lines or from JSON, added, printed.
 */
#pragma once

#include "symbols.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

struct explore_row {
	char scenario[32], kind[16];
	unsigned long window;			/* instructions, of the longest part */
	unsigned long kernel, user, held, schedules;
};

struct explore_outcome {
	char scenario[32], kind[16], name[100];
	unsigned long count;
};

/* All violations of a scenario, those that are not told one by one among them. */
struct explore_total {
	char scenario[32];
	unsigned long violations;
};

/* Of which space it is which share: `index` of `count`. */
struct explore_share {
	unsigned int index, count;
	char *space;
};

struct explore_table {
	struct explore_share share;		/* the last that was read */
	struct explore_row *rows;
	struct explore_outcome *outcomes;
	struct explore_total *totals;
	char **violations;			/* "SCHEDULE places :: what" */
	size_t row_count, outcome_count, total_count, violation_count;
	size_t ended;				/* scenarios that were gone through */
	bool missed;				/* a replayed one ended before its shots */
};

/* A line of the program's output; false: it is none of its lines. */
bool explore_table_line(struct explore_table *table, const char *line);
/* Adds what explore_table_json() wrote; false: the file is none. */
bool explore_table_read(struct explore_table *table, FILE *in);
void explore_table_json(const struct explore_table *table, FILE *out);

struct explore_view {
	bool whole;			/* all of a space: what must be seen must be in it */
	bool verbose;			/* a line for each kind of schedule */
	const struct symbols *symbols;	/* may be NULL */
};
/* A line of the program's, its kernel addresses ("kernel@ffff...") as symbols; NULL: none. */
void explore_line_print(const char *line, const struct symbols *symbols);
/* True when nothing is wrong with it. */
bool explore_table_print(const struct explore_table *table, const struct explore_view *view);
