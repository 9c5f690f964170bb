/*
 * Character devices: which operations stand behind a (major, minor). An inode of kind S_IFCHR on
 * any file system opens through this table.
 */
#pragma once

#include "lib/list.h"
#include "vfs/file.h"

struct chardev {
	struct list_head node;
	const char *name;			/* for /proc/devices */
	uint32_t major, first_minor, minor_count;
	const struct file_ops *ops;
	/* Called at each open, after file->ops is set: may set file->private or change file->ops.
	 * 0 or -errno (then release() is not called). NULL: nothing to do. */
	int (*open)(struct file *file, uint32_t minor);
	void *private;				/* the driver's; open finds it by container_of */
};

/* For the life of the kernel. */
void chardev_register(struct chardev *device);
/* The one that covers (major, minor); NULL. */
struct chardev *chardev_find(uint32_t major, uint32_t minor);
/* For /proc/devices. */
void chardev_for_each(void (*fn)(void *arg, const struct chardev *device), void *arg);
void chardev_init(void);		/* by vfs_init() */
