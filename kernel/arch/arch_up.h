/*
 * The few calls a machine makes into the kernel. Implemented in proc/ and core/.
 */
#pragma once

#include "core/types.h"

struct trap_frame;

enum fault_access { FAULT_READ = 0, FAULT_WRITE = 1, FAULT_EXEC = 2 };

/* What an exception is, in the terms of a signal: number, si_code, address. */
struct exception {
	int signo;
	int code;
	uint64_t address;
	uint32_t trap_number;
	uint64_t error_code;
};

/* A system call from 64-bit code (syscall instruction). Interrupts on. The entry code then calls
 * user_return(). */
void syscall_enter(struct trap_frame *frame, uint64_t number);
/* int $0x80: i386 numbers and 32-bit arguments. */
void syscall_enter_i386(struct trap_frame *frame, uint64_t number);

/*
 * A page fault at a user address, from user or kernel mode; interrupts on unless the kernel had
 * them off. True: handled, retry. False only from kernel mode: the entry code looks for a fixup,
 * else panics. From user mode it always returns true (a signal was queued at worst).
 */
bool page_fault_enter(struct trap_frame *frame, uint64_t address, enum fault_access access,
		      bool from_user, uint64_t error_code);
/* Any other exception in user mode: queues its signal. */
void exception_enter(struct trap_frame *frame, const struct exception *e);

/*
 * A sample: what the current thread does for its program between the two stands for
 * TRACE_RARE_MEAN such pieces of work (sched/stats.c). The end of the thread ends it, too.
 */
void kernel_sample_begin(void);
void kernel_sample_end(void);

/*
 * The one door out to user mode: every return runs it last, with interrupts off on return.
 * Delivers signals, switches threads when due, arms the slice. Returns what
 * frame_prepare_return() did.
 */
bool user_return(struct trap_frame *frame);
/*
 * After an interrupt taken in kernel mode, before its return: switches when preemption is allowed.
 */
void kernel_interrupt_return(void);

/*
 * First instruction of a planted user thread, on its own stack: finishes the switch, user_return(),
 * whose answer it returns.
 */
bool thread_first_return(struct trap_frame *frame);
/*
 * The tail of the first switch into any thread (kernel or user): unlocks what sched_switch holds.
 */
void thread_first_switch_done(void);

/* Secondary processors arrive here on their idle thread's stack, interrupts off. */
void cpu_secondary_start(void) noreturn_fn;
/* The boot processor, after memory map and command line are known; on the boot stack. */
void kernel_start(void) noreturn_fn;

/* A kernel thread's function returned: the thread ends. */
void kernel_thread_returned(void) noreturn_fn;

/*
 * Memory for the machine itself (boot/machine_memory.c). A cleared page in the direct map, never
 * given back: page tables, interrupt stacks. NULL: none. Works from mem_init() on, any context.
 */
void *machine_page_allocate(void);
/* An FPU area of the size arch_fpu_bytes(), 64-byte aligned, of undefined content; NULL: none. */
void *machine_fpu_allocate(void);
void machine_fpu_free(void *area);
/* A kernel stack for a processor's idle thread: its lowest address; NULL: none. */
void *machine_stack_allocate(void);
