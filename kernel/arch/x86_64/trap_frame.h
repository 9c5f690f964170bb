/*
 * The registers of whoever entered the kernel, as entry.S leaves them on the kernel stack.
 *
 * `orig_rax` is the system call's number, or the error code of an exception; `trap` the vector, or
 * TRAP_SYSCALL. After the dispatch of anything but a system call orig_rax is -1, so that a signal
 * never restarts what was no call.
 */
#pragma once

#include "arch/x86_64/cpu_offsets.h"
#include "core/types.h"

struct trap_frame {
	uint64_t r15, r14, r13, r12, rbp, rbx;
	uint64_t r11, r10, r9, r8;
	uint64_t rax, rcx, rdx, rsi, rdi;
	uint64_t trap;
	uint64_t orig_rax;
	uint64_t rip, cs, rflags, rsp, ss;
};

#define RFLAGS_CF (1UL << 0)
#define RFLAGS_FIXED (1UL << 1)
#define RFLAGS_TF (1UL << 8)
#define RFLAGS_IF (1UL << 9)
#define RFLAGS_DF (1UL << 10)
#define RFLAGS_IOPL (3UL << 12)
#define RFLAGS_NT (1UL << 14)
#define RFLAGS_RF (1UL << 16)
#define RFLAGS_AC (1UL << 18)
#define RFLAGS_ID (1UL << 21)

/* What a program may set: CF PF AF ZF SF TF DF OF RF AC ID. */
#define RFLAGS_USER 0x250dd5UL

static inline bool trap_frame_from_user(const struct trap_frame *f) { return (f->cs & 3) != 0; }
