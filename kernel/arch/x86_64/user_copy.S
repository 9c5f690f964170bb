/*
 * Copies to, from and within user memory, with what to do when an instruction of theirs faults.
 *
 * A line of the table .fixups says: a fault between two labels goes on at a third. The `may fault`
 * form lets the page fault handler try to bring the page in first; the `no fault` form does not.
 * Each function exists in both.
 *
 * Blocks of 128 and of 32 bytes; a fault inside a block goes on byte by byte from the block's start,
 * so that the count of what was not copied is exact.
 */
#include "arch/x86_64/cpu_offsets.h"
#include "arch/x86_64/smap.h"

.macro FIXUP from, to, target, kind
	.pushsection .fixups, "a"
	.quad \from, \to, \target, \kind
	.popsection
.endm

/* size_t NAME(void *to, const void *from, size_t n): how many bytes were not copied */
.macro COPY name, kind
	.balign 16
	.globl \name
\name:
	SMAP_STAC
	movq %rdx, %rax
	cmpq $256, %rax
	jb 12f
10:	.set offset, 0
	.rept 8
	movq offset(%rsi), %rcx
	movq 8 + offset(%rsi), %r8
	movq 16 + offset(%rsi), %r9
	movq 24 + offset(%rsi), %r10
	movq %rcx, offset(%rdi)
	movq %r8, 8 + offset(%rdi)
	movq %r9, 16 + offset(%rdi)
	movq %r10, 24 + offset(%rdi)
	.set offset, offset + 32
	.endr
11:	addq $256, %rsi
	addq $256, %rdi
	subq $256, %rax
	cmpq $256, %rax
	jae 10b
12:	cmpq $32, %rax
	jb 3f
1:	movq (%rsi), %rcx
	movq 8(%rsi), %r8
	movq 16(%rsi), %r9
	movq 24(%rsi), %r10
	movq %rcx, (%rdi)
	movq %r8, 8(%rdi)
	movq %r9, 16(%rdi)
	movq %r10, 24(%rdi)
2:	addq $32, %rsi
	addq $32, %rdi
	subq $32, %rax
	cmpq $32, %rax
	jae 1b
3:	cmpq $8, %rax
	jb 6f
4:	movq (%rsi), %rcx
	movq %rcx, (%rdi)
5:	addq $8, %rsi
	addq $8, %rdi
	subq $8, %rax
	cmpq $8, %rax
	jae 4b
6:	testq %rax, %rax
	jz 9f
7:	movb (%rsi), %cl
	movb %cl, (%rdi)
8:	incq %rsi
	incq %rdi
	decq %rax
	jnz 7b
9:	SMAP_CLAC
	ret
	FIXUP 10b, 11b, 7b, \kind
	FIXUP 1b, 2b, 7b, \kind
	FIXUP 4b, 5b, 7b, \kind
	FIXUP 7b, 8b, 9b, \kind
.endm

/*
 * int user_load32_raw(const uint32_t *from, uint32_t *out): 0, or -1 on a fault. Kernel memory is
 * written after CLAC: an emulator has another table of translations while AC is set.
 */
.macro LOAD32 name, kind
	.balign 16
	.globl \name
\name:
	SMAP_STAC
	xorl %eax, %eax
1:	movl (%rdi), %ecx
2:	SMAP_CLAC
	movl %ecx, (%rsi)
	ret
3:	movl $-1, %eax
	SMAP_CLAC
	ret
	FIXUP 1b, 2b, 3b, \kind
.endm

/* rax: how many of n (rdx) bytes, all, when they do not lie in the user half from \address on. */
.macro CHECK_RANGE address
	movabsq $USER_END_NUMBER, %rax
	cmpq %rax, %rdx
	ja range_bad
	subq %rdx, %rax
	cmpq \address, %rax
	jb range_bad
.endm

	/* kernel.ld puts these beside those that call them most. */
	.section .text.user_copy, "ax"
/* size_t copy_from_user_partial(void *to, user_addr_t from, size_t n) */
	.balign 16
	.globl copy_from_user_partial
copy_from_user_partial:
	CHECK_RANGE %rsi
	jmp user_copy_bytes
range_bad:
	movq %rdx, %rax
	ret

/* size_t copy_to_user_partial(user_addr_t to, const void *from, size_t n) */
	.balign 16
	.globl copy_to_user_partial
copy_to_user_partial:
	CHECK_RANGE %rdi
	/* falls through */

	COPY user_copy_bytes, FIXUP_MAY_FAULT
	LOAD32 user_load32_raw, FIXUP_MAY_FAULT
	LOAD32 user_load32_raw_nofault, FIXUP_NO_FAULT
	.section .text.user_access, "ax"
	COPY user_copy_bytes_nofault, FIXUP_NO_FAULT

/* size_t user_clear_bytes(void *to, size_t n): how many bytes were not cleared */
	.balign 16
	.globl user_clear_bytes
user_clear_bytes:
	SMAP_STAC
	movq %rsi, %rax
	xorl %ecx, %ecx
	cmpq $32, %rax
	jb 6f
1:	movq %rcx, (%rdi)
	movq %rcx, 8(%rdi)
	movq %rcx, 16(%rdi)
	movq %rcx, 24(%rdi)
