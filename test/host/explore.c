/*
 * The explorer: runs a scenario again and again, and at each schedule point decides which processor
 * goes on.
 *
 * A decision is a point where more than one processor could run. By default the one that runs goes
 * on, and when it cannot (halted, spinning), the next one in cyclic order does. A schedule is the
 * list of the decisions that differ from that ("12:1,40:0": at the 12th, processor 1), which is
 * also how it is replayed. To choose another while the running one could go on is a preemption.
 *
 * EXHAUSTIVE visits every schedule with at most `bound` preemptions, depth first (Musuvathi and
 * Qadeer, "Iterative Context Bounding", 2007). PCT gives random priorities with `bound` changes
 * (Burckhardt et al., "A Randomized Scheduler with Probabilistic Guarantees", 2010). RANDOM
 * switches at a quarter of the points.
 *
 * Each schedule starts from the same state: the program's own data (.data and .bss, so all of the
 * kernel's) and explore_memory are put back as they were at the call of explore(), when every
 * processor was idle; the explorer's own memory is elsewhere. Weak memory order is not modelled:
 * operations take effect in the order of the program.
 */
#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "explore.h"

#define DECISIONS_MAX 200000u
#define STEPS_MAX 400000u
/* Less than the period of any timer of the kernel's own, which would hide a lost wake-up. */
#define USUAL_LIMIT_NS NSEC_PER_SEC

struct decision {
	uint16_t alternatives;		/* bit per processor */
	uint8_t chosen, usual;
	bool forced;			/* the running one could not go on */
	uint16_t preemptions;		/* before this one */
};

struct explorer {
	const struct scenario *scenario;
	struct explore_options options;
	struct explore_result result;
	struct decision *decisions;
	uint32_t count;			/* of this schedule */
	uint8_t *prefix;		/* choices to be taken first */
	uint32_t prefix_length;
	uint32_t preemptions;
	uint32_t owes[CPU_MAX];		/* a spinner: those that run first */
	uint64_t random;
	int priority[CPU_MAX];
	int lowest;
	uint32_t change_at[16];
	uint32_t typical_length, assumed_length;
	char *snapshot, *memory_snapshot;
	jmp_buf failed_on_main;
	bool on_main;
};

static struct explorer *x;		/* its memory is not part of the snapshot */
void *explore_memory;
size_t explore_memory_bytes;

/* --- the program's data ---------------------------------------------------------------------- */

extern char __data_start[], _end[];

/* Over the sanitiser's red zones as well. */
static void copy_raw(void *to, const void *from, size_t n)
{
	__asm__ volatile("rep movsb" : "+D"(to), "+S"(from), "+c"(n) : : "memory");
}

static size_t data_bytes(void) { return (size_t)(_end - __data_start); }

static void snapshot_take(void)
{
	x->memory_snapshot = malloc(explore_memory_bytes + 1);
	copy_raw(x->snapshot, __data_start, data_bytes());
	copy_raw(x->memory_snapshot, explore_memory, explore_memory_bytes);
}

static void snapshot_restore(void)
{
	struct explorer *keep = x;

	copy_raw(__data_start, keep->snapshot, data_bytes());
	x = keep;
	copy_raw(explore_memory, x->memory_snapshot, explore_memory_bytes);
}

/* --- choices --------------------------------------------------------------------------------- */

static uint64_t random_next(void)
{
	x->random ^= x->random << 13;
	x->random ^= x->random >> 7;
	x->random ^= x->random << 17;
	return x->random;
}

static uint32_t nth_of(uint32_t mask, uint32_t n)
{
	while (n-- != 0)
		mask &= mask - 1;
	return (uint32_t)__builtin_ctz(mask);
}

static uint32_t random_of(uint32_t mask)
{
	return nth_of(mask, (uint32_t)(random_next() % (uint32_t)__builtin_popcount(mask)));
}

