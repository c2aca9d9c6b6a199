/*
 * The port of a virtio console that carries our stream (virtio 1.2, section 5.3).
 *
 * Our monitor's consoles have one port, on queues 0 and 1. QEMU drops what is written
 * to a console port while nobody reads at its other end, but holds back a generic
 * port: under QEMU the stream is port 1 of a device with VIRTIO_CONSOLE_F_MULTIPORT,
 * on queues 4 and 5, and is opened by messages on queue 3.
 *
 *     console_port_init(&port, device);   after virtio_device_start()
 *     ... the stream's queues ...
 *     virtio_device_set_ready(device);
 *     console_port_open(&port);
 */
#ifndef DRIVERS_CONSOLE_PORT_H
#define DRIVERS_CONSOLE_PORT_H

#include "drivers/virtio_device.h"

#define CONSOLE_PORT_FEATURES (VIRTIO_CONSOLE_F_MULTIPORT)

struct console_port {
	struct virtio_device *device;
	uint32_t receive_queue, transmit_queue;
	bool has_control;
	struct virtio_ring control;
};

/* 0, or what virtio_device_add_queue() says. */
int console_port_init(struct console_port *port, struct virtio_device *device);
/* 0, -ENOMEM, or -EIO when the device does not take the messages. */
int console_port_open(struct console_port *port);

#endif
