/*
 * From the boot loader to C, for the first processor and for the others.
 *
 * PVH (Xen's "HVM direct boot ABI") and multiboot2 both arrive in 32-bit protected mode without
 * paging; the others arrive by SIPI in real mode, in a copy of `trampoline` in low memory. All go
 * through the same boot page tables: the first 4 GiB at 0 and at the direct map's address, the
 * first 2 GiB at the image's. They are writable and executable; paging.c replaces them on the first
 * processor before anything else runs, and they stay only to start the others.
 */
#include "arch/x86_64/cpu_offsets.h"

#define KERNEL_BASE 0xffffffff80000000
#define PHYS(x) ((x) - KERNEL_BASE)

#define BOOT_CODE32 0x08
#define BOOT_DATA32 0x10
#define BOOT_CODE64 0x18

#define MULTIBOOT2_MAGIC 0xe85250d6
#define PVH_MAGIC 0x336ec578

	.section .note.pvh, "a", @note
	.balign 4
	.long 4, 8, 18			/* "Xen", XEN_ELFNOTE_PHYS32_ENTRY */
	.asciz "Xen"
	.quad PHYS(pvh_entry)

	.section .multiboot2, "a"
	.balign 8
multiboot2_header:
	.long MULTIBOOT2_MAGIC
	.long 0				/* i386 */
	.long multiboot2_header_end - multiboot2_header
	.long -(MULTIBOOT2_MAGIC + (multiboot2_header_end - multiboot2_header))
	.balign 8
	.short 6, 0			/* modules page aligned */
	.long 8
	.balign 8
	.short 3, 0			/* entry address */
	.long 12
	.long PHYS(multiboot2_entry)
	.balign 8
	.short 0, 0
	.long 8
multiboot2_header_end:

	.section .text.boot, "ax"
	.code32
	.globl multiboot2_entry
multiboot2_entry:
	movl %eax, %ebp
	jmp 1f
pvh_entry:
	movl $PVH_MAGIC, %ebp
1:	cli
	cld
	movl $PHYS(boot_stack_top), %esp
	/* 4 GiB in 2 MiB pages: present, write, huge. */
	movl $PHYS(boot_pd), %edi
	movl $0x83, %eax
2:	movl %eax, (%edi)
	movl $0, 4(%edi)
	addl $8, %edi
	addl $0x200000, %eax
	jnc 2b
	movl $PHYS(boot_pd) + 3, %eax
	movl $PHYS(boot_pdpt), %edi
	movl %eax, PHYS(boot_pdpt_high) + 510 * 8
	movl $4, %ecx
3:	movl %eax, (%edi)
	addl $4096, %eax
	addl $8, %edi
	loop 3b
	movl $PHYS(boot_pd) + 4096 + 3, PHYS(boot_pdpt_high) + 511 * 8
	movl $PHYS(boot_pdpt) + 3, PHYS(boot_pml4)
	movl $PHYS(boot_pdpt) + 3, PHYS(boot_pml4) + 256 * 8
	movl $PHYS(boot_pdpt_high) + 3, PHYS(boot_pml4) + 511 * 8
	lgdt PHYS(boot_gdt_pointer)
	movl $PHYS(boot_long_mode), %edi
	jmp enter_long_mode

ap_entry32:
	movl $BOOT_DATA32, %eax
	movl %eax, %ds
	movl %eax, %es
	movl %eax, %ss
	movl $PHYS(ap_long_mode), %edi

	/* %edi: where to go on. CR4 is loaded whole: firmware leaves bits of its own in it. */
enter_long_mode:
	movl $0x20, %eax		/* PAE */
	movl %eax, %cr4
	movl $PHYS(boot_pml4), %eax
	movl %eax, %cr3
	movl $0xc0000080, %ecx		/* EFER: SCE, LME, NXE */
	movl $0x901, %eax
	xorl %edx, %edx
	wrmsr
	movl $0x80050033, %eax		/* PG AM WP NE ET MP PE */
	movl %eax, %cr0
	pushl $BOOT_CODE64
	pushl %edi
	lret

	.code64
boot_long_mode:
	xorl %eax, %eax
	movl %eax, %ds
	movl %eax, %es
	movl %eax, %ss
	movl %eax, %fs
	movl %eax, %gs
	movq $boot_stack_top, %rsp
	movl %ebp, %edi
	movl %ebx, %esi
	xorl %ebp, %ebp
	movabsq $arch_start, %rax
	call *%rax			/* does not return */
	ud2

	/* The processor's number comes from its APIC id, its stack from its number. The stack is
	 * known to the final tables only, which know nothing of low addresses: jump up first. */
ap_long_mode:
	movabsq $1f, %rax
	jmp *%rax
1:	movq kernel_root, %rax
	movq %rax, %cr3
	xorl %eax, %eax
	movl %eax, %ds
	movl %eax, %es
	movl %eax, %ss
	movl %eax, %fs
	movl %eax, %gs
	movl $1, %eax
	cpuid
	shrl $24, %ebx
	movzbl ap_number(%rbx), %edi
	movq ap_stacks(, %rdi, 8), %rsp
	xorl %ebp, %ebp
	call ap_start
	ud2

	/* Copied to a page below 640 KiB, entered at its start with CS holding the page. */
	.code16
	.globl trampoline, trampoline_end
trampoline:
	cli
	cld
	movw %cs, %ax
	movw %ax, %ds
	lgdtl trampoline_gdt_pointer - trampoline
	movl %cr0, %eax
	andl $0x9fffffff, %eax		/* caches on */
	orl $1, %eax
	movl %eax, %cr0
	/* The far jump pushes nothing, but enter_long_mode does: a stack shared by all for two
	 * pushes of the same two values. */
	movl $PHYS(ap_boot_stack_top), %esp
	ljmpl $BOOT_CODE32, $PHYS(ap_entry32)
	.balign 4
trampoline_gdt_pointer:
	.short boot_gdt_end - boot_gdt - 1
	.long PHYS(boot_gdt)
trampoline_end:
	.code64

	.balign 8
boot_gdt:
	.quad 0
	.quad 0x00cf9b000000ffff	/* code, 32 bits */
	.quad 0x00cf93000000ffff	/* data */
	.quad 0x00af9b000000ffff	/* code, 64 bits */
boot_gdt_end:
boot_gdt_pointer:
	.short boot_gdt_end - boot_gdt - 1
	.long PHYS(boot_gdt)

	.section .bss.page_aligned, "aw", @nobits
	.balign 4096
	.globl boot_pml4, boot_stack_guard, boot_stack_bottom, boot_stack_top
boot_pml4:
	.skip 4096
boot_pdpt:
	.skip 4096
boot_pdpt_high:
	.skip 4096
boot_pd:
	.skip 4 * 4096
	/* Left unmapped by the final tables. */
boot_stack_guard:
	.skip 4096
boot_stack_bottom:
	.skip BOOT_STACK_SIZE
boot_stack_top:
	.skip 64
ap_boot_stack_top:
	.balign 4096
	.section .note.GNU-stack, "", @progbits
