/*
 * Going through the schedules of a scenario.
 *
 * Bound 1: for n = 1, 2, ... the shot hits n instructions after the start, until the scenario ends
 * before it. Interrupts are off in stretches; a shot in one hits at its end, and `late` tells how
 * far that is, so the whole stretch is one boundary and is left in one step. Late is measured from
 * the smallest value seen, that of a shot that hits at once. A schedule in which a cache is
 * refilled takes another way than its neighbours: no single one ends a stretch or the window.
 *
 * Pairs: (n, m), m counted from the first hit; on two processors n on the first, m on the second
 * from its own start. When there are more pairs than the budget, every k-th m is taken, beginning
 * at another one for each n. Shards own blocks of n, BLOCK visited in each.
 */
#include <stdarg.h>

#include "explore.h"

#define BLOCK 32
#define WARM_UP 64
#define WARM_UP_KIND 8
#define LEAK_CHECK_PERIOD 256
#define LEAK_SLACK_PAGES 128
#define TICKS_MAX 2000
#define TICK_RANGE 3000
#define TICKS_CALM 16
#define PAIRS_EACH 8		/* second places for a first one, at least */
#define MISSES_END 16		/* so many shots in a row that did not hit: the window's end */
#define PLACE_MAX (1u << 20)
#define CONTROL_PAIRS 20000	/* enough that those which must be seen are */

struct kind {
	const char *name;
	unsigned int action, other_action;
	bool pairs, two_processors, ticks;
};

static const struct kind kinds[] = {
	{ "switch", EXPLORE_SWITCH, 0, false, false, false },
	{ "slice", EXPLORE_SLICE, 0, false, false, false },
	{ "call", EXPLORE_SWITCH | EXPLORE_CALL, 0, false, false, false },
	{ "pair", EXPLORE_SWITCH, EXPLORE_SWITCH, true, false, false },
	{ "turn", 0, 0, true, true, false },
	{ "tick", EXPLORE_SLICE, 0, false, false, true },
};

#define KINDS (sizeof(kinds) / sizeof(kinds[0]))

struct sweep {
	const struct scenario *scenario;
	const struct options *options;
	const struct kind *kind;
	unsigned long boundaries[2], held;		/* kernel, user; with preemption off */
	unsigned long schedules;
	unsigned int window;			/* the last n that hit: instructions */
	unsigned long outcome_count[OUTCOMES_MAX];
	struct explore_counts counts;
	unsigned int schedules_since_check;
};

/* One schedule's end. */
struct run {
	unsigned int n, m;
	struct explore_result result;
	const char *outcome;
};

struct progress *progress;
static unsigned int least_late[3] = { -1u, -1u, -1u };	/* kernel, user, idle */
static unsigned long violations_told;

/* --- one schedule ---------------------------------------------------------------------- */

static const char *hit_text(const struct explore_result *r, unsigned int i)
{
	static char text[2][96];

	text[i][0] = 0;
	if (r->hits > i)
		snprintf(text[i], sizeof(text[i]), " %s@%lx thread %lu", r->hit[i].from_user ?
			 "user" : r->hit[i].idle ? "idle" : "kernel", r->hit[i].pc,
			 r->hit[i].thread);
	return text[i];
}

static void violation(const struct sweep *w, const struct run *r, const char *what)
{
	progress->violations++;
	if (++violations_told > 8)
		return;
	explore_line("violation %s:%s:%u,%u%s%s :: %s", w->scenario->name, w->kind->name, r->n,
		     r->m, hit_text(&r->result, 0), hit_text(&r->result, 1), what);
}

static void outcome_add(struct sweep *w, const struct run *r, bool counts)
{
	const char *const *allowed = w->scenario->allowed;
	unsigned int i = 0;

	while (allowed[i] != NULL && strcmp(allowed[i], r->outcome) != 0)
		i++;
	/* The first is what locks would leave. */
	if (allowed[i] == NULL || (w->options->red && w->scenario->all_required && i != 0)) {
		violation(w, r, r->outcome);
		return;
	}
	w->outcome_count[i] += counts;
}

