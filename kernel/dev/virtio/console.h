/*
 * Virtio console ports: byte streams between a program in the machine and one on the host. The
 * launcher and init talk over one.
 */
#pragma once

#include "dev/virtio/virtio.h"
#include "lib/list.h"
#include "sched/mutex.h"
#include "vfs/file.h"

#define PORT_MAJOR 250			/* of the range for local use */
#define PORTS_MAX 4
#define PORT_NAME_MAX 48

struct virtio_port {
	uint32_t id;				/* [I] */
	struct virtqueue *rx, *tx;		/* [I] */
	struct list_head received;		/* rx->lock: buffers not all read, oldest first */
	struct mutex read_mutex, write_mutex;
	struct wait_queue wait;			/* readers, writers and pollers */
	uint32_t in_flight;			/* tx->lock: requests the device has not finished */
	bool present;				/* worker */
	bool is_open;				/* [a] by a program: one at a time */
	bool host_open;				/* [a] */
	char name[PORT_NAME_MAX];		/* worker; set once */
};

extern const struct file_ops virtio_port_file_ops;

/* console.c to port.c and back. */
must_check int virtio_port_create(struct virtio_device *device, unsigned int id,
				  unsigned int rx_index, struct virtio_port **out);
void virtio_port_start(struct virtio_port *port);	/* gives the device buffers to fill */
void virtio_port_set_host_open(struct virtio_port *port, bool open);
must_check int virtio_port_open(struct virtio_port *port, struct file *file);
void virtio_port_send_open(struct virtio_port *port, bool open);

/* Boot: waits until a port has its name and node (nothing when there is no console). */
void virtio_console_wait_named(uint64_t timeout_ns);
/* The name of a present port, NULL: none. For sysfs. */
const char *virtio_port_name(unsigned int id);
