/*
 * What uname(2) tells. The system calls itself Linux with the release whose interface we follow:
 * programs and the C library decide by it.
 */
#pragma once

#include "core/types.h"

#define KERNEL_SYSNAME	"Linux"
#define KERNEL_RELEASE	"6.1.0-tine"
#define KERNEL_VERSION	"#1 SMP PREEMPT Tine"
#define KERNEL_MACHINE	"x86_64"

#define HOSTNAME_BYTES	65		/* with the NUL */

void hostname_get(char *to, bool domain);	/* HOSTNAME_BYTES */
/* -EINVAL when it is longer than 64 bytes. The caller checks the right. */
must_check int hostname_set(const char *name, size_t length, bool domain);
