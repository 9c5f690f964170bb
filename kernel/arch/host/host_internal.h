/*
 * Between the files of arch/host.
 */
#pragma once

#include "arch/arch_down.h"
#include "arch/host/host.h"
#include "arch/host/trap_frame.h"

#define HOST_STACK_BYTES (256 * 1024UL)

/* Plants a stack that begins in start(), which must call host_entered() first. */
uint64_t host_plant(void *stack_top, void (*start)(void));
void host_entered(void);
/* arch_thread_prepare_user() with the function to begin in. */
void host_plant_user(struct arch_thread *at, void *stack_top, const struct trap_frame *frame,
		     bool (*start)(struct trap_frame *frame));
