/*
 * Split virtqueues (specification 1.2, section 2.7).
 *
 * Descriptors are a free list chained through `next`; the head's number indexes the request's
 * token. What the device writes (used ring) is not trusted: a number out of range ends the queue's
 * use with one log line.
 *
 * The device and we exchange two indices. avail->index is published after the entry (release);
 * used->index is read before its entry (acquire). With EVENT_IDX each side tells the other at
 * which index it wants to hear next, so both barriers below are full: a store that must be seen
 * before a later load.
 */
#include "abi/errno.h"
#include "core/klog.h"
#include "dev/virtio/virtio_internal.h"
#include "mem/page.h"
#include "mem/slab.h"

#define DESC_NEXT 1
#define DESC_WRITE 2

static uint16_t *used_event(struct virtqueue *q)
{
	return &q->avail->ring[q->size];
}

static volatile uint16_t *avail_event(struct virtqueue *q)
{
	return (volatile uint16_t *)&q->used->ring[q->size];
}

static void virtqueue_lay_out(struct virtqueue *q, void *page)
{
	size_t avail_at = sizeof(struct virtq_desc) * q->size;
	size_t used_at = avail_at + sizeof(uint16_t) * (3 + q->size);

	q->desc = page;
	q->avail = (struct virtq_avail *)((char *)page + avail_at);
	q->used = (struct virtq_used *)((char *)page + ((used_at + 3) & ~3UL));
	for (uint16_t i = 0; i < q->size; i++)
		q->desc[i].next = i + 1;
	q->free_count = q->size;
}

int virtio_queue_create(struct virtio_device *device, unsigned int index,
			void (*done)(struct virtqueue *q), struct virtqueue **out)
{
	uint16_t size = device->ops->queue_size(device, index);
	struct virtqueue *q;
	struct page *page;
	int error;

	if (size == 0 || index >= VIRTIO_QUEUES_MAX)
		return -ENODEV;
	q = kzalloc(sizeof(*q));
	page = page_allocate(0, PAGE_KERNEL, PAGE_ZERO);
	if (q == NULL || page == NULL) {
		error = -ENOMEM;
		goto free;
	}
	spin_init(&q->lock, RANK_DRIVER);
	q->device = device;
	q->index = index;
	q->done = done;
	q->size = size < VIRTQUEUE_SIZE ? size : VIRTQUEUE_SIZE;
	virtqueue_lay_out(q, page_address(page));
	device->queues[index] = q;
	error = device->ops->queue_enable(device, q);
	if (error == 0) {
		*out = q;
		return 0;
	}
	device->queues[index] = NULL;
free:
	if (page != NULL)
		page_put(page);
	kfree(q);
	return error;
}

int virtqueue_add(struct virtqueue *q, const struct virtio_segment *segments, size_t n, void *token)
{
	uint16_t head = q->free_head, at = head, last = head;

	assert_held(&q->lock);
	if (n == 0 || n > q->free_count)
		return -ENOSPC;
	for (size_t i = 0; i < n; i++) {
		struct virtq_desc *d = &q->desc[at];

		d->address = segments[i].start.value;
		d->bytes = segments[i].bytes;
		d->flags = DESC_NEXT | (segments[i].device_writes ? DESC_WRITE : 0);
		last = at;
		at = d->next;
	}
	q->desc[last].flags &= (uint16_t)~DESC_NEXT;
	q->free_head = at;
	q->free_count -= (uint16_t)n;
	q->tokens[head] = token;
	q->avail->ring[q->avail_next & (q->size - 1)] = head;
	q->avail_next++;
	store_release(&q->avail->index, q->avail_next);
	return 0;
}

static bool virtqueue_wants_kick(struct virtqueue *q, uint16_t from)
{
	if (q->device->features & VIRTIO_F_EVENT_IDX)
		return (uint16_t)(q->avail_next - *avail_event(q) - 1) <
		       (uint16_t)(q->avail_next - from);
	return (read_once(q->used->flags) & 1) == 0;
}

void virtqueue_notify(struct virtqueue *q)
{
	if (q->notify_is_16bit)
		*(volatile uint16_t *)q->notify = (uint16_t)q->notify_value;
	else
		*(volatile uint32_t *)q->notify = q->notify_value;
}

void virtqueue_kick(struct virtqueue *q)
{
	uint16_t from = q->kicked;

	assert_held(&q->lock);
	if (from == q->avail_next)
		return;
	q->kicked = q->avail_next;
	full_barrier();		/* avail->index before avail_event: pairs with the device's */
	if (virtqueue_wants_kick(q, from))
		virtqueue_notify(q);
}

/* Returns the chain to the free list. */
static void virtqueue_release(struct virtqueue *q, uint16_t head)
{
	uint16_t at = head, count = 1;

	while ((q->desc[at].flags & DESC_NEXT) && count < q->size) {
		at = q->desc[at].next;
		count++;
	}
	q->desc[at].next = q->free_head;
	q->free_head = head;
	q->free_count += count;
}

void *virtqueue_take(struct virtqueue *q, uint32_t *bytes)
{
	const struct virtq_used_entry *entry;
	uint32_t head;
	void *token;

	assert_held(&q->lock);
	if (q->used_seen == load_acquire(&q->used->index))
		return NULL;
	entry = &q->used->ring[q->used_seen & (q->size - 1)];
	head = read_once(entry->id);
	*bytes = read_once(entry->bytes);
	q->used_seen++;
	if (head >= q->size || q->tokens[head] == NULL) {
		log_error("virtio: device %u queue %u returned request %u, which was not made",
			  q->device->id, q->index, head);
		return NULL;
	}
	token = q->tokens[head];
	q->tokens[head] = NULL;
	virtqueue_release(q, (uint16_t)head);
	return token;
}

bool virtqueue_rearm(struct virtqueue *q)
{
	assert_held(&q->lock);
	*used_event(q) = q->used_seen;
	full_barrier();		/* used_event before used->index: pairs with the device's */
	return q->used_seen != load_acquire(&q->used->index);
}

void virtqueue_interrupt(struct virtqueue *q)
{
	if (q->done != NULL)
		q->done(q);
}
