/*
 * The page-table tree of a space: counted tables, shared after fork, made private by copying.
 * ptable.c states the theory.
 *
 * All functions that change something are called under the space's table_lock. References that
 * leave the tree go to a gather; the caller flushes before it unlocks, releases after it.
 * Functions that may need a table take it from a stock and say -EAGAIN when there is none: the
 * caller unlocks, fills the stock (which may sleep) and calls again; what was done stays done.
 */
#pragma once

#include "arch/arch_pte.h"
#include "vm/tlb.h"

/* A leaf whose frame is not counted: the zero page, the vDSO's frames. */
#define PTE_SPECIAL	PTE_SOFT1
/* A leaf kept out of reach (PROT_NONE): PTE_PRESENT is clear, the frame is still owned. */
#define PTE_HIDDEN	PTE_SOFT2

/* Tables one address needs at most, below the root. */
#define PTABLE_STOCK_MAX (PTE_LEVELS - 1)

struct ptable_stock {
	struct page *tables[PTABLE_STOCK_MAX];
	uint32_t count;
};

/* The tables that lead to an address, each private to the space: table[PTE_LEVELS] is the root. */
struct ptable_path {
	struct page *table[PTE_LEVELS + 1];
	uint64_t address;
};

must_check int ptable_stock_fill(struct ptable_stock *stock);	/* -ENOMEM; may sleep */
void ptable_stock_drain(struct ptable_stock *stock);

void ptable_init(void);						/* boot */
must_check struct page *ptable_root_create(void);		/* NULL: no memory */
/* Drops everything below the root and the root. No processor has it loaded. May take long. */
void ptable_root_destroy(struct page *root);
/* Drops a reference to a table, with the tree below it when it was the last. */
void ptable_put(struct page *table);

/*
 * fork: `child` (empty) gets all of parent's user half, write-protected in both. True when the
 * parent had write permission anywhere: its translations are stale then.
 */
must_check bool ptable_share(struct page *parent, struct page *child);

/* Makes the path to `address` private and complete, down to the leaf table. -EAGAIN. */
must_check int ptable_own(struct page *root, uint64_t address, struct ptable_path *path,
			  struct gather *g, struct ptable_stock *stock);
static inline pte_t *ptable_slot(const struct ptable_path *path)
{
	return (pte_t *)page_address(path->table[1]) + pte_index(path->address, 1);
}
/*
 * The upper part of ptable_own(): down to the level-2 table, of which only the group of entries
 * around the address's can be relied on; and from there on. -EAGAIN.
 */
must_check int ptable_own_upper(struct page *root, uint64_t address, struct ptable_path *path,
				struct gather *g, struct ptable_stock *stock);
must_check int ptable_own_leaf(struct ptable_path *path, struct gather *g,
			       struct ptable_stock *stock);
/*
 * As ptable_own_leaf(), but only the aligned group of PTABLE_GROUP entries around the address can
 * be relied on; ptable_room(): how many entries above the address's may be looked at and filled.
 */
#define PTABLE_GROUP 16u
must_check int ptable_own_group(struct ptable_path *path, struct gather *g,
				struct ptable_stock *stock);
unsigned int ptable_room(const struct ptable_path *path);
/* Fills an empty slot of an owned path; the caller's reference to the frame becomes the table's. */
void ptable_install(const struct ptable_path *path, pte_t entry);
/*
 * Replaces a leaf's frame; the old one's reference goes to the gather, its address is stale. What
 * write permission `entry` has comes with the flush.
 */
void ptable_replace(const struct ptable_path *path, pte_t entry, struct gather *g);

/* The leaf entry for an address, none if there is none; *writable: a write would pass the walk. */
pte_t ptable_lookup(struct page *root, uint64_t address, bool *writable);
/* Nobody else holds the leaf's frame or a table on the way to it. */
bool ptable_is_private(struct page *root, uint64_t address);
/* The first leaf at or above *address and below end: its address and entry; false: none. */
bool ptable_next(struct page *root, uint64_t *address, uint64_t end, pte_t *entry);
/* Counted leaves in [start,end). */
uint64_t ptable_resident_in(struct page *root, uint64_t start, uint64_t end);

/* Before ptable_unmap: makes private the tables that [start,end) cuts. -EAGAIN. */
must_check int ptable_prepare_cut(struct page *root, uint64_t start, uint64_t end,
				  struct gather *g, struct ptable_stock *stock);
/*
 * Unmaps from `start` on until the gather is full: where to go on; `end` when done. Subtrees that
 * lie inside [start,end) leave by one reference. Cannot fail after ptable_prepare_cut().
 */
must_check uint64_t ptable_unmap(struct page *root, uint64_t start, uint64_t end,
				 struct gather *g);
/* Which leaves ptable_edit() is about. */
typedef bool (*ptable_filter_t)(pte_t entry, uint64_t address, void *arg);
enum ptable_edit {
	PTABLE_RESTRICT,	/* rights not in `rights` go; none left: hidden */
	PTABLE_CLEAN,		/* write permission goes */
	PTABLE_DROP,		/* the leaf goes */
};
/*
 * Edits the leaves of [start,end) that `filter` (NULL: all) picks, one by one, making the tables
 * they lie in private. Returns where to go on (the gather is full), `end` when done, *error
 * -EAGAIN.
 */
must_check uint64_t ptable_edit(struct page *root, uint64_t start, uint64_t end,
				enum ptable_edit edit, uint32_t rights, ptable_filter_t filter,
				void *arg, struct gather *g, struct ptable_stock *stock,
				int *error);
/* Takes a leaf out without dropping its frame (mremap): the entry, none if none. */
pte_t ptable_take(const struct ptable_path *path, struct gather *g);

/*
 * 2 MiB leaves (ptable_fold.c): a leaf table whose frames lie in a row, folded into the entry that
 * leads to it. Everything above deals with them; ptable_own() unfolds.
 */
#define FOLD_ORDER	PAGE_HUGE_ORDER
#define FOLD_BYTES	(PAGE_SIZE << FOLD_ORDER)

/* A table of cleared frames in a row, each entry with `flags`. NULL: no such block at hand. */
must_check struct page *ptable_fold_create(uint64_t flags);
/* Puts it where an upper path leads, folded; its reference moves. False: something is there. */
must_check bool ptable_fold_install(const struct ptable_path *path, struct page *table);
static inline pte_t *ptable_fold_slot(const struct ptable_path *path)
{
	return (pte_t *)page_address(path->table[2]) + pte_index(path->address, 2);
}
/* Nothing is there; a folded entry is there. */
static inline bool ptable_fold_is_free(const struct ptable_path *path)
{
	return pte_is_none(pte_load(ptable_fold_slot(path)));
}
static inline bool ptable_fold_is_there(const struct ptable_path *path)
{
	return pte_is_huge(pte_load(ptable_fold_slot(path)));
}
/* Gives the folded entry its write bit when all below is ours alone; false: it has to unfold. */
must_check bool ptable_fold_write(const struct ptable_path *path);

/* The leaf entry's flags for an area's rights (AREA_READ...); write only when `writable`. */
uint64_t ptable_leaf_flags(uint32_t rights, bool writable);
/* Debug: counts, sums and sharing rules of a whole tree; panics. */
void ptable_check(struct page *root);

static inline uint64_t ptable_resident(const struct page *root) { return root->resident; }
static inline struct page *pte_page(pte_t e) { return phys_to_page(pte_phys(e)); }
