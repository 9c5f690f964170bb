/*
 * The rings as the device sees them (specification 1.2, section 2.7) and its status bits. Little
 * endian, as the processor is.
 */
#pragma once

#include "dev/virtio/virtio.h"

struct virtq_desc {
	uint64_t address;
	uint32_t bytes;
	uint16_t flags, next;
};

struct virtq_avail {
	uint16_t flags, index;
	uint16_t ring[];		/* then used_event */
};

struct virtq_used_entry {
	uint32_t id, bytes;
};

struct virtq_used {
	uint16_t flags, index;
	struct virtq_used_entry ring[];	/* then avail_event */
};

#define VIRTIO_STATUS_ACKNOWLEDGE	1
#define VIRTIO_STATUS_DRIVER		2
#define VIRTIO_STATUS_DRIVER_OK		4
#define VIRTIO_STATUS_FEATURES_OK	8
#define VIRTIO_STATUS_FAILED		128
