/*
 * Interrupt handlers by vector. A handler runs with interrupts off and preemption off; it takes
 * only irqsave locks, wakes threads, and never touches user memory.
 */
#pragma once

#include "core/types.h"

typedef void (*irq_handler_t)(void *arg);

/* A message-signalled interrupt's address and data (PCI MSI-X, Intel SDM 3A section 11.11). */
struct msi_message {
	uint64_t address;
	uint32_t data;
};

/* Gives out a vector with its handler; -ENOSPC when none is left. */
must_check int irq_allocate_msi(irq_handler_t handler, void *arg, struct msi_message *out);
/* Routes a legacy or MMIO interrupt line (GSI) to a handler. `level`: level-triggered, active high
 * unless the ACPI/MP tables say otherwise. Lines may be shared. */
must_check int irq_register_line(uint32_t gsi, bool level, irq_handler_t handler, void *arg);
/* The architecture calls this on receipt of a vector that was given out here. */
void irq_receive(uint32_t vector);
/* How often a vector came, and what it is for; false past the last. For /proc/interrupts. */
struct irq_stats { uint32_t vector; uint64_t count; int32_t gsi; };	/* gsi -1: MSI */
bool irq_stats_get(uint32_t index, struct irq_stats *out);

/* The vectors given out: below are exceptions, the PIC's and int 0x80, above the architecture's. */
#define IRQ_VECTOR_FIRST 0x81u
#define IRQ_VECTOR_END 0xe0u
