/*
 * Between the files of arch/host: processors and the switch between stacks.
 */
#pragma once

#include "arch/host/host.h"

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

/* The bytes from the sanitiser's point of view; more is never used in one go. */
#define HOST_STACK_BYTES (256 * 1024UL)

/* Gives the process's own stack the control; returns when this processor is chosen. */
void host_yield(enum host_state state);
/* From the process's stack: lets processor `cpu` go on until it yields. */
void host_resume(uint32_t cpu);
/* Something is pending for the processor (not: and it is enabled). */
bool host_has_interrupt(uint32_t cpu);
bool host_is_runnable(uint32_t cpu);
/* Moves time to the next event when nobody can run; false when there is none. */
bool host_advance_to_event(void);
/* Plants a stack that begins in start(). */
uint64_t host_plant(void *stack_top, void (*start)(void));
/* arch_thread_prepare_user() with the function to begin in. */
void host_plant_user(struct arch_thread *at, void *stack_top, const struct trap_frame *frame,
		     void (*start)(struct trap_frame *frame));
void *host_stack_allocate(void);	/* its top */
void host_print_threads(void);
extern uint32_t host_threads_live;
