/* Network devices as a whole: set-up and registration. See virtio_net.h. */
#include "drivers/virtio_net.h"
#include "abi/linux/errno.h"
#include "kernel/log.h"
#include "kernel/mm/heap.h"
#include "kernel/net/net.h"
#include "kernel/platform.h"
#include "kernel/random.h"
#include "lib/format.h"
#include "lib/string.h"

enum { QUEUE_RECEIVE = 0, QUEUE_TRANSMIT = 1 };

#define ETHERNET_BYTES   14u
#define MTU_DEFAULT      1500u
#define MTU_MINIMUM      68u
#define POLL_MAINTENANCE 64u /* frames between refills */

#define FEATURES_BASE                                                                              \
	(VIRTIO_F_VERSION_1 | VIRTIO_F_EVENT_IDX | VIRTIO_NET_F_MAC | VIRTIO_NET_F_MTU |           \
		VIRTIO_NET_F_MRG_RXBUF)
#define FEATURES_SEND                                                                              \
	(VIRTIO_NET_F_HOST_TSO4 | VIRTIO_NET_F_HOST_TSO6 | VIRTIO_NET_F_HOST_ECN |                 \
		VIRTIO_NET_F_HOST_USO)
#define FEATURES_RECEIVE                                                                           \
	(VIRTIO_NET_F_GUEST_TSO4 | VIRTIO_NET_F_GUEST_TSO6 | VIRTIO_NET_F_GUEST_ECN)
#define FEATURES_ALL                                                                               \
	(FEATURES_BASE | VIRTIO_NET_F_CSUM | VIRTIO_NET_F_GUEST_CSUM | FEATURES_SEND |             \
		FEATURES_RECEIVE)

static struct virtio_net *of(struct net_device *device)
{
	return device->driver;
}

/* ---- what the network asks of it ---------------------------------------------------------- */

static void ring_doorbell_if_wanted(struct virtio_net *nic)
{
	if (virtio_ring_publish(&nic->transmit.ring))
		virtio_device_notify(&nic->device, QUEUE_TRANSMIT);
}

static int transmit(struct net_device *device, struct packet *packet)
{
	struct virtio_net *nic = of(device);
	int error = virtio_net_transmit_add(&nic->transmit, packet);

	if (error != 0) {
		device->counters.send_drops++;
		return error;
	}
	if (nic->transmit.waiting_count != 0) /* the device must work for there to be room */
		ring_doorbell_if_wanted(nic);
	return 0;
}

static bool flush(struct net_device *device)
{
	return virtio_ring_publish(&of(device)->transmit.ring);
}

static void notify(struct net_device *device)
{
	virtio_device_notify(&of(device)->device, QUEUE_TRANSMIT);
}

/* Takes back what was sent, and sends what waited for that. */
static void reclaim(struct virtio_net *nic)
{
	bool has_waited = nic->transmit.waiting_count != 0;

	virtio_net_transmit_reclaim(&nic->transmit);
	if (has_waited)
		ring_doorbell_if_wanted(nic);
}

static void disarm(struct net_device *device)
{
	struct virtio_net *nic = of(device);

	if (!nic->receive.is_armed)
		return;
	nic->receive.is_armed = false;
	virtio_ring_disarm(&nic->receive.ring);
	virtio_ring_disarm(&nic->transmit.ring);
}

static uint32_t poll(struct net_device *device, uint32_t budget)
{
	struct virtio_net *nic = of(device);
	struct packet *packet;
	uint32_t frames = 0;

	disarm(device);
	reclaim(nic);
	while (frames < budget &&
		(packet = virtio_net_receive_take(&nic->receive, &device->counters)) != NULL) {
		frames++;
		net_device_receive(device, packet);
		if (frames % POLL_MAINTENANCE == 0 && virtio_net_receive_refill(&nic->receive))
			virtio_device_notify(&nic->device, QUEUE_RECEIVE);
	}
	if (virtio_net_receive_refill(&nic->receive))
		virtio_device_notify(&nic->device, QUEUE_RECEIVE);
	return frames;
}