static uint32_t next_cyclic(uint32_t mask, uint32_t after)
{
	for (uint32_t i = 1; i <= host_cpu_total; i++) {
		uint32_t cpu = (after + i) % host_cpu_total;

		if ((mask & (1u << cpu)) != 0)
			return cpu;
	}
	return (uint32_t)__builtin_ctz(mask);
}

static uint32_t choose_pct(uint32_t mask, uint32_t current)
{
	uint32_t best = (uint32_t)__builtin_ctz(mask);

	for (uint32_t i = 0; i < x->options.bound && i < 16; i++)
		if (x->change_at[i] == x->count)
			x->priority[current] = --x->lowest;
	if (host_processors[current].state == HOST_SPINNING)
		x->priority[current] = --x->lowest;
	for (uint32_t cpu = 0; cpu < host_cpu_total; cpu++)
		if ((mask & (1u << cpu)) != 0 && x->priority[cpu] > x->priority[best])
			best = cpu;
	return best;
}

static uint32_t choose(uint32_t mask, uint32_t current, uint32_t usual, bool forced)
{
	if (x->count < x->prefix_length) {
		uint32_t wanted = x->prefix[x->count];

		return wanted < CPU_MAX && (mask & (1u << wanted)) != 0 ? wanted : usual;
	}
	if (x->options.strategy == STRATEGY_RANDOM && x->prefix_length == 0)
		return forced || random_next() % 4 == 0 ? random_of(mask) : usual;
	if (x->options.strategy == STRATEGY_PCT && x->prefix_length == 0)
		return choose_pct(mask, current);
	return usual;
}

/*
 * One that spins waits for another: it is left out until each that could run when it paused has
 * run, else two spinners could take turns for ever while the holder of the lock is not chosen.
 */
static uint32_t without_spinners(uint32_t mask, uint32_t current)
{
	uint32_t out = mask;

	for (uint32_t cpu = 0; cpu < host_cpu_total; cpu++)
		x->owes[cpu] &= ~(1u << current);
	if (host_processors[current].state == HOST_SPINNING)
		x->owes[current] = mask & ~(1u << current);
	for (uint32_t cpu = 0; cpu < host_cpu_total; cpu++)
		if ((x->owes[cpu] & mask) != 0)
			out &= ~(1u << cpu);
	return out != 0 ? out : mask;
}

/* Which of the runnable processors goes on; `current` ran last. */
static uint32_t decide(uint32_t mask, uint32_t current)
{
	struct decision *d;
	bool forced;
	uint32_t usual;

	mask = without_spinners(mask, current);
	forced = (mask & (1u << current)) == 0;
	usual = forced ? next_cyclic(mask, current) : current;
	if ((mask & (mask - 1)) == 0)
		return usual;
	if (x->count == DECISIONS_MAX)
		host_fail("more than %u decisions: a livelock?", DECISIONS_MAX);
	d = &x->decisions[x->count];
	*d = (struct decision){ (uint16_t)mask, 0, (uint8_t)usual, forced,
				(uint16_t)x->preemptions };
	d->chosen = (uint8_t)choose(mask, current, usual, forced);
	if (!forced && d->chosen != current)
		x->preemptions++;
	x->count++;
	return d->chosen;
}

/* --- one schedule ---------------------------------------------------------------------------- */

static uint32_t runnable_mask(void)
{
	uint32_t mask = 0;

	for (uint32_t cpu = 0; cpu < host_cpu_total; cpu++)
		if (host_is_runnable(cpu))
			mask |= 1u << cpu;
	return mask;
}

