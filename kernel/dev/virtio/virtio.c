/*
 * Device set-up (specification 1.2, section 3.1.1): acknowledge, find the driver, negotiate, probe.
 */
#include "dev/virtio/virtio.h"

#include "abi/errno.h"
#include "core/klog.h"
#include "dev/virtio/virtio_internal.h"
#include "lib/bits.h"

static const struct virtio_driver *const drivers[] = {
	&virtio_console_driver,
	&virtio_rng_driver,
	&virtio_9p_driver,
};

static const struct virtio_driver *driver_find(uint32_t id)
{
	for (size_t i = 0; i < ARRAY_SIZE(drivers); i++) {
		if (drivers[i]->id == id)
			return drivers[i];
	}
	return NULL;
}

static void status_add(struct virtio_device *device, uint8_t bits)
{
	device->ops->set_status(device, device->ops->get_status(device) | bits);
}

static int device_negotiate(struct virtio_device *device, const struct virtio_driver *driver)
{
	uint64_t offered = device->ops->get_features(device);

	if ((offered & VIRTIO_F_VERSION_1) == 0)
		return -ENODEV;
	device->features = offered & (VIRTIO_F_VERSION_1 | VIRTIO_F_EVENT_IDX | driver->features);
	device->ops->set_features(device, device->features);
	status_add(device, VIRTIO_STATUS_FEATURES_OK);
	if ((device->ops->get_status(device) & VIRTIO_STATUS_FEATURES_OK) == 0)
		return -EIO;
	return 0;
}

int virtio_device_add(struct virtio_device *device)
{
	const struct virtio_driver *driver = driver_find(device->id);
	int error;

	if (driver == NULL)
		return -ENODEV;
	device->ops->set_status(device, 0);
	status_add(device, VIRTIO_STATUS_ACKNOWLEDGE);
	status_add(device, VIRTIO_STATUS_DRIVER);
	error = device_negotiate(device, driver);
	if (error == 0)
		error = driver->probe(device);
	if (error != 0) {
		status_add(device, VIRTIO_STATUS_FAILED);
		log_error("virtio: %s on %s: error %d", driver->name, device->bus, -error);
	}
	return error;
}

void virtio_device_ready(struct virtio_device *device)
{
	status_add(device, VIRTIO_STATUS_DRIVER_OK);
}

void virtio_init(void)
{
	virtio_mmio_init();
	virtio_pci_init();
}