static struct explore_plan plan_make(const struct sweep *w, unsigned int n, unsigned int m)
{
	const struct kind *k = w->kind;
	struct explore_plan plan = { .shot[0] = { n, k->action }, .hold = k->two_processors };

	if (k->ticks)
		plan.repeat = TICKS_MAX;
	if (!k->two_processors)
		plan.shot[1] = (struct explore_shot){ m, k->other_action };
	return plan;
}

/* Both parties play. */
static void play(struct sweep *w, unsigned int n, unsigned int m, struct run *r)
{
	const struct scenario *s = w->scenario;
	struct explore_plan plan = plan_make(w, n, m);

	partner_prepare(s);
	if (s->processors == 1)
		partner_go(s);
	else
		partner_arm(n, m);
	ioctl_explore(EXPLORE_ARM, &plan);
	if (s->processors == 2)
		partner_go(s);
	r->outcome = s->run();
	partner_wait(s);
	ioctl_explore(EXPLORE_END, &r->result);
	shared->first_due_ns = r->result.due_ns;
}

static void run_one(struct sweep *w, unsigned int n, unsigned int m, struct run *r)
{
	const struct scenario *s = w->scenario;
	const char *outcome;

	progress->kind = w->kind->name;
	progress->n = n;
	progress->m = m;
	memset(&shared->other, 0, sizeof(shared->other));
	r->n = n;
	r->m = m;
	if (s->prepare != NULL)
		s->prepare();
	play(w, n, m, r);
	if (s->judge != NULL && (outcome = s->judge()) != NULL)
		r->outcome = outcome;
	if (w->kind->ticks && r->result.hits >= TICKS_MAX)
		r->outcome = "no headway: every slice ended before anything was done";
	if ((w->kind->action & EXPLORE_CALL) != 0 && bystander_is_hurt())
		r->outcome = "the bystander's registers changed";
	progress->schedules++;
}

/* --- leaks ----------------------------------------------------------------------------- */

static void counts_get(struct explore_counts *counts)
{
	if (ioctl_explore(EXPLORE_COUNTS, counts) != 0)
		fatal("EXPLORE_COUNTS");
}

/* After the warm-up: caches have filled. */
static void leak_base(struct sweep *w)
{
	usleep(1000);
	ioctl_explore(EXPLORE_DRAIN, NULL);
	counts_get(&w->counts);
}

/* What is freed by a worker needs a moment. */
static void leak_check(struct sweep *w, const struct run *r)
{
	struct explore_counts now;
	char text[96];

	if (++w->schedules_since_check < LEAK_CHECK_PERIOD)
		return;
	w->schedules_since_check = 0;
	for (int tries = 0; tries < 50; tries++) {
		counts_get(&now);
		if (now.objects <= w->counts.objects)
			return;
		usleep(1000);
	}
	snprintf(text, sizeof(text), "leak: %lu objects in %u schedules up to this one",
		 now.objects - w->counts.objects, LEAK_CHECK_PERIOD);
	violation(w, r, text);
	w->counts.objects = now.objects;
}

static void leak_check_end(struct sweep *w, const struct run *r)
{
	struct explore_counts now;
	char text[96];

	w->schedules_since_check = LEAK_CHECK_PERIOD;
	leak_check(w, r);
	ioctl_explore(EXPLORE_DRAIN, NULL);
	counts_get(&now);
	if (now.free_pages + LEAK_SLACK_PAGES >= w->counts.free_pages)
		return;
	snprintf(text, sizeof(text), "leak: %lu pages in %lu schedules",
		 w->counts.free_pages - now.free_pages, w->schedules);
	violation(w, r, text);
}

/* --- the sweeps ------------------------------------------------------------------------ */

/* What must be seen to fail is gone through whole, and is short. */
static unsigned int stride_of(const struct sweep *w)
{
	return w->scenario->all_required ? 1 : w->options->stride;
}

static unsigned long budget_of(const struct sweep *w)
{
	const unsigned long budget = w->options->budget;

	return w->scenario->all_required && budget < CONTROL_PAIRS ? CONTROL_PAIRS : budget;
}

/* As many as a block has, whatever the stride. */
static unsigned int block_of(const struct sweep *w) { return BLOCK * stride_of(w); }