static void run_to_quiescence(uint64_t limit_ns)
{
	uint32_t current = 0;

	for (uint32_t steps = 0; !x->result.failed; steps++) {
		uint32_t mask = runnable_mask();

		if (mask == 0) {
			if (host_threads_live == 0)
				return;
			if (!host_advance_to_event() || host_time_ns > limit_ns) {
				host_print_threads();
				host_fail("all threads asleep: %u have not ended",
					  host_threads_live);
			}
			continue;
		}
		if (steps == STEPS_MAX)
			host_fail("no end after %u steps: a livelock?", steps);
		current = decide(mask, current);
		x->on_main = false;
		host_resume(current);
		x->on_main = true;
	}
}

static void prepare_random(void)
{
	x->random = x->options.seed * 0x9e3779b97f4a7c15ULL + x->result.schedules + 1;
	for (int i = 0; i < 4; i++)
		(void)random_next();
	x->lowest = 0;
	x->assumed_length = x->typical_length;
	for (uint32_t i = 0; i < CPU_MAX; i++)
		x->priority[i] = 1 + (int)(random_next() % 1000);
	for (uint32_t i = 0; i < 16; i++)
		x->change_at[i] = (uint32_t)(random_next() % (x->typical_length + 1));
}

/* From the idle state to the idle state. */
static void run_schedule(void)
{
	uint64_t limit = x->scenario->limit_ns != 0 ? x->scenario->limit_ns : USUAL_LIMIT_NS;

	x->count = 0;
	x->preemptions = 0;
	memset(x->owes, 0, sizeof(x->owes));
	prepare_random();
	if (setjmp(x->failed_on_main) != 0)
		return;
	x->on_main = true;
	host_cpu = &cpus[0];
	host_irq_flag[0] = false;
	x->scenario->setup();
	/* What setup did on processor 0 was a handler's work: the way out looks at need_resched. */
	if (cpus[0].need_resched != 0)
		host_raise(0, IPI_RESCHEDULE);
	host_irq_flag[0] = true;
	host_exploring = true;
	run_to_quiescence(host_time_ns + limit);
	host_exploring = false;
	host_cpu = &cpus[0];
	if (!x->result.failed && x->scenario->check != NULL)
		x->scenario->check();
	x->typical_length = x->count;
}

static void failed(const char *message)
{
	if (!x->result.failed)
		snprintf(x->result.reason, sizeof(x->result.reason), "%s", message);
	x->result.failed = true;
	host_exploring = false;
	if (x->on_main)
		longjmp(x->failed_on_main, 1);
	host_yield(HOST_HALTED);
	abort();
}

/* --- many schedules -------------------------------------------------------------------------- */

/* The next schedule in depth-first order as a prefix; false when all within the bound were run. */
static bool next_exhaustive(void)
{
	for (uint32_t i = x->count; i-- != 0;) {
		struct decision *d = &x->decisions[i];
		uint32_t later = d->alternatives & ~(1u << d->usual);

		if (!d->forced && d->preemptions >= x->options.bound)
			continue;
		/* The usual choice is tried first, then the others by number. */
		if (d->chosen != d->usual)
			later &= ~((2u << d->chosen) - 1);
		if (later == 0)
			continue;
		for (uint32_t j = 0; j < i; j++)
			x->prefix[j] = x->decisions[j].chosen;
		x->prefix[i] = (uint8_t)__builtin_ctz(later);
		x->prefix_length = i + 1;
		return true;
	}
	return false;
}

static const char *const strategy_names[] = { "random", "pct", "choices" };

static size_t describe_choices(char *text, size_t room)
{
	size_t n = 0;

	for (uint32_t i = 0; i < x->count && n < room; i++)
		if (x->decisions[i].chosen != x->decisions[i].usual)
			n += (size_t)snprintf(text + n, room - n, "%s%u:%u", n == 0 ? "" : ",", i,
					      x->decisions[i].chosen);
	return n;
}

