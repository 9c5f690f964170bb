/*
 * User memory on the host architecture: a software walk of the page tables that vm made, with a
 * TLB per processor in front, so that a missing flush shows as a stale translation; and
 * core/user_copy.h on top of it, faults and all.
 */
#include <string.h>

#include "abi/errno.h"
#include "arch/arch_down.h"
#include "arch/arch_pte.h"
#include "arch/arch_up.h"
#include "arch/host/host.h"
#include "core/assert.h"
#include "core/user_copy.h"

#define TLB_ENTRIES 64u

struct tlb_entry {
	uint64_t page;			/* user address, PAGE_SIZE aligned */
	uint8_t *frame;			/* NULL: empty */
	bool writable;
	bool huge;			/* part of a 2 MiB translation: they go together */
};

struct mmu {
	phys_t root;
	struct tlb_entry tlb[TLB_ENTRIES];
};

static struct mmu mmus[CPU_MAX];
static phys_t kernel_root;
bool host_tlb_on = true;
void (*host_reach_hook)(const void *at, bool is_table);

static void reached(const void *at, bool is_table)
{
	if (host_reach_hook != NULL)
		host_reach_hook(at, is_table);
}

static struct tlb_entry *tlb_slot(uint64_t address)
{
	return &mmus[cpu_id()].tlb[(address >> PAGE_SHIFT) % TLB_ENTRIES];
}

/* --- arch_down.h: address spaces ------------------------------------------------------------- */

void arch_space_init_root(void *root_table) { memset(root_table, 0, PAGE_SIZE); }
phys_t arch_space_kernel_root(void) { return kernel_root; }

void arch_space_load(phys_t root)
{
	mmus[cpu_id()].root = root;
	arch_tlb_flush_all();
}

uint32_t arch_space_tags(void) { return 0; }
void arch_space_load_tagged(phys_t root, uint32_t tag, bool keep) { arch_space_load(root); }

void arch_tlb_flush_page(uint64_t address)
{
	for (struct tlb_entry *e = mmus[cpu_id()].tlb; e < mmus[cpu_id()].tlb + TLB_ENTRIES; e++)
		if (e->page == page_round_down(address) ||
		    (e->huge && e->page / pte_span(2) == address / pte_span(2)))
			e->frame = NULL;
}

void arch_tlb_flush_all(void) { memset(mmus[cpu_id()].tlb, 0, sizeof(mmus[0].tlb)); }

/* --- the walk -------------------------------------------------------------------------------- */

static pte_t *entry_of(phys_t table, uint64_t address, unsigned int level)
{
	return (pte_t *)phys_to_virt(table) + pte_index(address, level);
}

/* As the processor: the write bit is the AND over the levels; sets ACCESSED, DIRTY at the leaf. */
static bool walk(uint64_t address, bool write, struct tlb_entry *out)
{
	phys_t table = mmus[cpu_id()].root;
	bool writable = true;
	unsigned int level = PTE_LEVELS;
	pte_t *slot;
	pte_t e;

	if (table.value == 0)
		return false;
	for (;; level--) {
		arch_schedule_point();
		reached(phys_to_virt(table), true);
		slot = entry_of(table, address, level);
		e = pte_load(slot);
		if (!pte_is_present(e) || !pte_is_user(e))
			return false;
		writable &= pte_is_writable(e);
		if (level == 1 || pte_is_huge(e))
			break;
		table = pte_phys(e);
	}
	if (write && !writable)
		return false;
	if (!pte_compare_exchange(slot, e, pte_with(e, PTE_ACCESSED | (write ? PTE_DIRTY : 0))))
		return walk(address, write, out);
	out->page = page_round_down(address);
	out->frame = (uint8_t *)phys_to_virt(pte_phys(e)) +
		     (out->page & (pte_span(level) - 1));
	out->huge = level > 1;
	/* A clean page is written through the walk, which sets DIRTY. */
	out->writable = writable && (write || pte_is_dirty(e));
	return true;
}

/* An interrupt comes before or after an instruction: a walk and the access that asked for it are
 * not parted, though other processors go on. */
static bool walk_uninterrupted(uint64_t address, bool write, struct tlb_entry *out)
{
	bool enabled = host_irq_flag[cpu_id()], found;

	host_irq_flag[cpu_id()] = false;
	found = walk(address, write, out);
	host_irq_flag[cpu_id()] = enabled;
	return found;
}

/* Translations of both sizes for one address make some processors go wrong (vm/ptable_fold.c). */
static void check_one_size(const struct tlb_entry *fresh)
{
	const struct tlb_entry *tlb = mmus[cpu_id()].tlb;

	for (const struct tlb_entry *e = tlb; e < tlb + TLB_ENTRIES; e++)
		if (e->frame != NULL && e->huge != fresh->huge &&
		    e->page / pte_span(2) == fresh->page / pte_span(2))
			host_fail("%#llx has translations of both sizes",
				  (unsigned long long)fresh->page);
}

