/*
 * The vDSO's bytes, page aligned: these very pages are mapped into programs, read-only.
 */
	.section .rodata.vdso, "a"
	.balign 4096
	.globl vdso_image_start, vdso_image_end
vdso_image_start:
	.incbin "vdso.so"
vdso_image_end:
	.balign 4096
	.section .note.GNU-stack, "", @progbits
