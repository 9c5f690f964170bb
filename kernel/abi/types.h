/*
 * Scalar types of the Linux ABI on x86-64, and the two helpers that all abi/ headers use.
 *
 * Structures that programs and kernel exchange are named `struct abi_x` and made of fixed-width
 * integers, so that they mean the same wherever they are compiled; a pointer inside one is a
 * uint64_t, because it is a user address and not something to follow. Constants keep Linux's names.
 * ABI_SIZE and ABI_OFFSET state each layout; the host test abi_test compares them, and the
 * constants, with the host's own headers.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#define ABI_SIZE(type, size) \
	_Static_assert(sizeof(struct type) == (size), "size of struct " #type)
#define ABI_OFFSET(type, member, offset) \
	_Static_assert(offsetof(struct type, member) == (offset), #type "." #member)

typedef int32_t abi_pid_t;
typedef uint32_t abi_uid_t;
typedef uint32_t abi_gid_t;
typedef uint32_t abi_mode_t;
typedef int64_t abi_off_t;
typedef int64_t abi_ssize_t;
typedef int32_t abi_clockid_t;
typedef uint32_t abi_dev_t; /* new-style encoding, as stat reports it in 64 bits */
