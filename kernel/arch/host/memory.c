/*
 * Physical memory of the host architecture: a file in memory, mapped at the direct map; a page of
 * the kernel's window is the same file mapped once more. So guard pages guard and aliases alias.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "abi/errno.h"
#include "arch/arch_down.h"
#include "arch/boot_info.h"
#include "arch/host/host_internal.h"

#define MEMORY_START (1UL << 20)

struct boot_info boot_info;

static int memory_file = -1;
static uint64_t memory_end;
static uint64_t *window_frames;		/* frame + 1 of each page of the window's first part */

#define WINDOW_PAGES 65536UL

static void die(const char *what)
{
	perror(what);
	exit(1);
}

void host_memory_init(size_t bytes)
{
	void *wanted = (void *)ARCH_DIRECT_MAP;

	memory_end = MEMORY_START + bytes;
	memory_file = memfd_create("tine-memory", MFD_CLOEXEC);
	if (memory_file < 0 || ftruncate(memory_file, (off_t)memory_end) != 0)
		die("arch/host: memory");
	if (mmap(wanted, memory_end, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED_NOREPLACE,
		 memory_file, 0) != wanted)
		die("arch/host: direct map");
	wanted = (void *)ARCH_KERNEL_WINDOW;
	if (mmap(wanted, ARCH_KERNEL_WINDOW_SIZE, PROT_NONE,
		 MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED_NOREPLACE, -1,
		 0) != wanted)
		die("arch/host: window");
	window_frames = calloc(WINDOW_PAGES, sizeof(*window_frames));
	boot_info.ram[0] = (struct boot_range){ MEMORY_START, memory_end };
	boot_info.ram_count = 1;
}

static uint64_t window_index(uint64_t address)
{
	return (address - ARCH_KERNEL_WINDOW) >> PAGE_SHIFT;
}

int arch_kernel_map(uint64_t address, phys_t p)
{
	if (window_index(address) >= WINDOW_PAGES ||
	    mmap((void *)address, PAGE_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED,
		 memory_file, (off_t)p.value) == MAP_FAILED)
		return -ENOMEM;
	window_frames[window_index(address)] = (p.value >> PAGE_SHIFT) + 1;
	return 0;
}

uint64_t arch_kernel_tables(void)
{
	return 0;
}

phys_t arch_kernel_unmap(uint64_t address)
{
	uint64_t *frame = &window_frames[window_index(address)];
	phys_t p = phys((*frame - 1) << PAGE_SHIFT);

	if (*frame == 0)
		host_fail("arch_kernel_unmap: %#llx is not mapped", (unsigned long long)address);
	*frame = 0;
	mmap((void *)address, PAGE_SIZE, PROT_NONE,
	     MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED, -1, 0);
	return p;
}

void *arch_map_device(phys_t start, size_t bytes) { return NULL; }
void arch_page_clear(void *page) { memset(page, 0, PAGE_SIZE); }
void arch_page_copy(void *to, const void *from) { memcpy(to, from, PAGE_SIZE); }
