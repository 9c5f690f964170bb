/*
 * Time of this architecture. Private to arch/x86_64.
 */
#pragma once

#include "core/types.h"

struct vdso_data;

void x86_clock_init(void);		/* boot CPU: calibrates the TSC and the APIC timer */
void x86_clock_init_cpu(void);		/* each processor: its timer's mode */
/* nanoseconds = (tsc - base) * mult >> 32; what the vDSO needs too. */
struct tsc_scale { uint64_t base, mult; };
extern struct tsc_scale tsc_scale;	/* [I] after x86_clock_init() */
uint64_t tsc_read(void);
/* timer=pit: pit.c. */
extern uint32_t periodic_hz;		/* [I] 0: one-shot timers */
void pit_choose(void);			/* reads the command line */
void pit_start(void);			/* boot CPU, interrupts routed */
void x86_delay_us(uint64_t us);		/* spins */
