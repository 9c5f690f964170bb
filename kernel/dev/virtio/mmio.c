/*
 * Virtio over MMIO (specification 1.2, section 4.2), version 2 registers.
 *
 * Devices are named on the command line, as the microvm machine does for every kernel:
 * virtio_mmio.device=SIZE@ADDRESS:IRQ[:ID]. One level interrupt serves all queues of a device.
 */
#include "abi/errno.h"
#include "arch/arch_down.h"
#include "core/cmdline.h"
#include "core/irq.h"
#include "core/klog.h"
#include "dev/virtio/virtio_internal.h"
#include "lib/number.h"
#include "lib/string.h"
#include "mem/page.h"
#include "mem/slab.h"

enum mmio_register {
	REG_MAGIC = 0x000, REG_VERSION = 0x004, REG_DEVICE_ID = 0x008,
	REG_DEVICE_FEATURES = 0x010, REG_DEVICE_FEATURES_SELECT = 0x014,
	REG_DRIVER_FEATURES = 0x020, REG_DRIVER_FEATURES_SELECT = 0x024,
	REG_QUEUE_SELECT = 0x030, REG_QUEUE_SIZE_MAX = 0x034, REG_QUEUE_SIZE = 0x038,
	REG_QUEUE_READY = 0x044, REG_QUEUE_NOTIFY = 0x050,
	REG_INTERRUPT_STATUS = 0x060, REG_INTERRUPT_ACK = 0x064, REG_STATUS = 0x070,
	REG_QUEUE_DESC = 0x080, REG_QUEUE_DRIVER = 0x090, REG_QUEUE_DEVICE = 0x0a0,
	REG_CONFIG = 0x100,
};

#define MMIO_MAGIC 0x74726976	/* "virt" */

struct mmio_device {
	struct virtio_device device;
	volatile uint8_t *base;
};

static struct mmio_device *mmio_of(struct virtio_device *device)
{
	return device->transport;
}

static uint32_t reg_read(struct mmio_device *m, enum mmio_register reg)
{
	return *(volatile uint32_t *)(m->base + reg);
}

static void reg_write(struct mmio_device *m, enum mmio_register reg, uint32_t value)
{
	*(volatile uint32_t *)(m->base + reg) = value;
}

static void reg_write64(struct mmio_device *m, enum mmio_register reg, uint64_t value)
{
	reg_write(m, reg, (uint32_t)value);
	reg_write(m, reg + 4, (uint32_t)(value >> 32));
}

static uint64_t mmio_get_features(struct virtio_device *device)
{
	struct mmio_device *m = mmio_of(device);
	uint64_t low;

	reg_write(m, REG_DEVICE_FEATURES_SELECT, 0);
	low = reg_read(m, REG_DEVICE_FEATURES);
	reg_write(m, REG_DEVICE_FEATURES_SELECT, 1);
	return low | (uint64_t)reg_read(m, REG_DEVICE_FEATURES) << 32;
}

static void mmio_set_features(struct virtio_device *device, uint64_t features)
{
	struct mmio_device *m = mmio_of(device);

	reg_write(m, REG_DRIVER_FEATURES_SELECT, 0);
	reg_write(m, REG_DRIVER_FEATURES, (uint32_t)features);
	reg_write(m, REG_DRIVER_FEATURES_SELECT, 1);
	reg_write(m, REG_DRIVER_FEATURES, (uint32_t)(features >> 32));
}

static uint8_t mmio_get_status(struct virtio_device *device)
{
	return (uint8_t)reg_read(mmio_of(device), REG_STATUS);
}

static void mmio_set_status(struct virtio_device *device, uint8_t status)
{
	reg_write(mmio_of(device), REG_STATUS, status);
}

static void mmio_read_config(struct virtio_device *device, size_t offset, void *buf, size_t n)
{
	volatile uint8_t *config = mmio_of(device)->base + REG_CONFIG + offset;

	for (size_t i = 0; i < n; i++)
		((uint8_t *)buf)[i] = config[i];
}

