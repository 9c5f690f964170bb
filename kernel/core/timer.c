/*
 * One-shot timers: per CPU a red-black tree by deadline, and one deadline armed in the hardware.
 *
 * Invariant: the hardware is armed for no later than the earliest of the tree and the slice. It may
 * be armed earlier: a deadline that moves back is not reprogrammed, since a needless interrupt is
 * cheaper than programming the timer at every switch; the handler finds nothing due and arms anew.
 *
 * State of a timer    armed               idle                firing
 *   in the tree       yes                 no                  no
 *   base->firing      other               other               this one
 * A timer becomes idle before its callback runs, so that the callback may arm it again or free it.
 *
 * A timer belongs to the CPU that armed it (`cpu`), whose lock covers it. Arming again elsewhere
 * moves it, except while it fires: then it stays, so that timer_cancel() knows where to look.
 * Calls for one timer are serialised by its owner.
 */
#include "core/timer.h"

#include "arch/arch_down.h"
#include "core/clock.h"
#include "core/finding.h"
#include "core/spinlock.h"
#include "core/trace.h"

/* Longer than the slowest periodic tick takes (timer=pit hz=1). */
#define LATE_NS (1500 * NSEC_PER_MSEC)

enum timer_state { TIMER_IDLE, TIMER_ARMED };

struct timer_base {
	struct spinlock lock;
	struct rb_root timers GUARDED_BY(&lock);
	struct timer *firing GUARDED_BY(&lock);	/* may be freed: compared, never followed */
	uint64_t armed_ns GUARDED_BY(&lock);	/* what the hardware is set for */
	uint64_t slice_ns;			/* [c] interrupts off */
	bool shot;				/* [c] the hardware is the lab's */
};

static PERCPU(struct timer_base, bases);

/* Nobody else is there yet. */
void timer_system_init(void) NO_LOCK_ANALYSIS
{
	for (uint32_t i = 0; i < CPU_MAX; i++) {
		struct timer_base *base = cpu_of(bases, i);

		spin_init(&base->lock, RANK_TIMER);
		base->armed_ns = TIME_NEVER;
		base->slice_ns = TIME_NEVER;
	}
}

static bool timer_less(const struct rb_node *a, const struct rb_node *b)
{
	return rb_entry(a, const struct timer, node)->deadline_ns <
	       rb_entry(b, const struct timer, node)->deadline_ns;
}

void timer_init(struct timer *timer, void (*fire)(struct timer *timer))
{
	rb_node_init(&timer->node);
	timer->deadline_ns = TIME_NEVER;
	timer->fire = fire;
	timer->cpu = 0;
	timer->state = TIMER_IDLE;
}

/* Sets this CPU's hardware for `deadline_ns` unless it is set for something earlier. */
static void arm_hardware(struct timer_base *base, uint64_t deadline_ns) REQUIRES(&base->lock)
{
	uint64_t now;

	if (deadline_ns >= base->armed_ns)
		return;
	base->armed_ns = deadline_ns;
	now = clock_ns();
	arch_timer_arm(deadline_ns > now ? deadline_ns - now : 1);
}

/* Takes an armed timer out of its tree; true when it was armed. */
static bool disarm_locked(struct timer_base *base, struct timer *timer) REQUIRES(&base->lock)
{
	if (timer->state != TIMER_ARMED)
		return false;
	rb_erase(&base->timers, &timer->node);
	timer->state = TIMER_IDLE;
	return true;
}

static void insert_locked(struct timer_base *base, struct timer *timer, uint64_t deadline_ns)
	REQUIRES(&base->lock)
{
	timer->deadline_ns = deadline_ns;
	timer->state = TIMER_ARMED;
	rb_insert(&base->timers, &timer->node, timer_less);
}

void timer_arm(struct timer *timer, uint64_t deadline_ns)
{
	irq_state_t irq = arch_irq_save();
	struct timer_base *here = this_cpu(bases);
	struct timer_base *old = cpu_of(bases, timer->cpu);
	irq_state_t state = spin_lock_irqsave(&old->lock);

	(void)disarm_locked(old, timer);
	if (old != here && old->firing == timer) {
		/* Its processor is in timer_interrupt(), and looks at the tree again. */
		insert_locked(old, timer, deadline_ns);
		spin_unlock_irqrestore(&old->lock, state);
	} else {
		spin_unlock_irqrestore(&old->lock, state);
		state = spin_lock_irqsave(&here->lock);
		timer->cpu = cpu_id();
		insert_locked(here, timer, deadline_ns);
		arm_hardware(here, deadline_ns);
		spin_unlock_irqrestore(&here->lock, state);
	}
	arch_irq_restore(irq);
}

