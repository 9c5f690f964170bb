/*
 * From hvm_start_info (PVH) or multiboot2 tags to struct boot_info.
 *
 * Nothing the loader says is trusted: ranges may be unsorted, overlap, be empty, wrap; tags may lie
 * about their size. RAM is what some range calls usable and no range calls anything else, rounded
 * inward to pages. Loaders do not reserve what they hand over, so the command line is copied at
 * once, and the image and the initrd are reserved here.
 *
 * Runs on the boot page tables: the first 4 GiB at the direct map's address.
 */
#include "arch/x86_64/boot_info_x86.h"

#include "arch/arch_down.h"
#include "arch/boot_info.h"
#include "arch/x86_64/paging.h"
#include "core/assert.h"
#include "lib/bits.h"
#include "lib/string.h"

#define REACHABLE (1UL << 32)
#define RAM_LIMIT (1UL << 39)		/* one top-level entry of the direct map */
#define INPUT_MAX 128

struct boot_info boot_info;
extern char image_start[], image_end[];

static struct { uint64_t start, end; bool usable; } inputs[INPUT_MAX];
static uint32_t input_count;

/* n bytes at a physical address, NULL when out of reach. */
static const void *reach(uint64_t p, uint64_t n)
{
	if (p == 0 || n > REACHABLE || p > REACHABLE - n)
		return NULL;
	return phys_to_virt(phys(p));
}

static void input_add(uint64_t start, uint64_t bytes, bool usable)
{
	uint64_t end = start + bytes < start ? UINT64_MAX : start + bytes;

	if (bytes == 0 || input_count == INPUT_MAX)
		return;
	inputs[input_count].start = start;
	inputs[input_count].end = end;
	inputs[input_count].usable = usable;
	input_count++;
}

static void ram_insert(uint64_t start, uint64_t end)
{
	uint32_t at = boot_info.ram_count;

	start = page_round_up(start);
	end = page_round_down(MIN(end, RAM_LIMIT));
	if (start >= end || at == BOOT_RANGES_MAX)
		return;
	for (; at > 0 && boot_info.ram[at - 1].start > start; at--)
		boot_info.ram[at] = boot_info.ram[at - 1];
	boot_info.ram[at] = (struct boot_range){ start, end };
	boot_info.ram_count++;
}

/* The next address above `p` where some input begins or ends. */
static uint64_t next_edge(uint64_t p)
{
	uint64_t next = UINT64_MAX;

	for (uint32_t i = 0; i < input_count; i++) {
		if (inputs[i].start > p)
			next = MIN(next, inputs[i].start);
		if (inputs[i].end > p)
			next = MIN(next, inputs[i].end);
	}
	return next;
}

static bool is_usable(uint64_t p)
{
	bool usable = false;

	for (uint32_t i = 0; i < input_count; i++) {
		if (p < inputs[i].start || p >= inputs[i].end)
			continue;
		if (!inputs[i].usable)
			return false;
		usable = true;
	}
	return usable;
}

/* Sweeps over the edges: between two of them every address has the same answer. */
static void build_ram(void)
{
	uint64_t start = 0, p = 0;
	bool inside = is_usable(0);

	while (p != UINT64_MAX) {
		uint64_t next = next_edge(p);
		bool usable = next != UINT64_MAX && is_usable(next);

		if (inside && !usable)
			ram_insert(start, next);
		if (!inside && usable)
			start = next;
		inside = usable;
		p = next;
	}
}

void boot_info_reserve(uint64_t start, uint64_t end)
{
	start = page_round_down(start);
	end = page_round_up(end);
	if (start >= end)
		return;
	if (boot_info.reserved_count == BOOT_RANGES_MAX)
		panic("too many reserved ranges");
	boot_info.reserved[boot_info.reserved_count++] = (struct boot_range){ start, end };
}

/* Where a range of `bytes` at `at` or above it is free of reservations, within ram[i]. */
static uint64_t free_in(const struct boot_range *ram, uint64_t bytes, uint64_t low, uint64_t high)
{
	uint64_t at = MAX(ram->start, low);
	uint64_t end = MIN(ram->end, high);

	for (uint32_t i = 0; i < boot_info.reserved_count; i++) {
		const struct boot_range *r = &boot_info.reserved[i];

		if (at < r->end && r->start < at + bytes) {
			at = r->end;
			i = (uint32_t)-1;	/* look at all again */
		}
	}
	return at < end && bytes <= end - at ? at : 0;
}

uint64_t boot_info_take(uint64_t bytes, uint64_t low, uint64_t high)
{
	for (uint32_t i = 0; i < boot_info.ram_count; i++) {
		uint64_t at = free_in(&boot_info.ram[i], bytes, low, high);

		if (at != 0) {
			boot_info_reserve(at, at + bytes);
			return at;
		}
	}
	return 0;
}

