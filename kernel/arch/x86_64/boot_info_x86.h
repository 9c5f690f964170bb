/*
 * Reading what the boot loader left. Private to arch/x86_64.
 */
#pragma once

#include "core/types.h"

#define PVH_MAGIC 0x336ec578u			/* in struct hvm_start_info, and in boot.S */
#define MULTIBOOT2_LOADER_MAGIC 0x36d76289u

/* Fills boot_info; panics when there is no memory map. */
void boot_info_read(uint32_t magic, uint32_t info);
void boot_info_reserve(uint64_t start, uint64_t end);
/* Finds and reserves `bytes` of RAM in [low, high), page aligned; 0: none. */
uint64_t boot_info_take(uint64_t bytes, uint64_t low, uint64_t high);
