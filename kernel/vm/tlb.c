/*
 * Translation caches.
 *
 * Problem. A processor caches translations and, apart from them, upper-level entries (pointers to
 * tables). A frame or a table may be used again only when no processor can still reach it; and a
 * page replaced by its copy must not be read by one thread after another wrote to the copy.
 *
 * Idea. Changes are made under table_lock and noted in a gather: the stale range, and the
 * references to drop. tlb_flush() runs before table_lock is released, so no other thread of the
 * space acts on the new tables while a processor uses the old ones. References are dropped after
 * it. When a count reaches zero, each former parent has been flushed by the space it belonged to:
 * nobody walks it.
 *
 * Which processors. space->cpus has a bit for each that may hold translations. A processor sets its
 * bit before it loads the root and clears it after it has loaded another:
 *
 *	loading:  set bit; full barrier; load root (walks what is there then)
 *	flushing: change entries; full barrier; read the mask
 *
 * One of the two sees the other: either the flusher sees the bit, or the loader walks the new
 * entries. A space used on one processor therefore never sends an interrupt.
 *
 * Lazy. A kernel thread or the idle thread runs on whatever user space is loaded: no load on the
 * way in, none on the way back to the same process. The bit stays set, so the processor keeps
 * getting flushes. When the space dies, tlb_leave_space() sends those processors to the kernel's
 * root.
 *
 * Locking. `loaded` belongs to its processor, interrupts off. tlb_flush() waits for other
 * processors with table_lock held: table_lock is never taken with interrupts off, so a processor
 * that waits for it still answers.
 *
 * Cost. INVLPG drops one page and all upper-level entries (SDM 3A 4.10.4.1); above 16 pages one
 * root load is cheaper. A fault that gives a right back flushes nothing: the fault itself dropped
 * the old translation, and another processor at worst faults once more.
 */
#include "vm/tlb.h"

#include "core/ipi.h"
#include "sched/sched.h"
#include "vm/ptable.h"

#define FLUSH_PAGES_MAX 16

static PERCPU(struct space *, loaded);		/* [c] NULL: the kernel's own root */

static void flush_range_here(void *arg)
{
	const struct gather *g = arg;

	if ((g->end - g->start) >> PAGE_SHIFT > FLUSH_PAGES_MAX) {
		arch_tlb_flush_all();
		return;
	}
	for (uint64_t address = g->start; address < g->end; address += PAGE_SIZE)
		arch_tlb_flush_page(address);
}

void tlb_flush(struct gather *g)
{
	if (!g->stale)
		return;
	preempt_disable();
	full_barrier();			/* partner: tlb_load_space() */

	cpu_mask_t mask = atomic32_load(&g->space->cpus);
	cpu_mask_t self = 1u << cpu_id();

	if ((mask & self) != 0)
		flush_range_here(g);
	if ((mask & ~self) != 0)
		ipi_call_wait(mask & ~self, flush_range_here, g);
	preempt_enable();
	g->stale = false;
	g->start = UINT64_MAX;
	g->end = 0;
}

void gather_release(struct gather *g)
{
	ASSERT(!g->stale);
	for (uint32_t i = 0; i < g->count; i++) {
		if (g->refs[i]->kind == PAGE_TABLE)
			ptable_put(g->refs[i]);
		else
			page_put(g->refs[i]);
	}
	g->count = 0;
}

void tlb_load_space(struct space *space)
{
	struct space **mine = this_cpu(loaded);
	struct space *old = *mine;
	uint32_t bit = 1u << cpu_id();

	if (old == space)
		return;
	if (space != NULL) {
		atomic32_or(&space->cpus, bit);
		full_barrier();		/* partner: tlb_flush() */
	}
	arch_space_load(space != NULL ? space->root : arch_space_kernel_root());
	*mine = space;
	if (old != NULL)
		atomic32_and(&old->cpus, ~bit);
}

/* The scheduler's hook: a kernel thread keeps what is loaded. */
static void switch_spaces(struct thread *prev, struct thread *next)
{
	(void)prev;
	if (next->space != NULL)
		tlb_load_space(next->space);
}

static void leave_here(void *arg)
{
	irq_state_t irq = arch_irq_save();

	if (*this_cpu(loaded) == arg)
		tlb_load_space(NULL);
	arch_irq_restore(irq);
}

void tlb_leave_space(struct space *space)
{
	preempt_disable();
	leave_here(space);

	cpu_mask_t mask = atomic32_load_acquire(&space->cpus);

	if (mask != 0)
		ipi_call_wait(mask, leave_here, space);
	preempt_enable();
	ASSERT(atomic32_load(&space->cpus) == 0);
}

void tlb_init(void)
{
	sched_set_space_switch(switch_spaces);
}
