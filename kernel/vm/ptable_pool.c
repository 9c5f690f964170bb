/*
 * Empty page tables, kept for reuse.
 *
 * A table that dies has lost its entries one by one, so it is all zeros again; a root has the
 * kernel's half besides. Each CPU keeps some of both: what a fork, its first writes and an exit
 * take and give is then neither cleared nor allocated anew. For a small process that is a dozen
 * tables; of a large one's fork with copies ahead (redis, its client beside it) 24 were too few for
 * seven of eleven, 48 are enough. At the end of memory they go back.
 *
 * Locking: the CPU's own, with interrupts off while one is taken or given, since the drain for the
 * end of memory comes by an interrupt.
 */
#include "core/fail_point.h"
#include "vm/ptable_internal.h"

#define POOL_TABLES 48
#define POOL_ROOTS 8

struct stack {
	uint32_t count;
	struct page *pages[POOL_TABLES];
};

struct pool { struct stack tables, roots; };

static PERCPU(struct pool, pool);		/* [c] */

static struct page *pop(struct stack *stack)
{
	return stack->count > 0 ? stack->pages[--stack->count] : NULL;
}

static bool push(struct stack *stack, uint32_t max, struct page *page)
{
	if (stack->count == max)
		return false;
	stack->pages[stack->count++] = page;
	return true;
}

static void table_reset(struct page *table)
{
	*table = (struct page){ .count = ATOMIC32_INIT(1), .kind = PAGE_TABLE };
}

struct page *table_allocate(unsigned int flags)
{
	irq_state_t irq = arch_irq_save();
	struct page *table = fail_point("table_alloc") ? NULL : pop(&this_cpu(pool)->tables);

	arch_irq_restore(irq);
	if (table == NULL) {
		table = page_allocate(0, PAGE_TABLE, PAGE_ZERO | flags);
		if (table != NULL)
			table->base = 0;
		return table;
	}
	table_reset(table);
	if (CONFIG_DEBUG)
		for (unsigned int i = 0; i < PTE_ENTRIES; i++)
			VERIFY(pte_is_none(entries_of(table)[i]));
	return table;
}

void table_free(struct page *table)
{
	irq_state_t irq = arch_irq_save();
	bool kept;

	atomic32_store(&table->count, 0);
	kept = push(&this_cpu(pool)->tables, POOL_TABLES, table);
	arch_irq_restore(irq);
	if (!kept)
		page_free(table);
}

struct page *ptable_root_create(void)
{
	irq_state_t irq = arch_irq_save();
	struct page *root = pop(&this_cpu(pool)->roots);

	arch_irq_restore(irq);
	if (root != NULL) {
		table_reset(root);
	} else {
		root = table_allocate(0);
		if (root == NULL)
			return NULL;
		arch_space_init_root(page_address(root));
	}
	root->level = PTE_LEVELS;
	return root;
}

void ptable_root_free(struct page *root)
{
	irq_state_t irq = arch_irq_save();
	bool kept = push(&this_cpu(pool)->roots, POOL_ROOTS, root);

	arch_irq_restore(irq);
	if (!kept)
		page_free(root);
}

static void drain_here(void)
{
	struct pool *mine = this_cpu(pool);
	struct page *table;

	while ((table = pop(&mine->tables)) != NULL)
		page_free(table);
	while ((table = pop(&mine->roots)) != NULL)
		page_free(table);
}

void ptable_init(void)
{
	page_set_drain(drain_here);
}
