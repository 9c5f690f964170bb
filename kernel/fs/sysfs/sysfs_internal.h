/*
 * sysfs_internal.h - the parts of the table of /sys.
 */
#pragma once

#include "fs/procfs/procfs.h"

/* /sys/devices/system/cpu: its files, and its folders cpuN. */
extern const struct proc_entry sysfs_cpus[];
extern const struct proc_dynamic sysfs_cpu_dynamic;
