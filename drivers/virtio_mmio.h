/*
 * The registers of a virtio-mmio device (virtio 1.2, section 4.2), modern interface.
 * What sets up and rings queues; drivers use drivers/virtio_device.h.
 */
#ifndef DRIVERS_VIRTIO_MMIO_H
#define DRIVERS_VIRTIO_MMIO_H

#include "lib/compiler.h"
#include "kernel/platform.h"

/* Checks that a modern device of this kind is there, resets it, and negotiates:
 * *features receives what both sides have of `wanted` (VERSION_1 is demanded).
 * -ENODEV, -EINVAL (a legacy or refusing device; the status says FAILED). */
int virtio_mmio_start(
	volatile uint32_t *registers, uint32_t virtio_id, uint64_t wanted, uint64_t *features);
/* The largest size the device takes for a queue; 0: no such queue. */
uint32_t virtio_mmio_queue_size(volatile uint32_t *registers, uint32_t queue);
void virtio_mmio_set_queue(volatile uint32_t *registers, uint32_t queue, uint32_t size,
	struct phys descriptors, struct phys available, struct phys used);
/* Changes when the device changes its configuration. */
uint32_t virtio_mmio_config_generation(volatile uint32_t *registers);
/* DRIVER_OK: the device may use its queues. */
void virtio_mmio_set_ready(volatile uint32_t *registers);
/* Where a write of a queue's number notifies. */
volatile uint32_t *virtio_mmio_doorbell(volatile uint32_t *registers);
/* In the interrupt handler, before the rings are looked at. */
void virtio_mmio_acknowledge(volatile uint32_t *registers);

#endif