static bool arm(struct net_device *device)
{
	struct virtio_net *nic = of(device);
	bool is_pending;

	reclaim(nic);
	is_pending = virtio_net_receive_arm(&nic->receive);
	return virtio_net_transmit_arm(&nic->transmit) || is_pending;
}

static bool is_pending(struct net_device *device)
{
	struct virtio_net *nic = of(device);

	return virtio_net_receive_is_pending(&nic->receive) ||
	       virtio_net_transmit_is_pending(&nic->transmit);
}

static const struct net_device_ops ops = {
	.transmit = transmit,
	.flush = flush,
	.notify = notify,
	.poll = poll,
	.arm = arm,
	.disarm = disarm,
	.is_pending = is_pending,
};

static void on_interrupt(void *argument)
{
	struct virtio_net *nic = argument;

	virtio_device_acknowledge(&nic->device);
	net_poll_interrupted();
}

/* ---- set-up -----------------------------------------------------------------------------------
 */

/* Drops what makes no sense without another feature (5.1.3.1), whatever the device says, and
 * large frames without merged buffers, which ours would not hold. */
static uint64_t consistent(uint64_t features)
{
	if ((features & VIRTIO_NET_F_CSUM) == 0)
		features &= ~FEATURES_SEND;
	if ((features & VIRTIO_NET_F_GUEST_CSUM) == 0 || (features & VIRTIO_NET_F_MRG_RXBUF) == 0)
		features &= ~FEATURES_RECEIVE;
	return features;
}

static int negotiate(struct virtio_net *nic, const struct boot_device *boot)
{
	int error = virtio_device_start(&nic->device, boot, FEATURES_ALL);
	uint64_t features = consistent(nic->device.features);

	if (error == 0 && features != nic->device.features)
		error = virtio_device_start(&nic->device, boot, features);
	return error;
}

static uint32_t offloads_of(uint64_t features)
{
	return ((features & VIRTIO_NET_F_CSUM) != 0 ? NET_OFFLOAD_CHECKSUM : 0u) |
	       ((features & VIRTIO_NET_F_HOST_TSO4) != 0 ? NET_OFFLOAD_TCP4 : 0u) |
	       ((features & VIRTIO_NET_F_HOST_TSO6) != 0 ? NET_OFFLOAD_TCP6 : 0u) |
	       ((features & VIRTIO_NET_F_HOST_USO) != 0 ? NET_OFFLOAD_UDP : 0u);
}

static uint16_t read_half(struct virtio_net *nic, size_t offset)
{
	uint16_t value;

	virtio_device_read_config(&nic->device, (uint32_t)offset, &value, sizeof(value));
	return value;
}

static void read_mac(struct virtio_net *nic)
{
	if ((nic->device.features & VIRTIO_NET_F_MAC) != 0) {
		virtio_device_read_config(&nic->device, offsetof(struct virtio_net_config, mac),
			nic->net.mac, sizeof(nic->net.mac));
		return;
	}
	random_bytes(nic->net.mac, sizeof(nic->net.mac));
	nic->net.mac[0] = (uint8_t)((nic->net.mac[0] & ~1u) | 2u); /* local, not a group */
}

static void read_mtu(struct virtio_net *nic)
{
	uint32_t most = UINT16_MAX, mtu = MTU_DEFAULT;

	if ((nic->device.features & VIRTIO_NET_F_MTU) != 0)
		mtu = read_half(nic, offsetof(struct virtio_net_config, mtu));
	if ((nic->device.features & VIRTIO_NET_F_MRG_RXBUF) == 0)
		most = NET_BUFFER_BYTES - sizeof(struct virtio_net_header) - ETHERNET_BYTES;
	nic->net.mtu = MAX(MIN(mtu, most), MTU_MINIMUM);
}

