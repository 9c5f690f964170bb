/*
 * Page-table entries (Intel SDM 3A, chapter 4; four levels).
 *
 * Level 1 is the leaf table (4 KiB pages), 4 the top. A leaf entry above level 1 has PTE_HUGE.
 * The processor sets ACCESSED and DIRTY on its own at any time: an entry that may be live is
 * changed with the exchange and compare forms, never read, modified and stored.
 */
#pragma once

#include "core/types.h"

typedef struct { uint64_t value; } pte_t;

#define PTE_LEVELS 4
#define PTE_ENTRIES 512
#define PTE_USER_ENTRIES 256		/* of the top table: the user half */

#define PTE_PRESENT	(1UL << 0)
#define PTE_WRITE	(1UL << 1)
#define PTE_USER	(1UL << 2)
#define PTE_WRITE_THROUGH (1UL << 3)
#define PTE_UNCACHED	(1UL << 4)
#define PTE_ACCESSED	(1UL << 5)
#define PTE_DIRTY	(1UL << 6)
#define PTE_HUGE	(1UL << 7)
#define PTE_GLOBAL	(1UL << 8)
#define PTE_SOFT1	(1UL << 9)	/* free for vm */
#define PTE_SOFT2	(1UL << 10)
#define PTE_SOFT3	(1UL << 11)
#define PTE_NO_EXEC	(1UL << 63)

#define PTE_ADDRESS_MASK 0x000ffffffffff000UL

static inline pte_t pte_make(phys_t p, uint64_t flags) { return (pte_t){ p.value | flags }; }
static inline pte_t pte_none(void) { return (pte_t){ 0 }; }
static inline phys_t pte_phys(pte_t e) { return phys(e.value & PTE_ADDRESS_MASK); }
static inline uint64_t pte_flags(pte_t e) { return e.value & ~PTE_ADDRESS_MASK; }
static inline bool pte_is_none(pte_t e) { return e.value == 0; }
static inline bool pte_is_present(pte_t e) { return (e.value & PTE_PRESENT) != 0; }
static inline bool pte_is_writable(pte_t e) { return (e.value & PTE_WRITE) != 0; }
static inline bool pte_is_user(pte_t e) { return (e.value & PTE_USER) != 0; }
static inline bool pte_is_huge(pte_t e) { return (e.value & PTE_HUGE) != 0; }
static inline bool pte_is_dirty(pte_t e) { return (e.value & PTE_DIRTY) != 0; }
static inline bool pte_is_accessed(pte_t e) { return (e.value & PTE_ACCESSED) != 0; }
static inline bool pte_is_exec(pte_t e) { return (e.value & PTE_NO_EXEC) == 0; }
static inline bool pte_is_special(pte_t e) { return (e.value & PTE_SOFT1) != 0; }
static inline pte_t pte_with(pte_t e, uint64_t flags) { return (pte_t){ e.value | flags }; }
static inline pte_t pte_without(pte_t e, uint64_t flags) { return (pte_t){ e.value & ~flags }; }

/* Bytes that one entry of a table at `level` maps, and the entry's index for an address. */
static inline unsigned int pte_shift(unsigned int level) { return PAGE_SHIFT + 9 * (level - 1); }
static inline uint64_t pte_span(unsigned int level) { return 1UL << pte_shift(level); }
static inline unsigned int pte_index(uint64_t address, unsigned int level)
{
	return (address >> pte_shift(level)) & (PTE_ENTRIES - 1);
}

static inline pte_t pte_load(const pte_t *slot)
{
	return (pte_t){ __atomic_load_n(&slot->value, __ATOMIC_ACQUIRE) };
}

static inline void pte_store(pte_t *slot, pte_t e)
{
	__atomic_store_n(&slot->value, e.value, __ATOMIC_RELEASE);
}

static inline pte_t pte_exchange(pte_t *slot, pte_t e)
{
	return (pte_t){ __atomic_exchange_n(&slot->value, e.value, __ATOMIC_ACQ_REL) };
}

/* True when *slot was `old` and is now `e`. */
static inline bool pte_compare_exchange(pte_t *slot, pte_t old, pte_t e)
{
	return __atomic_compare_exchange_n(&slot->value, &old.value, e.value, false,
					   __ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE);
}

/* Clears flags; the entry as it was. */
static inline pte_t pte_fetch_clear(pte_t *slot, uint64_t flags)
{
	return (pte_t){ __atomic_fetch_and(&slot->value, ~flags, __ATOMIC_ACQ_REL) };
}

static inline void pte_set(pte_t *slot, uint64_t flags)
{
	(void)__atomic_fetch_or(&slot->value, flags, __ATOMIC_ACQ_REL);
}
