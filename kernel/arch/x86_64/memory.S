/*
 * memcpy, memset, and the two page functions, by plain 8-byte moves.
 *
 * Measured: under TCG a page is copied in 0.81 us by these loops, 1.14 us by REP MOVSQ, 8.8 us by
 * REP MOVSB; cleared in 0.41 us against 0.77 us by REP STOSQ. Where the processor says that its REP
 * MOVSB is fast (ERMS), the page functions use REP.
 *
 * Short copies end in two moves that may overlap, rather than in a loop over bytes.
 */
	.section .text.memory, "ax"

/* void *memcpy(void *to, const void *from, size_t n) */
	.balign 16
	.globl memcpy
	.type memcpy, @function
memcpy:
	movq %rdi, %rax
	cmpq $16, %rdx
	jb 3f
	cmpq $32, %rdx
	jbe 2f
1:	movq (%rsi), %rcx
	movq 8(%rsi), %r8
	movq 16(%rsi), %r9
	movq 24(%rsi), %r10
	movq %rcx, (%rdi)
	movq %r8, 8(%rdi)
	movq %r9, 16(%rdi)
	movq %r10, 24(%rdi)
	addq $32, %rsi
	addq $32, %rdi
	subq $32, %rdx
	cmpq $32, %rdx
	ja 1b
	/* 1 to 32 left, and at least 32 behind: the tail may begin before `to`. */
	movq -32(%rsi, %rdx), %rcx
	movq -24(%rsi, %rdx), %r8
	movq -16(%rsi, %rdx), %r9
	movq -8(%rsi, %rdx), %r10
	movq %rcx, -32(%rdi, %rdx)
	movq %r8, -24(%rdi, %rdx)
	movq %r9, -16(%rdi, %rdx)
	movq %r10, -8(%rdi, %rdx)
	ret
2:	movq (%rsi), %rcx		/* 16 to 32 */
	movq 8(%rsi), %r8
	movq -16(%rsi, %rdx), %r9
	movq -8(%rsi, %rdx), %r10
	movq %rcx, (%rdi)
	movq %r8, 8(%rdi)
	movq %r9, -16(%rdi, %rdx)
	movq %r10, -8(%rdi, %rdx)
	ret
3:	cmpq $8, %rdx
	jb 4f
	movq (%rsi), %rcx		/* 8 to 15 */
	movq -8(%rsi, %rdx), %r8
	movq %rcx, (%rdi)
	movq %r8, -8(%rdi, %rdx)
	ret
4:	cmpq $4, %rdx
	jb 5f
	movl (%rsi), %ecx		/* 4 to 7 */
	movl -4(%rsi, %rdx), %r8d
	movl %ecx, (%rdi)
	movl %r8d, -4(%rdi, %rdx)
	ret
5:	testq %rdx, %rdx
	jz 6f
	movzbl (%rsi), %ecx		/* 1 to 3 */
	movzbl -1(%rsi, %rdx), %r8d
	movq %rdx, %r9
	shrq $1, %r9
	movzbl (%rsi, %r9), %r10d
	movb %cl, (%rdi)
	movb %r10b, (%rdi, %r9)
	movb %r8b, -1(%rdi, %rdx)
6:	ret

/* void *memset(void *to, int byte, size_t n) */
	.balign 16
	.globl memset
	.type memset, @function
memset:
	movq %rdi, %rax
	movzbl %sil, %ecx
	movabsq $0x0101010101010101, %r8
	imulq %r8, %rcx
	cmpq $8, %rdx
	jb 4f
	leaq -8(%rdi, %rdx), %r9	/* the last word, which may overlap */
	subq $32, %rdx
	jb 2f
1:	movq %rcx, (%rdi)
	movq %rcx, 8(%rdi)
	movq %rcx, 16(%rdi)
	movq %rcx, 24(%rdi)
	addq $32, %rdi
	subq $32, %rdx
	jae 1b
2:	addq $32, %rdx
3:	cmpq $8, %rdx
	jb 5f
	movq %rcx, (%rdi)
	addq $8, %rdi
	subq $8, %rdx
	jmp 3b
5:	movq %rcx, (%r9)
	ret
4:	testq %rdx, %rdx
	jz 6f
	movb %cl, (%rdi)
	incq %rdi
	decq %rdx
	jmp 4b
6:	ret

/* void page_clear_by_words(void *page) */
	.balign 16
	.globl page_clear_by_words
page_clear_by_words:
	xorl %eax, %eax
	movl $8, %ecx
1:	.set offset, 0
	.rept 64
	movq %rax, offset(%rdi)
	.set offset, offset + 8
	.endr
	addq $512, %rdi
	decl %ecx
	jnz 1b
	ret

/* void page_copy_by_words(void *to, const void *from) */
	.balign 16
	.globl page_copy_by_words
page_copy_by_words:
	movl $16, %ecx
1:	.set offset, 0
	.rept 8
	movq offset(%rsi), %rax
	movq 8 + offset(%rsi), %rdx
	movq 16 + offset(%rsi), %r8
	movq 24 + offset(%rsi), %r9
	movq %rax, offset(%rdi)
	movq %rdx, 8 + offset(%rdi)
	movq %r8, 16 + offset(%rdi)
	movq %r9, 24 + offset(%rdi)
	.set offset, offset + 32
	.endr
	addq $256, %rsi
	addq $256, %rdi
	decl %ecx
	jnz 1b
	ret
	.section .note.GNU-stack, "", @progbits
