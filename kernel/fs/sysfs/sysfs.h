/*
 * sysfs: the few files of /sys that programs look for, from a table like procfs's.
 */
#pragma once

void sysfs_init(void);
