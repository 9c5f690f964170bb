/*
 * The kernel's half of every address space.
 *
 *   ffff8000_00000000  direct map of RAM (and of the first MiB), 1 GiB and 2 MiB pages, no execute
 *   ffffff80_00000000  window: kernel stacks with guard pages, devices, firmware tables; under the
 *                      image's top-level entry, so that a walk has one table less to bring in
 *   ffffffff_80000000  the image, each section with its own rights, the boot stack's guard unmapped
 *
 * The top-level entries of all of it exist from the start and never change, so a root made at any
 * time (arch_space_init_root) sees later mappings. The image's text and constants are read-only in
 * the direct map as well: no page is anywhere writable and executable.
 *
 * Table pages come from a pool cut out of RAM before the allocator exists, afterwards from
 * machine_page_allocate(). The window is handed out upwards and never taken back; the part that
 * arch_kernel_map() serves belongs to its callers.
 */
#include "arch/x86_64/paging.h"

#include "arch/arch_up.h"
#include "arch/boot_info.h"
#include "arch/x86_64/boot_info_x86.h"
#include "arch/x86_64/cpu.h"
#include "core/assert.h"
#include "core/spinlock.h"
#include "lib/bits.h"
#include "lib/string.h"
#include "abi/errno.h"

extern char image_start[], image_text_end[], image_rodata_end[], image_end[], boot_stack_guard[];

/* memory.S */
void page_clear_by_words(void *page);
void page_copy_by_words(void *to, const void *from);

#define KERNEL_RW (PTE_PRESENT | PTE_WRITE | PTE_GLOBAL | PTE_NO_EXEC)
#define KERNEL_RO (PTE_PRESENT | PTE_GLOBAL | PTE_NO_EXEC)
#define KERNEL_RX (PTE_PRESENT | PTE_GLOBAL)
#define LOW_MEMORY 0x100000UL
#define VGA_HOLE 0xa0000UL
#define VGA_HOLE_END 0xc0000UL
#define GIB (1UL << 30)
/* The upper half of the window is for devices and firmware tables. */
#define DEVICE_WINDOW (ARCH_KERNEL_WINDOW + ARCH_KERNEL_WINDOW_SIZE / 2)
#define DEVICE_WINDOW_END (ARCH_KERNEL_WINDOW + ARCH_KERNEL_WINDOW_SIZE)

phys_t kernel_root;					/* [I] boot.S loads it on the others */
static uint64_t pool_next, pool_end;			/* physical; boot only, then empty */
static struct spinlock window_lock = SPINLOCK_INIT(RANK_KVMAP);
static uint64_t device_next GUARDED_BY(&window_lock) = DEVICE_WINDOW;
static uint64_t window_tables;				/* taken from mem, for good; window_lock */

/* A cleared page for a table; the physical address, 0 when memory has ended. */
static uint64_t table_allocate(void)
{
	uint64_t page;
	void *p;

	if (pool_next < pool_end) {
		page = pool_next;
		pool_next += PAGE_SIZE;
		memset(phys_to_virt(phys(page)), 0, PAGE_SIZE);
		return page;
	}
	p = machine_page_allocate();
	if (p == NULL)
		return 0;
	window_tables++;
	return virt_to_phys(p).value;
}

static pte_t *table_at(phys_t p) { return phys_to_virt(p); }

/* The slot for `address` at `level`, with the tables above it made; NULL when memory has ended. */
static pte_t *slot_make(uint64_t address, unsigned int level)
{
	pte_t *table = table_at(kernel_root);

	for (unsigned int at = PTE_LEVELS; at > level; at--) {
		pte_t *slot = &table[pte_index(address, at)];

		if (!pte_is_present(*slot)) {
			uint64_t page = table_allocate();

			if (page == 0)
				return NULL;
			/* Rights are decided at the leaf. */
			pte_store(slot, pte_make(phys(page), PTE_PRESENT | PTE_WRITE));
		}
		table = table_at(pte_phys(*slot));
	}
	return &table[pte_index(address, level)];
}

static unsigned int largest_level(uint64_t address, uint64_t p, uint64_t bytes)
{
	if (cpu_features.pages_1g && ((address | p) & (GIB - 1)) == 0 && bytes >= GIB)
		return 3;
	return ((address | p) & (HUGE_SIZE - 1)) == 0 && bytes >= HUGE_SIZE ? 2 : 1;
}

static int map_range(uint64_t address, uint64_t p, uint64_t bytes, uint64_t flags)
{
	while (bytes > 0) {
		unsigned int level = largest_level(address, p, bytes);
		pte_t *slot = slot_make(address, level);

		if (slot == NULL)
			return -ENOMEM;
		pte_store(slot, pte_make(phys(p), flags | (level > 1 ? PTE_HUGE : 0)));
		address += pte_span(level);
		p += pte_span(level);
		bytes -= pte_span(level);
	}
	return 0;
}

static void map_boot(uint64_t address, uint64_t start, uint64_t end, uint64_t flags)
{
	if (start < end && map_range(address + start, start, end - start, flags) != 0)
		panic("no memory for the kernel's page tables");
}

/* RAM in the direct map, read-only where the image's text and constants lie. */
static void map_ram(uint64_t start, uint64_t end)
{
	uint64_t text = image_to_phys(image_start).value;
	uint64_t data = image_to_phys(image_rodata_end).value;

	map_boot(ARCH_DIRECT_MAP, start, MIN(end, text), KERNEL_RW);
	map_boot(ARCH_DIRECT_MAP, MAX(start, text), MIN(end, data), KERNEL_RO);
	map_boot(ARCH_DIRECT_MAP, MAX(start, data), end, KERNEL_RW);
}

