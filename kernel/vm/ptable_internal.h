/*
 * Between the files of the page-table tree.
 */
#pragma once

#include "vm/ptable.h"

static inline pte_t *entries_of(const struct page *table) { return page_address(table); }

static inline bool is_leaf(pte_t e, unsigned int level)
{
	return level == 1 || pte_is_huge(e);
}

static inline uint64_t leaf_count(pte_t e)
{
	return pte_is_special(e) ? 0 : 1;
}

/* Entries of the table that belong to the user half. */
static inline unsigned int table_entries(unsigned int level)
{
	return level == PTE_LEVELS ? PTE_USER_ENTRIES : PTE_ENTRIES;
}
