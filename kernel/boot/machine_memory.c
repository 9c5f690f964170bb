/*
 * Memory for the architecture, which lies below mem and cannot call it: arch_up.h's functions.
 */
#include "arch/arch_down.h"
#include "arch/arch_up.h"
#include "boot/boot_internal.h"
#include "core/cmdline.h"
#include "core/percpu.h"
#include "core/trace.h"
#include "mem/kstack.h"
#include "mem/page.h"
#include "mem/slab.h"

#define TRACE_ORDER 6			/* pages a ring: 256 KiB, 6,500 records */

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

void *machine_fpu_allocate(void) { return slab_allocate_zeroed(fpu_cache); }
void machine_fpu_free(void *area) { slab_free(fpu_cache, area); }
void *machine_stack_allocate(void) { return kstack_allocate(); }

/* `trace` on the command line: a ring for each processor that may come, recording from here on. */
void trace_rings_init(void)
{
	uint64_t records = 1;

	if (!cmdline_has("trace"))
		return;
	while (records * 2 * sizeof(struct trace_record) <= PAGE_SIZE << TRACE_ORDER)
		records *= 2;
	for (uint32_t cpu = 0; cpu < CPU_MAX; cpu++) {
		struct page *pages = page_allocate(TRACE_ORDER, PAGE_KERNEL, 0);

		if (pages != NULL)
			trace_set_ring(cpu, page_address(pages), records);
	}
	trace_start();
}
