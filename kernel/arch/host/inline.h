/*
 * The host as an architecture, for tests: an ordinary process in which each virtual processor is a
 * coroutine. What a kernel function needs inline.
 *
 * Only one coroutine runs at a time. Between two schedule points a processor goes on undisturbed,
 * so what the explorer decides at each of them (test/host/explore.c) is all of concurrency: every
 * change of the preemption count (each spin lock begins and ends with one), every change of the
 * interrupt flag that lets an interrupt in, every pause in a spin loop, and schedule_point().
 */
#pragma once

#define ARCH_DIRECT_MAP 0x200000000000UL
#define ARCH_KERNEL_BASE 0UL

#define ARCH_KERNEL_WINDOW 0x300000000000UL
#define ARCH_KERNEL_WINDOW_SIZE (1UL << 34)

#define ARCH_HAS_SCHEDULE_POINT

typedef uint64_t irq_state_t;		/* 1: enabled */

extern struct cpu *host_cpu;		/* the processor that runs */
extern bool host_irq_flag[CPU_MAX];
extern bool host_exploring;		/* schedule points count */

void host_schedule_point(void);
void host_irq_opened(void);		/* the flag was set: what is pending comes in */
void host_pause(void);

static inline void arch_schedule_point(void)
{
	if (host_exploring)
		host_schedule_point();
}

static inline struct cpu *cpu_self(void) { return host_cpu; }
static inline uint32_t cpu_id(void) { return host_cpu->id; }
static inline struct thread *cpu_current(void) { return host_cpu->current; }
static inline uint32_t preempt_count(void) { return host_cpu->preempt_count; }

static inline void preempt_count_inc(void)
{
	arch_schedule_point();
	host_cpu->preempt_count++;
}

static inline void preempt_count_dec(void) { host_cpu->preempt_count--; }

static inline bool preempt_count_dec_and_test_resched(void)
{
	bool due = --host_cpu->preempt_count == 0 && host_cpu->need_resched != 0;

	if (!due)
		arch_schedule_point();
	return due;
}

static inline irq_state_t arch_irq_state(void) { return host_irq_flag[cpu_id()]; }
static inline bool arch_irq_enabled(void) { return host_irq_flag[cpu_id()]; }
static inline void arch_irq_disable(void) { host_irq_flag[cpu_id()] = false; }

static inline void arch_irq_enable(void)
{
	host_irq_flag[cpu_id()] = true;
	host_irq_opened();
}

static inline irq_state_t arch_irq_save(void)
{
	irq_state_t state = arch_irq_state();

	arch_irq_disable();
	return state;
}

static inline void arch_irq_restore(irq_state_t state)
{
	if (state != 0 && !arch_irq_enabled())
		arch_irq_enable();
}

static inline void arch_pause(void) { host_pause(); }
static inline uint64_t arch_frame_pointer(void) { return (uint64_t)__builtin_frame_address(0); }

uint64_t host_cycles(void);
static inline uint64_t arch_cycles(void) { return host_cycles(); }
