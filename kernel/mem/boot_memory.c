/*
 * From the boot protocol's map to the allocator: which frames are free, and where the descriptors
 * lie.
 *
 * Free memory is RAM less the reserved ranges less the descriptors themselves. A section (4 MiB)
 * that is free from end to end goes to the buddy allocator untouched; only the sections cut by a
 * border get their descriptors here. So the work is proportional to the number of ranges, and a
 * machine of 16 GiB boots as fast as one of 32 MiB.
 *
 * Runs once, on the boot processor. Reserved ranges may be given back later by page_free_range()
 * (the initrd once it is unpacked).
 */
#include "arch/boot_info.h"
#include "core/assert.h"
#include "lib/string.h"
#include "mem/mem_internal.h"

#define PIECES_MAX (2 * BOOT_RANGES_MAX + 2)
/* Nothing is given out below 64 KiB: real-mode data and the secondary processors' start page. */
#define LOW_MEMORY_END 0x10000UL

struct page *page_array;
uint64_t page_array_end;
uint32_t *page_folds;

struct piece { uint64_t start, end; };			/* bytes, page aligned */

static struct piece pieces[PIECES_MAX];
static uint32_t piece_count;

static void piece_remove_at(uint32_t at)
{
	piece_count--;
	for (uint32_t i = at; i < piece_count; i++)
		pieces[i] = pieces[i + 1];
}

static void piece_insert_at(uint32_t at, uint64_t start, uint64_t end)
{
	/* Losing a sliver of memory is better than not booting on a map of a hundred pieces. */
	if (piece_count == PIECES_MAX)
		return;
	for (uint32_t i = piece_count; i > at; i--)
		pieces[i] = pieces[i - 1];
	pieces[at] = (struct piece){ start, end };
	piece_count++;
}

/* Takes [start,end) out of the free pieces, rounded outward to pages. */
static void pieces_exclude(uint64_t start, uint64_t end)
{
	start = page_round_down(start);
	end = page_round_up(end);
	for (uint32_t i = 0; i < piece_count;) {
		struct piece p = pieces[i];

		if (end <= p.start || start >= p.end) {
			i++;
			continue;
		}
		piece_remove_at(i);
		if (end < p.end)
			piece_insert_at(i, end, p.end);
		if (start > p.start) {
			piece_insert_at(i, p.start, start);
			i++;
		}
	}
}

static void pieces_from_boot_info(void)
{
	for (uint32_t i = 0; i < boot_info.ram_count; i++) {
		uint64_t start = page_round_up(boot_info.ram[i].start);
		uint64_t end = page_round_down(boot_info.ram[i].end);

		if (start < end)
			piece_insert_at(piece_count, start, end);
	}
	pieces_exclude(0, LOW_MEMORY_END);
	for (uint32_t i = 0; i < boot_info.reserved_count; i++)
		pieces_exclude(boot_info.reserved[i].start, boot_info.reserved[i].end);
}

/* Places the descriptors, and page_folds, in the first free piece above 1 MiB that holds them. */
static void page_array_place(void)
{
	uint64_t top = boot_info.ram[boot_info.ram_count - 1].end;

	page_array_end = (top + SECTION_BYTES - 1) / SECTION_BYTES * SECTION_FRAMES;

	uint64_t array_bytes = page_array_end * sizeof(struct page);
	uint64_t bytes = page_round_up(array_bytes + (page_array_end >> PAGE_HUGE_ORDER) *
						     sizeof(*page_folds));

	for (uint32_t i = 0; i < piece_count; i++) {
		uint64_t start = pieces[i].start < 0x100000 ? 0x100000 : pieces[i].start;

		if (start < pieces[i].end && pieces[i].end - start >= bytes) {
			page_array = phys_to_virt(phys(start));
			page_folds = phys_to_virt(phys(start + array_bytes));
			pieces_exclude(start, start + bytes);
			return;
		}
	}
	panic("memory: no room for %llu bytes of page descriptors", (unsigned long long)bytes);
}

void section_init(uint64_t section, enum page_kind kind)
{
	struct page *page = &page_array[section * SECTION_FRAMES];

	memset(page, 0, SECTION_FRAMES * sizeof(*page));
	if (kind == PAGE_FREE)
		return;
	for (uint64_t i = 0; i < SECTION_FRAMES; i++) {
		page[i].kind = kind;
		atomic32_store(&page[i].count, 1);
	}
}

static bool section_is_free(uint64_t section)
{
	for (uint32_t i = 0; i < piece_count; i++)
		if (pieces[i].start <= section * SECTION_BYTES &&
		    (section + 1) * SECTION_BYTES <= pieces[i].end)
			return true;
	return false;
}

/* Descriptors of the sections that hold RAM and are not free from end to end. */
static uint64_t sections_init_reserved(void)
{
	uint64_t total = 0, next = 0;

	for (uint32_t i = 0; i < boot_info.ram_count; i++) {
		uint64_t start = page_round_up(boot_info.ram[i].start);
		uint64_t end = page_round_down(boot_info.ram[i].end);

		if (start >= end)
			continue;
		total += (end - start) >> PAGE_SHIFT;

		uint64_t section = start / SECTION_BYTES;

		if (section < next)
			section = next;
		for (; section * SECTION_BYTES < end; section++) {
			if (!section_is_free(section))
				section_init(section, PAGE_RESERVED);
		}
		next = section;
	}
	return total;
}

static void frames_clear_descriptors(uint64_t start, uint64_t end)
{
	memset(&page_array[start], 0, (end - start) * sizeof(struct page));
}

static void piece_give(const struct piece *p)
{
	uint64_t start = p->start >> PAGE_SHIFT, end = p->end >> PAGE_SHIFT;
	uint64_t first = (start + SECTION_FRAMES - 1) / SECTION_FRAMES;
	uint64_t last = end / SECTION_FRAMES;

	if (first >= last) {
		frames_clear_descriptors(start, end);
		buddy_add_frames(start, end);
		return;
	}
	frames_clear_descriptors(start, first * SECTION_FRAMES);
	buddy_add_frames(start, first * SECTION_FRAMES);
	frames_clear_descriptors(last * SECTION_FRAMES, end);
	buddy_add_frames(last * SECTION_FRAMES, end);
	buddy_add_virgin(first, last);
}

uint64_t boot_memory_init(void)
{
	VERIFY(boot_info.ram_count > 0);
	pieces_from_boot_info();
	page_array_place();

	uint64_t total = sections_init_reserved();

	for (uint32_t i = piece_count; i-- > 0;)
		piece_give(&pieces[i]);
	return total;
}
