/*
 * The processors' own structures. The architecture fills in one per processor that the firmware's
 * tables name; cpus[0] is the boot processor's and is in use from the first instruction of C.
 */
#include "core/percpu.h"

struct cpu cpus[CPU_MAX];
uint32_t cpu_count = 1;
