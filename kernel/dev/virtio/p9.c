/*
 * Virtio transport of 9P (specification 1.2, section 5.14 is its device id; the queue carries a
 * request and room for its reply as one chain).
 */
#include "abi/errno.h"
#include "arch/arch_down.h"
#include "core/klog.h"
#include "dev/virtio/virtio.h"
#include "fs/p9/client.h"
#include "lib/container_of.h"
#include "lib/string.h"
#include "mem/page.h"
#include "mem/slab.h"

struct p9_device {
	struct p9_transport transport;
	struct virtqueue *queue;
	struct wait_queue room;			/* callers waiting for descriptors */
};

static size_t add_pages(struct virtio_segment *to, const struct p9_call *call)
{
	size_t left = call->device_writes_pages ? call->page_count * PAGE_SIZE : call->data_bytes;

	for (size_t i = 0; i < call->page_count; i++) {
		uint32_t bytes = left < PAGE_SIZE ? (uint32_t)left : PAGE_SIZE;

		to[i] = (struct virtio_segment){ page_to_phys(call->pages[i]), bytes,
						 call->device_writes_pages };
		left -= bytes;
	}
	return call->page_count;
}

/* Request, data to send | reply header, data to receive (the device writes what is after the bar).
 * A reading call's header part is exactly as long as Rread's, so data begins on the pages. */
static size_t call_segments(struct virtio_segment *s, struct p9_call *call)
{
	bool reads = call->device_writes_pages;
	size_t n = 0;

	s[n++] = (struct virtio_segment){ virt_to_phys(call->request_data),
					  (uint32_t)call->request.at, false };
	if (!reads)
		n += add_pages(s + n, call);
	s[n++] = (struct virtio_segment){ virt_to_phys(call->reply_data),
					  reads ? P9_IO_HEADER_BYTES : P9_CALL_BYTES, true };
	if (reads)
		n += add_pages(s + n, call);
	return n;
}

static int try_submit(struct p9_device *d, struct p9_call *call)
{
	struct virtio_segment segments[P9_IO_PAGES + 2];
	size_t n = call_segments(segments, call);
	irq_state_t state = spin_lock_irqsave(&d->queue->lock);
	int error = virtqueue_add(d->queue, segments, n, call);

	if (error == 0)
		virtqueue_kick(d->queue);
	spin_unlock_irqrestore(&d->queue->lock, state);
	return error;
}

static int p9_device_submit(struct p9_transport *transport, struct p9_call *call)
{
	struct p9_device *d = container_of(transport, struct p9_device, transport);

	if (call->page_count > P9_IO_PAGES)
		return -EINVAL;
	wait_event(&d->room, try_submit(d, call) == 0);
	return 0;
}

static void p9_device_done(struct virtqueue *q)
{
	struct p9_device *d = q->driver;
	bool any = false;
	bool more;

	do {
		struct p9_call *call;
		irq_state_t state;
		uint32_t bytes;

		for (;;) {
			state = spin_lock_irqsave(&q->lock);
			call = virtqueue_take(q, &bytes);
			if (call == NULL)
				break;
			spin_unlock_irqrestore(&q->lock, state);
			p9_call_done(call, bytes);
			any = true;
		}
		more = virtqueue_rearm(q);
		spin_unlock_irqrestore(&q->lock, state);
	} while (more);
	if (any)
		wake_up_all(&d->room);
}

/* Configuration: the length of the mount tag, then the tag. */
static int p9_device_probe(struct virtio_device *device)
{
	struct p9_device *d = kzalloc(sizeof(*d));
	uint16_t length;
	int error;

	if (d == NULL)
		return -ENOMEM;
	device->ops->read_config(device, 0, &length, sizeof(length));
	if (length >= sizeof(d->transport.name))
		length = sizeof(d->transport.name) - 1;
	device->ops->read_config(device, 2, d->transport.name, length);
	wait_queue_init(&d->room);
	error = virtio_queue_create(device, 0, p9_device_done, &d->queue);
	if (error != 0) {
		kfree(d);
		return error;
	}
	d->queue->driver = d;
	d->transport.submit = p9_device_submit;
	virtio_device_ready(device);
	p9_transport_register(&d->transport);
	return 0;
}

const struct virtio_driver virtio_9p_driver = {
	.name = "virtio-9p",
	.id = VIRTIO_ID_9P,
	.features = 1,				/* VIRTIO_9P_F_MOUNT_TAG */
	.probe = p9_device_probe,
};
