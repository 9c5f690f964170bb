/*
 * ACPI tables (ACPI specification 6.4, chapter 5): RSDP -> XSDT or RSDT -> MADT, FADT, HPET. Fixed
 * tables only: there is no interpreter for their bytecode, so S5's value is found by its name.
 *
 * Tables are firmware's and may lie: each is mapped by its header first, its length bounded, its
 * sum checked, and entries are read within it.
 */
#include "arch/x86_64/machine.h"

#include "arch/arch_down.h"
#include "arch/x86_64/paging.h"
#include "core/klog.h"
#include "lib/bits.h"
#include "lib/string.h"

#define TABLE_MAX (1024 * 1024u)
#define TABLES_MAX 64

struct packed_struct rsdp {
	char signature[8];
	uint8_t checksum;
	char oem[6];
	uint8_t revision;
	uint32_t rsdt;
	uint32_t length;		/* from revision 2 on */
	uint64_t xsdt;
};

struct packed_struct table_header {
	char signature[4];
	uint32_t length;
	uint8_t revision, checksum;
	char oem[6], oem_table[8];
	uint32_t oem_revision, creator, creator_revision;
};

struct packed_struct madt { struct table_header header; uint32_t lapic, flags; };

/* A whole table, checked; NULL when it is no table. */
static const struct table_header *table_map(uint64_t p)
{
	const struct table_header *h = p != 0 ? paging_map_firmware(p, sizeof(*h)) : NULL;
	uint32_t length = h != NULL ? h->length : 0;

	if (length < sizeof(*h) || length > TABLE_MAX)
		return NULL;
	/* The header's page is mapped: map again only when the table goes beyond it. */
	if (p % PAGE_SIZE + length > PAGE_SIZE)
		h = paging_map_firmware(p, length);
	return h != NULL && machine_sum_is_zero(h, length) ? h : NULL;
}

static void read_madt_entry(struct machine *m, const uint8_t *e, uint32_t n)
{
	uint32_t w[4] = { 0 };

	memcpy(w, e, MIN(n, (uint32_t)sizeof(w)));
	switch (e[0]) {
	case 0:				/* local APIC: enabled, or may be enabled later (ignored) */
		if (n >= 8 && (w[1] & 1) != 0)
			machine_add_processor(m, e[3]);
		break;
	case 1:				/* IOAPIC */
		if (n >= 12)
			machine_add_ioapic(m, w[1], w[2]);
		break;
	case 2:				/* an ISA interrupt that arrives elsewhere or otherwise */
		if (n >= 10 && e[3] < ISA_IRQS) {
			m->isa[e[3]].gsi = w[1];
			m->isa[e[3]].active_low = (e[8] & 3) == 3;
			m->isa[e[3]].level = (e[8] >> 2 & 3) == 3;
		}
		break;
	case 5:				/* the local APICs' address in 64 bits */
		if (n >= 12)
			memcpy(&m->lapic, e + 4, 8);
		break;
	case 9:				/* local x2APIC */
		if (n >= 16 && (w[2] & 1) != 0)
			machine_add_processor(m, w[1]);
	}
}

static void read_madt(struct machine *m, const struct table_header *h)
{
	const struct madt *madt = (const struct madt *)h;
	const uint8_t *base = (const uint8_t *)h;

	if (h->length < sizeof(*madt))
		return;
	m->lapic = madt->lapic;
	for (uint32_t at = sizeof(*madt); at + 2 <= h->length;) {
		uint32_t n = base[at + 1];

		if (n < 2 || n > h->length - at)
			break;
		read_madt_entry(m, base + at, n);
		at += n;
	}
}

/* `_S5_` is Name(_S5_, Package(..){SLP_TYPa, ...}): 08 "_S5_" 12 length count [0a] value. */
static void find_s5(struct machine *m, uint64_t p)
{
	const struct table_header *h = table_map(p);
	const uint8_t *d = (const uint8_t *)h;

	if (h == NULL)
		return;
	for (uint32_t i = sizeof(*h); i + 10 < h->length; i++) {
		uint32_t at;

		if (memcmp(d + i, "_S5_", 4) != 0 || d[i + 4] != 0x12)
			continue;
		at = i + 5 + 1 + (d[i + 5] >> 6) + 1;	/* package length, element count */
		if (at + 1 < h->length && d[at] == 0x0a)
			at++;
		if (at < h->length)
			m->sleep_value = d[at] & 7;
		return;
	}
}

static uint32_t word_at(const struct table_header *h, uint32_t offset)
{
	uint32_t v = 0;

	if (offset + 4 <= h->length)
		memcpy(&v, (const uint8_t *)h + offset, 4);
	return v;
}

static void read_fadt(struct machine *m, const struct table_header *h)
{
	uint32_t flags = word_at(h, 112);

	/* Hardware-reduced (microvm): no PM timer or PM1 block, but a sleep control register. */
	if ((flags & 1u << 20) != 0) {
		if (h->length >= 256)
			m->sleep_register = word_at(h, 248) | (uint64_t)word_at(h, 252) << 32;
	} else {
		m->pm_timer_port = (uint16_t)word_at(h, 76);
		m->pm_timer_32 = (flags & 1u << 8) != 0;
		m->sleep_port = (uint16_t)word_at(h, 64);
	}
	find_s5(m, word_at(h, 40));
}

static void read_table(struct machine *m, uint64_t p)
{
	const struct table_header *h = table_map(p);

	if (h == NULL)
		return;
	if (memcmp(h->signature, "APIC", 4) == 0)
		read_madt(m, h);
	else if (memcmp(h->signature, "FACP", 4) == 0)
		read_fadt(m, h);
	else if (memcmp(h->signature, "HPET", 4) == 0 && h->length >= 56)
		m->hpet = word_at(h, 44) | (uint64_t)word_at(h, 48) << 32;
}

static const struct rsdp *rsdp_find(uint64_t given)
{
	const struct rsdp *r;
	uint64_t p = given;

	if (p == 0)
		p = machine_find(0xe0000, 0x100000, "RSD PTR ", 8);
	r = p != 0 ? paging_map_firmware(p, sizeof(*r)) : NULL;
	if (r == NULL || memcmp(r->signature, "RSD PTR ", 8) != 0 || !machine_sum_is_zero(r, 20))
		return NULL;
	return r;
}

bool acpi_read(struct machine *m, uint64_t given)
{
	const struct rsdp *rsdp = rsdp_find(given);
	const struct table_header *root = NULL;
	uint32_t size = 8;

	if (rsdp == NULL)
		return false;
	if (rsdp->revision >= 2)
		root = table_map(rsdp->xsdt);
	if (root == NULL) {
		size = 4;
		root = table_map(rsdp->rsdt);
	}
	if (root == NULL)
		return false;
	for (uint32_t i = 0; i < TABLES_MAX; i++) {
		uint32_t at = sizeof(*root) + i * size;
		uint64_t p = 0;

		if (at + size > root->length)
			break;
		memcpy(&p, (const uint8_t *)root + at, size);
		read_table(m, p);
	}
	return true;
}
