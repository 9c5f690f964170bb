/*
 * A space's page tables changed over ranges: the loops around ptable.h that take table_lock, flush,
 * release and go on, so that no range, however large, holds a spin lock for long; and that fill the
 * stock of tables in between, where they may sleep.
 *
 * The caller holds space->lock (for writing, or for reading where concurrent faults do no harm), so
 * that no fork shares tables between two chunks.
 */
#include "abi/errno.h"
#include "vm/space_internal.h"

int space_prepare_cut(struct space *space, uint64_t start, uint64_t end)
{
	struct ptable_stock stock = { .count = 0 };
	struct gather g;
	int error;

	gather_init(&g, space);
	for (;;) {
		spin_lock(&space->table_lock);
		error = ptable_prepare_cut(space_root(space), start, end, &g, &stock);
		tlb_flush(&g);
		spin_unlock(&space->table_lock);
		gather_release(&g);
		if (error != -EAGAIN)
			break;
		error = ptable_stock_fill(&stock);
		if (error != 0)
			break;
	}
	ptable_stock_drain(&stock);
	return error;
}

void space_unmap_tables(struct space *space, uint64_t start, uint64_t end)
{
	struct gather g;

	gather_init(&g, space);
	while (start < end) {
		spin_lock(&space->table_lock);
		start = ptable_unmap(space_root(space), start, end, &g);
		tlb_flush(&g);
		spin_unlock(&space->table_lock);
		gather_release(&g);
	}
}

int space_edit_tables(struct space *space, uint64_t start, uint64_t end, enum ptable_edit edit,
		      uint32_t rights, ptable_filter_t filter, void *arg)
{
	struct ptable_stock stock = { .count = 0 };
	struct gather g;
	int error = 0;

	gather_init(&g, space);
	while (start < end) {
		spin_lock(&space->table_lock);
		start = ptable_edit(space_root(space), start, end, edit, rights, filter, arg, &g,
				    &stock, &error);
		tlb_flush(&g);
		spin_unlock(&space->table_lock);
		gather_release(&g);
		if (error == -EAGAIN)
			error = ptable_stock_fill(&stock);
		if (error != 0)
			break;
	}
	ptable_stock_drain(&stock);
	return error;
}

uint64_t space_resident_pages(struct space *space)
{
	uint64_t n = read_once(space_root(space)->resident);

	/* The peak is seen before each unmapping and at each look. */
	if (n > read_once(space->peak_resident))
		write_once(space->peak_resident, n);
	return n;
}
