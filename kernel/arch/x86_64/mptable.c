/*
 * The MP configuration table (MultiProcessor Specification 1.4, chapter 4), for machines without
 * ACPI: microvm with acpi=off.
 *
 * Only ISA interrupts are taken from it: a PCI interrupt is message-signalled here.
 */
#include "arch/x86_64/machine.h"

#include "arch/arch_down.h"
#include "arch/x86_64/paging.h"
#include "lib/string.h"

struct packed_struct mp_pointer {
	char signature[4];		/* _MP_ */
	uint32_t table;
	uint8_t length, revision, checksum, features[5];
};

struct packed_struct mp_header {
	char signature[4];		/* PCMP */
	uint16_t length;
	uint8_t revision, checksum;
	char oem[8], product[12];
	uint32_t oem_table;
	uint16_t oem_bytes, entries;
	uint32_t lapic;
	uint16_t extended_length;
	uint8_t extended_checksum, reserved;
};

enum { MP_PROCESSOR, MP_BUS, MP_IOAPIC, MP_INTERRUPT, MP_LOCAL_INTERRUPT };

static uint64_t pointer_find(void)
{
	uint16_t ebda;
	uint64_t p = 0;

	memcpy(&ebda, phys_to_virt(phys(0x40e)), 2);	/* BIOS data area: its segment */
	if (ebda >= 0x8000 && ebda < 0xa000)
		p = machine_find((uint64_t)ebda << 4, ((uint64_t)ebda << 4) + 1024, "_MP_", 4);
	if (p == 0)
		p = machine_find(0x9fc00, 0xa0000, "_MP_", 4);
	return p != 0 ? p : machine_find(0xf0000, 0x100000, "_MP_", 4);
}

/* Reads one entry; its size, 0 for one that is unknown. */
static uint32_t read_entry(struct machine *m, const uint8_t *e, uint32_t room, uint32_t *isa_bus)
{
	uint32_t size = e[0] == MP_PROCESSOR ? 20 : 8;
	uint32_t address;

	if (e[0] > MP_LOCAL_INTERRUPT || room < size)
		return 0;
	switch (e[0]) {
	case MP_PROCESSOR:
		if ((e[3] & 1) != 0)
			machine_add_processor(m, e[1]);
		break;
	case MP_BUS:
		if (memcmp(e + 2, "ISA", 3) == 0)
			*isa_bus = e[1];
		break;
	case MP_IOAPIC:
		memcpy(&address, e + 4, 4);
		/* The table does not say where each one's interrupts begin: they follow on. */
		if ((e[3] & 1) != 0)
			machine_add_ioapic(m, address, 24 * m->ioapic_count);
		break;
	case MP_INTERRUPT:
		if (e[1] == 0 && e[4] == *isa_bus && e[5] < ISA_IRQS) {
			m->isa[e[5]].gsi = e[7];
			m->isa[e[5]].active_low = (e[2] & 3) == 3;
			m->isa[e[5]].level = (e[2] >> 2 & 3) == 3;
		}
	}
	return size;
}

bool mptable_read(struct machine *m)
{
	uint64_t p = pointer_find();
	const struct mp_pointer *pointer = p != 0 ? phys_to_virt(phys(p)) : NULL;
	const struct mp_header *h;
	uint32_t isa_bus = UINT32_MAX;

	if (pointer == NULL || pointer->table == 0 || !machine_sum_is_zero(pointer, 16))
		return false;
	h = paging_map_firmware(pointer->table, sizeof(*h));
	if (h == NULL || memcmp(h->signature, "PCMP", 4) != 0)
		return false;
	h = paging_map_firmware(pointer->table, h->length);
	if (h == NULL || !machine_sum_is_zero(h, h->length))
		return false;
	m->lapic = h->lapic;
	/* By its length: qboot leaves the count of entries at 0. */
	for (uint32_t at = sizeof(*h); at < h->length;) {
		uint32_t n = read_entry(m, (const uint8_t *)h + at, h->length - at, &isa_bus);

		if (n == 0)
			break;
		at += n;
	}
	return true;
}
