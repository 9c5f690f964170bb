/*
 * The local APIC (Intel SDM 3A, chapter 11): xAPIC by memory, x2APIC by MSRs where there is one.
 *
 * Registers are named by their xAPIC offset; the x2APIC's MSR number is 0x800 + offset / 16.
 */
#include "arch/x86_64/apic.h"

#include "arch/x86_64/cpu.h"
#include "arch/x86_64/machine.h"
#include "core/assert.h"
#include "core/atomic.h"
#include "core/irq.h"

#define APIC_ID 0x20
#define APIC_TPR 0x80
#define APIC_EOI 0xb0
#define APIC_SVR 0xf0
#define APIC_ICR_LOW 0x300
#define APIC_ICR_HIGH 0x310
#define APIC_LVT_TIMER 0x320
#define APIC_LVT_LINT0 0x350
#define APIC_LVT_LINT1 0x360
#define APIC_LVT_ERROR 0x370
#define APIC_TIMER_INITIAL 0x380
#define APIC_TIMER_CURRENT 0x390
#define APIC_TIMER_DIVIDE 0x3e0

#define APIC_BASE_ENABLE (1UL << 11)
#define APIC_BASE_X2 (1UL << 10)
#define LVT_MASKED (1u << 16)
#define LVT_DEADLINE (2u << 17)
#define LVT_PERIODIC (1u << 17)
#define ICR_PENDING (1u << 12)
#define ICR_ASSERT (1u << 14)
#define ICR_NMI (4u << 8)
#define ICR_INIT (5u << 8)
#define ICR_STARTUP (6u << 8)

static volatile uint32_t *registers;	/* [I] NULL: x2APIC */

static uint32_t apic_read(uint32_t offset)
{
	if (registers != NULL)
		return registers[offset / 4];
	return (uint32_t)rdmsr(MSR_X2APIC + offset / 16);
}

static void apic_write(uint32_t offset, uint32_t value)
{
	if (registers != NULL)
		registers[offset / 4] = value;
	else
		wrmsr(MSR_X2APIC + offset / 16, value);
}

/* Everything masked, and moved away from the exceptions' vectors in case one slips through. */
static void pic_mask(void)
{
	outb(0x20, 0x11);
	outb(0xa0, 0x11);
	outb(0x21, 0x20);
	outb(0xa1, 0x28);
	outb(0x21, 4);
	outb(0xa1, 2);
	outb(0x21, 1);
	outb(0xa1, 1);
	outb(0x21, 0xff);
	outb(0xa1, 0xff);
}

void apic_init(const struct machine *machine)
{
	pic_mask();
	if (!cpu_features.x2apic) {
		registers = arch_map_device(phys(machine->lapic), PAGE_SIZE);
		VERIFY(registers != NULL);
	}
	apic_init_cpu();
	cpu_arch_self()->apic_id = apic_id_self();
}

void apic_init_cpu(void)
{
	uint64_t base = rdmsr(MSR_APIC_BASE) | APIC_BASE_ENABLE;

	wrmsr(MSR_APIC_BASE, base);
	if (registers == NULL)
		wrmsr(MSR_APIC_BASE, base | APIC_BASE_X2);
	apic_write(APIC_TPR, 0);
	apic_write(APIC_LVT_TIMER, LVT_MASKED | VECTOR_TIMER);
	apic_write(APIC_LVT_LINT0, LVT_MASKED);
	apic_write(APIC_LVT_LINT1, ICR_NMI);
	apic_write(APIC_LVT_ERROR, LVT_MASKED);
	apic_write(APIC_TIMER_DIVIDE, 0xb);
	apic_write(APIC_SVR, 0x100 | VECTOR_SPURIOUS);
}

uint32_t apic_id_self(void)
{
	uint32_t id = apic_read(APIC_ID);

	return registers != NULL ? id >> 24 : id;
}

void apic_eoi(void) { apic_write(APIC_EOI, 0); }

static void send(uint32_t apic_id, uint32_t command)
{
	irq_state_t state;

	if (registers == NULL) {
		wrmsr(MSR_X2APIC + APIC_ICR_LOW / 16, (uint64_t)apic_id << 32 | command);
		return;
	}
	/* The two halves must not be parted by an interrupt that sends as well. */
	state = arch_irq_save();
	while ((apic_read(APIC_ICR_LOW) & ICR_PENDING) != 0)
		arch_pause();
	apic_write(APIC_ICR_HIGH, apic_id << 24);
	apic_write(APIC_ICR_LOW, command);
	arch_irq_restore(state);
}

void apic_send_init(uint32_t apic_id) { send(apic_id, ICR_INIT | ICR_ASSERT); }

void apic_send_startup(uint32_t apic_id, uint32_t page)
{
	send(apic_id, ICR_STARTUP | ICR_ASSERT | page >> PAGE_SHIFT);
}

void arch_ipi_send(uint32_t cpu, enum ipi_kind kind)
{
	static const uint32_t commands[] = {
		[IPI_RESCHEDULE] = VECTOR_RESCHEDULE | ICR_ASSERT,
		[IPI_CALL] = VECTOR_CALL | ICR_ASSERT,
		/* Reaches a processor that has interrupts off as well; what it is for, panic or a
		 * spin lock, the receiver sees itself. */
		[IPI_STOP] = ICR_NMI | ICR_ASSERT,
	};

	/* What was written before is seen by the receiver: an x2APIC's WRMSR does not order. */
	full_barrier();
	send(cpu_of(cpu_arch, cpu)->apic_id, commands[kind]);
}

void arch_spin_wake(uint32_t cpu) { arch_ipi_send(cpu, IPI_STOP); }

uint32_t apic_timer_read(void) { return apic_read(APIC_TIMER_CURRENT); }

void apic_timer_start(uint32_t count) { apic_write(APIC_TIMER_INITIAL, count); }

void apic_timer_unmask(void) { apic_write(APIC_LVT_TIMER, VECTOR_TIMER); }

void apic_timer_periodic(uint32_t count)
{
	apic_write(APIC_LVT_TIMER, LVT_PERIODIC | VECTOR_TIMER);
	apic_write(APIC_TIMER_INITIAL, count);
}

void apic_timer_use_deadline(void) { apic_write(APIC_LVT_TIMER, LVT_DEADLINE | VECTOR_TIMER); }

void apic_timer_deadline(uint64_t tsc)
{
	/* The LVT's mode is written by memory, the deadline by MSR: a fence (SDM 3A 11.5.4.1). */
	if (registers != NULL)
		full_barrier();
	wrmsr(MSR_TSC_DEADLINE, tsc);
}

void arch_irq_msi(uint32_t vector, struct msi_message *out)
{
	/* Fixed delivery, edge, to the boot processor: SDM 3A section 11.11. */
	out->address = 0xfee00000 | (uint64_t)cpu_of(cpu_arch, 0)->apic_id << 12;
	out->data = vector;
}
