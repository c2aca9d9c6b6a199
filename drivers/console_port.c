/* See console_port.h. */
#include "drivers/console_port.h"
#include "abi/linux/errno.h"
#include "kernel/arch.h"
#include "kernel/mm/page_alloc.h"
#include "kernel/platform.h"
#include "kernel/sched/clock.h"
#include "lib/string.h"

#define PORT 1u

enum { QUEUE_CONTROL_TRANSMIT = 3, QUEUE_PORT_1 = 4 };

#define OPEN_WAIT_NS 1000000000ull

static const struct virtio_console_control messages[] = {
	{.event = VIRTIO_CONSOLE_DEVICE_READY, .value = 1},
	{.port = PORT, .event = VIRTIO_CONSOLE_PORT_READY, .value = 1},
	{.port = PORT, .event = VIRTIO_CONSOLE_PORT_OPEN, .value = 1},
};

int console_port_init(struct console_port *port, struct virtio_device *device)
{
	*port = (struct console_port){.device = device, .receive_queue = 0, .transmit_queue = 1};
	if ((device->features & VIRTIO_CONSOLE_F_MULTIPORT) == 0)
		return 0;
	port->receive_queue = QUEUE_PORT_1;
	port->transmit_queue = QUEUE_PORT_1 + 1;
	port->has_control = true;
	return virtio_device_add_queue(
		device, QUEUE_CONTROL_TRANSMIT, ARRAY_SIZE(messages) + 1, &port->control);
}

/* The device's own messages, on queue 2, are not asked for: we know our port. */
static int send_messages(struct console_port *port, struct phys memory)
{
	uint64_t deadline_ns = clock_monotonic_ns() + OPEN_WAIT_NS;
	size_t taken = 0;

	for (uint32_t i = 0; i < ARRAY_SIZE(messages); i++) {
		struct virtio_buffer buffer = {
			memory.raw + i * sizeof(messages[0]), sizeof(messages[0]), false};

		if (!virtio_ring_add(&port->control, &buffer, 1, i))
			return -LINUX_EIO;
	}
	if (virtio_ring_publish(&port->control))
		virtio_device_notify(port->device, QUEUE_CONTROL_TRANSMIT);
	while (taken < ARRAY_SIZE(messages) && clock_monotonic_ns() < deadline_ns) {
		uint32_t token, bytes;

		if (virtio_ring_take(&port->control, &token, &bytes))
			taken++;
		else
			arch_relax();
	}
	return taken == ARRAY_SIZE(messages) ? 0 : -LINUX_EIO;
}

int console_port_open(struct console_port *port)
{
	struct phys page;
	int error;

	if (!port->has_control)
		return 0;
	if (!page_alloc(1, PAGE_ALLOC_RESERVE, &page))
		return -LINUX_ENOMEM;
	memcpy(platform_phys_to_virt(page), messages, sizeof(messages));
	error = send_messages(port, page);
	if (error == 0) /* else the device may still read it */
		page_free(page, 1);
	return error;
}
