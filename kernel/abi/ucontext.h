/*
 * The frame that a signal handler gets on the user stack: registers, FPU state, the context around
 * them.
 *
 * From the stack pointer up: the address of the restorer, abi_ucontext, abi_siginfo. The FPU state
 * lies above at an address aligned to 64, pointed at by mcontext.fpstate: the FXSAVE image, whose
 * last 48 bytes (sw_reserved) say whether an XSAVE header and more follow, closed by
 * FP_XSTATE_MAGIC2. rt_sigreturn reads all of it back from memory that the program may have changed
 * at will.
 */
#pragma once

#include "abi/signal.h"
#include "abi/types.h"

#define FP_XSTATE_MAGIC1 0x46505853
#define FP_XSTATE_MAGIC2 0x46505845
#define FP_XSTATE_MAGIC2_SIZE 4

struct abi_fpx_sw_bytes {
	uint32_t magic1;
	uint32_t extended_size; /* of everything, FP_XSTATE_MAGIC2 included */
	uint64_t xfeatures;
	uint32_t xstate_size;
	uint32_t padding[7];
};
ABI_SIZE(abi_fpx_sw_bytes, 48);

struct abi_fpstate {
	uint16_t cwd;
	uint16_t swd;
	uint16_t twd;
	uint16_t fop;
	uint64_t rip;
	uint64_t rdp;
	uint32_t mxcsr;
	uint32_t mxcsr_mask;
	uint32_t st_space[32];
	uint32_t xmm_space[64];
	uint32_t reserved2[12];
	struct abi_fpx_sw_bytes sw_reserved;
};
ABI_SIZE(abi_fpstate, 512);
ABI_OFFSET(abi_fpstate, mxcsr, 24);
ABI_OFFSET(abi_fpstate, xmm_space, 160);
ABI_OFFSET(abi_fpstate, sw_reserved, 464);

struct abi_xstate_header {
	uint64_t xfeatures;
	uint64_t xcomp_bv;
	uint64_t reserved[6];
};
ABI_SIZE(abi_xstate_header, 64);

struct abi_sigcontext {
	uint64_t r8, r9, r10, r11, r12, r13, r14, r15;
	uint64_t di, si, bp, bx, dx, ax, cx, sp;
	uint64_t ip;
	uint64_t flags;
	uint16_t cs, gs, fs, ss;
	uint64_t err;
	uint64_t trapno;
	uint64_t oldmask;
	uint64_t cr2;
	uint64_t fpstate; /* user address */
	uint64_t reserved1[8];
};
ABI_SIZE(abi_sigcontext, 256);
ABI_OFFSET(abi_sigcontext, sp, 120);
ABI_OFFSET(abi_sigcontext, cs, 144);
ABI_OFFSET(abi_sigcontext, cr2, 176);
ABI_OFFSET(abi_sigcontext, fpstate, 184);

#define UC_FP_XSTATE 0x1
#define UC_SIGCONTEXT_SS 0x2
#define UC_STRICT_RESTORE_SS 0x4

struct abi_ucontext {
	uint64_t uc_flags;
	uint64_t uc_link;
	struct abi_stack uc_stack;
	struct abi_sigcontext uc_mcontext;
	abi_sigset_t uc_sigmask;
};
ABI_SIZE(abi_ucontext, 304);
ABI_OFFSET(abi_ucontext, uc_mcontext, 40);
ABI_OFFSET(abi_ucontext, uc_sigmask, 296);

struct abi_rt_sigframe {
	uint64_t restorer;
	struct abi_ucontext uc;
	struct abi_siginfo info;
};
ABI_SIZE(abi_rt_sigframe, 440);
