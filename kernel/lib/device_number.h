/*
 * Device numbers as the system call interface encodes them (makedev(3)): major in bits 8..19,
 * minor in 0..7 and 20..31.
 */
#pragma once

#include <stdint.h>

static inline uint64_t device_make(uint32_t major, uint32_t minor)
{
	return (minor & 0xff) | (uint64_t)major << 8 | (uint64_t)(minor & ~0xffu) << 12;
}

static inline uint32_t device_major(uint64_t device) { return device >> 8 & 0xfff; }
static inline uint32_t device_minor(uint64_t device)
{
	return (device & 0xff) | (uint32_t)(device >> 12 & 0xfff00);
}