static bool is_mine(const struct sweep *w, unsigned int n)
{
	return (n / block_of(w)) % w->options->shards == w->options->shard;
}

/* The first n' >= n that this shard owns. */
static unsigned int next_mine(const struct sweep *w, unsigned int n)
{
	while (!is_mine(w, n))
		n = (n / block_of(w) + 1) * block_of(w);
	return n;
}

/* How many instructions later than asked for: interrupts were off meanwhile. */
static unsigned int late_of(const struct explore_hit *hit)
{
	unsigned int *least = &least_late[hit->idle != 0 ? 2 : hit->from_user != 0];

	if (hit->late < *least)
		*least = hit->late;
	return hit->late - *least;
}

static void count_run(struct sweep *w, const struct run *r)
{
	w->schedules++;
	outcome_add(w, r, true);
	leak_check(w, r);
}

static bool is_same_place(const struct explore_hit *a, const struct explore_hit *b)
{
	return a->pc == b->pc && a->thread == b->thread && a->from_user == b->from_user;
}

/*
 * The boundary that a shot after n comes to. The shot that comes there at once must hit the same
 * place: else one of the two schedules went another way, and the answer is 0.
 */
static unsigned int boundary_of(struct sweep *w, unsigned int n, const struct explore_hit *hit)
{
	unsigned int boundary = n + late_of(hit);
	struct run probe;

	/* A sample is none the worse for what it leaves out. */
	if (boundary == n || stride_of(w) != 1)
		return boundary;
	run_one(w, boundary, 0, &probe);
	outcome_add(w, &probe, false);
	if (probe.result.hits == 0 || !is_same_place(&probe.result.hit[0], hit) ||
	    late_of(&probe.result.hit[0]) != 0)
		return 0;
	return boundary;
}

/* Returns the n to go on from. A boundary of another shard is reached from there as well. */
static unsigned int single(struct sweep *w, const struct run *r)
{
	const struct explore_hit *hit = &r->result.hit[0];
	unsigned int boundary = boundary_of(w, r->n, hit);

	if (boundary == 0 || !is_mine(w, boundary)) {
		outcome_add(w, r, false);
		return (boundary == 0 ? r->n : boundary) + 1;
	}
	w->boundaries[hit->from_user != 0]++;
	w->held += hit->held != 0;
	w->window = boundary;
	count_run(w, r);
	return boundary + stride_of(w);
}

/* Every boundary once, until the scenario ends before the shot. */
static void sweep_singles(struct sweep *w)
{
	unsigned int n = next_mine(w, 1);
	struct run r;

	for (unsigned int misses = 0; misses < MISSES_END; n = next_mine(w, n)) {
		run_one(w, n, 0, &r);
		if (r.result.hits != 0) {
			misses = 0;
			n = single(w, &r);
			continue;
		}
		misses++;
		outcome_add(w, &r, false);
		n++;
	}
	leak_check_end(w, &r);
}

/* The hit of the second shot; NULL when the scenario ended before, or only an idle processor was
 * there to be hit. */
static const struct explore_hit *second_hit(const struct sweep *w, const struct run *r)
{
	const struct explore_hit *hit = w->kind->two_processors ? &shared->other.hit[0] :
					&r->result.hit[1];
	bool is_there = w->kind->two_processors ? shared->other.hits != 0 : r->result.hits >= 2;

	return is_there && !hit->idle ? hit : NULL;
}

static const struct explore_hit *first_hit(const struct run *r)
{
	return r->result.hits != 0 && !r->result.hit[0].idle ? &r->result.hit[0] : NULL;
}

/*
 * On one processor a stretch with interrupts off is one boundary; between two processors, where the
 * shot changes the processor whatever the flag, each instruction is one.
 */
static unsigned int step_over(const struct sweep *w, const struct explore_hit *hit)
{
	return w->kind->two_processors || hit == NULL ? 1 : 1 + late_of(hit);
}

static bool is_hit(struct sweep *w, bool second, unsigned int at)
{
	struct run r;

	run_one(w, second ? 1 : at, second ? at : 0, &r);
	outcome_add(w, &r, false);
	return (second ? second_hit(w, &r) : first_hit(&r)) != NULL;
}