static void set_initrd(uint64_t start, uint64_t bytes)
{
	/* A second module would be somebody's mistake: the first counts. */
	if (bytes == 0 || boot_info.initrd.end != 0 || start + bytes < start)
		return;
	boot_info.initrd = (struct boot_range){ start, start + bytes };
	boot_info_reserve(start, start + bytes);
}

/* --- PVH: xen/include/public/arch-x86/hvm/start_info.h ------------------------------------ */

struct hvm_start_info {
	uint32_t magic, version, flags, module_count;
	uint64_t modules, cmdline, rsdp;
	uint64_t map;			/* from version 1 on */
	uint32_t map_count, reserved;
};
struct hvm_module { uint64_t start, bytes, cmdline, reserved; };
struct hvm_map_entry { uint64_t start, bytes; uint32_t type, reserved; };

static void read_pvh(uint64_t at)
{
	const struct hvm_start_info *info = reach(at, sizeof(*info));
	const struct hvm_map_entry *map;
	const struct hvm_module *module;
	const char *text;

	if (info == NULL || info->magic != PVH_MAGIC || info->version < 1)
		panic("PVH: no start info with a memory map");
	map = reach(info->map, (uint64_t)info->map_count * sizeof(*map));
	for (uint32_t i = 0; map != NULL && i < info->map_count; i++)
		input_add(map[i].start, map[i].bytes, map[i].type == 1);
	module = reach(info->modules, sizeof(*module));
	if (module != NULL && info->module_count > 0)
		set_initrd(module->start, module->bytes);
	text = reach(info->cmdline, sizeof(boot_info.cmdline));
	if (text != NULL)
		strlcpy(boot_info.cmdline, text, sizeof(boot_info.cmdline));
	boot_info.rsdp = info->rsdp;
	boot_info.protocol = "pvh";
}

/* --- multiboot2 specification, section 3.6 ------------------------------------------------ */

struct mb2_tag { uint32_t type, size; };

enum { MB2_END = 0, MB2_CMDLINE = 1, MB2_MODULE = 3, MB2_MAP = 6, MB2_ACPI1 = 14, MB2_ACPI2 = 15 };

static void read_mb2_map(const struct mb2_tag *tag)
{
	const uint32_t *head = (const uint32_t *)(tag + 1);
	uint32_t entry_size = tag->size >= 16 ? head[0] : 0;
	const uint8_t *base = (const uint8_t *)tag;

	if (entry_size < 20 || entry_size > 256)
		return;
	for (uint32_t at = 16; at + entry_size <= tag->size; at += entry_size) {
		uint64_t range[2];
		uint32_t type;

		memcpy(range, base + at, 16);
		memcpy(&type, base + at + 16, 4);
		input_add(range[0], range[1], type == 1);
	}
}

static void read_mb2_tag(const struct mb2_tag *tag)
{
	const char *text = (const char *)(tag + 1);
	const uint32_t *words = (const uint32_t *)(tag + 1);
	size_t n = tag->size - sizeof(*tag);

	switch (tag->type) {
	case MB2_CMDLINE:
		n = MIN(strnlen(text, n), sizeof(boot_info.cmdline) - 1);
		memcpy(boot_info.cmdline, text, n);
		boot_info.cmdline[n] = '\0';
		break;
	case MB2_MODULE:
		if (n >= 8 && words[1] > words[0])
			set_initrd(words[0], words[1] - words[0]);
		break;
	case MB2_MAP:
		read_mb2_map(tag);
		break;
	case MB2_ACPI1:
	case MB2_ACPI2:
		/* A copy of the RSDP, kept in place: the boot information is reserved. */
		if (n >= 20)
			boot_info.rsdp = virt_to_phys(words).value;
	}
}

static void read_multiboot2(uint64_t at)
{
	const uint32_t *head = reach(at, 8);
	uint64_t total = head != NULL ? head[0] : 0;

	if (total < 16 || reach(at, total) == NULL)
		panic("multiboot2: no boot information");
	boot_info_reserve(at, at + total);
	for (uint64_t offset = 8; offset + sizeof(struct mb2_tag) <= total;) {
		const struct mb2_tag *tag = reach(at + offset, sizeof(*tag));

		if (tag->type == MB2_END || tag->size < sizeof(*tag) || tag->size > total - offset)
			break;
		read_mb2_tag(tag);
		offset += align_up(tag->size, 8);
	}
	boot_info.protocol = "multiboot2";
}

void boot_info_read(uint32_t magic, uint32_t info)
{
	/* Page 0 is nobody's, so that a physical address of 0 can mean none. */
	boot_info_reserve(0, PAGE_SIZE);
	boot_info_reserve(image_to_phys(image_start).value, image_to_phys(image_end).value);
	if (magic == PVH_MAGIC)
		read_pvh(info);
	else if (magic == MULTIBOOT2_LOADER_MAGIC)
		read_multiboot2(info);
	else
		panic("started by an unknown boot protocol (%#x)", magic);
	build_ram();
	if (boot_info.ram_count == 0)
		panic("the boot loader gave no memory map");
}
