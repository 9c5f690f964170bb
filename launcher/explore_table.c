/*
 * explore_table.c - rows are added up by scenario and kind, so shards and processes join alike.
 *
 * The JSON is an array with one record a line and its members in one order, which is also what is
 * read back.
 */
#include "explore_table.h"

#include "text.h"

#include <stdlib.h>
#include <string.h>

static void *grow(void *items, size_t count, size_t size)
{
	void *grown = realloc(items, (count + 1) * size);

	if (!grown)
		die(STATUS_FAILED, "out of memory");
	return grown;
}

static void add_row(struct explore_table *t, const struct explore_row *row)
{
	struct explore_row *r = t->rows, *end = r + t->row_count;

	while (r < end && (strcmp(r->scenario, row->scenario) || strcmp(r->kind, row->kind)))
		r++;
	if (r == end) {
		t->rows = grow(t->rows, t->row_count, sizeof(*r));
		t->rows[t->row_count++] = *row;
		return;
	}
	if (r->window < row->window)
		r->window = row->window;
	r->kernel += row->kernel;
	r->user += row->user;
	r->held += row->held;
	r->schedules += row->schedules;
}

static void add_outcome(struct explore_table *t, const struct explore_outcome *outcome)
{
	struct explore_outcome *o = t->outcomes, *end = o + t->outcome_count;

	while (o < end && (strcmp(o->scenario, outcome->scenario) ||
			   strcmp(o->kind, outcome->kind) || strcmp(o->name, outcome->name)))
		o++;
	if (o == end) {
		t->outcomes = grow(t->outcomes, t->outcome_count, sizeof(*o));
		t->outcomes[t->outcome_count++] = *outcome;
		return;
	}
	o->count += outcome->count;
}

static void add_violation(struct explore_table *t, const char *text)
{
	t->violations = grow(t->violations, t->violation_count, sizeof(*t->violations));
	t->violations[t->violation_count++] = text_format("%s", text);
}

bool explore_table_line(struct explore_table *t, const char *line)
{
	struct explore_row row;
	struct explore_outcome outcome;
	char scenario[32];

	if (sscanf(line, "result %31s %15s window %lu boundaries %lu %lu held %lu schedules %lu",
		   row.scenario, row.kind, &row.window, &row.kernel, &row.user, &row.held,
		   &row.schedules) == 7)
		add_row(t, &row);
	else if (sscanf(line, "outcome %31s %15s %lu %99[^\n]", outcome.scenario, outcome.kind,
			&outcome.count, outcome.name) == 4)
		add_outcome(t, &outcome);
	else if (strncmp(line, "violation ", 10) == 0)
		add_violation(t, line + 10);
	else if (sscanf(line, "end %31s violations", scenario) == 1)
		t->ended++;
	else if (strncmp(line, "replay ", 7) != 0)
		return false;
	return true;
}

/* --- JSON ------------------------------------------------------------------------------ */

#define ROW_FORMAT "{\"type\":\"result\",\"scenario\":\"%s\",\"kind\":\"%s\"," \
	"\"window\":%lu,\"kernel\":%lu,\"user\":%lu,\"held\":%lu,\"schedules\":%lu},\n"
#define ROW_SCAN "{\"type\":\"result\",\"scenario\":\"%31[^\"]\",\"kind\":\"%15[^\"]\"," \
	"\"window\":%lu,\"kernel\":%lu,\"user\":%lu,\"held\":%lu,\"schedules\":%lu}"
#define OUTCOME_FORMAT "{\"type\":\"outcome\",\"scenario\":\"%s\",\"kind\":\"%s\",\"count\":%lu," \
	"\"outcome\":\"%s\"},\n"
#define OUTCOME_SCAN "{\"type\":\"outcome\",\"scenario\":\"%31[^\"]\",\"kind\":\"%15[^\"]\"," \
	"\"count\":%lu,\"outcome\":\"%99[^\"]\"}"
#define VIOLATION_FORMAT "{\"type\":\"violation\",\"schedule\":\"%s\"},\n"
#define END_FORMAT "{\"type\":\"end\",\"scenarios\":%zu,\"shard\":%u,\"shards\":%u," \
	"\"space\":\"%s\"}\n]\n"
#define END_SCAN "{\"type\":\"end\",\"scenarios\":%zu,\"shard\":%u,\"shards\":%u," \
	"\"space\":\"%599[^\"]\"}"
#define VIOLATION_SCAN "{\"type\":\"violation\",\"schedule\":\"%499[^\"]\"}"

