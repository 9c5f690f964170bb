/* The program that the exec scenario runs: exit status 42 if it got one argument. */
	.globl _start
_start:
	movl $97, %edi
	cmpq $2, (%rsp)
	jne 1f
	movl $42, %edi
1:	movl $231, %eax
	syscall
	.section .note.GNU-stack, "", @progbits
