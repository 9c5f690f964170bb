/*
 * What every kernel function may need from the processor, inline: this CPU's struct cpu through
 * GS, the preemption count, the interrupt flag, pauses.
 *
 * In the kernel GS always points at this CPU's struct cpu (entry.S swaps it). Reads through GS are
 * single instructions, so a thread that migrates between two of them still reads a whole value.
 */
#pragma once

#include "arch/x86_64/trap_frame.h"

#define ARCH_DIRECT_MAP 0xffff800000000000UL
#define ARCH_KERNEL_BASE 0xffffffff80000000UL	/* virtual address of physical 0 in the image map */

/* Virtual range for mapped kernel memory (stacks with guard pages), see arch_kernel_map(). */
#define ARCH_KERNEL_WINDOW 0xffffff8000000000UL
#define ARCH_KERNEL_WINDOW_SIZE (1UL << 38)

typedef uint64_t irq_state_t;		/* saved RFLAGS */

#define ARCH_HAS_PERCPU_BLOCKS
#define CPU_GS ((struct cpu __seg_gs *)0)

static inline struct cpu *cpu_self(void) { return CPU_GS->self; }
static inline uint32_t cpu_id(void) { return CPU_GS->id; }
static inline uint64_t cpu_percpu_offset(void) { return CPU_GS->percpu_offset; }
static inline struct thread *cpu_current(void) { return CPU_GS->current; }

static inline uint32_t preempt_count(void) { return CPU_GS->preempt_count; }

static inline void preempt_count_inc(void)
{
	__asm__ volatile("incl %%gs:%c0" : : "i"(offsetof(struct cpu, preempt_count)) : "memory");
}

static inline void preempt_count_dec(void)
{
	__asm__ volatile("decl %%gs:%c0" : : "i"(offsetof(struct cpu, preempt_count)) : "memory");
}

static inline bool preempt_count_dec_and_test_resched(void)
{
	bool zero;

	__asm__ volatile("decl %%gs:%c1"
			 : "=@ccz"(zero)
			 : "i"(offsetof(struct cpu, preempt_count))
			 : "memory");
	return unlikely(zero && CPU_GS->need_resched != 0);
}

#define ARCH_FLAGS_IF (1UL << 9)

static inline irq_state_t arch_irq_state(void)
{
	irq_state_t flags;

	__asm__ volatile("pushfq; popq %0" : "=r"(flags) : : "memory");
	return flags;
}

static inline bool arch_irq_enabled(void) { return (arch_irq_state() & ARCH_FLAGS_IF) != 0; }
static inline void arch_irq_disable(void) { __asm__ volatile("cli" : : : "memory"); }
static inline void arch_irq_enable(void) { __asm__ volatile("sti" : : : "memory"); }

static inline irq_state_t arch_irq_save(void)
{
	irq_state_t state = arch_irq_state();

	arch_irq_disable();
	return state;
}

static inline void arch_irq_restore(irq_state_t state)
{
	if ((state & ARCH_FLAGS_IF) != 0)
		arch_irq_enable();
}

/* In every spin loop: under a counted-instruction emulator it is also where processors change. */
static inline void arch_pause(void) { __asm__ volatile("pause" : : : "memory"); }

static inline uint64_t arch_frame_pointer(void) { return (uint64_t)__builtin_frame_address(0); }

/* A free-running counter, cheapest at hand: for traces and random seeds, not for time. */
static inline uint64_t arch_cycles(void)
{
	uint32_t low, high;

	__asm__ volatile("rdtsc" : "=a"(low), "=d"(high));
	return (uint64_t)high << 32 | low;
}

/* What every system call asks of its frame (arch_down.h): the index is a constant there. */

static inline uint64_t frame_pc(const struct trap_frame *f) { return f->rip; }
static inline uint64_t frame_sp(const struct trap_frame *f) { return f->rsp; }

static inline bool frame_may_return(const struct trap_frame *f)
{
	return f->rip < USER_END + PAGE_SIZE;
}

/* True when SYSRET does what IRET would: it takes the address from rcx, the flags from r11. */
static inline bool frame_prepare_return(struct trap_frame *f)
{
	f->cs = USER_CS;
	f->ss = USER_DS;
	f->rflags = (f->rflags & RFLAGS_USER) | RFLAGS_IF | RFLAGS_FIXED;
	return f->trap == TRAP_SYSCALL && f->rcx == f->rip && f->r11 == f->rflags &&
	       (f->rflags & (RFLAGS_TF | RFLAGS_RF)) == 0;
}

static inline void frame_set_result(struct trap_frame *f, uint64_t value) { f->rax = value; }

static inline uint64_t frame_syscall_arg(const struct trap_frame *f, unsigned int index)
{
	switch (index) {
	case 0:
		return f->rdi;
	case 1:
		return f->rsi;
	case 2:
		return f->rdx;
	case 3:
		return f->r10;
	case 4:
		return f->r8;
	default:
		return f->r9;
	}
}

static inline uint64_t frame_syscall_arg_i386(const struct trap_frame *f, unsigned int index)
{
	switch (index) {
	case 0:
		return (uint32_t)f->rbx;
	case 1:
		return (uint32_t)f->rcx;
	case 2:
		return (uint32_t)f->rdx;
	case 3:
		return (uint32_t)f->rsi;
	case 4:
		return (uint32_t)f->rdi;
	default:
		return (uint32_t)f->rbp;
	}
}
