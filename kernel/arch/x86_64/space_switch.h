/*
 * How this machine changes address spaces: tlb= of the command line. Private to arch/x86_64.
 */
#pragma once

#include "arch/arch_down.h"

/* Reads tlb=; boot CPU, before the others start and before the first space is loaded. */
void space_switch_choose(void);
/* What CR4 needs for it, on each processor. */
extern uint64_t space_switch_cr4;
