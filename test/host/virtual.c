/*
 * The scheduler on virtual processors: boot, threads of a scenario, programs that only compute, and
 * exploration as a check of the harness, with what was visited as a comment.
 */
#include <stdio.h>
#include <stdlib.h>

#include "core/timer.h"
#include "explore.h"
#include "host_test.h"
#include "sched/headway.h"

/* Permanent threads are known to the stacks of processors only, where nobody looks for leaks. */
const char *__lsan_default_suppressions(void);
const char *__lsan_default_suppressions(void) { return "leak:worker_start\n"; }

/* --- boot ------------------------------------------------------------------------------------ */

static uint32_t booted;

static void init_cpu(uint32_t cpu)
{
	if (cpu == 0)
		sched_init();
	else
		sched_init_secondary();
}

void boot_once(uint32_t cpus)
{
	if (booted == 0)
		host_boot(cpus, init_cpu, sched_idle_loop);
	booted = booted == 0 ? cpus : booted;
}

void settle(void)
{
	for (uint32_t cpu = 0; cpu < host_cpu_total; cpu++) {
		if (host_is_runnable(cpu)) {
			host_resume(cpu);
			cpu = UINT32_MAX;
		}
	}
	host_cpu = &cpus[0];
}

/* --- threads --------------------------------------------------------------------------------- */

#define THREADS_MAX 64

struct spawned {
	void (*entry)(void *arg);
	void *arg;
	struct thread *thread;		/* NULL: ended */
	bool begun;
};

uint32_t host_threads_live;
static struct spawned spawned[THREADS_MAX];
static uint32_t spawned_count;

static void spawned_main(void *arg)
{
	struct spawned *s = arg;

	if (s->begun)
		host_fail("a thread was resumed from a stack pointer that was old");
	s->begun = true;
	s->entry(s->arg);
	s->thread = NULL;
	host_threads_live--;
}

struct thread *host_thread(cpu_mask_t mask, const char *name, void (*entry)(void *arg), void *arg)
{
	struct spawned *s = &spawned[spawned_count++];
	struct thread *t;

	if (spawned_count == THREADS_MAX)
		host_fail("too many threads in a scenario");
	s->entry = entry;
	s->arg = arg;
	t = thread_create_kernel(name, spawned_main, s);
	if (t == NULL)
		host_fail("no memory for a thread");
	s->thread = t;
	if (mask != 0)
		t->affinity = mask;
	host_threads_live++;
	return t;
}

struct thread *host_spawn(cpu_mask_t mask, const char *name, void (*entry)(void *arg), void *arg)
{
	struct thread *t = host_thread(mask, name, entry, arg);

	sched_start(t);
	return t;
}

void host_print_threads(void)
{
	static const char *const states[] = { "new", "runnable", "sleeping", "dead" };

	for (uint32_t i = 0; i < spawned_count; i++) {
		const struct thread *t = spawned[i].thread;

		if (t != NULL)
			printf("# thread %s: %s on processor %u, queued %d, waits at %p\n", t->name,
			       states[t->state], t->cpu, t->on_queue, t->wait_reason);
	}
}

/* --- user mode ------------------------------------------------------------------------------- */

uint64_t host_door_cost_ns;

/* As user_return(): the slice is last. Interrupts off from here to "user mode". */
static void door_out(struct thread *t, uint64_t pc, uint64_t sum)
{
	arch_irq_disable();
	while (sched_need_resched() && headway_may_switch(t, pc, sum, true))
		sched_switch();
	sched_slice_begin();
	headway_user_return(t, pc);
	host_burn(host_door_cost_ns);
}

static void user_run(uint64_t ns, uint64_t pc_step, uint64_t sum_step)
{
	struct thread *t = thread_current();
	uint64_t pc = 0x400000, sum = 0;

	while (ns != 0) {
		struct host_processor *p;
		uint64_t start, ran;

		door_out(t, pc, sum);
		start = host_time_ns;
		p = &host_processors[cpu_id()];
		p->user_until_ns = start + ns;
		while (!host_has_interrupt(cpu_id()) && host_time_ns < p->user_until_ns)
			host_yield(HOST_USER);
		ran = host_time_ns - start;
		ran = ran < ns ? ran : ns;
		ns -= ran;
		pc += ran * pc_step;
		sum += ran * sum_step;
		if (host_has_interrupt(cpu_id()))
			host_take_interrupt(true);
	}
	arch_irq_enable();
}

void host_user_run(uint64_t ns) { user_run(ns, 1, 1); }
void host_user_loop(uint64_t ns) { user_run(ns, 0, 1); }
void host_user_spin(uint64_t ns) { user_run(ns, 0, 0); }

/* --- checks ---------------------------------------------------------------------------------- */

/* The tests share a small machine: a limit keeps each short, and what was visited is said. */
#define SCHEDULES_MAX 60000u

void explore_all(const struct scenario *s, uint32_t bound)
{
	struct explore_options o = { STRATEGY_EXHAUSTIVE, SCHEDULES_MAX, bound, 1 };
	struct explore_result r;

	boot_once(2);
	r = explore(s, &o);
	printf("# %s: %u schedules, up to %u decisions, at most %u preemptions%s\n", s->name,
	       r.schedules, r.decisions_max, bound, r.complete ? ", all of them" : "");
	CHECK(!r.failed);
}

static uint64_t number_from(const char *variable, uint64_t usual)
{
	const char *text = getenv(variable);

	return text != NULL ? strtoull(text, NULL, 10) : usual;
}

void explore_random(const struct scenario *s, uint32_t schedules)
{
	uint32_t each = (uint32_t)number_from("TINE_SCHEDULES", schedules) / 2;
	uint64_t seed = number_from("TINE_SEED", 1);
	struct explore_options random = { STRATEGY_RANDOM, each, 0, seed };
	struct explore_options pct = { STRATEGY_PCT, each, 3, seed + 1 };
	struct explore_result a, b;

	boot_once(2);
	a = explore(s, &random);
	b = a.failed ? a : explore(s, &pct);
	printf("# %s: %u random schedules, %u by PCT\n", s->name, a.schedules,
	       a.failed ? 0 : b.schedules);
	CHECK(!a.failed && !b.failed);
}

void explore_once(const struct scenario *s)
{
	struct explore_options o = { STRATEGY_EXHAUSTIVE, 1, 0, 1 };

	boot_once(2);
	CHECK(!explore(s, &o).failed);
}
