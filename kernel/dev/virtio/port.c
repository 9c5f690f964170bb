/*
 * One port's bytes.
 *
 * Receiving: RX_BUFFERS pages belong to the device; filled ones wait in `received` until read, then
 * go back. A program that does not read stops the host: no buffer is free.
 * Sending: a write is copied to a buffer of its own, given to the device, freed when a later call
 * finds it finished; TX_MAX requests in flight stop the program.
 */
#include "abi/errno.h"
#include "abi/fcntl.h"
#include "abi/poll.h"
#include "core/klog.h"
#include "core/shutdown.h"
#include "dev/virtio/console.h"
#include "lib/container_of.h"
#include "mem/page.h"
#include "mem/slab.h"
#include "vfs/poll.h"

#define RX_BUFFERS 8
#define TX_MAX 4
#define TX_ORDER 3
#define TX_BYTES (PAGE_SIZE << TX_ORDER)

struct rx_buffer {
	struct list_head node;
	char *data;
	uint32_t bytes, offset;
};

static struct virtio_port *first_port;		/* for the shutdown hook */

static void rx_done(struct virtqueue *q)
{
	struct virtio_port *port = q->driver;
	irq_state_t state = spin_lock_irqsave(&q->lock);
	struct rx_buffer *b;
	uint32_t bytes;
	bool any = false;

	do {
		while ((b = virtqueue_take(q, &bytes)) != NULL) {
			b->bytes = bytes < PAGE_SIZE ? bytes : PAGE_SIZE;
			b->offset = 0;
			list_push_back(&port->received, &b->node);
			any = true;
		}
	} while (virtqueue_rearm(q));
	spin_unlock_irqrestore(&q->lock, state);
	if (any)
		wake_up_key(&port->wait, POLLIN);
}

static void tx_done(struct virtqueue *q)
{
	struct virtio_port *port = q->driver;

	wake_up_key(&port->wait, POLLOUT);
}

int virtio_port_create(struct virtio_device *device, unsigned int id, unsigned int rx_index,
		       struct virtio_port **out)
{
	struct virtio_port *port = kzalloc(sizeof(*port));
	int error;

	if (port == NULL)
		return -ENOMEM;
	port->id = id;
	list_init(&port->received);
	mutex_init(&port->read_mutex);
	mutex_init(&port->write_mutex);
	wait_queue_init(&port->wait);
	error = virtio_queue_create(device, rx_index, rx_done, &port->rx);
	if (error == 0)
		error = virtio_queue_create(device, rx_index + 1, tx_done, &port->tx);
	if (error != 0) {
		kfree(port);
		return error;
	}
	port->rx->driver = port;
	port->tx->driver = port;
	*out = port;
	return 0;
}

static void rx_post(struct virtio_port *port, struct rx_buffer *b) REQUIRES(&port->rx->lock)
{
	struct virtio_segment segment = { virt_to_phys(b->data), PAGE_SIZE, true };

	assert_held(&port->rx->lock);
	if (virtqueue_add(port->rx, &segment, 1, b) != 0)
		log_error("virtio-console: port %u lost a buffer", port->id);
}

static void port_shutdown(void);

void virtio_port_start(struct virtio_port *port)
{
	static struct shutdown_hook hook = { .run = port_shutdown };
	irq_state_t state;

	for (int i = 0; i < RX_BUFFERS; i++) {
		struct rx_buffer *b = kzalloc(sizeof(*b));
		struct page *page = page_allocate(0, PAGE_KERNEL, 0);

		if (b == NULL || page == NULL) {	/* fewer buffers: slower, not wrong */
			kfree(b);
			if (page != NULL)
				page_put(page);
			break;
		}
		b->data = page_address(page);
		state = spin_lock_irqsave(&port->rx->lock);
		rx_post(port, b);
		spin_unlock_irqrestore(&port->rx->lock, state);
	}
	state = spin_lock_irqsave(&port->rx->lock);
	virtqueue_kick(port->rx);
	spin_unlock_irqrestore(&port->rx->lock, state);
	port->present = true;
	if (first_port == NULL && port->id != 0) {
		first_port = port;
		shutdown_register(&hook);
	}
}