/* An entry without a MAC address belongs to the next device, in order. */
static bool is_for_next(const struct boot_interface *interface)
{
	static const uint8_t none[6];

	return memcmp(interface->mac, none, sizeof(none)) == 0 &&
	       net_device_by_name(interface->name) == NULL;
}

/* The name and the settings that go with the MAC address. */
static const struct boot_interface *find_interface(const uint8_t mac[6])
{
	const struct boot_info *info = platform_boot_info();
	const struct boot_interface *interfaces;

	if (info->interfaces == 0)
		return NULL;
	interfaces = platform_phys_to_virt((struct phys){info->interfaces});
	for (uint32_t i = 0; i < MIN(info->interface_count, BOOT_MAX_INTERFACES); i++) {
		if (memcmp(interfaces[i].mac, mac, sizeof(interfaces[i].mac)) == 0 ||
			is_for_next(&interfaces[i]))
			return &interfaces[i];
	}
	return NULL;
}

static bool is_name_taken(const char *name)
{
	const struct boot_info *info = platform_boot_info();
	const struct boot_interface *interfaces;

	if (net_device_by_name(name) != NULL)
		return true;
	if (info->interfaces == 0)
		return false;
	interfaces = platform_phys_to_virt((struct phys){info->interfaces});
	for (uint32_t i = 0; i < MIN(info->interface_count, BOOT_MAX_INTERFACES); i++) {
		if (strncmp(interfaces[i].name, name, sizeof(interfaces[i].name)) == 0)
			return true;
	}
	return false;
}

static void set_name(struct virtio_net *nic)
{
	const struct boot_interface *interface = find_interface(nic->net.mac);
	uint32_t number = 0;

	nic->net.settings = "";
	if (interface != NULL) {
		nic->net.settings = interface->settings;
		memcpy(nic->net.name, interface->name, sizeof(nic->net.name) - 1);
		return;
	}
	do
		format_text(nic->net.name, sizeof(nic->net.name), "eth%u", number++);
	while (is_name_taken(nic->net.name));
}

static int set_up(struct virtio_net *nic, const struct boot_device *boot)
{
	int error = negotiate(nic, boot);

	if (error == 0)
		error = virtio_device_add_queue(
			&nic->device, QUEUE_RECEIVE, VIRTIO_NET_RECEIVE_LIMIT, &nic->receive.ring);
	if (error == 0)
		error = virtio_device_add_queue(&nic->device, QUEUE_TRANSMIT,
			VIRTIO_NET_TRANSMIT_LIMIT, &nic->transmit.ring);
	if (error == 0 && nic->transmit.ring.limit < PACKET_FRAGMENTS_MAX + 1)
		error = -LINUX_EINVAL;
	if (error == 0)
		error = virtio_net_transmit_init(&nic->transmit);
	if (error == 0)
		error = virtio_net_receive_init(&nic->receive, nic->device.features);
	if (error != 0)
		return error;
	nic->net.ops = &ops;
	nic->net.driver = nic;
	nic->net.flags = NET_DEVICE_UP;
	nic->net.offloads = offloads_of(nic->device.features);
	read_mac(nic);
	read_mtu(nic);
	set_name(nic);
	return platform_interrupt_attach(boot, on_interrupt, nic);
}

static void start(const struct boot_device *boot)
{
	struct virtio_net *nic = heap_zalloc(sizeof(*nic));
	int error = nic == NULL ? -LINUX_ENOMEM : set_up(nic, boot);

	if (error == 0) {
		virtio_device_set_ready(&nic->device);
		virtio_device_notify(&nic->device, QUEUE_RECEIVE);
		error = net_device_register(&nic->net);
	}
	/* What the device may know of already is left to it. */
	if (error != 0)
		log_notice("network device cannot be used: error %d", -error);
}

void net_device_find_all(void)
{
	const struct boot_info *info = platform_boot_info();

	for (uint32_t i = 0; i < MIN(info->device_count, BOOT_MAX_DEVICES); i++) {
		if (info->devices[i].virtio_id == VIRTIO_ID_NET)
			start(&info->devices[i]);
	}
}
