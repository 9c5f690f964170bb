/*
 * Virtio entropy (specification 1.2, section 5.4): one request at boot, mixed into the kernel's
 * generator, which needs no more.
 */
#include "abi/errno.h"
#include "arch/arch_down.h"
#include "core/random.h"
#include "dev/virtio/virtio.h"
#include "mem/slab.h"

#define ENTROPY_BYTES 64

static void rng_done(struct virtqueue *q)
{
	irq_state_t state = spin_lock_irqsave(&q->lock);
	uint32_t bytes;
	void *buffer = virtqueue_take(q, &bytes);

	spin_unlock_irqrestore(&q->lock, state);
	if (buffer != NULL)
		random_add(buffer, bytes < ENTROPY_BYTES ? bytes : ENTROPY_BYTES);
}

static int rng_probe(struct virtio_device *device)
{
	void *buffer = kmalloc(ENTROPY_BYTES);
	struct virtio_segment segment;
	struct virtqueue *q;
	irq_state_t state;
	int error;

	if (buffer == NULL)
		return -ENOMEM;
	error = virtio_queue_create(device, 0, rng_done, &q);
	if (error != 0) {
		kfree(buffer);
		return error;
	}
	virtio_device_ready(device);
	segment = (struct virtio_segment){ virt_to_phys(buffer), ENTROPY_BYTES, true };
	state = spin_lock_irqsave(&q->lock);
	error = virtqueue_add(q, &segment, 1, buffer);
	virtqueue_kick(q);
	spin_unlock_irqrestore(&q->lock, state);
	return error;
}

const struct virtio_driver virtio_rng_driver = {
	.name = "virtio-rng",
	.id = VIRTIO_ID_RNG,
	.probe = rng_probe,
};
