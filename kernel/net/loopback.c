/* The loopback device. */
#include "kernel/net/loopback.h"
#include "abi/linux/errno.h"
#include "kernel/net/device.h"
#include "kernel/net/net.h"
#include "kernel/net/packet.h"
#include "kernel/sched/timer.h"

#define QUEUE_MAX 4096u

static struct list queue;
static uint32_t queued;
static bool delivering;
static struct timer remainder;

static int transmit(struct net_device *device, struct packet *packet)
{
	if (queued >= QUEUE_MAX) {
		device->counters.send_drops++;
		packet_release(packet);
		return -LINUX_ENOBUFS;
	}
	list_add_last(&queue, &packet->link);
	queued++;
	return 0;
}

static bool is_pending(struct net_device *device)
{
	(void)device;
	return READ_ONCE(queued) != 0;
}

static const struct net_device_ops loopback_ops = {
	.transmit = transmit,
	.is_pending = is_pending,
};

static struct net_device loopback = {
	.ops = &loopback_ops,
	.name = "lo",
	.flags = NET_DEVICE_UP | NET_DEVICE_LOOPBACK,
	.offloads = NET_OFFLOAD_CHECKSUM | NET_OFFLOAD_TCP4 | NET_OFFLOAD_TCP6 | NET_OFFLOAD_UDP,
	.mtu = LOOPBACK_MTU,
	.settings = "",
};

bool loopback_is_pending(void)
{
	return queued != 0 && !delivering;
}

void loopback_deliver(uint32_t budget)
{
	delivering = true;
	while (queued && budget--) {
		struct packet *packet = LIST_ENTRY(queue.next, struct packet, link);

		list_remove(&packet->link);
		queued--;
		packet->flags |= PACKET_LOOPBACK;
		/* What never left this memory needs no checksum. */
		if (packet->flags & PACKET_CHECKSUM_PARTIAL)
			packet->flags |= PACKET_CHECKSUM_GOOD;
		/* Copies of what went to a group are as if received by the device they left by. */
		net_device_receive(packet->device ? packet->device : &loopback, packet);
	}
	delivering = false;
	if (queued)
		timer_arm(&remainder, 1);
}

static void deliver_remainder(struct timer *timer)
{
	(void)timer;
	net_lock();
	net_unlock();
}

int loopback_init(void)
{
	list_init(&queue);
	timer_init(&remainder, deliver_remainder);
	return net_device_register(&loopback);
}
