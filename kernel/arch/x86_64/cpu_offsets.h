/*
 * Numbers that assembly shares with C. cpu.c checks each against the structures.
 */
#pragma once

/* struct cpu */
#define CPU_SELF 0
#define CPU_CURRENT 8
#define CPU_KERNEL_STACK_TOP 16
#define CPU_USER_SP_SCRATCH 24

/* struct trap_frame */
#define FRAME_R15 0
#define FRAME_R14 8
#define FRAME_R13 16
#define FRAME_R12 24
#define FRAME_RBP 32
#define FRAME_RBX 40
#define FRAME_R11 48
#define FRAME_R10 56
#define FRAME_R9 64
#define FRAME_R8 72
#define FRAME_RAX 80
#define FRAME_RCX 88
#define FRAME_RDX 96
#define FRAME_RSI 104
#define FRAME_RDI 112
#define FRAME_TRAP 120
#define FRAME_ORIG_RAX 128
#define FRAME_RIP 136
#define FRAME_CS 144
#define FRAME_RFLAGS 152
#define FRAME_RSP 160
#define FRAME_SS 168
#define FRAME_SIZE 176

/* Selectors: Linux's, which debuggers know; the order is what SYSCALL and SYSRET ask for. */
#define KERNEL_CS 0x10
#define KERNEL_DS 0x18
#define USER_CS32 0x23
#define USER_DS 0x2b
#define USER_CS 0x33
#define TSS_SELECTOR 0x40

#define TRAP_SYSCALL 0x100

/* Stacks of the traps that may come at any instruction: index in the TSS. The word at the top of
 * such a stack is the address of this CPU's struct cpu. */
#define IST_DOUBLE_FAULT 1
#define IST_NMI 2
#define IST_MACHINE_CHECK 3
#define IST_DEBUG 4
#define IST_COUNT 4
#define IST_STACK_SIZE 4096

#define BOOT_STACK_SIZE 16384

#define MSR_GS_BASE_NUMBER 0xc0000101
#define USER_END_NUMBER 0x00007ffffffff000

#define FIXUP_MAY_FAULT 0
#define FIXUP_NO_FAULT 1