/* A random schedule by its seed, number and the length that PCT assumed; else by its choices. */
static void describe_failure(void)
{
	size_t n = 0, room = sizeof(x->result.replay);

	x->result.replay[0] = 0;
	if (x->options.strategy != STRATEGY_EXHAUSTIVE && x->prefix_length == 0)
		n = (size_t)snprintf(x->result.replay, room, "%s:%llu:%u:%u",
				     strategy_names[x->options.strategy],
				     (unsigned long long)x->options.seed, x->result.schedules - 1,
				     x->assumed_length);
	else
		n = describe_choices(x->result.replay, room);
	printf("# %s: %s\n", x->scenario->name, x->result.reason);
	printf("# schedule %u; replay: TINE_REPLAY=%s/%s%s\n", x->result.schedules,
	       x->scenario->name, x->result.replay, n >= room ? " (cut off)" : "");
}

/* What TINE_REPLAY has for this scenario; NULL: nothing. */
static const char *replay_text(void)
{
	const char *text = getenv("TINE_REPLAY");
	size_t n = strlen(x->scenario->name);

	return text != NULL && strncmp(text, x->scenario->name, n) == 0 && text[n] == '/' ?
		       text + n + 1 : NULL;
}

/* Choices become the prefix. A random schedule is made anew, by its own strategy: else false. */
static bool replay_prepare(const char *text)
{
	const char *name = strategy_names[x->options.strategy];
	unsigned long long seed;
	unsigned int index, cpu, length;
	int used;

	if (text[0] >= 'a' && text[0] <= 'z') {
		if (strncmp(text, name, strlen(name)) != 0 ||
		    sscanf(text + strlen(name), ":%llu:%u:%u", &seed, &index, &length) != 3)
			return false;
		x->options.seed = seed;
		x->result.schedules = index;
		x->typical_length = length;
		return true;
	}
	memset(x->prefix, 0xff, DECISIONS_MAX);
	x->prefix_length = DECISIONS_MAX;
	for (; sscanf(text, "%u:%u%n", &index, &cpu, &used) == 2; text += used) {
		if (index < DECISIONS_MAX && cpu < CPU_MAX)
			x->prefix[index] = (uint8_t)cpu;
		if (text[used] == ',')
			used++;
	}
	return true;
}

static void run_all(void)
{
	const char *replay = replay_text();

	if (replay != NULL && !replay_prepare(replay))
		return;
	for (;;) {
		run_schedule();
		x->result.schedules++;
		if (x->count > x->result.decisions_max)
			x->result.decisions_max = x->count;
		if (getenv("TINE_PROGRESS") != NULL && x->result.schedules % 1000 == 1)
			printf("# %s: schedule %u, %u decisions\n", x->scenario->name,
			       x->result.schedules, x->count);
		if (x->result.failed) {
			describe_failure();
			snapshot_restore();
			setenv("TINE_EXPLORE_FAILED", "1", 1);
			return;
		}
		snapshot_restore();
		if (replay != NULL || x->result.schedules == x->options.schedules)
			return;
		if (x->options.strategy == STRATEGY_EXHAUSTIVE && !next_exhaustive()) {
			x->result.complete = true;
			return;
		}
	}
}

struct explore_result explore(const struct scenario *s, const struct explore_options *o)
{
	struct explore_result result = { .failed = true };

	/* The stacks of the idle threads are not what they were. */
	if (getenv("TINE_EXPLORE_FAILED") != NULL) {
		printf("# %s: not explored after an earlier failure\n", s->name);
		return result;
	}
	x = calloc(1, sizeof(*x));
	x->scenario = s;
	x->options = *o;
	x->typical_length = 100;
	x->decisions = malloc(DECISIONS_MAX * sizeof(*x->decisions));
	x->prefix = malloc(DECISIONS_MAX);
	x->snapshot = malloc(data_bytes());
	x->on_main = true;
	host_fail_hook = failed;
	snapshot_take();
	run_all();
	result = x->result;
	free(x->decisions);
	free(x->prefix);
	free(x->snapshot);
	free(x->memory_snapshot);
	free(x);
	x = NULL;
	host_fail_hook = NULL;
	return result;
}
