/*
 * Virtio console: the device and its ports' life (specification 1.2, section 5.3). port.c moves
 * the bytes.
 *
 * The device is a bundle of ports, each a pair of queues; queues 2 and 3 carry control messages
 * ("port 1 exists", "its name is tine", "the host has opened it"). Messages arrive in an interrupt
 * and are acted upon by a worker, since making a device node may sleep.
 *
 * A port is /dev/vport0pN, and /dev/virtio-ports/NAME once its name is known.
 */
#include "dev/virtio/console.h"

#include "abi/errno.h"
#include "abi/fcntl.h"
#include "abi/stat.h"
#include "arch/arch_down.h"
#include "core/klog.h"
#include "fs/devfs/devfs.h"
#include "lib/device_number.h"
#include "lib/format.h"
#include "lib/string.h"
#include "mem/slab.h"
#include "sched/worker.h"
#include "vfs/chardev.h"

#define FEATURE_MULTIPORT (1ULL << 1)

/* Events of the control queue. */
enum {
	EVENT_DEVICE_READY, EVENT_PORT_ADD, EVENT_PORT_REMOVE, EVENT_PORT_READY,
	EVENT_CONSOLE_PORT, EVENT_RESIZE, EVENT_PORT_OPEN, EVENT_PORT_NAME,
};

struct control_message {
	uint32_t port;
	uint16_t event, value;
	char name[PORT_NAME_MAX];
};

#define CONTROL_BYTES 8
#define CONTROL_BUFFERS 8

struct console {
	struct virtio_device *device;
	struct virtqueue *control_rx, *control_tx;
	struct work control_work;
	struct control_message messages[CONTROL_BUFFERS];
	struct control_message reply;
	struct virtio_port *ports[PORTS_MAX];
	unsigned int port_count;		/* that have queues */
};

static struct console *console;			/* the first one; others are ignored */
static struct wait_queue named_wait = WAIT_QUEUE_INIT(named_wait);
static bool any_port_named;			/* [a] */

static unsigned int port_rx_index(unsigned int id)
{
	return id == 0 ? 0 : 2 * id + 2;
}

static void control_post(struct console *c, struct control_message *m)
	REQUIRES(&c->control_rx->lock)
{
	struct virtio_segment segment = { virt_to_phys(m), sizeof(*m), true };

	assert_held(&c->control_rx->lock);
	memset(m, 0, sizeof(*m));
	if (virtqueue_add(c->control_rx, &segment, 1, m) != 0)
		log_error("virtio-console: control queue is full");
}

/* One message at a time: the device takes it at once (the reply buffer is then ours again). */
static void control_send(struct console *c, uint32_t port, uint16_t event, uint16_t value)
{
	struct virtqueue *q = c->control_tx;
	struct virtio_segment segment = { virt_to_phys(&c->reply), CONTROL_BYTES, false };
	irq_state_t state = spin_lock_irqsave(&q->lock);
	uint32_t bytes;

	c->reply = (struct control_message){ .port = port, .event = event, .value = value };
	if (virtqueue_add(q, &segment, 1, &c->reply) == 0) {
		virtqueue_kick(q);
		while (virtqueue_take(q, &bytes) == NULL)
			arch_pause();
	}
	spin_unlock_irqrestore(&q->lock, state);
}

void virtio_port_send_open(struct virtio_port *port, bool open)
{
	control_send(console, port->id, EVENT_PORT_OPEN, open);
}

static void port_add(struct console *c, unsigned int id)
{
	char name[16];

	if (id >= c->port_count || c->ports[id] == NULL || c->ports[id]->present) {
		control_send(c, id, EVENT_PORT_READY, id < c->port_count);
		return;
	}
	virtio_port_start(c->ports[id]);
	format_string(name, sizeof(name), "vport0p%u", id);
	if (devfs_register(name, S_IFCHR | 0600, device_make(PORT_MAJOR, id)) != 0)
		log_error("virtio-console: no node for port %u", id);
	control_send(c, id, EVENT_PORT_READY, 1);
}

/* The name comes from the host: only a plain file name becomes a node. */
static void port_name(struct console *c, unsigned int id, const char *name)
{
	char path[PORT_NAME_MAX + 16];
	struct virtio_port *port = id < c->port_count ? c->ports[id] : NULL;

	if (port == NULL || port->name[0] != '\0' || name[0] == '\0' || name[0] == '.' ||
	    strchr(name, '/') != NULL)
		return;
	strlcpy(port->name, name, sizeof(port->name));
	format_string(path, sizeof(path), "virtio-ports/%s", name);
	if (devfs_register(path, S_IFCHR | 0600, device_make(PORT_MAJOR, id)) != 0)
		log_error("virtio-console: no node for port %s", name);
	store_release(&any_port_named, true);
	wake_up_all(&named_wait);
}

