/*
 * Kernel stacks: 16 KiB with an unmapped guard page below, cached per CPU.
 */
#pragma once

#include "core/types.h"

#define KSTACK_SIZE (16 * 1024UL)

must_check void *kstack_allocate(void);	/* lowest address; NULL when memory has ended */
void kstack_free(void *stack);