/* The last place where a first shot hits, or a second one after an early first; by bisection. */
static unsigned int reach(struct sweep *w, bool second)
{
	unsigned int low = 0, high = 1;

	for (; high < PLACE_MAX && is_hit(w, second, high); high *= 2)
		low = high;
	while (high - low > 1) {
		unsigned int middle = low + (high - low) / 2;

		if (is_hit(w, second, middle))
			low = middle;
		else
			high = middle;
	}
	return low;
}

/* All m, or one of `every`, for one n. Returns how far the next n is; 0: this one did not hit. */
static unsigned int sweep_second(struct sweep *w, unsigned int n, unsigned int every)
{
	const struct explore_hit *first, *second = NULL;
	unsigned int step = 0, after;
	struct run r;

	for (unsigned int m = 1 + n % every;; m += step_over(w, second) + every - 1) {
		run_one(w, n, m, &r);
		first = first_hit(&r);
		after = r.result.hits != 0 ? step_over(w, &r.result.hit[0]) : 0;
		/* The shortest is the usual one. */
		if (step == 0 || (after != 0 && after < step))
			step = after;
		/* Its place is another shard's, which comes there as well. */
		if (first != NULL && !is_mine(w, n + after - 1))
			break;
		count_run(w, &r);
		second = second_hit(w, &r);
		if (first == NULL || second == NULL)
			break;
	}
	return step;
}

static void sweep_pairs(struct sweep *w)
{
	unsigned long first = reach(w, false), second = reach(w, true);
	unsigned long budget = budget_of(w);
	unsigned int sparse = (unsigned int)(first * PAIRS_EACH / budget + 1);
	unsigned int every = (unsigned int)(first * second / sparse / budget + 1);
	unsigned int n = next_mine(w, 1);
	struct run r = { .n = 0 };

	w->window = (unsigned int)first;
	for (unsigned int misses = 0; misses < MISSES_END;) {
		unsigned int step = sweep_second(w, n, every);

		misses = step == 0 ? misses + 1 : 0;
		n = next_mine(w, n + (step == 0 ? 1 : step) + sparse - 1);
	}
	leak_check_end(w, &r);
}

/* Whether something was done between slices that end every n instructions. */
static bool gets_on(struct sweep *w, unsigned int n)
{
	struct run r;

	run_one(w, n, 0, &r);
	return r.result.hits < TICKS_MAX;
}

/*
 * A slice's end every n instructions. When n is less than its handler and the switch take, nobody
 * gets on; when it is about that, it depends on where it comes. So the least n is the first of
 * TICKS_CALM in a row with which they do.
 */
static unsigned int least_tick(struct sweep *w)
{
	unsigned int n = 64, calm = 0;

	while (!gets_on(w, n))
		n += TICKS_CALM;
	for (; calm < TICKS_CALM; n++)
		calm = gets_on(w, n) ? calm + 1 : 0;
	return n - TICKS_CALM;
}

static void sweep_ticks(struct sweep *w)
{
	unsigned int start = least_tick(w);
	struct run r;

	for (unsigned int n = next_mine(w, start); n < start + TICK_RANGE;
	     n = next_mine(w, n + stride_of(w))) {
		run_one(w, n, 0, &r);
		count_run(w, &r);
		w->window = n;
	}
	leak_check_end(w, &r);
}

/* --- a scenario ------------------------------------------------------------------------ */

static void warm_up(struct sweep *w, unsigned int times)
{
	struct run r;

	for (unsigned int i = 0; i < times; i++) {
		run_one(w, 1 + i * 13, 0, &r);
		if (r.result.hits != 0)
			(void)late_of(&r.result.hit[0]);
	}
}

static void print_result(const struct sweep *w)
{
	/* One that must be seen is told even if it was not; sampled pairs may miss it. */
	const bool all = w->scenario->all_required && !w->options->red &&
			 (!w->kind->pairs || w->kind->two_processors);

	explore_line("result %s %s window %u boundaries %lu %lu held %lu schedules %lu",
		     w->scenario->name, w->kind->name, w->window, w->boundaries[0],
		     w->boundaries[1], w->held, w->schedules);
	for (unsigned int i = 0; w->scenario->allowed[i] != NULL; i++)
		if (w->outcome_count[i] != 0 || all)
			explore_line("outcome %s %s %lu %s", w->scenario->name, w->kind->name,
				     w->outcome_count[i], w->scenario->allowed[i]);
}

