/*
 * The kernel's own page tables. Private to arch/x86_64.
 */
#pragma once

#include "arch/arch_down.h"
#include "arch/arch_pte.h"

/* Builds the final tables from boot_info and loads them; on the first processor, once. */
void paging_init(void);
extern phys_t kernel_root;
/* Firmware tables, wherever they are: mapped read-only, for ever. NULL when out of memory. */
const void *paging_map_firmware(uint64_t start, size_t bytes);

static inline phys_t image_to_phys(const void *address)
{
	return phys((uint64_t)address - ARCH_KERNEL_BASE);
}