void virtio_port_set_host_open(struct virtio_port *port, bool open)
{
	store_release(&port->host_open, open);
	wake_up_all(&port->wait);
}

int virtio_port_open(struct virtio_port *port, struct file *file)
{
	if (!port->present)
		return -ENXIO;
	if (__atomic_exchange_n(&port->is_open, true, __ATOMIC_ACQ_REL))
		return -EBUSY;
	file->private = port;
	virtio_port_send_open(port, true);
	/*
	 * QEMU looks whether it may read from its side when a buffer is offered, not when the port
	 * is opened; the buffers were there before.
	 */
	virtqueue_notify(port->rx);
	return 0;
}

static void port_release(struct file *file)
{
	struct virtio_port *port = file->private;

	virtio_port_send_open(port, false);
	store_release(&port->is_open, false);
}

/* The oldest buffer, taken from the list: the caller is its only holder. */
static struct rx_buffer *rx_pop(struct virtio_port *port)
{
	irq_state_t state = spin_lock_irqsave(&port->rx->lock);
	struct rx_buffer *b = NULL;

	if (!list_is_empty(&port->received)) {
		b = container_of(port->received.next, struct rx_buffer, node);
		list_remove(&b->node);
	}
	spin_unlock_irqrestore(&port->rx->lock, state);
	return b;
}

/* Back to the front of the list when bytes are left, else to the device. */
static void rx_return(struct virtio_port *port, struct rx_buffer *b)
{
	irq_state_t state = spin_lock_irqsave(&port->rx->lock);

	if (b->offset < b->bytes) {
		list_push_front(&port->received, &b->node);
	} else {
		rx_post(port, b);
		virtqueue_kick(port->rx);
	}
	spin_unlock_irqrestore(&port->rx->lock, state);
}

static bool port_readable(struct virtio_port *port)
{
	return !list_is_empty(&port->received) || !load_acquire(&port->host_open);
}

static ssize_t port_read_available(struct virtio_port *port, struct iobuf *to)
{
	ssize_t total = 0;

	while (to->left > 0) {
		struct rx_buffer *b = rx_pop(port);
		size_t want, moved;

		if (b == NULL)
			break;
		want = b->bytes - b->offset;
		if (want > to->left)
			want = to->left;
		moved = iobuf_put(to, b->data + b->offset, want);
		b->offset += (uint32_t)moved;
		total += (ssize_t)moved;
		rx_return(port, b);
		if (moved < want)
			return total > 0 ? total : -EFAULT;
	}
	return total;
}

static ssize_t port_read(struct file *file, struct iobuf *to, loff_t *pos)
{
	struct virtio_port *port = file->private;
	ssize_t done;

	if (to->left == 0)
		return 0;
	for (;;) {
		mutex_lock(&port->read_mutex);
		done = port_read_available(port, to);
		mutex_unlock(&port->read_mutex);
		if (done != 0 || !load_acquire(&port->host_open))
			return done;
		if ((file->flags & O_NONBLOCK) || to->nonblocking)
			return -EAGAIN;
		done = wait_event_interruptible(&port->wait, port_readable(port));
		if (done != 0)
			return done;
	}
}

/* Frees what the device has finished with; true when there is room for another request. */
static bool tx_reap(struct virtio_port *port)
{
	for (;;) {
		irq_state_t state = spin_lock_irqsave(&port->tx->lock);
		uint32_t bytes;
		struct page *page = virtqueue_take(port->tx, &bytes);
		bool room;

		if (page != NULL)
			port->in_flight--;
		room = port->in_flight < TX_MAX;
		if (page == NULL && port->in_flight > 0 && virtqueue_rearm(port->tx)) {
			spin_unlock_irqrestore(&port->tx->lock, state);
			continue;
		}
		spin_unlock_irqrestore(&port->tx->lock, state);
		if (page == NULL)
			return room;
		page_put(page);
	}
}

