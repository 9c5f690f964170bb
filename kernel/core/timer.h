/*
 * One-shot timers: a red-black tree of deadlines per CPU. The callback runs in the timer interrupt
 * of the CPU that armed it, with no lock held, interrupts off; it wakes or queues, never sleeps.
 */
#pragma once

#include "core/types.h"
#include "lib/rbtree.h"

struct timer {
	struct rb_node node;		/* the CPU's timer lock */
	uint64_t deadline_ns;
	void (*fire)(struct timer *timer);
	uint32_t cpu;
	uint8_t state;			/* idle, armed, firing: see timer.c */
};

void timer_init(struct timer *timer, void (*fire)(struct timer *timer));
/* Arms or re-arms for an absolute monotonic time. */
void timer_arm(struct timer *timer, uint64_t deadline_ns);
/* True when it was armed and will not fire. On return the callback is not running anywhere. */
bool timer_cancel(struct timer *timer);
bool timer_is_armed(const struct timer *timer);

/* The interrupt: fires what is due, arms the hardware for what is next (slice end included). */
void timer_interrupt(void);
/* The running thread's slice: `deadline_ns` is when sched_tick() is to be called on this CPU,
 * TIME_NEVER for none. Called by user_return() and the idle loop, interrupts off. */
void timer_set_slice(uint64_t deadline_ns);
/*
 * The lab's shot (sched/explore.h): the next interrupt on this CPU comes after delta_ns, and until
 * timer_shot_end() no timer of the kernel's touches the hardware: they wait. Interrupts off.
 */
void timer_shot_arm(uint64_t delta_ns);
void timer_shot_end(void);
bool timer_shot_is_armed(void);
/* Implemented by sched: an interrupt came while a shot was armed, at `pc`. */
void timer_shot(uint64_t pc, bool from_user, bool is_timer);
void timer_system_init(void);		/* once, before any timer is armed */
/* Implemented by sched: the slice set by timer_set_slice() ended; interrupts off. */
void sched_slice_ended(void);