bool timer_cancel(struct timer *timer)
{
	struct timer_base *base = cpu_of(bases, timer->cpu);
	irq_state_t state = spin_lock_irqsave(&base->lock);
	bool was_armed = disarm_locked(base, timer);

	/* From its own callback (on this CPU, interrupts off) there is nothing to wait for. */
	while (base->firing == timer && base != this_cpu(bases)) {
		spin_unlock_irqrestore(&base->lock, state);
		arch_pause();
		state = spin_lock_irqsave(&base->lock);
		was_armed |= disarm_locked(base, timer);
	}
	spin_unlock_irqrestore(&base->lock, state);
	return was_armed;
}

bool timer_is_armed(const struct timer *timer)
{
	return read_once(timer->state) == TIMER_ARMED;
}

/* The earliest timer if it is due; it is idle and `firing` from here on. */
static struct timer *take_due_locked(struct timer_base *base, uint64_t now_ns)
	REQUIRES(&base->lock)
{
	struct rb_node *node = rb_first(&base->timers);
	struct timer *timer;

	if (node == NULL)
		return NULL;
	timer = rb_entry(node, struct timer, node);
	if (timer->deadline_ns > now_ns)
		return NULL;
	(void)disarm_locked(base, timer);
	base->firing = timer;
	return timer;
}

static uint64_t next_deadline_locked(struct timer_base *base) REQUIRES(&base->lock)
{
	struct rb_node *node = rb_first(&base->timers);
	uint64_t next = node != NULL ? rb_entry(node, struct timer, node)->deadline_ns : TIME_NEVER;

	return next < base->slice_ns ? next : base->slice_ns;
}

void timer_interrupt(void)
{
	struct timer_base *base = this_cpu(bases);
	irq_state_t state = spin_lock_irqsave(&base->lock);
	uint64_t now = clock_ns();
	struct timer *timer;

	clock_note(now);
	trace_timer(base->armed_ns, base->slice_ns, now);
	/* 0: the explorer's shot, which has no deadline. */
	if (unlikely(base->armed_ns != 0 && now > base->armed_ns &&
		     now - base->armed_ns > LATE_NS))
		finding_report(FINDING_IRQS_OFF, 0, cpu_self()->irq_pc,
			       "the timer came late: interrupts were off, or the machine stood",
			       now - base->armed_ns, cpu_id());
	base->armed_ns = likely(!base->shot) ? TIME_NEVER : 0;
	while ((timer = take_due_locked(base, now)) != NULL) {
		spin_unlock_irqrestore(&base->lock, state);
		timer->fire(timer);
		state = spin_lock_irqsave(&base->lock);
		base->firing = NULL;
	}
	if (base->slice_ns <= now) {
		base->slice_ns = TIME_NEVER;
		spin_unlock_irqrestore(&base->lock, state);
		sched_slice_ended();
		state = spin_lock_irqsave(&base->lock);
	}
	arm_hardware(base, next_deadline_locked(base));
	spin_unlock_irqrestore(&base->lock, state);
}

/* Looks at armed_ns without the lock: interrupts are off, and other processors only insert timers
 * into this tree while it fires. */
void timer_set_slice(uint64_t deadline_ns) NO_LOCK_ANALYSIS
{
	struct timer_base *base = this_cpu(bases);
	irq_state_t state;

	base->slice_ns = deadline_ns;
	if (deadline_ns >= read_once(base->armed_ns))
		return;
	state = spin_lock_irqsave(&base->lock);
	arm_hardware(base, deadline_ns);
	spin_unlock_irqrestore(&base->lock, state);
}

/* --- the lab's shot --------------------------------------------------------------------------- */

void timer_shot_arm(uint64_t delta_ns) NO_LOCK_ANALYSIS
{
	struct timer_base *base = this_cpu(bases);

	/* Nothing is earlier than this: nobody touches the hardware. */
	base->shot = true;
	write_once(base->armed_ns, 0);
	arch_timer_arm(delta_ns);
}

void timer_shot_end(void)
{
	struct timer_base *base = this_cpu(bases);
	irq_state_t state = spin_lock_irqsave(&base->lock);

	if (base->shot) {
		base->shot = false;
		base->armed_ns = TIME_NEVER;
		arch_timer_arm(TIME_NEVER);
		arm_hardware(base, next_deadline_locked(base));
	}
	spin_unlock_irqrestore(&base->lock, state);
}

bool timer_shot_is_armed(void)
{
	return this_cpu(bases)->shot;
}