static void control_handle(struct console *c, const struct control_message *m)
{
	switch (m->event) {
	case EVENT_PORT_ADD:
		port_add(c, m->port);
		break;
	case EVENT_PORT_NAME:
		port_name(c, m->port, m->name);
		break;
	case EVENT_PORT_OPEN:
		if (m->port < c->port_count && c->ports[m->port] != NULL)
			virtio_port_set_host_open(c->ports[m->port], m->value != 0);
		break;
	default:
		break;		/* removal and console ports: not used by our launcher */
	}
}

static void control_run(struct work *work)
{
	struct console *c = console;
	struct virtqueue *q = c->control_rx;

	for (;;) {
		irq_state_t state = spin_lock_irqsave(&q->lock);
		uint32_t bytes = 0;
		struct control_message *m = virtqueue_take(q, &bytes), copy;

		if (m == NULL && !virtqueue_rearm(q)) {
			spin_unlock_irqrestore(&q->lock, state);
			return;
		}
		if (m != NULL) {
			copy = *m;
			control_post(c, m);
			virtqueue_kick(q);
		}
		spin_unlock_irqrestore(&q->lock, state);
		if (m != NULL && bytes >= CONTROL_BYTES) {
			copy.name[sizeof(copy.name) - 1] = '\0';
			control_handle(c, &copy);
		}
	}
}

static void control_done(struct virtqueue *q)
{
	work_queue(&console->control_work);
}

static int console_make_queues(struct console *c)
{
	struct virtio_device *device = c->device;
	int error = virtio_queue_create(device, 2, control_done, &c->control_rx);

	if (error == 0)
		error = virtio_queue_create(device, 3, NULL, &c->control_tx);
	for (unsigned int id = 0; error == 0 && id < c->port_count; id++)
		error = virtio_port_create(device, id, port_rx_index(id), &c->ports[id]);
	return error;
}

static int port_open(struct file *file, uint32_t minor)
{
	if (console == NULL || minor >= console->port_count || console->ports[minor] == NULL)
		return -ENXIO;
	return virtio_port_open(console->ports[minor], file);
}

static struct chardev port_chardev = {
	.name = "virtio-portsdev",
	.major = PORT_MAJOR,
	.minor_count = PORTS_MAX,
	.ops = &virtio_port_file_ops,
	.open = port_open,
};

static int console_probe(struct virtio_device *device)
{
	struct console *c;
	uint32_t ports;
	int error;

	if (console != NULL || (device->features & FEATURE_MULTIPORT) == 0)
		return -ENODEV;
	c = kzalloc(sizeof(*c));
	if (c == NULL)
		return -ENOMEM;
	c->device = device;
	device->ops->read_config(device, 4, &ports, sizeof(ports));
	c->port_count = ports < PORTS_MAX ? ports : PORTS_MAX;
	work_init(&c->control_work, control_run);
	console = c;		/* the interrupt may come as soon as a queue is there */
	error = console_make_queues(c);
	if (error != 0)
		return error;
	chardev_register(&port_chardev);
	virtio_device_ready(device);
	irq_state_t state = spin_lock_irqsave(&c->control_rx->lock);
	for (unsigned int i = 0; i < CONTROL_BUFFERS; i++)
		control_post(c, &c->messages[i]);
	virtqueue_kick(c->control_rx);
	spin_unlock_irqrestore(&c->control_rx->lock, state);
	control_send(c, 0, EVENT_DEVICE_READY, 1);
	return 0;
}

const struct virtio_driver virtio_console_driver = {
	.name = "virtio-console",
	.id = VIRTIO_ID_CONSOLE,
	.features = FEATURE_MULTIPORT,
	.probe = console_probe,
};

void virtio_console_wait_named(uint64_t timeout_ns)
{
	if (console == NULL)
		return;
	if (wait_event_until(&named_wait, load_acquire(&any_port_named), WAIT_UNINTERRUPTIBLE,
			     clock_ns() + timeout_ns) != 0)
		log_warn("virtio-console: no port was named in time");
}

const char *virtio_port_name(unsigned int id)
{
	if (console == NULL || id >= console->port_count || console->ports[id] == NULL ||
	    !console->ports[id]->present)
		return NULL;
	return console->ports[id]->name;
}
