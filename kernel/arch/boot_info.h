/*
 * What a boot protocol (PVH, multiboot2) tells: filled by arch/<name>, read by mem and boot.
 */
#pragma once

#include "core/types.h"

#define BOOT_RANGES_MAX 64

struct boot_range { uint64_t start, end; };	/* physical bytes, [start,end) */

struct boot_info {
	struct boot_range ram[BOOT_RANGES_MAX];	/* usable, sorted, disjoint, page aligned inward */
	uint32_t ram_count;
	struct boot_range reserved[BOOT_RANGES_MAX];	/* never given out: image, initrd, ... */
	uint32_t reserved_count;
	struct boot_range initrd;			/* start == end: none */
	char cmdline[2048];
	uint64_t rsdp;					/* 0: look for it */
	const char *protocol;				/* "pvh", "multiboot2" */
};

extern struct boot_info boot_info;