void explore_table_json(const struct explore_table *t, FILE *out)
{
	fprintf(out, "[\n");
	for (const struct explore_row *r = t->rows; r < t->rows + t->row_count; r++)
		fprintf(out, ROW_FORMAT, r->scenario, r->kind, r->window, r->kernel, r->user,
			r->held, r->schedules);
	for (const struct explore_outcome *o = t->outcomes; o < t->outcomes + t->outcome_count; o++)
		fprintf(out, OUTCOME_FORMAT, o->scenario, o->kind, o->count, o->name);
	for (size_t i = 0; i < t->violation_count; i++)
		fprintf(out, VIOLATION_FORMAT, t->violations[i]);
	fprintf(out, END_FORMAT, t->ended, t->share.index, t->share.count, t->share.space);
}

bool explore_table_read(struct explore_table *t, FILE *in)
{
	struct explore_row row;
	struct explore_outcome outcome;
	char line[700], violation[500], space[600];
	size_t ended;
	bool complete = false;

	while (fgets(line, sizeof(line), in)) {
		if (sscanf(line, ROW_SCAN, row.scenario, row.kind, &row.window, &row.kernel,
			   &row.user, &row.held, &row.schedules) == 7)
			add_row(t, &row);
		else if (sscanf(line, OUTCOME_SCAN, outcome.scenario, outcome.kind, &outcome.count,
				outcome.name) == 4)
			add_outcome(t, &outcome);
		else if (sscanf(line, VIOLATION_SCAN, violation) == 1)
			add_violation(t, violation);
		else if (sscanf(line, END_SCAN, &ended, &t->share.index, &t->share.count,
				space) == 4) {
			complete = true;
			t->ended += ended;
			t->share.space = text_format("%s", space);
		}
	}
	return complete;
}

/* --- the table ------------------------------------------------------------------------- */

/* Kernel addresses ("kernel@ffff...") get their symbols. */
static void print_places(const char *text, const struct symbols *symbols)
{
	const char *at;
	unsigned long address;

	while ((at = strstr(text, "kernel@")) && sscanf(at, "kernel@%lx", &address) == 1) {
		const char *name;
		uint64_t offset;

		printf("%.*s", (int)(at - text), text);
		if (symbols && symbols_find(symbols, address, &name, &offset))
			printf("kernel@%s+%#lx", name, (unsigned long)offset);
		else
			printf("kernel@%lx", address);
		text = at + strlen("kernel@") + strspn(at + strlen("kernel@"), "0123456789abcdef");
	}
	printf("%s\n", text);
}

static void print_violations(const struct explore_table *t, const struct symbols *symbols)
{
	for (size_t i = 0; i < t->violation_count; i++) {
		const char *text = t->violations[i];

		printf("violation: ");
		print_places(text, symbols);
		printf("  ./tine lab explore --replay %.*s\n", (int)strcspn(text, " "), text);
	}
}

/* An outcome that must be seen and never was is listed with a count of 0. */
static bool print_outcomes(const struct explore_table *t, const struct explore_row *r,
			   bool whole)
{
	bool seen = true;

	for (size_t i = 0; i < t->outcome_count; i++) {
		const struct explore_outcome *o = &t->outcomes[i];

		if (strcmp(o->scenario, r->scenario) || strcmp(o->kind, r->kind))
			continue;
		printf("  %s %lu", o->name, o->count);
		seen = seen && (o->count != 0 || !whole);
	}
	printf("%s\n", seen ? "" : "  NOT SEEN");
	return seen;
}

static size_t count_scenarios(const struct explore_table *t)
{
	size_t n = 0;

	for (size_t i = 0; i < t->row_count; i++)
		n += i == 0 || strcmp(t->rows[i].scenario, t->rows[i - 1].scenario) != 0;
	return n;
}

bool explore_table_print(const struct explore_table *t, bool whole,
			 const struct symbols *symbols)
{
	unsigned long boundaries = 0, schedules = 0;
	bool good = t->row_count != 0;

	printf("%-14s %-7s %8s %9s %9s %9s %10s  outcomes\n", "scenario", "kind", "window",
	       "kernel", "user", "held", "schedules");
	for (const struct explore_row *r = t->rows; r < t->rows + t->row_count; r++) {
		printf("%-14s %-7s %8lu %9lu %9lu %9lu %10lu", r->scenario, r->kind, r->window,
		       r->kernel, r->user, r->held, r->schedules);
		good &= print_outcomes(t, r, whole);
		boundaries += r->kernel + r->user;
		schedules += r->schedules;
	}
	print_violations(t, symbols);
	printf("%lu boundaries, %lu schedules, %zu scenarios, %zu violations\n", boundaries,
	       schedules, count_scenarios(t), t->violation_count);
	return good && t->violation_count == 0;
}
