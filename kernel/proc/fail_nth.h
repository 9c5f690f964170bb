/*
 * The failure sweep: the Nth place in a task's calls that can fail, fails (core/fail_point.h).
 * Debug builds; set through /proc/self/fail-nth as Linux's fault injection has it.
 */
#pragma once

#include "proc/task.h"

#ifdef TINE_DEBUG
#define FAIL_NTH_SUPPORTED true
#else
#define FAIL_NTH_SUPPORTED false
#endif

void fail_nth_init(void);
