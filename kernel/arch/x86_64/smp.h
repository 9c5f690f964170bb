/*
 * Starting the other processors. Private to arch/x86_64; see smp.c.
 */
#pragma once

void smp_reserve_trampoline(void);	/* while boot_info is being made */
