/*
 * Virtio over PCI (specification 1.2, section 4.1): modern devices, with MSI-X: a vector a queue,
 * shared in turn when the device has fewer.
 *
 * The device's registers are in BARs, at places that vendor capabilities name.
 */
#include "dev/pci/pci.h"

#include "abi/errno.h"
#include "arch/arch_down.h"
#include "core/klog.h"
#include "dev/virtio/virtio_internal.h"
#include "mem/slab.h"

#define VIRTIO_VENDOR		0x1af4
#define CAPABILITY_VENDOR	0x09
#define PCI_SUBSYSTEM_ID	0x2e

enum { CFG_COMMON = 1, CFG_NOTIFY = 2, CFG_ISR = 3, CFG_DEVICE = 4 };

struct common_cfg {
	uint32_t device_feature_select, device_feature;
	uint32_t driver_feature_select, driver_feature;
	uint16_t config_msix_vector, num_queues;
	uint8_t device_status, config_generation;
	uint16_t queue_select, queue_size, queue_msix_vector, queue_enable, queue_notify_off;
	uint32_t queue_desc[2], queue_driver[2], queue_device[2];
};

struct pci_vector {
	struct pci_virtio *owner;		/* NULL: not in use yet */
	uint16_t number;
};

struct pci_virtio {
	struct virtio_device device;
	struct pci_vector vectors[VIRTIO_QUEUES_MAX];
	struct pci_function *function;
	volatile struct common_cfg *common;
	volatile uint8_t *notify, *config;
	uint64_t notify_bytes, config_bytes;
	uint32_t notify_multiplier;
};

static volatile struct common_cfg *common_of(struct virtio_device *device)
{
	return ((struct pci_virtio *)device->transport)->common;
}

static uint64_t pci_get_features(struct virtio_device *device)
{
	volatile struct common_cfg *c = common_of(device);
	uint64_t low;

	c->device_feature_select = 0;
	low = c->device_feature;
	c->device_feature_select = 1;
	return low | (uint64_t)c->device_feature << 32;
}

static void pci_set_features(struct virtio_device *device, uint64_t features)
{
	volatile struct common_cfg *c = common_of(device);

	c->driver_feature_select = 0;
	c->driver_feature = (uint32_t)features;
	c->driver_feature_select = 1;
	c->driver_feature = (uint32_t)(features >> 32);
}

static uint8_t pci_get_status(struct virtio_device *device)
{
	return common_of(device)->device_status;
}

static void pci_set_status(struct virtio_device *device, uint8_t status)
{
	common_of(device)->device_status = status;
}

static void pci_read_config(struct virtio_device *device, size_t offset, void *buf, size_t n)
{
	struct pci_virtio *p = device->transport;

	for (size_t i = 0; i < n; i++) {
		size_t at = offset + i;

		((uint8_t *)buf)[i] = at < p->config_bytes ? p->config[at] : 0;
	}
}

static uint16_t pci_queue_size(struct virtio_device *device, unsigned int index)
{
	volatile struct common_cfg *c = common_of(device);

	if (index >= c->num_queues)
		return 0;
	c->queue_select = (uint16_t)index;
	return c->queue_size;
}

/* Queues i, i + n, i + 2n ... share vector i of n. */
static void pci_vector_interrupt(void *arg)
{
	struct pci_vector *v = arg;
	struct pci_virtio *p = v->owner;

	for (unsigned int i = v->number; i < VIRTIO_QUEUES_MAX; i += p->function->msix_vectors) {
		if (p->device.queues[i] != NULL)
			virtqueue_interrupt(p->device.queues[i]);
	}
}

static int pci_use_vector(struct pci_virtio *p, uint16_t number)
{
	struct pci_vector *v = &p->vectors[number];

	if (v->owner != NULL)
		return 0;
	v->owner = p;
	v->number = number;
	return pci_msix_set(p->function, number, pci_vector_interrupt, v);
}

static void write_address(volatile uint32_t *to, const void *ring)
{
	uint64_t address = virt_to_phys(ring).value;

	to[0] = (uint32_t)address;
	to[1] = (uint32_t)(address >> 32);
}

