/*
 * The explorer's shots. The kernel's own timers wait while one is armed (core/timer.c), so the
 * processor is interrupted by nothing else that the schedule does not say.
 *
 * A shot that comes while interrupts are off is taken when they are turned on: the explorer reads
 * from `late` which counts lead to the same place.
 */
#include "sched/explore.h"

#include "core/clock.h"
#include "core/panic.h"
#include "core/timer.h"
#include "lib/format.h"
#include "lib/string.h"
#include "sched/sched.h"
#include "sched/thread.h"
#include "sched/wait.h"

struct explorer {			/* [c] */
	struct explore_plan plan;
	struct explore_result result;
	uint32_t next;			/* the shot to come */
	uint64_t due_ns;
	struct wait_queue called;
	uint32_t calls;			/* [a] not yet answered */
};

static PERCPU(struct explorer, explorers);
static char name[EXPLORE_NAME_BYTES];

/* The second place is this processor's second shot, or another processor's only one. */
static void note_schedule(char *text, size_t size)
{
	uint32_t first = cpu_of(explorers, 0)->plan.shot[0].after;
	uint32_t second = cpu_of(explorers, 0)->plan.shot[1].after;

	for (uint32_t i = 1; i < cpu_count; i++)
		second += cpu_of(explorers, i)->plan.shot[0].after;
	(void)format_string(text, size, "./tine lab explore --replay %s:%u,%u\n", name, first,
			    second);
}

void explore_set_name(const char *text)
{
	(void)strlcpy(name, text, sizeof(name));
	panic_set_note(note_schedule);
}

void explore_init(void)
{
	for (uint32_t i = 0; i < CPU_MAX; i++)
		wait_queue_init(&cpu_of(explorers, i)->called);
}

static void shoot_in(struct explorer *e, uint64_t base_ns, uint32_t instructions)
{
	uint64_t now = clock_ns();

	e->due_ns = (base_ns != 0 ? base_ns : now) + instructions;
	timer_shot_arm(e->due_ns > now ? e->due_ns - now : 1);
}

void explore_arm(const struct explore_plan *plan)
{
	irq_state_t irq = arch_irq_save();
	struct explorer *e = this_cpu(explorers);

	e->plan = *plan;
	e->result = (struct explore_result){ .hits = 0 };
	e->next = 0;
	e->due_ns = TIME_NEVER;
	if (plan->shot[0].after != 0)
		shoot_in(e, plan->base_ns, plan->shot[0].after);
	e->result.due_ns = e->due_ns;
	arch_irq_restore(irq);
}

void explore_end(struct explore_result *out)
{
	irq_state_t irq = arch_irq_save();
	struct explorer *e = this_cpu(explorers);

	timer_shot_end();
	*out = e->result;
	e->result.hits = 0;
	arch_irq_restore(irq);
}

static void act(struct explorer *e, uint32_t action)
{
	if ((action & EXPLORE_SWITCH) != 0)
		cpu_self()->need_resched |= RESCHED_PREEMPT | RESCHED_YIELD;
	if ((action & EXPLORE_SLICE) != 0)
		cpu_self()->need_resched |= RESCHED_SLICE;
	if ((action & EXPLORE_CALL) != 0) {
		write_once(e->calls, e->calls + 1);
		wake_up(&e->called);
	}
}

/* The shot after this one, or the same again. False: there is none. */
static bool shoot_again(struct explorer *e)
{
	if (e->next + 1 < EXPLORE_SHOTS && e->plan.shot[e->next + 1].after != 0)
		e->next++;
	else if (e->result.hits >= e->plan.repeat)
		return false;
	shoot_in(e, 0, e->plan.shot[e->next].after);
	return true;
}

void timer_shot(uint64_t pc, bool from_user, bool is_timer)
{
	struct explorer *e = this_cpu(explorers);
	struct thread *t = thread_current();
	uint64_t now = clock_ns();
	uint32_t n = e->result.hits < EXPLORE_SHOTS ? e->result.hits : EXPLORE_SHOTS - 1;

	/* A timer of the kernel's may be from before the shot was armed. */
	if (!is_timer || now < e->due_ns) {
		if (e->result.hits == 0)
			e->result.interrupts++;
		return;
	}
	e->result.hit[n] = (struct explore_hit){ .pc = pc, .thread = t->id,
		.from_user = from_user, .held = preempt_count() - 1, .idle = t->is_idle,
		.late = (unsigned int)(now - e->due_ns) };
	e->result.hits++;
	act(e, e->plan.shot[e->next].action);
	if (!shoot_again(e)) {
		e->due_ns = TIME_NEVER;
		if (!e->plan.hold)
			timer_shot_end();
	}
}

int explore_await(void)
{
	struct explorer *e = this_cpu(explorers);
	int error = wait_event_interruptible(&e->called, read_once(e->calls) != 0);

	if (error == 0)
		write_once(e->calls, 0);
	return error;
}
