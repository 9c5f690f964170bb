/*
 * The table of character devices. Entries are added at boot and stay; so a lookup's result needs no
 * reference, and the lock only covers the list's links.
 */
#include "vfs/chardev.h"

#include "abi/errno.h"
#include "core/spinlock.h"
#include "lib/device_number.h"
#include "vfs/inode.h"
#include "vfs/vfs_internal.h"

static struct spinlock chardev_lock = SPINLOCK_INIT(RANK_DRIVER);
static struct list_head chardevs = LIST_HEAD_INIT(chardevs);

void chardev_register(struct chardev *device)
{
	spin_lock(&chardev_lock);
	list_push_back(&chardevs, &device->node);
	spin_unlock(&chardev_lock);
}

struct chardev *chardev_find(uint32_t major, uint32_t minor)
{
	struct chardev *device, *found = NULL;

	spin_lock(&chardev_lock);
	list_for_each(device, &chardevs, node) {
		if (device->major == major && minor - device->first_minor < device->minor_count) {
			found = device;
			break;
		}
	}
	spin_unlock(&chardev_lock);
	return found;
}

void chardev_for_each(void (*fn)(void *arg, const struct chardev *device), void *arg)
{
	struct chardev *device;

	/* Without the lock: the list only grows, at its end, at boot. */
	list_for_each(device, &chardevs, node)
		fn(arg, device);
}

static int chardev_open(struct inode *inode, struct file *file)
{
	uint32_t minor = device_minor(inode->rdev);
	struct chardev *device = chardev_find(device_major(inode->rdev), minor);

	if (device == NULL)
		return -ENXIO;
	file->ops = device->ops;
	return device->open != NULL ? device->open(file, minor) : 0;
}

void chardev_init(void)
{
	file_register_special(S_IFCHR, chardev_open);
}
