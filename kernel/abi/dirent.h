/*
 * Directory records of getdents and getdents64. d_name is terminated, and the record padded to 8
 * bytes; the older form keeps the type in the last byte of the record.
 */
#pragma once

#include "abi/types.h"

#define DT_UNKNOWN 0
#define DT_FIFO 1
#define DT_CHR 2
#define DT_DIR 4
#define DT_BLK 6
#define DT_REG 8
#define DT_LNK 10
#define DT_SOCK 12
#define DT_WHT 14

struct abi_dirent64 {
	uint64_t d_ino;
	int64_t d_off;
	uint16_t d_reclen;
	uint8_t d_type;
	char d_name[];
};
ABI_OFFSET(abi_dirent64, d_name, 19);

struct abi_dirent {
	uint64_t d_ino;
	uint64_t d_off;
	uint16_t d_reclen;
	char d_name[];
};
ABI_OFFSET(abi_dirent, d_name, 18);
