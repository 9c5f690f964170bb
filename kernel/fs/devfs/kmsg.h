/*
 * /dev/kmsg: the kernel's log, a record a read; what is written is logged.
 */
#pragma once

#include "vfs/file.h"

extern const struct file_ops kmsg_ops;
