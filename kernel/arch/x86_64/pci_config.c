/*
 * PCI configuration mechanism #1: an address port and a data port (PCI specification 3.0,
 * 3.2.2.3.2). Machines without PCI (microvm) read all ones from both.
 */
#include "arch/arch_down.h"
#include "core/spinlock.h"

#define CONFIG_ADDRESS	0xcf8
#define CONFIG_DATA	0xcfc
#define CONFIG_ENABLE	0x80000000u

static struct spinlock config_lock = SPINLOCK_INIT(RANK_PCI_CONFIG);

static inline void out32(uint16_t port, uint32_t value)
{
	__asm__ volatile("outl %0, %1" : : "a"(value), "Nd"(port));
}

static inline uint32_t in32(uint16_t port)
{
	uint32_t value;

	__asm__ volatile("inl %1, %0" : "=a"(value) : "Nd"(port));
	return value;
}

bool arch_has_pci(void)
{
	out32(CONFIG_ADDRESS, CONFIG_ENABLE);
	return in32(CONFIG_ADDRESS) == CONFIG_ENABLE;
}

static uint32_t config_address(uint8_t bus, uint8_t device_function, unsigned int offset)
{
	return CONFIG_ENABLE | (uint32_t)bus << 16 | (uint32_t)device_function << 8 |
	       (offset & 0xfc);
}

uint32_t arch_pci_read(uint8_t bus, uint8_t device_function, unsigned int offset,
		       unsigned int bytes)
{
	irq_state_t state = spin_lock_irqsave(&config_lock);
	uint32_t value;

	out32(CONFIG_ADDRESS, config_address(bus, device_function, offset));
	value = in32(CONFIG_DATA) >> (8 * (offset & 3));
	spin_unlock_irqrestore(&config_lock, state);
	return bytes == 4 ? value : value & ((1u << (8 * bytes)) - 1);
}

/*
 * Narrow writes use the data port's byte lanes, so that neighbours (write-one-to-clear) are safe.
 */
void arch_pci_write(uint8_t bus, uint8_t device_function, unsigned int offset, unsigned int bytes,
		    uint32_t value)
{
	uint16_t port = (uint16_t)(CONFIG_DATA + (offset & 3));
	irq_state_t state = spin_lock_irqsave(&config_lock);

	out32(CONFIG_ADDRESS, config_address(bus, device_function, offset));
	if (bytes == 4)
		out32(port, value);
	else if (bytes == 2)
		__asm__ volatile("outw %0, %1" : : "a"((uint16_t)value), "Nd"(port));
	else
		__asm__ volatile("outb %0, %1" : : "a"((uint8_t)value), "Nd"(port));
	spin_unlock_irqrestore(&config_lock, state);
}
