/*
 * A virtio device as drivers see it, however it is reached (enum boot_transport):
 *
 *     virtio_device_start(&device, boot_device, wanted features)
 *     virtio_device_add_queue(&device, 0, 32, &ring) ...
 *     platform_interrupt_attach(boot_device, handler, ...)
 *     virtio_device_set_ready(&device)
 *
 * A STATIC device's rings are the launcher's, ready and negotiated; those of others are
 * made here.
 */
#ifndef DRIVERS_VIRTIO_DEVICE_H
#define DRIVERS_VIRTIO_DEVICE_H

#include "lib/compiler.h"
#include "abi/boot_info.h"
#include "drivers/virtio_pci.h"
#include "drivers/virtio_ring.h"

struct virtio_device {
	const struct boot_device *boot;
	volatile uint32_t *registers; /* MMIO, else NULL */
	struct virtio_pci pci;        /* PCI */
	volatile void *doorbells[BOOT_MAX_QUEUES];
	const volatile uint8_t *config; /* NULL: none */
	uint64_t features;
};

/* -ENODEV, -EINVAL, -ENOMEM. */
int virtio_device_start(
	struct virtio_device *device, const struct boot_device *boot, uint64_t wanted_features);
/* Sets up a queue of which at most `limit` descriptors are used at a time. */
int virtio_device_add_queue(
	struct virtio_device *device, uint32_t queue, uint16_t limit, struct virtio_ring *ring);
/* Reads one field of the device's own configuration (virtio 1.2, section 5): `bytes` at
 * `offset`. A device without it reads as zeroes. */
void virtio_device_read_config(
	struct virtio_device *device, uint32_t offset, void *field, uint32_t bytes);
void virtio_device_set_ready(struct virtio_device *device);
void virtio_device_notify(struct virtio_device *device, uint32_t queue);
/* First thing in the interrupt handler. */
void virtio_device_acknowledge(struct virtio_device *device);

/* The device in boot_info of a kind and role; NULL: none. */
const struct boot_device *virtio_device_find(uint32_t virtio_id, uint32_t role);

#endif