/* Where the byte lies now; NULL: the access faults. */
static uint8_t *translate(uint64_t address, bool write)
{
	struct tlb_entry *e = tlb_slot(address), fresh;

	if (host_tlb_on && e->frame != NULL && e->page == page_round_down(address) &&
	    (!write || e->writable)) {
		reached(e->frame, false);
		return e->frame + address % PAGE_SIZE;
	}
	if (!walk_uninterrupted(address, write, &fresh))
		return NULL;
	if (host_tlb_on)
		check_one_size(&fresh);
	*tlb_slot(address) = fresh;
	return fresh.frame + address % PAGE_SIZE;
}

static uint8_t *translate_faulting(uint64_t address, bool write)
{
	for (;;) {
		uint8_t *at = translate(address, write);

		if (at != NULL)
			return at;
		VERIFY(preempt_count() == 0);
		/* What a faulting access leaves behind in the TLB goes, as the manual promises. */
		arch_tlb_flush_page(address);
		if (!page_fault_enter(NULL, address, write ? FAULT_WRITE : FAULT_READ, false,
				      write ? 2 : 0))
			return NULL;
	}
}

/* --- core/user_copy.h ------------------------------------------------------------------------ */

typedef void (*piece_fn)(uint8_t *user, void *kernel, size_t n);

static void piece_in(uint8_t *user, void *kernel, size_t n) { memcpy(kernel, user, n); }
static void piece_out(uint8_t *user, void *kernel, size_t n) { memcpy(user, kernel, n); }
static void piece_clear(uint8_t *user, void *kernel, size_t n) { memset(user, 0, n); }

/* Page by page; how many bytes were not reached. */
static size_t for_pieces(uint64_t address, void *kernel, size_t n, piece_fn fn, bool write,
			 bool may_fault)
{
	if (!user_range_ok(user_addr(address), n))
		return n;
	while (n != 0) {
		size_t piece = PAGE_SIZE - address % PAGE_SIZE;
		uint8_t *at = may_fault ? translate_faulting(address, write)
					: translate(address, write);

		if (at == NULL)
			return n;
		piece = piece < n ? piece : n;
		fn(at, kernel, piece);
		address += piece;
		kernel = (char *)kernel + piece;
		n -= piece;
	}
	return 0;
}

size_t copy_from_user_partial(void *dst, user_addr_t src, size_t n)
{
	return for_pieces(src.value, dst, n, piece_in, false, true);
}

size_t copy_to_user_partial(user_addr_t dst, const void *src, size_t n)
{
	return for_pieces(dst.value, (void *)(uintptr_t)src, n, piece_out, true, true);
}

int clear_user(user_addr_t dst, size_t n)
{
	return for_pieces(dst.value, NULL, n, piece_clear, true, true) == 0 ? 0 : -EFAULT;
}

int copy_from_user_nofault(void *dst, user_addr_t src, size_t n)
{
	return for_pieces(src.value, dst, n, piece_in, false, false) == 0 ? 0 : -EFAULT;
}

int copy_to_user_nofault(user_addr_t dst, const void *src, size_t n)
{
	return for_pieces(dst.value, (void *)(uintptr_t)src, n, piece_out, true, false) == 0
		       ? 0
		       : -EFAULT;
}

ssize_t copy_string_from_user(char *dst, user_addr_t src, size_t max)
{
	for (size_t i = 0; i < max; i++) {
		if (copy_from_user(dst + i, user_add(src, i), 1) != 0)
			return -EFAULT;
		if (dst[i] == 0)
			return (ssize_t)i;
	}
	return -ENAMETOOLONG;
}

int user_load32_nofault(user_addr_t addr, uint32_t *out)
{
	return copy_from_user_nofault(out, addr, sizeof(*out));
}

int user_load32(user_addr_t addr, uint32_t *out)
{
	return copy_from_user(out, addr, sizeof(*out));
}

int user_store32(user_addr_t addr, uint32_t value)
{
	return copy_to_user(addr, &value, sizeof(value));
}

int user_store16(user_addr_t addr, uint16_t value)
{
	return copy_to_user(addr, &value, sizeof(value));
}

static int compare_exchange(user_addr_t addr, uint32_t old, uint32_t value, uint32_t *seen,
			    bool may_fault)
{
	uint32_t *at;

	if (addr.value % 4 != 0 || !user_range_ok(addr, 4))
		return -EFAULT;
	at = (uint32_t *)(may_fault ? translate_faulting(addr.value, true)
				    : translate(addr.value, true));
	if (at == NULL)
		return -EFAULT;
	*seen = old;
	__atomic_compare_exchange_n(at, seen, value, false, __ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE);
	return 0;
}

int user_compare_exchange32(user_addr_t addr, uint32_t old, uint32_t value, uint32_t *seen)
{
	return compare_exchange(addr, old, value, seen, true);
}

int user_compare_exchange32_nofault(user_addr_t addr, uint32_t old, uint32_t value, uint32_t *seen)
{
	return compare_exchange(addr, old, value, seen, false);
}
