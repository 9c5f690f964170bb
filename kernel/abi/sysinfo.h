/*
 * sysinfo. Sizes are in units of mem_unit bytes; loads are scaled by 65536.
 */
#pragma once

#include "abi/types.h"

struct abi_sysinfo {
	int64_t uptime;
	uint64_t loads[3];
	uint64_t totalram;
	uint64_t freeram;
	uint64_t sharedram;
	uint64_t bufferram;
	uint64_t totalswap;
	uint64_t freeswap;
	uint16_t procs;
	uint16_t pad;
	uint32_t pad1;
	uint64_t totalhigh;
	uint64_t freehigh;
	uint32_t mem_unit;
	uint32_t pad2;
};
ABI_SIZE(abi_sysinfo, 112);
ABI_OFFSET(abi_sysinfo, procs, 80);
ABI_OFFSET(abi_sysinfo, mem_unit, 104);
