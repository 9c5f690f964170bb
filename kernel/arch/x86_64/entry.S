/*
 * Ways into the kernel, and the one way out.
 *
 * Every entry builds a struct trap_frame on the kernel stack and calls one C function with it:
 *
 *   exception, interrupt, int 0x80   trap_common -> trap_dispatch()
 *   syscall                          syscall_entry -> syscall_enter()
 *   NMI, double fault, machine check paranoid_common -> trap_paranoid()
 *   debug exception                  debug_common -> either, by where it hit
 *   a planted user thread            user_thread_start -> thread_first_return()
 *
 * and, when the frame is a user's, leaves through return_to_user, which calls user_return() and then
 * IRET, or SYSRET where that gives the same result.
 *
 * GS: in the kernel its base is this CPU's struct cpu; SWAPGS exchanges it with the user's. Whether
 * to swap is decided by the saved CS alone, which is right everywhere but in the few instructions
 * between the arrival of an NMI-like trap and the swap. Those traps have stacks of their own and do
 * not look: they save GS's base, whatever it is, load the right one from the top of their stack,
 * and put the old one back.
 *
 * AC: with SMAP, entry clears it (a program may have set it); SMAP_CLAC assembles to a three-byte
 * no-op, which cpu.c turns into CLAC at boot on processors that have it.
 */
#include "arch/x86_64/cpu_offsets.h"
#include "arch/x86_64/smap.h"

	.section .text.trap, "ax"

/* Completes a trap_frame below (trap, orig_rax, rip, cs, rflags, rsp, ss). */
.macro PUSH_REGISTERS
	pushq %rdi
	pushq %rsi
	pushq %rdx
	pushq %rcx
	pushq %rax
	pushq %r8
	pushq %r9
	pushq %r10
	pushq %r11
	pushq %rbx
	pushq %rbp
	pushq %r12
	pushq %r13
	pushq %r14
	pushq %r15
.endm

.macro POP_REGISTERS
	popq %r15
	popq %r14
	popq %r13
	popq %r12
	popq %rbp
	popq %rbx
	popq %r11
	popq %r10
	popq %r9
	popq %r8
	popq %rax
	popq %rcx
	popq %rdx
	popq %rsi
	popq %rdi
.endm

	.balign 16
trap_common:
	SMAP_CLAC
	cld
	testb $3, 24(%rsp)		/* trap, error code, rip, cs */
	jz 1f
	swapgs
1:	PUSH_REGISTERS
	xorl %ebp, %ebp
	movq %rsp, %rdi
	testb $3, FRAME_CS(%rsp)
	jnz 2f
	/* From the kernel: the frame pointer chain goes on into what was interrupted. */
	movq FRAME_RBP(%rsp), %rbp
	call trap_dispatch
	POP_REGISTERS
	addq $16, %rsp
	iretq
2:	call trap_dispatch
	jmp return_to_user

/*
 * A debug exception may hit at the first instruction of syscall_entry, with the user's stack pointer:
 * when the trap flag was set at SYSCALL (Bochs), or a breakpoint was put off by MOV SS (SDM 3A
 * 6.8.3). So it has a stack of its own. From user mode its frame moves to the thread's stack, where
 * it may sleep.
 */
	.balign 16
debug_common:
	testb $3, 24(%rsp)
	jz paranoid_common
	swapgs
	pushq %rdi
	movq %rsp, %rdi
	movq %gs:CPU_KERNEL_STACK_TOP, %rsp
	pushq 56(%rdi)			/* ss, rsp, rflags, cs, rip, error code, trap */
	pushq 48(%rdi)
	pushq 40(%rdi)
	pushq 32(%rdi)
	pushq 24(%rdi)
	pushq 16(%rdi)
	pushq 8(%rdi)
	movq (%rdi), %rdi
	swapgs
	jmp trap_common

	/* kernel.ld puts these beside what they call. */
	.section .text.entry, "ax"
	.balign 16
	.globl syscall_entry
