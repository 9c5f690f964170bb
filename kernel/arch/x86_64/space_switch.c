/*
 * Ways to change the address space (Intel SDM 3A, 4.10.4.1), chosen by tlb= of the command line:
 *
 *   cr3       the default: a load of CR3 drops all but global translations
 *   pge       and CR4.PGE off and on again: the global ones too, as the kernel of the report did
 *   invpcid   CR3 loaded without dropping anything, then INVPCID type 3: all but global ones
 *   pcid      CR3 with the space's tag, nothing dropped; who has which tag is vm/tlb.c's
 *
 *   measure   cr3, after each method the processor has was timed: lines of the log, for the lab
 *
 * invpcid and pcid need PCIDs, the first INVPCID as well. What the processor lacks is refused by a
 * line in the log. CPUID is asked, not tried: an emulator may take CR4.PCIDE and know no PCID.
 */
#include "arch/x86_64/space_switch.h"

#include "arch/x86_64/clock.h"
#include "arch/x86_64/cpu.h"
#include "arch/x86_64/paging.h"
#include "core/cmdline.h"
#include "core/klog.h"
#include "lib/bits.h"
#include "lib/string.h"

#define CR3_KEEP (1UL << 63)
#define CR4_PGE (1UL << 7)
#define CR4_PCIDE (1UL << 17)
#define INVPCID_ALL_BUT_GLOBAL 3UL
#define TAGS 8

uint64_t space_switch_cr4;			/* [I] after the boot CPU's start */
static void (*other_load)(phys_t root);		/* [I] NULL: cr3 */
static uint32_t tag_count;			/* [I] */

static void load_pge(phys_t root)
{
	uint64_t cr4;

	write_cr3(root.value);
	cr4 = read_cr4();
	write_cr4(cr4 & ~CR4_PGE);
	write_cr4(cr4);
	__asm__ volatile("mfence" : : : "memory");
}

static void load_invpcid(phys_t root)
{
	const struct { uint64_t tag, address; } operand = { 0, 0 };

	write_cr3(root.value | CR3_KEEP);
	__asm__ volatile("invpcid %0, %1" : : "m"(operand), "r"(INVPCID_ALL_BUT_GLOBAL) : "memory");
}

void arch_space_load(phys_t root)
{
	if (unlikely(other_load != NULL))
		other_load(root);
	else
		write_cr3(root.value);
}

uint32_t arch_space_tags(void) { return tag_count; }

void arch_space_load_tagged(phys_t root, uint32_t tag, bool keep)
{
	write_cr3(root.value | tag | (keep ? CR3_KEEP : 0));
}

static const struct {
	const char *name;
	bool needs_pcid, needs_invpcid;
	void (*load)(phys_t root);
	uint32_t tags;
} methods[] = {
	{ "cr3", false, false, NULL, 0 },
	{ "pge", false, false, load_pge, 0 },
	{ "invpcid", true, true, load_invpcid, 0 },
	{ "pcid", true, false, NULL, TAGS },
};

/* --- tlb=measure ------------------------------------------------------------------------------ */

#define ROUNDS 256
#define TOUCHED 64			/* pages of the kernel's image: global translations */

extern char image_start[];

static uint64_t time_load(uint32_t method, phys_t root)
{
	const uint64_t begin = tsc_read();

	if (methods[method].tags != 0)
		arch_space_load_tagged(root, 0, true);
	else if (methods[method].load != NULL)
		methods[method].load(root);
	else
		write_cr3(root.value);
	return tsc_read() - begin;
}

static uint64_t time_touch(void)
{
	const uint64_t begin = tsc_read();

	for (uint32_t i = 0; i < TOUCHED; i++)
		(void)*(const volatile char *)(image_start + i * PAGE_SIZE);
	return tsc_read() - begin;
}

/* The cheapest of the rounds: what an emulator's host does meanwhile is in the others. */
static void measure_method(uint32_t method, phys_t root)
{
	uint64_t load = UINT64_MAX, touch = UINT64_MAX, instrument = UINT64_MAX;

	for (uint32_t i = 0; i < ROUNDS; i++) {
		const uint64_t begin = tsc_read(), none = tsc_read() - begin;
		const uint64_t loaded = time_load(method, root), touched = time_touch();

		load = loaded < load ? loaded : load;
		touch = touched < touch ? touched : touch;
		instrument = none < instrument ? none : instrument;
	}
	log_info("tlb=measure: %s: load %lu touch %lu instrument %lu", methods[method].name, load,
		 touch, instrument);
}

static void measure(bool has_pcid, bool has_invpcid)
{
	const phys_t root = phys(read_cr3());
	const uint64_t cr4 = read_cr4();

	for (uint32_t i = 0; i < ARRAY_SIZE(methods); i++) {
		if ((methods[i].needs_pcid && !has_pcid) ||
		    (methods[i].needs_invpcid && !has_invpcid)) {
			log_info("tlb=measure: %s: this processor has no %s", methods[i].name,
				 has_pcid ? "INVPCID" : "PCID");
			continue;
		}
		write_cr4(cr4 | (methods[i].needs_pcid ? CR4_PCIDE : 0));
		measure_method(i, root);
		write_cr4(cr4);
	}
}

void space_switch_choose(void)
{
	const int wanted = cmdline_choice("tlb", "cr3|pge|invpcid|pcid|measure");
	bool has_pcid = (cpuid(1, 0).c & 1u << 17) != 0;
	bool has_invpcid = cpu_features.leaf_max >= 7 && (cpuid(7, 0).b & 1u << 10) != 0;

	if (wanted == ARRAY_SIZE(methods)) {
		measure(has_pcid, has_invpcid);
		return;
	}
	if (wanted < 0)
		return;
	if ((methods[wanted].needs_pcid && !has_pcid) ||
	    (methods[wanted].needs_invpcid && !has_invpcid)) {
		log_warn("tlb=%s: this processor has no %s; tlb=cr3 is used",
			 methods[wanted].name, has_pcid ? "INVPCID" : "PCID");
		return;
	}
	other_load = methods[wanted].load;
	tag_count = methods[wanted].tags;
	/* CR3's tag is 0 now, as setting PCIDE demands. */
	space_switch_cr4 = methods[wanted].needs_pcid ? CR4_PCIDE : 0;
	write_cr4(read_cr4() | space_switch_cr4);
	log_info("tlb=%s", methods[wanted].name);
}
