/*
 * The program of the report that Tine starts from (doc/headway.md), rebuilt from its addresses: code
 * at 0x10000000, int 0x80 at 0x10000016, both sides of fork at 0x10000018 with RSP 0x555555593ff8.
 *
 *	report [ROUND...]
 *
 * Both sides say that they passed, go through as many rounds of counting as there are arguments, and
 * end; the parent waits for the child and ends with 0 only if that ended with 0. Calls are those of
 * i386, by int 0x80, as Linux has them in 64-bit programs too.
 */
#define SYS_EXIT 1
#define SYS_FORK 2
#define SYS_WRITE 4
#define SYS_WAITPID 7

#define ROUND_STEPS 4000000

.macro SAY text
	movl $SYS_WRITE, %eax
	movl $1, %ebx
	movl $\text, %ecx
	movl $\text\()_end - \text, %edx
	int $0x80
.endm

	.section .text
	.globl _start
_start:						/* 10000000 */
	popq %rbp				/* the number of words */
	movabsq $stack_top, %rsp
	pushq $0
	.byte 0x0f, 0x1f, 0x40, 0x00		/* nopl 0(%rax) */
	movl $SYS_FORK, %eax
	int $0x80				/* 10000016 */
	testq %rax, %rax			/* 10000018 */
	.byte 0x75, parent - child		/* 1000001b: jne parent */
child:						/* 1000001d */
	SAY child_passed
	jmp child_rounds
	.org _start + 0x42, 0x90
parent:						/* 10000042 */
	SAY parent_passed
	nop					/* 10000058 */
parent_rounds:					/* 10000059, where the report saw it next */
	decl %ebp
	jz 2f
	movl $ROUND_STEPS, %edi
1:	decl %edi
	jnz 1b
	jmp parent_rounds
2:	movl $SYS_WAITPID, %eax
	movl $-1, %ebx
	movl $status, %ecx
	xorl %edx, %edx
	int $0x80
	testl %eax, %eax
	js fail
	cmpl $0, status
	jne fail
	SAY parent_done
	xorl %ebx, %ebx
	jmp exit
fail:	movl $1, %ebx
exit:	movl $SYS_EXIT, %eax
	int $0x80

	.globl child_rounds
child_rounds:
	decl %ebp
	jz 2f
	movl $ROUND_STEPS, %edi
1:	decl %edi
	jnz 1b
	jmp child_rounds
2:	SAY child_done
	movl $SYS_EXIT, %eax
	xorl %ebx, %ebx
	int $0x80
	.globl child_end
child_end:

	.section .data, "aw"
child_passed: .ascii "child: past 0x10000018\n"
child_passed_end:
parent_passed: .ascii "parent: past 0x10000018\n"
parent_passed_end:
child_done: .ascii "child: done\n"
child_done_end:
parent_done: .ascii "parent: done, child reaped\n"
parent_done_end:
	.balign 4
status:	.long -1

	.section .stack, "aw", @progbits
	.skip 0x4000
	.section .note.GNU-stack, "", @progbits
