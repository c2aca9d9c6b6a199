/*
 * The registers of a virtio device on PCI (virtio 1.2, section 4.1), modern interface; also
 * that of transitional devices. What sets up queues; drivers use drivers/virtio_device.h.
 */
#ifndef DRIVERS_VIRTIO_PCI_H
#define DRIVERS_VIRTIO_PCI_H

#include "lib/compiler.h"
#include "abi/virtio.h"
#include "kernel/platform.h"

struct virtio_pci {
	volatile struct virtio_pci_common *common;
	volatile uint8_t *notify;
	uint32_t notify_bytes;
	uint32_t notify_multiplier;
	const volatile uint8_t *config; /* NULL: the device has none */
};

/* Finds the registers of the function, resets the device and negotiates: *features receives
 * what both sides have of `wanted` (VERSION_1 is demanded). -ENODEV (no modern registers, no
 * place in memory, no MSI-X), -EINVAL (a refusing device; the status says FAILED). */
int virtio_pci_start(
	struct virtio_pci *pci, uint32_t function, uint64_t wanted, uint64_t *features);
/* The largest size the device takes for a queue; 0: no such queue. */
uint32_t virtio_pci_queue_size(struct virtio_pci *pci, uint32_t queue);
/* Enables a queue; its interrupts go to entry 0 of the MSI-X table. Where to write the
 * queue's number to notify; NULL: the device refuses. */
volatile uint16_t *virtio_pci_set_queue(struct virtio_pci *pci, uint32_t queue, uint32_t size,
	struct phys descriptors, struct phys available, struct phys used);
/* Changes when the device changes its configuration. */
uint32_t virtio_pci_config_generation(struct virtio_pci *pci);
/* DRIVER_OK: the device may use its queues. */
void virtio_pci_set_ready(struct virtio_pci *pci);

#endif
