/*
 * PCI: functions found by scanning configuration space, their BARs and MSI-X tables (PCI Local Bus
 * specification 3.0, chapter 6). BARs that the firmware left without an address get
 * one here.
 */
#pragma once

#include "core/irq.h"
#include "core/types.h"

struct pci_function {
	uint8_t bus, device, function;
	uint16_t vendor_id, device_id;
	uint32_t class_code;			/* 24 bits */
	volatile void *msix_table;		/* NULL: no MSI-X */
	uint16_t msix_vectors;
	void *bar[6];				/* mapped ones */
};

struct pci_driver {
	const char *name;
	uint16_t vendor_id;
	bool (*matches)(const struct pci_function *f);
	int (*probe)(struct pci_function *f);
};

uint32_t pci_read(const struct pci_function *f, unsigned int offset, unsigned int bytes);
void pci_write(const struct pci_function *f, unsigned int offset, unsigned int bytes, uint32_t v);
/* Offset of the next capability with this id after `after` (0: the first); 0: none. */
uint8_t pci_find_capability(const struct pci_function *f, uint8_t id, uint8_t after);
/* Maps a memory BAR whole (once); NULL: an I/O BAR, unassigned, or no memory. */
void *pci_map_bar(struct pci_function *f, unsigned int index, uint64_t *bytes);
/* Turns on memory access and bus mastering. */
void pci_enable(struct pci_function *f);
/* Prepares MSI-X (all vectors masked); -ENODEV without. Then one call a vector. */
must_check int pci_msix_enable(struct pci_function *f);
must_check int pci_msix_set(struct pci_function *f, unsigned int vector, irq_handler_t handler,
			    void *arg);
/* Offers every function to the driver; the struct lives as long as the driver keeps it (probe
 * returning 0), else it is freed. */
void pci_probe(const struct pci_driver *driver);
