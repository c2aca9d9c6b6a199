/* The list of network devices, and the ways of frames between them and the IP layer. */
#include "kernel/net/device.h"
#include "kernel/net/ip.h"
#include "kernel/net/net.h"
#include "kernel/net/packet.h"

static struct list devices = LIST_INIT(devices);
static uint32_t last_index;
static bool flush_wanted; /* some device's flush_wanted is set */

void (*net_device_tap)(struct net_device *device, const struct packet *packet, bool outgoing);

int net_device_register(struct net_device *device)
{
	int error;

	net_lock();
	device->index = last_index + 1;
	error = ip_device_add(device);
	if (!error) {
		last_index++;
		list_add_last(&devices, &device->link);
		ip_device_start(device);
		if (!(device->flags & NET_DEVICE_LOOPBACK))
			WRITE_ONCE(net_has_devices, true);
	}
	net_unlock();
	return error;
}

void net_device_receive(struct net_device *device, struct packet *packet)
{
	device->counters.received_packets++;
	device->counters.received_bytes += packet->bytes;
	packet->device = device;
	if (UNLIKELY(net_device_tap != NULL))
		net_device_tap(device, packet, false);
	ip_input_frame(device, packet);
}

int net_device_transmit(struct net_device *device, struct packet *packet)
{
	uint32_t bytes = packet->bytes;
	int error;

	if (UNLIKELY(net_device_tap != NULL))
		net_device_tap(device, packet, true);
	error = device->ops->transmit(device, packet);
	if (error)
		return error;
	device->counters.sent_packets++;
	device->counters.sent_bytes += bytes;
	device->flush_wanted = true;
	flush_wanted = true;
	return 0;
}

uint64_t net_device_flush_all(void)
{
	uint64_t to_notify = 0;

	if (!flush_wanted)
		return 0;
	flush_wanted = false;
	LIST_FOR_EACH (link, &devices) {
		struct net_device *device = LIST_ENTRY(link, struct net_device, link);

		if (device->flush_wanted && device->ops->flush && device->ops->flush(device))
			to_notify |= 1ull << (device->index & 63);
		device->flush_wanted = false;
	}
	return to_notify;
}

void net_device_notify(uint64_t to_notify)
{
	LIST_FOR_EACH (link, &devices) {
		struct net_device *device = LIST_ENTRY(link, struct net_device, link);

		if (to_notify >> (device->index & 63) & 1)
			device->ops->notify(device);
	}
}

struct net_device *net_device_next(const struct net_device *device)
{
	struct list *link = device ? device->link.next : devices.next;

	return link == &devices ? NULL : LIST_ENTRY(link, struct net_device, link);
}

struct net_device *net_device_by_index(uint32_t index)
{
	struct net_device *device = net_device_next(NULL);

	while (device && device->index != index)
		device = net_device_next(device);
	return device;
}

struct net_device *net_device_by_name(const char *name)
{
	struct net_device *device = net_device_next(NULL);

	while (device && strncmp(device->name, name, NET_DEVICE_NAME_BYTES) != 0)
		device = net_device_next(device);
	return device;
}
