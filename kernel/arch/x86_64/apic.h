/*
 * The interrupt controllers: the processors' local APICs, the IOAPICs, the old PICs (masked).
 * Private to arch/x86_64.
 */
#pragma once

#include "core/types.h"

/* Above core/irq.h's range; the priority class grows with the vector. */
#define VECTOR_TIMER 0xef
#define VECTOR_RESCHEDULE 0xf0
#define VECTOR_CALL 0xf1
#define VECTOR_SPURIOUS 0xff

struct machine;

void apic_init(const struct machine *machine);	/* maps the registers, masks the PICs; boot CPU */
void apic_init_cpu(void);			/* enables this processor's */
uint32_t apic_id_self(void);
void apic_eoi(void);
void apic_send_init(uint32_t apic_id);
void apic_send_startup(uint32_t apic_id, uint32_t page);

/* The timer: one-shot, divided by 1. */
uint32_t apic_timer_read(void);
void apic_timer_start(uint32_t count);		/* 0 disarms */
void apic_timer_unmask(void);			/* each processor: one-shot by count, or */
void apic_timer_use_deadline(void);		/* by TSC deadline */
void apic_timer_deadline(uint64_t tsc);
void apic_timer_periodic(uint32_t count);

void ioapic_init(const struct machine *machine);