static int pci_queue_enable(struct virtio_device *device, struct virtqueue *q)
{
	struct pci_virtio *p = device->transport;
	volatile struct common_cfg *c = p->common;
	uint16_t vector = (uint16_t)(q->index % p->function->msix_vectors);
	uint64_t offset;
	int error;

	error = pci_use_vector(p, vector);
	if (error != 0)
		return error;
	c->queue_select = (uint16_t)q->index;
	c->queue_size = q->size;
	c->queue_msix_vector = vector;
	if (c->queue_msix_vector != vector)
		return -ENOSPC;
	write_address(c->queue_desc, q->desc);
	write_address(c->queue_driver, q->avail);
	write_address(c->queue_device, q->used);
	offset = (uint64_t)c->queue_notify_off * p->notify_multiplier;
	if (offset + sizeof(uint16_t) > p->notify_bytes)
		return -EIO;
	q->notify = p->notify + offset;
	q->notify_value = q->index;
	q->notify_is_16bit = true;
	c->queue_enable = 1;
	return 0;
}

static const struct virtio_transport_ops pci_ops = {
	.get_features = pci_get_features,
	.set_features = pci_set_features,
	.get_status = pci_get_status,
	.set_status = pci_set_status,
	.read_config = pci_read_config,
	.queue_size = pci_queue_size,
	.queue_enable = pci_queue_enable,
};

/* The mapped place that a vendor capability names; NULL: outside its BAR. */
static volatile uint8_t *capability_map(struct pci_function *f, uint8_t at, uint64_t *bytes)
{
	uint32_t offset = pci_read(f, at + 8u, 4), length = pci_read(f, at + 12u, 4);
	uint64_t bar_bytes;
	uint8_t *bar = pci_map_bar(f, pci_read(f, at + 4u, 1), &bar_bytes);

	if (bar == NULL || (uint64_t)offset + length > bar_bytes)
		return NULL;
	*bytes = length;
	return bar + offset;
}

/* The first capability of each kind counts (section 4.1.4.1). */
static void pci_use_capability(struct pci_virtio *p, uint8_t at)
{
	uint32_t kind = pci_read(p->function, at + 3u, 1);
	volatile uint8_t *place;
	uint64_t bytes;

	if (kind != CFG_COMMON && kind != CFG_NOTIFY && kind != CFG_DEVICE)
		return;
	place = capability_map(p->function, at, &bytes);
	if (place == NULL)
		return;
	if (kind == CFG_COMMON && p->common == NULL && bytes >= sizeof(struct common_cfg)) {
		p->common = (volatile struct common_cfg *)place;
	} else if (kind == CFG_NOTIFY && p->notify == NULL) {
		p->notify = place;
		p->notify_bytes = bytes;
		p->notify_multiplier = pci_read(p->function, at + 16u, 4);
	} else if (kind == CFG_DEVICE && p->config == NULL) {
		p->config = place;
		p->config_bytes = bytes;
	}
}

static int pci_find_registers(struct pci_virtio *p)
{
	uint8_t at = 0;

	for (int i = 0; i < 48; i++) {	/* as many as fit: a list that loops ends */
		at = pci_find_capability(p->function, CAPABILITY_VENDOR, at);
		if (at == 0)
			break;
		pci_use_capability(p, at);
	}
	return p->common != NULL && p->notify != NULL ? 0 : -ENODEV;
}

static bool virtio_matches(const struct pci_function *f)
{
	return f->device_id >= 0x1000 && f->device_id <= 0x107f;
}

/* Transitional devices (0x1000 to 0x103f) keep their type in the subsystem id. */
static uint32_t virtio_type(const struct pci_function *f)
{
	return f->device_id >= 0x1040 ? f->device_id - 0x1040u : pci_read(f, PCI_SUBSYSTEM_ID, 2);
}

static int virtio_pci_probe(struct pci_function *f)
{
	struct pci_virtio *p = kzalloc(sizeof(*p));
	int error;

	if (p == NULL)
		return -ENOMEM;
	p->function = f;
	p->device.ops = &pci_ops;
	p->device.bus = "pci";
	p->device.transport = p;
	p->device.id = virtio_type(f);
	pci_enable(f);
	error = pci_find_registers(p);
	if (error == 0)
		error = pci_msix_enable(f);
	if (error == 0)
		error = virtio_device_add(&p->device);
	if (error == 0)
		return 0;
	log_info("virtio: pci device type %u not used: error %d", p->device.id, -error);
	if (p->device.queues[0] != NULL)
		return 0;	/* its interrupt may still come: both structs stay */
	kfree(p);
	return error;
}

void virtio_pci_init(void)
{
	static const struct pci_driver driver = {
		.name = "virtio",
		.vendor_id = VIRTIO_VENDOR,
		.matches = virtio_matches,
		.probe = virtio_pci_probe,
	};

	pci_probe(&driver);
}
