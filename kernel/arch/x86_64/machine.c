/*
 * The machine as the firmware's tables describe it, or its simplest form when there are none.
 */
#include "arch/x86_64/machine.h"

#include "arch/arch_down.h"
#include "arch/boot_info.h"
#include "core/klog.h"
#include "lib/string.h"

struct machine machine;

bool machine_sum_is_zero(const void *table, size_t n)
{
	const uint8_t *bytes = table;
	uint8_t sum = 0;

	for (size_t i = 0; i < n; i++)
		sum = (uint8_t)(sum + bytes[i]);
	return sum == 0;
}

uint64_t machine_find(uint64_t start, uint64_t end, const char *signature, size_t n)
{
	for (uint64_t p = start; p + 16 <= end; p += 16)
		if (memcmp(phys_to_virt(phys(p)), signature, n) == 0)
			return p;
	return 0;
}

void machine_add_processor(struct machine *m, uint32_t apic_id)
{
	for (uint32_t i = 0; i < m->processor_count; i++)
		if (m->processors[i] == apic_id)
			return;
	/* An IPI by the xAPIC reaches ids below 255. */
	if (m->processor_count == CPU_MAX || apic_id >= 255)
		m->processors_ignored++;
	else
		m->processors[m->processor_count++] = apic_id;
}

void machine_add_ioapic(struct machine *m, uint64_t address, uint32_t gsi_base)
{
	if (m->ioapic_count == IOAPICS_MAX)
		return;
	m->ioapics[m->ioapic_count].address = address;
	m->ioapics[m->ioapic_count].gsi_base = gsi_base;
	m->ioapic_count++;
}

static void set_defaults(struct machine *m)
{
	memset(m, 0, sizeof(*m));
	m->source = "none";
	m->lapic = 0xfee00000;
	for (uint32_t i = 0; i < ISA_IRQS; i++)
		m->isa[i].gsi = i;
}

void machine_read(void)
{
	set_defaults(&machine);
	if (acpi_read(&machine, boot_info.rsdp) && machine.processor_count > 0)
		machine.source = "acpi";
	else if (mptable_read(&machine) && machine.processor_count > 0)
		machine.source = "mp";
	else if (machine.ioapic_count == 0)
		machine_add_ioapic(&machine, 0xfec00000, 0);
	log_info("machine: tables %s, %u processors, %u IOAPICs", machine.source,
		 machine.processor_count, machine.ioapic_count);
	if (machine.processors_ignored != 0)
		log_warn("%u processors are not used: at most %u are", machine.processors_ignored,
			 CPU_MAX);
}
