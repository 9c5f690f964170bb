/*
 * The scan of configuration space, BARs and MSI-X.
 */
#include "dev/pci/pci.h"

#include "abi/errno.h"
#include "arch/arch_down.h"
#include "core/klog.h"
#include "mem/page.h"
#include "mem/slab.h"

#define PCI_COMMAND		0x04
#define PCI_STATUS		0x06
#define PCI_CLASS		0x08
#define PCI_HEADER_TYPE		0x0e
#define PCI_BAR0		0x10
#define PCI_SECONDARY_BUS	0x19
#define PCI_CAPABILITIES	0x34

#define COMMAND_MEMORY		(1 << 1)
#define COMMAND_MASTER		(1 << 2)
#define COMMAND_NO_INTX		(1 << 10)
#define STATUS_CAPABILITIES	(1 << 4)

#define CAPABILITY_MSIX		0x11
#define MSIX_ENABLE		(1 << 15)
#define MSIX_MASK_ALL		(1 << 14)
#define MSIX_ENTRY_BYTES	16

#define GIB			(1UL << 30)
#define LOW_WINDOW_END		0xfe000000UL	/* the IOAPIC, HPET and LAPICs come behind */

uint32_t pci_read(const struct pci_function *f, unsigned int offset, unsigned int bytes)
{
	return arch_pci_read(f->bus, (uint8_t)(f->device << 3 | f->function), offset, bytes);
}

void pci_write(const struct pci_function *f, unsigned int offset, unsigned int bytes, uint32_t v)
{
	arch_pci_write(f->bus, (uint8_t)(f->device << 3 | f->function), offset, bytes, v);
}

uint8_t pci_find_capability(const struct pci_function *f, uint8_t id, uint8_t after)
{
	uint8_t at;

	if ((pci_read(f, PCI_STATUS, 2) & STATUS_CAPABILITIES) == 0)
		return 0;
	at = (uint8_t)pci_read(f, after != 0 ? after + 1u : PCI_CAPABILITIES, 1);
	/* At most 48 capabilities fit: a list that loops ends. */
	for (unsigned int i = 0; i < 48 && at >= 0x40; i++) {
		at &= 0xfc;
		if (pci_read(f, at, 1) == id)
			return at;
		at = (uint8_t)pci_read(f, at + 1u, 1);
	}
	return 0;
}

/* The size is found by writing ones: the bits that stay zero are address lines not decoded. */
static uint64_t bar_size(const struct pci_function *f, unsigned int offset, bool is_64bit)
{
	uint32_t low = pci_read(f, offset, 4), high;
	uint64_t mask;

	pci_write(f, offset, 4, ~0u);
	mask = 0xffffffff00000000UL | (pci_read(f, offset, 4) & ~0xfu);
	pci_write(f, offset, 4, low);
	if (is_64bit) {
		high = pci_read(f, offset + 4, 4);
		pci_write(f, offset + 4, 4, ~0u);
		mask = (uint64_t)pci_read(f, offset + 4, 4) << 32 | (uint32_t)mask;
		pci_write(f, offset + 4, 4, high);
	}
	return ~mask + 1;
}

/*
 * An address for a BAR that the firmware left without one (qboot does so with 64-bit BARs): above
 * all memory for 64-bit ones, else below the interrupt controllers. Boot only, one caller.
 */
static uint64_t bar_assign(const struct pci_function *f, unsigned int offset, bool is_64bit,
			   uint64_t bytes)
{
	static uint64_t next_low = 0xf8000000, next_high;
	uint64_t *next = is_64bit ? &next_high : &next_low, start;

	if (next_high == 0) {
		next_high = page_array_end << PAGE_SHIFT;
		next_high = next_high < 4 * GIB ? 4 * GIB : (next_high + GIB - 1) & ~(GIB - 1);
	}
	start = (*next + bytes - 1) & ~(bytes - 1);
	if (!is_64bit && start + bytes > LOW_WINDOW_END)
		return 0;
	*next = start + bytes;
	pci_write(f, offset, 4, (uint32_t)start);
	if (is_64bit)
		pci_write(f, offset + 4, 4, (uint32_t)(start >> 32));
	return start;
}

void *pci_map_bar(struct pci_function *f, unsigned int index, uint64_t *bytes)
{
	unsigned int offset = PCI_BAR0 + 4 * index;
	uint32_t low;
	uint64_t start;
	bool is_64bit;

	if (index >= 6)
		return NULL;
	low = pci_read(f, offset, 4);
	is_64bit = (low & 6) == 4;
	if ((low & 1) != 0 || (is_64bit && index == 5))
		return NULL;
	*bytes = bar_size(f, offset, is_64bit);
	if (f->bar[index] != NULL)
		return f->bar[index];
	start = low & ~0xfu;
	if (is_64bit)
		start |= (uint64_t)pci_read(f, offset + 4, 4) << 32;
	if (start == 0)
		start = bar_assign(f, offset, is_64bit, *bytes);
	if (start == 0) {
		log_error("pci: %02x:%02x.%x BAR %u has no address", f->bus, f->device,
			  f->function, index);
		return NULL;
	}
	f->bar[index] = arch_map_device(phys(start), *bytes);
	return f->bar[index];
}