syscall_entry:
	swapgs
	movq %rsp, %gs:CPU_USER_SP_SCRATCH
	movq %gs:CPU_KERNEL_STACK_TOP, %rsp
	pushq $USER_DS
	pushq %gs:CPU_USER_SP_SCRATCH
	pushq %r11
	pushq $USER_CS
	pushq %rcx
	pushq %rax
	pushq $TRAP_SYSCALL
	PUSH_REGISTERS
	xorl %ebp, %ebp
	movq %rsp, %rdi
	movq %rax, %rsi
	sti
	call syscall_enter
	/* falls through */

	.globl return_to_user
return_to_user:
	movq %rsp, %rdi
	call user_return		/* interrupts are off on return; true: SYSRET will do */
user_returned:
	testb %al, %al
	jz 1f
	POP_REGISTERS
	/* rcx and r11 are rip and rflags already. */
	movq FRAME_RSP - FRAME_TRAP(%rsp), %rsp
	swapgs
	sysretq
1:	POP_REGISTERS
	addq $16, %rsp
	swapgs
	iretq

/* The first instruction of a planted user thread: its frame is at the top of its stack. */
	.globl user_thread_start
user_thread_start:
	movq %rsp, %rdi
	call thread_first_return	/* as user_return */
	jmp user_returned

	.text
/* The first instruction of a kernel thread: r12 is its function, r13 the argument. */
	.globl kernel_thread_start
kernel_thread_start:
	call thread_first_switch_done
	sti
	movq %r13, %rdi
	call *%r12
	call kernel_thread_returned
	ud2

	.balign 16
paranoid_common:
	SMAP_CLAC
	cld
	PUSH_REGISTERS
	movq FRAME_RBP(%rsp), %rbp
	movl $MSR_GS_BASE_NUMBER, %ecx
	rdmsr
	movl %eax, %r12d
	movl %edx, %r13d
	/* The stack's top word: struct cpu. */
	movq %rsp, %rbx
	orq $(IST_STACK_SIZE - 1), %rbx
	movl -7(%rbx), %eax
	movl -3(%rbx), %edx
	wrmsr
	movq %rsp, %rdi
	call trap_paranoid
	movl $MSR_GS_BASE_NUMBER, %ecx
	movl %r12d, %eax
	movl %r13d, %edx
	wrmsr
	POP_REGISTERS
	addq $16, %rsp
	iretq

/* One stub a vector, 16 bytes each: error code (or 0), vector, common part. */
	.section .text.trap, "ax"
	.balign 16
	.globl trap_stubs
trap_stubs:
	vector = 0
	.rept 256
	.balign 16
	.if (vector == 8) || (vector >= 10 && vector <= 14) || (vector == 17) || (vector == 21) || (vector == 29) || (vector == 30)
	.else
	pushq $0
	.endif
	pushq $vector
	.if (vector == 2) || (vector == 8) || (vector == 18)
	jmp paranoid_common
	.elseif vector == 1
	jmp debug_common
	.else
	jmp trap_common
	.endif
	vector = vector + 1
	.endr

/*
 * void arch_spin_halt(const uint32_t *word, uint32_t value)
 *
 * An NMI wakes it, since interrupts may be off; any trap that hits between the look at the word and
 * the halt moves on to the end (spin_halt_leave() in traps.c), so that a wake-up there is not lost.
 */
	.text
	.balign 16
	.globl arch_spin_halt, spin_halt_end
arch_spin_halt:
	cmpl %esi, (%rdi)
	jne spin_halt_end
	hlt
spin_halt_end:
	ret

/* void switch_stacks(uint64_t *save_to, uint64_t load) */
	.section .text.entry, "ax"
	.balign 16
	.globl switch_stacks
switch_stacks:
	pushq %rbp
	pushq %rbx
	pushq %r12
	pushq %r13
	pushq %r14
	pushq %r15
	movq %rsp, (%rdi)
	movq %rsi, %rsp
	popq %r15
	popq %r14
	popq %r13
	popq %r12
	popq %rbx
	popq %rbp
	ret
	.section .note.GNU-stack, "", @progbits