static void name_set(const struct sweep *w)
{
	char name[EXPLORE_NAME_BYTES] = "";

	snprintf(name, sizeof(name), "%s:%s", w->scenario->name, w->kind->name);
	ioctl_explore(EXPLORE_NAME, name);
}

static void sweep_kind(struct sweep *w)
{
	name_set(w);
	if (!w->kind->ticks)
		warm_up(w, WARM_UP_KIND);
	leak_base(w);
	if (w->kind->ticks) {
		sweep_ticks(w);
	} else if (w->kind->pairs) {
		sweep_pairs(w);
	} else {
		sweep_singles(w);
	}
	progress->boundaries += w->boundaries[0] + w->boundaries[1];
	print_result(w);
	usleep(5000);
}

static bool kind_fits(const struct kind *k, const struct scenario *s)
{
	if (k->ticks || s->ticks)
		return k->ticks && s->ticks;
	return k->two_processors == (s->processors == 2);
}

/* --- one schedule by its name ------------------------------------------------------------ */

const char *schedule_kinds(const struct scenario *s)
{
	static char text[100];
	size_t at = 0;

	for (unsigned int i = 0; i < KINDS; i++)
		if (kind_fits(&kinds[i], s))
			at += (size_t)snprintf(text + at, sizeof(text) - at, "%s%s", at == 0 ? "" :
					       ", ", kinds[i].name);
	return text;
}

bool schedule_parse(const struct scenario *s, const char *text, struct schedule *schedule)
{
	char kind[16];
	unsigned int n, m = 0;
	int end = 0;

	if (sscanf(text, "%15[a-z]:%9u%n,%9u%n", kind, &n, &end, &m, &end) < 2 || n == 0 ||
	    text[end] != '\0' || strpbrk(text, "+- \t\n") != NULL)
		return false;
	for (unsigned int i = 0; i < KINDS; i++)
		if (strcmp(kinds[i].name, kind) == 0 && kind_fits(&kinds[i], s)) {
			*schedule = (struct schedule){ &kinds[i], n, m };
			return true;
		}
	return false;
}

static void replay(struct sweep *w)
{
	struct schedule schedule;
	unsigned int shots;
	struct run r;

	if (!schedule_parse(w->scenario, strchrnul(w->options->replay, ':') + 1, &schedule))
		fatal("--replay");
	w->kind = schedule.kind;
	shots = w->kind->pairs && schedule.m != 0 ? 2 : 1;
	name_set(w);
	run_one(w, schedule.n, schedule.m, &r);
	if (w->kind->two_processors && shared->other.hits != 0 && r.result.hits != 0) {
		r.result.hit[1] = shared->other.hit[0];
		r.result.hits = 2;
	}
	outcome_add(w, &r, true);
	explore_line("replay %s:%s:%u,%u%s%s :: %s%s", w->scenario->name, w->kind->name, r.n, r.m,
		     hit_text(&r.result, 0), hit_text(&r.result, 1),
		     r.result.hits < shots ? "it ended before the shot: " : "", r.outcome);
	if (r.result.hits < shots)
		explore_line("missed %u of %u", shots - r.result.hits, shots);
}

void sweep(const struct scenario *s, const struct options *o)
{
	struct sweep w = { .scenario = s, .options = o,
		.kind = &kinds[s->processors == 2 ? 4 : 0] };

	if (s->setup != NULL)
		s->setup();
	partner_start(s);
	if (!s->ticks)
		warm_up(&w, WARM_UP);
	if (o->replay != NULL) {
		replay(&w);
		return;
	}
	for (unsigned int i = 0; i < KINDS; i++) {
		if (!kind_fits(&kinds[i], s) || (kinds[i].pairs && o->budget == 0))
			continue;
		w = (struct sweep){ .scenario = s, .options = o, .kind = &kinds[i] };
		sweep_kind(&w);
	}
}
