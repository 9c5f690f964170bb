/*
 * Kernel stacks. Each lies between unmapped pages, so an overflow faults (on the double-fault
 * stack) instead of overwriting a neighbour.
 *
 * Freed stacks stay mapped on a list and are used again, newest first: mapping and above all
 * unmapping (a flush on every processor) are kept off fork and exit. The list is trimmed when it
 * has grown long, by somebody who may sleep, and emptied when memory ends.
 *
 * A free stack's link lies in its own first words. Locking: kstack.lock (irqsave).
 */
#include "mem/kstack.h"

#include "core/spinlock.h"
#include "mem/kvmap.h"
#include "mem/mem_internal.h"

#define KSTACK_PAGES (KSTACK_SIZE / PAGE_SIZE)
#define CACHED_MAX 48
#define TRIM_BATCH 16

struct free_stack { struct free_stack *next; };

static struct {
	struct spinlock lock;
	struct free_stack *first;
	size_t count;
} kstack = { .lock = SPINLOCK_INIT(RANK_SLAB) };

static void *cached_take(void)
{
	irq_state_t irq = spin_lock_irqsave(&kstack.lock);
	struct free_stack *stack = kstack.first;

	if (stack != NULL) {
		kstack.first = stack->next;
		kstack.count--;
	}
	spin_unlock_irqrestore(&kstack.lock, irq);
	return stack;
}

void *kstack_allocate(void)
{
	void *stack = cached_take();

	return stack != NULL ? stack : kvmap_create(KSTACK_PAGES, PAGE_KERNEL);
}

/* Unmaps cached stacks until `keep` are left; pages freed. */
static size_t trim(size_t keep)
{
	void *blocks[TRIM_BATCH];
	size_t freed = 0;

	while (read_once(kstack.count) > keep) {
		size_t n = 0;

		while (n < TRIM_BATCH && read_once(kstack.count) > keep) {
			blocks[n] = cached_take();
			if (blocks[n] == NULL)
				break;
			n++;
		}
		if (n == 0)
			break;
		kvmap_destroy_many(blocks, n, KSTACK_PAGES);
		freed += n * KSTACK_PAGES;
	}
	return freed;
}

void kstack_free(void *stack)
{
	struct free_stack *free = stack;

	if (stack == NULL)
		return;

	irq_state_t irq = spin_lock_irqsave(&kstack.lock);

	free->next = kstack.first;
	kstack.first = free;
	kstack.count++;
	spin_unlock_irqrestore(&kstack.lock, irq);
	if (read_once(kstack.count) > CACHED_MAX && mem_may_sleep())
		trim(CACHED_MAX / 2);
}

size_t kstack_reap(void)
{
	return trim(0);
}

void kstack_init(void)
{
	kstack_free(kstack_allocate());
}
