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

/* Of which space it is which share: `index` of `count`. */
struct explore_share {
	unsigned int index, count;
	char *space;
};

struct explore_table {
	struct explore_share share;		/* the last that was read */
	struct explore_row *rows;
	struct explore_outcome *outcomes;
	char **violations;			/* "SCHEDULE places :: what" */
	size_t row_count, outcome_count, violation_count;
	size_t ended;				/* scenarios that were gone through */
};

/* A line of the program's output; false: it is none of its lines. */
bool explore_table_line(struct explore_table *table, const char *line);
/* Adds what explore_table_json() wrote; false: the file is none. */
bool explore_table_read(struct explore_table *table, FILE *in);
void explore_table_json(const struct explore_table *table, FILE *out);
/*
 * Prints it; symbols may be NULL. True when nothing is wrong with it; of a whole space, also that
 * each outcome which must be seen was.
 */
bool explore_table_print(const struct explore_table *table, bool whole,
			 const struct symbols *symbols);
