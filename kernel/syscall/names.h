/*
 * Names of system calls, for the log and for /proc.
 */
#pragma once

#include "core/types.h"

#define SYSCALL_NUMBER_MAX 512

const char *syscall_name(uint64_t number);	/* NULL: Linux has none either */
