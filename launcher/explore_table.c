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

static void add_total(struct explore_table *t, const char *scenario, unsigned long violations)
{
	struct explore_total *total = t->totals, *end = total + t->total_count;

	while (total < end && strcmp(total->scenario, scenario))
		total++;
	if (total == end) {
		t->totals = grow(t->totals, t->total_count, sizeof(*total));
		total = &t->totals[t->total_count++];
		*total = (struct explore_total){ 0 };
		snprintf(total->scenario, sizeof(total->scenario), "%s", scenario);
	}
	total->violations += violations;
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
	unsigned long violations;

	if (sscanf(line, "result %31s %15s window %lu boundaries %lu %lu held %lu schedules %lu",
		   row.scenario, row.kind, &row.window, &row.kernel, &row.user, &row.held,
		   &row.schedules) == 7)
		add_row(t, &row);
	else if (sscanf(line, "outcome %31s %15s %lu %99[^\n]", outcome.scenario, outcome.kind,
			&outcome.count, outcome.name) == 4)
		add_outcome(t, &outcome);
	else if (strncmp(line, "violation ", 10) == 0)
		add_violation(t, line + 10);
	else if (sscanf(line, "end %31s violations %lu", scenario, &violations) == 2) {
		add_total(t, scenario, violations);
		t->ended++;
	} else if (strncmp(line, "missed ", 7) == 0)
		t->missed = true;
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
#define TOTAL_FORMAT "{\"type\":\"total\",\"scenario\":\"%s\",\"violations\":%lu},\n"
#define TOTAL_SCAN "{\"type\":\"total\",\"scenario\":\"%31[^\"]\",\"violations\":%lu}"
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
	for (size_t i = 0; i < t->total_count; i++)
		fprintf(out, TOTAL_FORMAT, t->totals[i].scenario, t->totals[i].violations);
	for (size_t i = 0; i < t->violation_count; i++)
		fprintf(out, VIOLATION_FORMAT, t->violations[i]);
	fprintf(out, END_FORMAT, t->ended, t->share.index, t->share.count, t->share.space);
}

