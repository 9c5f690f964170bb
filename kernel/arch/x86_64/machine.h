/*
 * What the firmware's tables say about the machine: ACPI's MADT, or the MP table of Intel's
 * MultiProcessor Specification 1.4. Private to arch/x86_64.
 */
#pragma once

#include "core/types.h"

#define IOAPICS_MAX 8
#define ISA_IRQS 16

struct machine {
	const char *source;		/* "acpi", "mp" or "none" */
	uint64_t lapic;			/* physical address of the local APICs */
	uint32_t processor_count;	/* usable ones; [0] is whichever came first */
	uint32_t processors[CPU_MAX];	/* APIC ids */
	uint32_t processors_ignored;	/* beyond CPU_MAX, or unreachable */
	uint32_t ioapic_count;
	struct { uint64_t address; uint32_t gsi_base; } ioapics[IOAPICS_MAX];
	/* ISA interrupts: where they arrive and how, when not as usual. */
	struct { uint32_t gsi; bool level, active_low; } isa[ISA_IRQS];
	uint16_t pm_timer_port;		/* 0: none */
	bool pm_timer_32;
	uint64_t hpet;			/* physical address, 0: none */
	uint16_t sleep_port;		/* PM1a control, 0: none */
	uint8_t sleep_value;		/* SLP_TYP of S5 */
	uint64_t sleep_register;	/* of hardware-reduced ACPI: sleep control, 0: none */
};

extern struct machine machine;

void machine_read(void);		/* ACPI first, then MP, then a single processor */
bool acpi_read(struct machine *m, uint64_t rsdp);
bool mptable_read(struct machine *m);
void machine_add_processor(struct machine *m, uint32_t apic_id);
void machine_add_ioapic(struct machine *m, uint64_t address, uint32_t gsi_base);
/* Searches [start,end) below 1 MiB on 16-byte steps for a signature. 0: not there. */
uint64_t machine_find(uint64_t start, uint64_t end, const char *signature, size_t n);
bool machine_sum_is_zero(const void *table, size_t n);
