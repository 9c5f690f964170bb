/*
 * The handlers of system calls, from table.tbl (tools/gen-syscalls): each takes as many 64-bit
 * arguments as the call has and gives the result or -errno. An argument of 32 bits is cast by its
 * handler; the upper half is the program's garbage.
 */
#pragma once

#include "core/types.h"

#include "syscall_prototypes.inc"
