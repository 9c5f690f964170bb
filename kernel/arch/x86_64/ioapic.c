/*
 * IOAPICs (Intel 82093AA): each interrupt line to a vector of the boot processor. All lines start
 * masked; a line is routed when a driver registers for it.
 */
#include "arch/x86_64/apic.h"

#include "abi/errno.h"
#include "arch/x86_64/cpu.h"
#include "arch/x86_64/machine.h"
#include "core/assert.h"
#include "core/spinlock.h"

#define IOAPIC_VERSION 1
#define IOAPIC_ENTRY(n) (0x10 + 2 * (n))
#define ENTRY_MASKED (1u << 16)
#define ENTRY_LEVEL (1u << 15)
#define ENTRY_LOW (1u << 13)

struct ioapic {
	volatile uint32_t *registers;	/* [I] index at 0, data at 4 words: a pair under the lock */
	uint32_t gsi_base, lines;	/* [I] */
};

static struct spinlock ioapic_lock = SPINLOCK_INIT(RANK_BUDDY);
static struct ioapic ioapics[IOAPICS_MAX];
static uint32_t ioapic_count;

static uint32_t ioapic_read(struct ioapic *io, uint32_t index) REQUIRES(&ioapic_lock)
{
	io->registers[0] = index;
	return io->registers[4];
}

static void ioapic_write(struct ioapic *io, uint32_t index, uint32_t value) REQUIRES(&ioapic_lock)
{
	io->registers[0] = index;
	io->registers[4] = value;
}

void ioapic_init(const struct machine *m)
{
	irq_state_t state;

	for (uint32_t i = 0; i < m->ioapic_count; i++) {
		struct ioapic *io = &ioapics[ioapic_count];

		io->registers = arch_map_device(phys(m->ioapics[i].address), 0x20);
		if (io->registers == NULL)
			continue;
		io->gsi_base = m->ioapics[i].gsi_base;
		state = spin_lock_irqsave(&ioapic_lock);
		io->lines = (ioapic_read(io, IOAPIC_VERSION) >> 16 & 0xff) + 1;
		spin_unlock_irqrestore(&ioapic_lock, state);
		/* Lines are masked after reset. A chip that is not there reads as all ones. */
		if (io->lines < 256)
			ioapic_count++;
	}
}

static struct ioapic *ioapic_of(uint32_t gsi)
{
	for (uint32_t i = 0; i < ioapic_count; i++)
		if (gsi >= ioapics[i].gsi_base && gsi - ioapics[i].gsi_base < ioapics[i].lines)
			return &ioapics[i];
	return NULL;
}

void arch_irq_mask_line(uint32_t gsi, bool masked)
{
	struct ioapic *io;
	irq_state_t state;
	uint32_t entry, low;

	if (gsi < ISA_IRQS)
		gsi = machine.isa[gsi].gsi;
	io = ioapic_of(gsi);
	if (io == NULL)
		return;
	entry = IOAPIC_ENTRY(gsi - io->gsi_base);
	state = spin_lock_irqsave(&ioapic_lock);
	low = ioapic_read(io, entry) & ~ENTRY_MASKED;
	ioapic_write(io, entry, low | (masked ? ENTRY_MASKED : 0));
	spin_unlock_irqrestore(&ioapic_lock, state);
}

int arch_irq_route_line(uint32_t gsi, bool level, uint32_t vector)
{
	uint32_t low = vector | (level ? ENTRY_LEVEL : 0);
	uint32_t line;
	struct ioapic *io;
	irq_state_t state;

	/* An ISA interrupt goes where the tables say, in the manner they say. */
	if (gsi < ISA_IRQS) {
		low |= machine.isa[gsi].level ? ENTRY_LEVEL : 0;
		low |= machine.isa[gsi].active_low ? ENTRY_LOW : 0;
		gsi = machine.isa[gsi].gsi;
	}
	io = ioapic_of(gsi);
	if (io == NULL)
		return -ENODEV;
	line = gsi - io->gsi_base;
	state = spin_lock_irqsave(&ioapic_lock);
	ioapic_write(io, IOAPIC_ENTRY(line), ENTRY_MASKED);
	ioapic_write(io, IOAPIC_ENTRY(line) + 1, cpu_of(cpu_arch, 0)->apic_id << 24);
	ioapic_write(io, IOAPIC_ENTRY(line), low);
	spin_unlock_irqrestore(&ioapic_lock, state);
	return 0;
}
