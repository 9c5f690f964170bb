/*
 * Two spaces' page tables side by side, for the lab: the entries of the tables that differ, down to
 * where both lead to the same table or frame.
 */
#include "core/klog.h"
#include "vm/space_internal.h"

/* The table an entry leads to; NULL for a leaf or nothing. */
static const pte_t *table_below(pte_t e, unsigned int level)
{
	if (level == 1 || !pte_is_present(e) || pte_is_huge(e))
		return NULL;
	return page_address(pte_page(e));
}

static uint32_t references(pte_t e)
{
	if (!pte_is_present(e) || pte_is_special(e))
		return 0;
	return atomic32_load(&pte_page(e)->count);
}

static void compare_tables(const pte_t *a, const pte_t *b, unsigned int level, uint64_t base)
{
	const unsigned int count = level == PTE_LEVELS ? PTE_USER_ENTRIES : PTE_ENTRIES;

	for (unsigned int i = 0; i < count; i++) {
		const pte_t mine = a != NULL ? pte_load(&a[i]) : pte_none();
		const pte_t its = b != NULL ? pte_load(&b[i]) : pte_none();
		const uint64_t address = base + i * pte_span(level);

		if (pte_is_none(mine) && pte_is_none(its))
			continue;
		log_info("compare: level %u address %#lx entry %#lx %#lx references %u %u", level,
			 address, mine.value, its.value, references(mine), references(its));
		if (pte_phys(mine).value != pte_phys(its).value && level > 1)
			compare_tables(table_below(mine, level), table_below(its, level), level - 1,
				       address);
	}
}

void space_log_difference(struct space *one, struct space *other)
{
	log_info("compare: CR3 %#lx %#lx", one->root.value, other->root.value);
	log_info("compare: areas %lu %lu tree %s", one->area_count, other->area_count,
		 one->areas == other->areas ? "shared" : "own");
	spin_lock(&one->table_lock);
	compare_tables(page_address(space_root(one)), page_address(space_root(other)), PTE_LEVELS,
		       0);
	spin_unlock(&one->table_lock);
	log_info("compare: end");
}
