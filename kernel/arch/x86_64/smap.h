/*
 * STAC and CLAC, as three-byte no-ops that cpu.c patches at boot where the processor has SMAP.
 */
#pragma once

#ifdef __ASSEMBLER__
.macro SMAP_CLAC
771:	.byte 0x0f, 0x1f, 0x00
	.pushsection .smap_sites, "a"
	.quad 771b
	.quad 0xca
	.popsection
.endm

.macro SMAP_STAC
772:	.byte 0x0f, 0x1f, 0x00
	.pushsection .smap_sites, "a"
	.quad 772b
	.quad 0xcb
	.popsection
.endm
#endif
