/*
 * The i386 system call numbers as the kernel's exported header has them.
 */
#include <asm/unistd_32.h>

#include "abi_tables.h"

const struct abi_constant abi_i386[] = {
#include "abi_names_i386.inc"
};
const size_t abi_i386_count = ABI_TABLE_SIZE(abi_i386);
