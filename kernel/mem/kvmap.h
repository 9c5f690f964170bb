/*
 * Kernel memory that is contiguous only in virtual addresses, with an unmapped guard in front:
 * kernel stacks, large tables. Never executable. Shared by all address spaces: its one top-level
 * entry exists before the first user table is made, so no switch ever meets a missing translation.
 */
#pragma once

#include "mem/page.h"

/* `pages` frames of `kind`, mapped, content undefined; NULL: no memory or no room. */
must_check void *kvmap_create(size_t pages, enum page_kind kind);
/*
 * Unmaps and frees what kvmap_create() made with the same `pages`, for all blocks of the array at
 * once: one flush of the other processors. The caller may sleep.
 */
void kvmap_destroy_many(void **blocks, size_t count, size_t pages);
/* True for an address in a guard: a stack overflow, for the fault handler's message. */
bool kvmap_is_guard(uint64_t address);