static uint16_t mmio_queue_size(struct virtio_device *device, unsigned int index)
{
	struct mmio_device *m = mmio_of(device);

	reg_write(m, REG_QUEUE_SELECT, index);
	return (uint16_t)reg_read(m, REG_QUEUE_SIZE_MAX);
}

static int mmio_queue_enable(struct virtio_device *device, struct virtqueue *q)
{
	struct mmio_device *m = mmio_of(device);

	reg_write(m, REG_QUEUE_SELECT, q->index);
	reg_write(m, REG_QUEUE_SIZE, q->size);
	reg_write64(m, REG_QUEUE_DESC, virt_to_phys(q->desc).value);
	reg_write64(m, REG_QUEUE_DRIVER, virt_to_phys(q->avail).value);
	reg_write64(m, REG_QUEUE_DEVICE, virt_to_phys(q->used).value);
	q->notify = m->base + REG_QUEUE_NOTIFY;
	q->notify_value = q->index;
	q->notify_is_16bit = false;
	reg_write(m, REG_QUEUE_READY, 1);
	return 0;
}

static const struct virtio_transport_ops mmio_ops = {
	.get_features = mmio_get_features,
	.set_features = mmio_set_features,
	.get_status = mmio_get_status,
	.set_status = mmio_set_status,
	.read_config = mmio_read_config,
	.queue_size = mmio_queue_size,
	.queue_enable = mmio_queue_enable,
};

static void mmio_interrupt(void *arg)
{
	struct mmio_device *m = arg;
	uint32_t status = reg_read(m, REG_INTERRUPT_STATUS);

	if (status == 0)
		return;
	reg_write(m, REG_INTERRUPT_ACK, status);
	for (unsigned int i = 0; i < VIRTIO_QUEUES_MAX; i++) {
		if (m->device.queues[i] != NULL)
			virtqueue_interrupt(m->device.queues[i]);
	}
}

static void mmio_probe(phys_t start, size_t bytes, uint32_t line)
{
	volatile uint8_t *base = arch_map_device(start, bytes);
	struct mmio_device *m;

	if (base == NULL || *(volatile uint32_t *)(base + REG_MAGIC) != MMIO_MAGIC)
		return;
	if (*(volatile uint32_t *)(base + REG_DEVICE_ID) == 0)	/* an empty slot */
		return;
	if (*(volatile uint32_t *)(base + REG_VERSION) != 2) {
		log_error("virtio: legacy device at %lx ignored (virtio-mmio.force-legacy=false)",
			  start.value);
		return;
	}
	m = kzalloc(sizeof(*m));
	if (m == NULL)
		return;
	m->base = base;
	m->device.ops = &mmio_ops;
	m->device.bus = "mmio";
	m->device.transport = m;
	m->device.id = reg_read(m, REG_DEVICE_ID);
	if (irq_register_line(line, false, mmio_interrupt, m) != 0 ||
	    virtio_device_add(&m->device) != 0)
		log_info("virtio: device %u at %lx not used", m->device.id, start.value);
}

/* SIZE@ADDRESS:IRQ[:ID]; a word that does not parse is ignored with a line in the log. */
static void mmio_probe_word(const char *word)
{
	uint64_t bytes, address, line;
	const char *at = strchr(word, '@');
	const char *colon = at != NULL ? strchr(at, ':') : NULL;
	const char *end = colon != NULL ? strchr(colon + 1, ':') : NULL;

	if (colon != NULL && end == NULL)
		end = colon + strlen(colon);
	if (colon == NULL ||
	    number_parse_size(word, (size_t)(at - word), &bytes) != 0 ||
	    number_parse(at + 1, (size_t)(colon - at - 1), 0, &address) != 0 ||
	    number_parse(colon + 1, (size_t)(end - colon - 1), 0, &line) != 0) {
		log_error("virtio: cannot read virtio_mmio.device=%s", word);
		return;
	}
	mmio_probe(phys(address), bytes, (uint32_t)line);
}

void virtio_mmio_init(void)
{
	const char *word;

	for (unsigned int i = 0; (word = cmdline_get_nth("virtio_mmio.device", i)) != NULL; i++)
		mmio_probe_word(word);
}