2:	addq $32, %rdi
	subq $32, %rax
	cmpq $32, %rax
	jae 1b
6:	testq %rax, %rax
	jz 9f
7:	movb %cl, (%rdi)
8:	incq %rdi
	decq %rax
	jnz 7b
9:	SMAP_CLAC
	ret
	FIXUP 1b, 2b, 7b, FIXUP_MAY_FAULT
	FIXUP 7b, 8b, 9b, FIXUP_MAY_FAULT

/*
 * ssize_t user_copy_string(char *to, const char *from, size_t max): length without the NUL, `max`
 * when there was none, -1 on a fault
 *
 * By words while a whole one fits in max. What lies behind the NUL may not be there: a word that is
 * not present is not brought in, but left to the bytes. (x - 01..01) & ~x & 80..80 has its lowest bit
 * where the first zero byte of x is.
 */
	.balign 16
	.globl user_copy_string
user_copy_string:
	SMAP_STAC
	xorl %eax, %eax
	movabsq $0x0101010101010101, %r8
	movabsq $0x8080808080808080, %r9
10:	leaq 8(%rax), %r10
	cmpq %rdx, %r10
	ja 1f
11:	movq (%rsi, %rax), %rcx
12:	movq %rcx, (%rdi, %rax)
	movq %rcx, %r11
	subq %r8, %rcx
	notq %r11
	andq %r11, %rcx
	andq %r9, %rcx
	jnz 13f
	movq %r10, %rax
	jmp 10b
13:	bsfq %rcx, %rcx
	shrl $3, %ecx
	addq %rcx, %rax
	jmp 4f
1:	cmpq %rdx, %rax
	jae 4f
2:	movb (%rsi, %rax), %cl
3:	movb %cl, (%rdi, %rax)
	testb %cl, %cl
	jz 4f
	incq %rax
	jmp 1b
4:	SMAP_CLAC
	ret
5:	movq $-1, %rax
	jmp 4b
	FIXUP 2b, 3b, 5b, FIXUP_MAY_FAULT
	FIXUP 11b, 12b, 1b, FIXUP_NO_FAULT

/* int NAME(uintN_t *to, uintN_t value) */
.macro STORE name, instruction, value
	.balign 16
	.globl \name
\name:
	SMAP_STAC
	xorl %eax, %eax
1:	\instruction \value, (%rdi)
2:	SMAP_CLAC
	ret
3:	movl $-1, %eax
	jmp 2b
	FIXUP 1b, 2b, 3b, FIXUP_MAY_FAULT
.endm
	STORE user_store32_raw, movl, %esi
	STORE user_store16_raw, movw, %si

/* int user_cmpxchg32_raw(uint32_t *at, uint32_t old, uint32_t value, uint32_t *seen) */
.macro CMPXCHG32 name, kind
	.balign 16
	.globl \name
\name:
	SMAP_STAC
	movl %esi, %eax
1:	lock cmpxchgl %edx, (%rdi)
2:	movl %eax, (%rcx)
	xorl %eax, %eax
3:	SMAP_CLAC
	ret
4:	movl $-1, %eax
	jmp 3b
	FIXUP 1b, 2b, 4b, \kind
.endm
	CMPXCHG32 user_cmpxchg32_raw, FIXUP_MAY_FAULT
	CMPXCHG32 user_cmpxchg32_raw_nofault, FIXUP_NO_FAULT

/*
 * int NAME(area, uint32_t components): 0, or -1 when a page is missing or the processor refused. The
 * area is the user's, aligned to 64, and not brought in: interrupts are off, so that the registers
 * stay the thread's.
 */
.macro XSTATE name, instruction
	.balign 16
	.globl \name
\name:
	SMAP_STAC
	movl %esi, %eax
	xorl %edx, %edx
1:	\instruction (%rdi)
2:	xorl %eax, %eax
3:	SMAP_CLAC
	ret
4:	movl $-1, %eax
	jmp 3b
	FIXUP 1b, 2b, 4b, FIXUP_NO_FAULT
.endm
	XSTATE xsave_user, xsave64
	XSTATE xrstor_user, xrstor64

/* int xrstor_checked(const void *area): 0, or -1 when the processor refused its content */
	.balign 16
	.globl xrstor_checked, fxrstor_checked, rdmsr_checked
	.section .text.xrstor_checked, "ax"
	.balign 16
xrstor_checked:
	movl $-1, %eax
	movl $-1, %edx
1:	xrstor64 (%rdi)
2:	xorl %eax, %eax
	ret
	.section .text.user_access, "ax"
fxrstor_checked:
3:	fxrstor64 (%rdi)
4:	xorl %eax, %eax
	ret
/* int rdmsr_checked(uint32_t msr, uint64_t *value) */
rdmsr_checked:
	movl %edi, %ecx
5:	rdmsr
6:	movl %eax, (%rsi)
	movl %edx, 4(%rsi)
	xorl %eax, %eax
	ret
7:	movl $-1, %eax
	ret
	FIXUP 1b, 2b, 7b, FIXUP_NO_FAULT
	FIXUP 3b, 4b, 7b, FIXUP_NO_FAULT
	FIXUP 5b, 6b, 7b, FIXUP_NO_FAULT
	.section .note.GNU-stack, "", @progbits
