/*
 * FPU state in memory and segment bases. Private to arch/x86_64.
 */
#pragma once

#include "arch/arch_down.h"

/* The FXSAVE part, the XSAVE header, AVX: the standard format (Intel SDM 1, section 13.4). */
struct fpu_image {
	uint16_t control, status;
	uint8_t tags, reserved0;
	uint16_t opcode;
	uint64_t ip, dp;
	uint32_t mxcsr, mxcsr_mask;
	uint8_t registers[480];
	/* from here on with XSAVE only */
	uint64_t present, compacted, reserved1[6];
	uint8_t avx[256];
} __attribute__((aligned(64)));

_Static_assert(sizeof(struct fpu_image) == 832, "XSAVE area");

extern struct fpu_image fpu_initial;	/* [I] */
extern uint32_t fpu_mxcsr_mask;		/* [I] MXCSR bits that may be set */

/* Interrupts off, this CPU. */
void fpu_save_live(void);		/* registers to their owner's memory, if newer */
/* Memory is the truth for `at` (the running thread) from here on. */
void fpu_forget(struct arch_thread *at);

/* Writes out the components that XSAVEOPT left alone because they were in their initial state. */
void fpu_materialise(struct fpu_image *area);
/* -EINVAL for an image that the processor would refuse; what its first `bytes` do not hold is made
 * the initial state. */
must_check int fpu_check(struct fpu_image *image, size_t bytes);

void fpu_reset(struct arch_thread *at);	/* the running thread: the initial state */

/*
 * The running thread's registers straight to XSAVE state in user memory, and back. False: the pages
 * are not there, the registers are not here, or the processor refused; then it goes by memory.
 * The address is aligned and in the user half; the header is the caller's to clear.
 */
must_check bool fpu_save_to_user(user_addr_t to);
must_check bool fpu_load_from_user(user_addr_t from);

/* user_copy.S: -1 when the processor refused. */
int xrstor_checked(const void *area);
int fxrstor_checked(const void *area);
int xsave_user(void *area, uint32_t components);
int xrstor_user(const void *area, uint32_t components);

void segments_save(struct arch_thread *at);	/* FS and GS base of the running thread to memory */
void segments_load(const struct arch_thread *at);
