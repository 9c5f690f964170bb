/*
 * Virtio devices (Virtual I/O Device specification 1.2) over PCI and MMIO, version 1 only.
 *
 * A transport finds a device and offers it; the driver for its device id negotiates features and
 * makes its queues. A queue's lock is the driver's to take around add, kick and take; the `done`
 * callback runs in the interrupt without it.
 */
#pragma once

#include "core/spinlock.h"
#include "core/types.h"

#define VIRTIO_ID_CONSOLE	3
#define VIRTIO_ID_RNG		4
#define VIRTIO_ID_9P		9

#define VIRTIO_F_EVENT_IDX	(1ULL << 29)
#define VIRTIO_F_VERSION_1	(1ULL << 32)

struct virtio_device;
struct virtqueue;

struct virtio_transport_ops {
	uint64_t (*get_features)(struct virtio_device *device);
	void (*set_features)(struct virtio_device *device, uint64_t features);
	uint8_t (*get_status)(struct virtio_device *device);
	void (*set_status)(struct virtio_device *device, uint8_t status);
	void (*read_config)(struct virtio_device *device, size_t offset, void *buf, size_t n);
	/* The queue's largest size, 0: no such queue. */
	uint16_t (*queue_size)(struct virtio_device *device, unsigned int index);
	/* Tells the device where the rings are and routes the queue's interrupt; sets q->notify. */
	int (*queue_enable)(struct virtio_device *device, struct virtqueue *q);
};

#define VIRTIO_QUEUES_MAX 64

struct virtio_device {
	const struct virtio_transport_ops *ops;
	uint32_t id;
	uint64_t features;			/* negotiated */
	struct virtqueue *queues[VIRTIO_QUEUES_MAX];
	const char *bus;			/* "mmio", "pci" */
	void *transport;			/* the transport's own */
	void *driver;				/* the driver's own */
};

struct virtio_driver {
	const char *name;
	uint32_t id;
	uint64_t features;			/* wanted beside VERSION_1 and EVENT_IDX */
	/* Makes queues (virtio_queue_create), then virtio_device_ready. 0 or -errno. */
	int (*probe)(struct virtio_device *device);
};

/* One physically contiguous piece of a request. */
struct virtio_segment {
	phys_t start;
	uint32_t bytes;
	bool device_writes;			/* the device fills it; after all the others */
};

#define VIRTQUEUE_SIZE 128			/* both rings in one page */

struct virtqueue {
	struct spinlock lock;			/* irqsave; taken by the driver */
	struct virtio_device *device;		/* [I] */
	unsigned int index;			/* [I] */
	uint16_t size;				/* [I] power of two */
	struct virtq_desc *desc;		/* [I] rings, shared with the device */
	struct virtq_avail *avail;
	struct virtq_used *used;
	uint16_t free_head, free_count;		/* lock */
	uint16_t avail_next, kicked, used_seen;	/* lock */
	void *tokens[VIRTQUEUE_SIZE];		/* lock: by head descriptor */
	volatile void *notify;			/* [I] doorbell */
	uint32_t notify_value;			/* [I] */
	bool notify_is_16bit;			/* [I] */
	void (*done)(struct virtqueue *q);	/* [I] something was used; interrupt context */
	void *driver;				/* [I] */
};

/* The transport's call: negotiates and probes; -ENODEV when no driver wants it. */
must_check int virtio_device_add(struct virtio_device *device);
must_check int virtio_queue_create(struct virtio_device *device, unsigned int index,
				   void (*done)(struct virtqueue *q), struct virtqueue **out);
void virtio_device_ready(struct virtio_device *device);
void virtio_init(void);				/* finds all devices; drivers probe */

/*
 * Queues one request; `token` comes back from virtqueue_take. -ENOSPC: not enough descriptors.
 * The device does not look before virtqueue_kick.
 */
must_check int virtqueue_add(struct virtqueue *q, const struct virtio_segment *segments, size_t n,
			     void *token) REQUIRES(&q->lock);
void virtqueue_kick(struct virtqueue *q) REQUIRES(&q->lock);
/* Tells the device of the queue whether it asked to be told or not. */
void virtqueue_notify(struct virtqueue *q);
/* The next finished request's token and how many bytes the device wrote; NULL: none. */
void *virtqueue_take(struct virtqueue *q, uint32_t *bytes) REQUIRES(&q->lock);
/* Asks for an interrupt at the next completion; true when one is there already: take again. */
bool virtqueue_rearm(struct virtqueue *q) REQUIRES(&q->lock);

/* Called by a transport's interrupt handler for one queue. */
void virtqueue_interrupt(struct virtqueue *q);

extern const struct virtio_driver virtio_console_driver, virtio_rng_driver, virtio_9p_driver;
void virtio_mmio_init(void);
void virtio_pci_init(void);