static int tx_send(struct virtio_port *port, struct page *page, size_t bytes)
{
	struct virtio_segment segment = { page_to_phys(page), (uint32_t)bytes, false };
	irq_state_t state = spin_lock_irqsave(&port->tx->lock);
	int error = virtqueue_add(port->tx, &segment, 1, page);

	if (error == 0) {
		port->in_flight++;
		virtqueue_kick(port->tx);
	}
	spin_unlock_irqrestore(&port->tx->lock, state);
	return error;
}

/* One request's worth; bytes taken from the program or -errno. */
static ssize_t port_write_chunk(struct virtio_port *port, struct iobuf *from)
{
	unsigned int order = 0;
	size_t want, moved;
	struct page *page;
	int error;

	while (order < TX_ORDER && (PAGE_SIZE << order) < from->left)
		order++;
	page = page_allocate(order, PAGE_KERNEL, 0);
	if (page == NULL && order > 0)		/* memory is in pieces: smaller will do */
		page = page_allocate(order = 0, PAGE_KERNEL, 0);
	if (page == NULL)
		return -ENOMEM;
	want = from->left < PAGE_SIZE << order ? from->left : PAGE_SIZE << order;
	moved = iobuf_take(from, page_address(page), want);
	error = moved == 0 ? -EFAULT : tx_send(port, page, moved);
	if (error != 0) {
		page_put(page);
		return error;
	}
	return (ssize_t)moved;
}

static ssize_t write_locked(struct virtio_port *port, struct iobuf *from, bool nonblocking)
	REQUIRES(&port->write_mutex)
{
	ssize_t total = 0, moved = 0;

	while (from->left > 0) {
		if (!tx_reap(port)) {
			moved = nonblocking ? -EAGAIN
					    : wait_event_interruptible(&port->wait, tx_reap(port));
			if (moved != 0)
				break;
		}
		moved = port_write_chunk(port, from);
		if (moved < 0)
			break;
		total += moved;
	}
	return total > 0 ? total : moved;
}

static ssize_t port_write(struct file *file, struct iobuf *from, loff_t *pos)
{
	struct virtio_port *port = file->private;
	bool nonblocking = (file->flags & O_NONBLOCK) || from->nonblocking;
	ssize_t done = mutex_lock_turn(&port->write_mutex, nonblocking);

	if (done != 0)
		return done;
	done = write_locked(port, from, nonblocking);
	mutex_unlock(&port->write_mutex);
	return done;
}

static bool tx_is_idle(struct virtio_port *port)
{
	tx_reap(port);
	return read_once(port->in_flight) == 0;
}

/* All that was written has reached the host's end. */
static int port_fsync(struct file *file, bool data_only)
{
	struct virtio_port *port = file->private;

	return wait_event_interruptible(&port->wait, tx_is_idle(port));
}

static void port_shutdown(void)
{
	uint64_t deadline = clock_ns() + NSEC_PER_SEC;

	while (!tx_is_idle(first_port) && clock_ns() < deadline)
		arch_pause();
}

static uint32_t port_poll(struct file *file, struct poll_table *table)
{
	struct virtio_port *port = file->private;
	uint32_t events = 0;

	poll_wait(file, &port->wait, table);
	if (!list_is_empty(&port->received))
		events |= POLLIN | POLLRDNORM;
	if (tx_reap(port))
		events |= POLLOUT | POLLWRNORM;
	if (!load_acquire(&port->host_open))
		events |= POLLHUP;
	return events;
}

const struct file_ops virtio_port_file_ops = {
	.name = "vport",
	.read = port_read,
	.write = port_write,
	.poll = port_poll,
	.fsync = port_fsync,
	.release = port_release,
	.stream = true,
};
