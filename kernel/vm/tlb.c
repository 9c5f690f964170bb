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
 * Grants. A leaf that gets a copy can be written only after the flush, also by a processor that
 * walks without asking: else a thread there could write to the copy and tell of it to another,
 * which reads the original still.
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
 * Tags (tlb=pcid). A processor then keeps the translations of several spaces, each under a tag: a
 * slot. The bit in space->cpus stays set as long as the space has a slot; a flush that finds the
 * space not loaded marks its slot stale, and the next load drops what it held. A slot given to
 * another space is dropped by that space's first load.
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

#define SLOTS 8

struct tag_slot {
	struct space *space;			/* NULL: free */
	bool stale;
};

struct tag_table {				/* [c] interrupts off */
	struct tag_slot slots[SLOTS];		/* tag 1 and up */
	uint32_t next;				/* the slot to give away next */
};

static PERCPU(struct space *, loaded);		/* [c] NULL: the kernel's own root */
static PERCPU(struct tag_table, tag_table);
static uint32_t tag_count;			/* [I] 0: no tags */

static struct tag_slot *slot_find(const struct space *space)
{
	for (uint32_t i = 0; i < tag_count; i++)
		if (this_cpu(tag_table)->slots[i].space == space)
			return &this_cpu(tag_table)->slots[i];
	return NULL;
}

/* True when the space is not loaded here: nothing to flush now. */
static bool slot_mark_stale(const struct space *space)
{
	irq_state_t irq = arch_irq_save();
	bool elsewhere = *this_cpu(loaded) != space;
	struct tag_slot *slot = elsewhere ? slot_find(space) : NULL;

	if (slot != NULL)
		slot->stale = true;
	arch_irq_restore(irq);
	return elsewhere;
}

static inline void flush_here(const struct gather *g)
{
	if (unlikely(tag_count != 0) && slot_mark_stale(g->space))
		return;
	if ((g->end - g->start) >> PAGE_SHIFT > FLUSH_PAGES_MAX) {
		arch_tlb_flush_all();
		return;
	}
	for (uint64_t address = g->start; address < g->end; address += PAGE_SIZE)
		arch_tlb_flush_page(address);
}

static void flush_range_here(void *g)
{
	flush_here(g);
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
		flush_here(g);
	if ((mask & ~self) != 0)
		ipi_call_wait(mask & ~self, flush_range_here, g);
	preempt_enable();
	while (g->grant_count > 0)
		pte_set(g->grants[--g->grant_count], PTE_WRITE);
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

/* A slot for a space that has none; whoever had it leaves this processor. Not the loaded one's: its
 * bit may not be cleared before the other root is loaded. */
static struct tag_slot *slot_take(struct space *space)
{
	struct tag_table *t = this_cpu(tag_table);
	struct tag_slot *slot;

	do {
		slot = &t->slots[t->next++ % tag_count];
	} while (slot->space != NULL && slot->space == *this_cpu(loaded));
	if (slot->space != NULL)
		atomic32_and(&slot->space->cpus, ~(1u << cpu_id()));
	atomic32_or(&space->cpus, 1u << cpu_id());
	full_barrier();			/* partner: tlb_flush() */
	*slot = (struct tag_slot){ space, true };
	return slot;
}

/* Not in tlb_load_space(): without tags the way through a switch is shorter. */
static never_inline void load_tagged(struct space *space)
{
	struct tag_slot *slot = slot_find(space);

	if (slot == NULL)
		slot = slot_take(space);
	arch_space_load_tagged(space->root, (uint32_t)(slot - this_cpu(tag_table)->slots) + 1,
			       !slot->stale);
	slot->stale = false;
	*this_cpu(loaded) = space;
}

void tlb_load_space(struct space *space)
{
	struct space **mine = this_cpu(loaded);
	struct space *old = *mine;
	uint32_t bit = 1u << cpu_id();

	if (old == space)
		return;
	if (unlikely(tag_count != 0) && space != NULL) {
		load_tagged(space);
		return;
	}
	if (space != NULL) {
		atomic32_or(&space->cpus, bit);
		full_barrier();		/* partner: tlb_flush() */
	}
	arch_space_load(space != NULL ? space->root : arch_space_kernel_root());
	*mine = space;
	if (old != NULL && tag_count == 0)
		atomic32_and(&old->cpus, ~bit);
}

/* The scheduler's hook: a kernel thread keeps what is loaded. */
static void switch_spaces(struct thread *prev, struct thread *next)
{
	(void)prev;
	if (next->space != NULL)
		tlb_load_space(next->space);
}

/* What the slot's tag still holds is dropped by its next owner's first load. */
static void slot_drop(struct space *space)
{
	struct tag_slot *slot = slot_find(space);

	if (slot != NULL) {
		slot->space = NULL;
		atomic32_and(&space->cpus, ~(1u << cpu_id()));
	}
}

static void leave_here(void *arg)
{
	irq_state_t irq = arch_irq_save();

	if (*this_cpu(loaded) == arg)
		tlb_load_space(NULL);
	if (unlikely(tag_count != 0))
		slot_drop(arg);
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
	tag_count = arch_space_tags() < SLOTS ? arch_space_tags() : SLOTS;
	sched_set_space_switch(switch_spaces);
}
