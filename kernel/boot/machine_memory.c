/*
 * Memory for the architecture, which lies below mem and cannot call it: arch_up.h's functions.
 */
#include "arch/arch_down.h"
#include "arch/arch_up.h"
#include "boot/boot_internal.h"
#include "mem/kstack.h"
#include "mem/page.h"
#include "mem/slab.h"

static struct slab_cache *fpu_cache;

void machine_memory_init(void)
{
	fpu_cache = slab_cache_create("fpu", arch_fpu_bytes(), 64);
}

void *machine_page_allocate(void)
{
	struct page *page = page_allocate(0, PAGE_KERNEL, PAGE_ZERO | PAGE_ATOMIC);

	return page != NULL ? page_address(page) : NULL;
}

void *machine_fpu_allocate(void) { return slab_allocate(fpu_cache); }
void machine_fpu_free(void *area) { slab_free(fpu_cache, area); }
void *machine_stack_allocate(void) { return kstack_allocate(); }
