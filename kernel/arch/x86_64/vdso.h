/*
 * The vDSO's image and data page. Private to arch/x86_64.
 */
#pragma once

void vdso_init(void);			/* when the clock is calibrated */
