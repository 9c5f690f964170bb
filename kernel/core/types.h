/*
 * The scalar types that must not mix, and the sizes everything agrees on.
 *
 * A physical address, a user address and a kernel pointer are three different things: each of the
 * first two is a struct of one field, so the compiler refuses to mix them. A user address is not a
 * pointer: it can only be reached through core/user_copy.h.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define CPU_MAX 16

#define PAGE_SHIFT 12
#define PAGE_SIZE (1UL << PAGE_SHIFT)
#define PAGE_MASK (~(PAGE_SIZE - 1))
#define HUGE_SHIFT 21
#define HUGE_SIZE (1UL << HUGE_SHIFT)

typedef int64_t ssize_t;
typedef int64_t loff_t;

typedef struct { uint64_t value; } phys_t;
typedef struct { uint64_t value; } user_addr_t;

/* First address above user memory (47-bit user half, one guard page kept free below the hole). */
#define USER_END 0x00007ffffffff000UL
/* Lowest address a program may map (Linux's default vm.mmap_min_addr). */
#define USER_START 0x10000UL

static inline phys_t phys(uint64_t value) { return (phys_t){ value }; }
static inline user_addr_t user_addr(uint64_t value) { return (user_addr_t){ value }; }

static inline user_addr_t user_add(user_addr_t a, uint64_t n)
{
	return (user_addr_t){ a.value + n };
}

static inline uint64_t page_round_down(uint64_t v) { return v & PAGE_MASK; }
/* Wraps to 0 for the last page of the address range: callers check lengths first. */
static inline uint64_t page_round_up(uint64_t v) { return (v + PAGE_SIZE - 1) & PAGE_MASK; }

#define must_check __attribute__((warn_unused_result))
#define noreturn_fn __attribute__((noreturn))
#define packed_struct __attribute__((packed))
/* What is rare, kept out of the registers and the line of what is common. */
#define never_inline __attribute__((noinline))
#define cache_aligned __attribute__((aligned(64)))
#define likely(x) __builtin_expect(!!(x), 1)
#define unlikely(x) __builtin_expect(!!(x), 0)
