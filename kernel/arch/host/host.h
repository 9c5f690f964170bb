/*
 * The host architecture's face to tests and to the explorer (test/host/explore.c): virtual
 * processors, virtual time, memory.
 *
 * A processor is a coroutine. It runs until it yields, at a schedule point while `host_exploring`
 * is set, or when it has nothing to do; then the process's own stack decides who goes on. Kernel
 * code called on the process's own stack runs as a handler on processor 0 would, undisturbed.
 *
 * Virtual time moves by a nanosecond at each schedule point, by host_burn(), and to the next event
 * when host_advance_to_event() is called.
 */
#pragma once

#include "core/ipi.h"
#include "core/percpu.h"
#include "core/types.h"

enum host_state {
	HOST_READY,		/* goes on when chosen */
	HOST_SPINNING,		/* in a pause: others first */
	HOST_HALTED,		/* until an interrupt is pending */
	HOST_USER,		/* in user mode until `user_until_ns` or an interrupt */
};

struct host_processor {
	uint64_t stack_pointer;		/* of its coroutine while another runs */
	const char *stack_top;		/* bounds for the address sanitiser */
	const char *idle_top;
	enum host_state state;
	uint32_t pending;		/* bit per enum ipi_kind */
	uint64_t timer_ns;		/* one-shot deadline */
	uint64_t tick_ns;		/* next periodic tick */
	uint64_t user_until_ns;
};

extern struct host_processor host_processors[CPU_MAX];
extern uint32_t host_cpu_total;
extern uint64_t host_time_ns;

/* Processors 0..n-1: init() is called for each on the process's stack, then idle() on its own. */
void host_boot(uint32_t cpu_total, void (*init)(uint32_t cpu), void (*idle)(void));

/* Gives the process's own stack the control; returns when this processor is chosen. */
void host_yield(enum host_state state);
/* From the process's stack: lets processor `cpu` go on until it yields. */
void host_resume(uint32_t cpu);
bool host_is_runnable(uint32_t cpu);
/* Something is pending for the processor, enabled or not. */
bool host_has_interrupt(uint32_t cpu);
/* Moves time to the next event when nobody can run; false when there is none. */
bool host_advance_to_event(void);
/* One pending interrupt of this processor, as the entry code handles it. From user mode the way out
 * is the caller's, who finds interrupts off. */
void host_take_interrupt(bool from_user);
void host_raise(uint32_t cpu, enum ipi_kind kind);
/* A periodic timer interrupt on every processor instead of the one-shot timer, as with the PIT;
 * 0: the one-shot timer. */
void host_set_periodic_tick(uint64_t period_ns);
/* Time passes on this processor: a slow piece of kernel. */
void host_burn(uint64_t ns);

/* When set: gets what the kernel writes to its console. */
extern void (*host_console_hook)(const char *text, size_t n);

/* --- memory ---------------------------------------------------------------------------------- */

/* Page frames [1 MiB, 1 MiB + bytes) at the direct map, described in boot_info for mem_init(). */
void host_memory_init(size_t bytes);
/* User translations go through a small TLB per processor unless this is false (user_memory.c). */
extern bool host_tlb_on;
/* When set: called for each table that a walk reads and each page reached through the TLB. */
extern void (*host_reach_hook)(const void *at, bool is_table);
/* A stack with room for the sanitisers' frames: its top. */
void *host_stack_allocate(void);

/* --- failure --------------------------------------------------------------------------------- */

/* Panics and failed checks end here; the hook, when set, gets the message and does not return. */
void host_fail(const char *format, ...) __attribute__((format(printf, 1, 2), noreturn));
extern void (*host_fail_hook)(const char *message);
#define HOST_EXPECT(cond)                                                                         \
	do {                                                                                      \
		if (!(cond))                                                                      \
			host_fail("%s:%d: %s", __FILE__, __LINE__, #cond);                        \
	} while (0)