void pci_enable(struct pci_function *f)
{
	uint32_t command = pci_read(f, PCI_COMMAND, 2);

	pci_write(f, PCI_COMMAND, 2, command | COMMAND_MEMORY | COMMAND_MASTER | COMMAND_NO_INTX);
}

int pci_msix_enable(struct pci_function *f)
{
	uint8_t at = pci_find_capability(f, CAPABILITY_MSIX, 0);
	uint32_t control, table;
	uint64_t bytes;
	char *bar;

	if (at == 0)
		return -ENODEV;
	control = pci_read(f, at + 2u, 2);
	table = pci_read(f, at + 4u, 4);
	bar = pci_map_bar(f, table & 7, &bytes);
	f->msix_vectors = (uint16_t)((control & 0x7ff) + 1);
	if (bar == NULL || (table & ~7u) + f->msix_vectors * MSIX_ENTRY_BYTES > bytes)
		return -ENODEV;
	f->msix_table = bar + (table & ~7u);
	for (unsigned int i = 0; i < f->msix_vectors; i++)
		((volatile uint32_t *)f->msix_table)[4 * i + 3] = 1;	/* masked */
	pci_write(f, at + 2u, 2, (control & ~(uint32_t)MSIX_MASK_ALL) | MSIX_ENABLE);
	return 0;
}

int pci_msix_set(struct pci_function *f, unsigned int vector, irq_handler_t handler, void *arg)
{
	volatile uint32_t *entry = (volatile uint32_t *)f->msix_table + 4 * vector;
	struct msi_message message;
	int error;

	if (f->msix_table == NULL || vector >= f->msix_vectors)
		return -EINVAL;
	error = irq_allocate_msi(handler, arg, &message);
	if (error != 0)
		return error;
	entry[0] = (uint32_t)message.address;
	entry[1] = (uint32_t)(message.address >> 32);
	entry[2] = message.data;
	entry[3] = 0;
	return 0;
}

/* Offers one function to the driver; false: no such function. */
static bool pci_probe_function(const struct pci_driver *driver, struct pci_function *at)
{
	struct pci_function *f;
	uint32_t id = pci_read(at, 0, 4);

	if ((uint16_t)id == 0xffff)
		return false;
	log_debug("pci: %02x:%02x.%x %04x:%04x", at->bus, at->device, at->function, id & 0xffff,
		  id >> 16);
	at->vendor_id = (uint16_t)id;
	at->device_id = (uint16_t)(id >> 16);
	at->class_code = pci_read(at, PCI_CLASS, 4) >> 8;
	if (at->vendor_id != driver->vendor_id || !driver->matches(at))
		return true;
	f = kzalloc(sizeof(*f));
	if (f == NULL)
		return true;
	*f = *at;
	if (driver->probe(f) != 0)
		kfree(f);
	return true;
}

static void pci_probe_device(const struct pci_driver *driver, unsigned int bus, unsigned int device)
{
	struct pci_function at = { .bus = (uint8_t)bus, .device = (uint8_t)device };
	bool many;

	if (!pci_probe_function(driver, &at))
		return;
	many = (pci_read(&at, PCI_HEADER_TYPE, 1) & 0x80) != 0;
	for (unsigned int i = 1; many && i < 8; i++) {
		at.function = (uint8_t)i;
		pci_probe_function(driver, &at);
	}
}

/* The bus behind a bridge (header type 1); 0: no bridge. */
static unsigned int bridge_bus(unsigned int bus, unsigned int device)
{
	struct pci_function at = { .bus = (uint8_t)bus, .device = (uint8_t)device };

	if ((uint16_t)pci_read(&at, 0, 2) == 0xffff ||
	    (pci_read(&at, PCI_HEADER_TYPE, 1) & 0x7f) != 1)
		return 0;
	return pci_read(&at, PCI_SECONDARY_BUS, 1);
}

/* Bus 0 always; others only when a bridge on a lower bus leads to them. */
void pci_probe(const struct pci_driver *driver)
{
	uint64_t todo[4] = { 1 };

	if (!arch_has_pci())
		return;
	for (unsigned int bus = 0; bus < 256; bus++) {
		if ((todo[bus / 64] >> (bus % 64) & 1) == 0)
			continue;
		for (unsigned int device = 0; device < 32; device++) {
			unsigned int next = bridge_bus(bus, device);

			pci_probe_device(driver, bus, device);
			if (next > bus)
				todo[next / 64] |= 1UL << (next % 64);
		}
	}
}