static void map_direct(void)
{
	map_boot(ARCH_DIRECT_MAP, 0, VGA_HOLE, KERNEL_RW);
	map_boot(ARCH_DIRECT_MAP, VGA_HOLE_END, LOW_MEMORY, KERNEL_RW);
	for (uint32_t i = 0; i < boot_info.ram_count; i++)
		map_ram(MAX(boot_info.ram[i].start, LOW_MEMORY), boot_info.ram[i].end);
}

static void map_image(void)
{
	uint64_t text = image_to_phys(image_start).value;
	uint64_t rodata = image_to_phys(image_text_end).value;
	uint64_t data = image_to_phys(image_rodata_end).value;
	uint64_t guard = image_to_phys(boot_stack_guard).value;
	uint64_t end = image_to_phys(image_end).value;

	map_boot(ARCH_KERNEL_BASE, text, rodata, KERNEL_RX);
	map_boot(ARCH_KERNEL_BASE, rodata, data, KERNEL_RO);
	map_boot(ARCH_KERNEL_BASE, data, guard, KERNEL_RW);
	map_boot(ARCH_KERNEL_BASE, guard + PAGE_SIZE, end, KERNEL_RW);
}

/* Tables needed at worst: partial GiBs and 2 MiBs at each range's two ends, the image, the window;
 * a table a GiB without 1 GiB pages. The rest serves mappings made before the allocator runs. */
static uint64_t pool_pages(void)
{
	uint64_t pages = 48 + 4 * (uint64_t)boot_info.ram_count;

	for (uint32_t i = 0; i < boot_info.ram_count && !cpu_features.pages_1g; i++)
		pages += (boot_info.ram[i].end - boot_info.ram[i].start) / GIB + 1;
	return pages;
}

void paging_init(void)
{
	uint64_t pages = pool_pages();

	pool_next = boot_info_take(pages * PAGE_SIZE, LOW_MEMORY, 4 * GIB);
	if (pool_next == 0)
		panic("no memory for the kernel's page tables");
	pool_end = pool_next + pages * PAGE_SIZE;
	kernel_root = phys(table_allocate());
	map_direct();
	map_image();
	if (slot_make(ARCH_KERNEL_WINDOW, 3) == NULL)
		panic("no memory for the kernel's page tables");
	write_cr3(kernel_root.value);
}

phys_t arch_space_kernel_root(void) { return kernel_root; }

void arch_space_init_root(void *root_table)
{
	const pte_t *kernel = table_at(kernel_root);
	pte_t *root = root_table;

	for (unsigned int i = PTE_USER_ENTRIES; i < PTE_ENTRIES; i++)
		root[i] = kernel[i];
}

void arch_tlb_flush_page(uint64_t address)
{
	__asm__ volatile("invlpg (%0)" : : "r"(address) : "memory");
}

void arch_tlb_flush_all(void) { write_cr3(read_cr3()); }

int arch_kernel_map(uint64_t address, phys_t p)
{
	irq_state_t state = spin_lock_irqsave(&window_lock);
	pte_t *slot;

	ASSERT(address >= ARCH_KERNEL_WINDOW && address < DEVICE_WINDOW);
	slot = slot_make(address, 1);
	if (slot != NULL)
		pte_store(slot, pte_make(p, KERNEL_RW));
	spin_unlock_irqrestore(&window_lock, state);
	return slot != NULL ? 0 : -ENOMEM;
}

uint64_t arch_kernel_tables(void)
{
	return read_once(window_tables);
}

phys_t arch_kernel_unmap(uint64_t address)
{
	irq_state_t state = spin_lock_irqsave(&window_lock);
	pte_t *slot = slot_make(address, 1);
	pte_t old = slot != NULL ? pte_exchange(slot, pte_none()) : pte_none();

	spin_unlock_irqrestore(&window_lock, state);
	arch_tlb_flush_page(address);
	return pte_phys(old);
}

static void *map_device_window(uint64_t start, size_t bytes, uint64_t flags)
{
	uint64_t first = page_round_down(start);
	uint64_t length = page_round_up(start + bytes) - first;
	irq_state_t state;
	uint64_t at;
	int error = -ENOMEM;

	if (bytes == 0 || start + bytes < start || length > DEVICE_WINDOW_END - DEVICE_WINDOW)
		return NULL;
	state = spin_lock_irqsave(&window_lock);
	/* The same place in a 2 MiB page as the device, so that large ones need few tables. */
	at = device_next;
	if (length >= HUGE_SIZE)
		at = align_up(at, HUGE_SIZE) + first % HUGE_SIZE;
	if (length <= DEVICE_WINDOW_END - at) {
		error = map_range(at, first, length, flags);
		device_next = at + length;
	}
	spin_unlock_irqrestore(&window_lock, state);
	return error == 0 ? (void *)(at + (start - first)) : NULL;
}

void *arch_map_device(phys_t start, size_t bytes)
{
	return map_device_window(start.value, bytes, KERNEL_RW | PTE_UNCACHED | PTE_WRITE_THROUGH);
}

const void *paging_map_firmware(uint64_t start, size_t bytes)
{
	return map_device_window(start, bytes, KERNEL_RO);
}

void arch_page_clear(void *page)
{
	uint64_t n = PAGE_SIZE;

	if (!cpu_features.erms)
		page_clear_by_words(page);
	else
		__asm__ volatile("rep stosb" : "+D"(page), "+c"(n) : "a"(0) : "memory");
}

void arch_page_copy(void *to, const void *from)
{
	uint64_t n = PAGE_SIZE;

	if (!cpu_features.erms)
		page_copy_by_words(to, from);
	else
		__asm__ volatile("rep movsb" : "+D"(to), "+S"(from), "+c"(n) : : "memory");
}
