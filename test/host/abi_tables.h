/*
 * What the translation units of abi_test exchange: tables of constants and of structure layouts,
 * each made once from our headers and once from the host's, which cannot be included together.
 */
#pragma once

#include <stddef.h>

struct abi_constant {
	const char *name;
	long long value;
};

struct abi_member {
	const char *name;
	size_t offset;
	size_t size; /* of the member */
	size_t structure_size;
};

extern const struct abi_constant abi_ours[], abi_ours_i386[];
extern const size_t abi_ours_count, abi_ours_i386_count;
extern const struct abi_constant abi_libc[], abi_kernel[], abi_i386[];
extern const size_t abi_libc_count, abi_kernel_count, abi_i386_count;

extern const struct abi_member abi_ours_libc_members[], abi_libc_members[];
extern const size_t abi_ours_libc_members_count, abi_libc_members_count;
extern const struct abi_member abi_ours_kernel_members[], abi_kernel_members[];
extern const size_t abi_ours_kernel_members_count, abi_kernel_members_count;

#define ABI_TABLE_SIZE(table) (sizeof(table) / sizeof((table)[0]))
#define ABI_MEMBER(name, type, member)                                                           \
	{name, offsetof(type, member), sizeof(((type *)0)->member), sizeof(type)}