bool explore_table_read(struct explore_table *t, FILE *in)
{
	struct explore_row row;
	struct explore_outcome outcome;
	char line[700], violation[500], space[600], scenario[32];
	unsigned long violations;
	size_t ended;
	bool complete = false;

	while (fgets(line, sizeof(line), in)) {
		if (sscanf(line, ROW_SCAN, row.scenario, row.kind, &row.window, &row.kernel,
			   &row.user, &row.held, &row.schedules) == 7)
			add_row(t, &row);
		else if (sscanf(line, OUTCOME_SCAN, outcome.scenario, outcome.kind, &outcome.count,
				outcome.name) == 4)
			add_outcome(t, &outcome);
		else if (sscanf(line, TOTAL_SCAN, scenario, &violations) == 2)
			add_total(t, scenario, violations);
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

void explore_line_print(const char *text, const struct symbols *symbols)
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

static void print_violations(const struct explore_table *t, const struct explore_view *view)
{
	const char *red = strstr(t->share.space, " red") ? "--red " : "";

	for (size_t i = 0; i < t->violation_count; i++) {
		const char *text = t->violations[i];

		printf("violation: ");
		explore_line_print(text, view->symbols);
		printf("  ./tine lab explore %s--replay %.*s\n", red, (int)strcspn(text, " "),
		       text);
	}
}

/* Of a scenario only the first few are told; how many more there were. Returns all of all. */
static unsigned long print_untold(const struct explore_table *t)
{
	unsigned long all = 0;

	for (const struct explore_total *total = t->totals; total < t->totals + t->total_count;
	     total++) {
		const size_t length = strlen(total->scenario);
		unsigned long told = 0;

		for (size_t i = 0; i < t->violation_count; i++)
			told += strncmp(t->violations[i], total->scenario, length) == 0 &&
				t->violations[i][length] == ':';
		if (total->violations > told)
			printf("violations: %lu more of %s, not listed\n",
			       total->violations - told, total->scenario);
		all += total->violations;
	}
	return all;
}

/* The length of a name without the "-2" of a scenario between two processors. */
static int family_length(const char *name)
{
	const size_t length = strlen(name);

	return (int)(length > 2 && strcmp(name + length - 2, "-2") == 0 ? length - 2 : length);
}

static bool is_family(const char *a, const char *b)
{
	return family_length(a) == family_length(b) &&
	       strncmp(a, b, (size_t)family_length(a)) == 0;
}

/* An outcome that must be seen and never was is listed with a count of 0. */
static bool is_missing(const struct explore_outcome *o, const struct explore_view *view)
{
	return o->count == 0 && view->whole;
}

static bool is_of(const struct explore_outcome *o, const struct explore_row *r, bool family)
{
	return family ? is_family(o->scenario, r->scenario) :
	       strcmp(o->scenario, r->scenario) == 0 && strcmp(o->kind, r->kind) == 0;
}

/* How often `name` came before `end`; *entries: in how many entries. */
static unsigned long count_outcome(const struct explore_table *t, const struct explore_outcome *end,
				   const struct explore_row *r, bool family, const char *name,
				   unsigned int *entries)
{
	unsigned long count = 0;

	*entries = 0;
	for (const struct explore_outcome *o = t->outcomes; o < end; o++)
		if (is_of(o, r, family) && strcmp(o->name, name) == 0) {
			count += o->count;
			*entries += 1;
		}
	return count;
}

/* Outcomes of one name add up, in the order in which they came. */
static void print_outcomes(const struct explore_table *t, const struct explore_row *r,
			   const struct explore_view *view)
{
	const struct explore_outcome *end = t->outcomes + t->outcome_count;
	const bool family = !view->verbose;
	const char *separator = " ";
	unsigned int entries;

	for (const struct explore_outcome *o = t->outcomes; o < end; o++) {
		if (!is_of(o, r, family))
			continue;
		count_outcome(t, o, r, family, o->name, &entries);
		if (entries == 0) {
			printf("%s %s %lu", separator, o->name,
			       count_outcome(t, end, r, family, o->name, &entries));
			separator = ",";
		}
	}
	for (const struct explore_outcome *o = t->outcomes; o < end; o++)
		if (is_of(o, r, family) && is_missing(o, view))
			printf("  NOT SEEN: %s (%s:%s)", o->name, o->scenario, o->kind);
	printf("\n");
}

static void print_kinds(const struct explore_table *t, const struct explore_view *view)
{
	printf("%-14s %-7s %8s %9s %9s %9s %10s  outcomes\n", "scenario", "kind", "window",
	       "kernel", "user", "held", "schedules");
	for (const struct explore_row *r = t->rows; r < t->rows + t->row_count; r++) {
		printf("%-14s %-7s %8lu %9lu %9lu %9lu %10lu", r->scenario, r->kind, r->window,
		       r->kernel, r->user, r->held, r->schedules);
		print_outcomes(t, r, view);
	}
}

/* A scenario and its twin between two processors are a line. */
static void print_family(const struct explore_table *t, const struct explore_row *first,
			 const struct explore_view *view)
{
	unsigned long boundaries = 0, schedules[2] = { 0 }, violations = 0;

	for (const struct explore_row *r = first; r < t->rows + t->row_count; r++)
		if (is_family(r->scenario, first->scenario)) {
			boundaries += r->kernel + r->user;
			schedules[strcmp(r->kind, "turn") == 0] += r->schedules;
		}
	for (size_t i = 0; i < t->total_count; i++)
		if (is_family(t->totals[i].scenario, first->scenario))
			violations += t->totals[i].violations;
	printf("%-12.*s %10lu %11lu %11lu %10lu", family_length(first->scenario), first->scenario,
	       boundaries, schedules[0], schedules[1], violations);
	print_outcomes(t, first, view);
}

static void print_families(const struct explore_table *t, const struct explore_view *view)
{
	printf("%-12s %10s %11s %11s %10s  outcomes\n", "scenario", "boundaries", "schedules",
	       "of two CPUs", "violations");
	for (const struct explore_row *r = t->rows; r < t->rows + t->row_count; r++) {
		const struct explore_row *first = t->rows;

		while (!is_family(first->scenario, r->scenario))
			first++;
		if (first == r)
			print_family(t, r, view);
	}
}

static size_t count_scenarios(const struct explore_table *t)
{
	size_t n = 0;

	for (size_t i = 0; i < t->row_count; i++)
		n += i == 0 || strcmp(t->rows[i].scenario, t->rows[i - 1].scenario) != 0;
	return n;
}

bool explore_table_print(const struct explore_table *t, const struct explore_view *view)
{
	unsigned long boundaries = 0, schedules = 0, violations;
	bool good = t->row_count != 0;

	(view->verbose ? print_kinds : print_families)(t, view);
	for (const struct explore_row *r = t->rows; r < t->rows + t->row_count; r++) {
		boundaries += r->kernel + r->user;
		schedules += r->schedules;
	}
	for (size_t i = 0; i < t->outcome_count; i++)
		good &= !is_missing(&t->outcomes[i], view);
	print_violations(t, view);
	violations = print_untold(t);
	printf("%lu boundaries, %lu schedules, %zu scenarios, %lu violations\n", boundaries,
	       schedules, count_scenarios(t), violations);
	return good && violations == 0 && t->violation_count == 0;
}
