/*
 * The way out. IP and link headers are built in place, in the packet's head room; the device
 * gets it at once when the neighbour's address is known. Else, and when it must be cut into
 * fragments, lwIP takes a copy.
 */
#include "kernel/net/loopback.h"
#include "kernel/net/lwip/layer.h"
#include "kernel/random.h"
#include "lib/endian.h"

#define IP4_DF              0x4000
#define HOP_LIMIT           64
#define HOP_LIMIT_MULTICAST 1

/* What was found for a destination, as long as nothing changes. */
struct kept_hop {
	struct ip_address source, destination;
	uint32_t device_index, generation, mtu, slot;
	struct ip_hop hop;
};

#define KEPT 256u

LARGE_TABLE static struct kept_hop kept[KEPT];

static int hop_keep(const struct ip_flow *flow, struct kept_hop **result)
{
	uint32_t hash = (load_be32(flow->destination.bytes + 12) * 2654435761u >> 16) ^
			flow->source.bytes[15];
	struct kept_hop *entry = &kept[hash % KEPT];
	bool is_known = entry->hop.device && entry->generation == ip_generation &&
			entry->device_index == flow->device_index &&
			ip_address_equal(&entry->destination, &flow->destination) &&
			ip_address_equal(&entry->source, &flow->source);

	if (!is_known) {
		int error = ip_hop_find(&flow->destination,
			flow->header_included ? NULL : &flow->source, flow->device_index,
			&entry->hop);

		entry->source = flow->source;
		entry->destination = flow->destination;
		entry->device_index = flow->device_index;
		entry->generation = ip_generation;
		entry->slot = 0;
		if (error) {
			entry->hop.device = NULL;
			return error;
		}
		entry->mtu = ip_path_mtu(&flow->destination, entry->hop.device->mtu);
	}
	*result = entry;
	return 0;
}

/* ---- headers ------------------------------------------------------------------------ */

static uint8_t hop_limit_of(const struct ip_flow *flow)
{
	if (flow->hop_limit)
		return flow->hop_limit;
	return ip_address_is_multicast(&flow->destination) ? HOP_LIMIT_MULTICAST : HOP_LIMIT;
}

static void finish_header4(uint8_t *header)
{
	uint16_t sum = 0;

	memcpy(header + 10, &sum, 2);
	sum = checksum_finish(checksum_add(header, (header[0] & 15u) * 4, 0));
	memcpy(header + 10, &sum, 2);
}

static void build_header4(uint8_t *header, const struct packet *packet, const struct ip_flow *flow,
	const struct ip_address *source)
{
	static uint16_t number;

	if (number == 0)
		number = (uint16_t)random_u64();
	header[0] = 0x45;
	header[1] = flow->traffic_class;
	store_be16(header + 2, (uint16_t)packet->bytes);
	/* Numbers serve to put fragments together again (RFC 6864). */
	store_be16(header + 4, flow->do_not_fragment && !packet->segments ? 0 : number);
	store_be16(header + 6, flow->do_not_fragment ? IP4_DF : 0);
	header[8] = hop_limit_of(flow);
	header[9] = flow->protocol;
	memcpy(header + 12, source->bytes + 12, 4);
	memcpy(header + 16, flow->destination.bytes + 12, 4);
	finish_header4(header);
	number = (uint16_t)(number + 64); /* room for the pieces of a segmented one */
}

static void build_header6(uint8_t *header, const struct packet *packet, const struct ip_flow *flow,
	const struct ip_address *source)
{
	store_be32(header, 0x60000000u | (uint32_t)flow->traffic_class << 20);
	store_be16(header + 4, (uint16_t)(packet->bytes - IP6_HEADER_BYTES));
	header[6] = flow->protocol;
	header[7] = hop_limit_of(flow);
	memcpy(header + 8, source->bytes, 16);
	memcpy(header + 24, flow->destination.bytes, 16);
}

/* IP_HDRINCL: fills in what raw(7) says that the kernel does. */
static int complete_header(struct packet *packet, const struct ip_address *source)
{
	uint8_t *header = packet_peek(packet, IP4_HEADER_BYTES);
	static const uint8_t zero[4];

	if (!header || header[0] >> 4 != 4 || (header[0] & 15) < 5 ||
		!packet_peek(packet, (header[0] & 15u) * 4))
		return -LINUX_EINVAL;
	header = packet_peek(packet, (header[0] & 15u) * 4);
	store_be16(header + 2, (uint16_t)packet->bytes);
	if (memcmp(header + 12, zero, 4) == 0)
		memcpy(header + 12, source->bytes + 12, 4);
	if (load_be16(header + 4) == 0)
		store_be16(header + 4, (uint16_t)random_u64());
	finish_header4(header);
	return 0;
}

static void grow_front(struct packet *packet, uint32_t bytes)
{
	packet->checksum_start = (uint16_t)(packet->checksum_start + bytes);
	packet->header_bytes = (uint8_t)(packet->header_bytes + bytes);
}

static int add_header(
	struct packet *packet, const struct ip_flow *flow, const struct ip_address *source)
{
	bool is_v4 = ip_address_is_v4(&flow->destination);
	uint32_t bytes = is_v4 ? IP4_HEADER_BYTES : IP6_HEADER_BYTES;
	uint8_t *header;

	if (flow->header_included)
		return complete_header(packet, source);
	header = packet_push(packet, bytes);
	if (!header)
		return -LINUX_ENOBUFS;
	grow_front(packet, bytes);
	if (is_v4)
		build_header4(header, packet, flow, source);
	else
		build_header6(header, packet, flow, source);
	return 0;
}

/* ---- sending ------------------------------------------------------------------------ */

static int send_slow(struct packet *packet, const struct ip_hop *hop)
{
	struct pbuf *pbuf;
	err_t error;

	if (packet->flags & PACKET_CHECKSUM_PARTIAL && !ip_checksum_complete(packet)) {
		packet_release(packet);
		return -LINUX_EINVAL;
	}
	pbuf = ip_pbuf_create(NULL, 0, packet);
	packet_release(packet);
	if (!pbuf)
		return -LINUX_ENOMEM;
	ip_ticks_catch_up();
	if (ip_address_is_v4(&hop->next_hop)) {
		ip_ticks_expect_arp();
		error = ip4_output_if(pbuf, NULL, LWIP_IP_HDRINCL, 0, 0, 0, hop->netif);
	} else {
		error = ip6_output_if(pbuf, NULL, LWIP_IP_HDRINCL, 0, 0, 0, hop->netif);
	}
	pbuf_free(pbuf);
	ip_ticks_arm();
	return ip_error_of_lwip(error);
}

static int send_fast(struct packet *packet, const struct ip_hop *hop, const uint8_t *mac)
{
	uint8_t *header = packet_push(packet, ETHERNET_HEADER_BYTES);

	if (!header) {
		packet_release(packet);
		return -LINUX_ENOBUFS;
	}
	grow_front(packet, ETHERNET_HEADER_BYTES);
	memcpy(header, mac, 6);
	memcpy(header + 6, hop->device->mac, 6);
	store_be16(header + 12, ip_address_is_v4(&hop->next_hop) ? 0x0800 : 0x86dd);
	return net_device_transmit(hop->device, packet);
}

/* One datagram, no larger than the path's MTU unless it is `segments` that the device cuts. */
static int send_one(struct packet *packet, struct kept_hop *entry)
{
	uint8_t multicast[6];
	const uint8_t *mac;

	if (packet->flags & PACKET_CHECKSUM_PARTIAL &&
		!(entry->hop.device->offloads & NET_OFFLOAD_CHECKSUM) &&
		!ip_checksum_complete(packet)) {
		packet_release(packet);
		return -LINUX_EINVAL;
	}
	mac = ip_neighbor_find(&entry->hop, multicast, &entry->slot);
	if (mac && !packet->segments && UNLIKELY(ip_neighbor_is_due(&entry->hop, entry->slot)))
		mac = NULL;
	if (mac)
		return send_fast(packet, &entry->hop, mac);
	return send_slow(packet, &entry->hop);
}

static bool device_cuts(const struct net_device *device, uint8_t segments)
{
	static const uint32_t offloads[] = {
		[PACKET_SEGMENT_NONE] = 0,
		[PACKET_SEGMENT_TCP4] = NET_OFFLOAD_TCP4,
		[PACKET_SEGMENT_TCP6] = NET_OFFLOAD_TCP6,
		[PACKET_SEGMENT_UDP] = NET_OFFLOAD_UDP,
	};

	return device->offloads & offloads[segments];
}

static int send_segments(struct packet *packet, struct kept_hop *entry)
{
	struct list segments = LIST_INIT(segments);
	int error = ip_segment(packet, &segments);

	while (!list_is_empty(&segments)) {
		struct packet *segment = LIST_ENTRY(segments.next, struct packet, link);
		int sent;

		list_remove(&segment->link);
		sent = send_one(segment, entry);
		error = error ? error : sent;
	}
	return error;
}

static bool must_segment(struct packet *packet, struct kept_hop *entry)
{
	uint8_t multicast[6];

	if (!packet->segments)
		return false;
	/* The slow way takes whole datagrams only, and fragments must not be made of them. */
	return !device_cuts(entry->hop.device, packet->segments) ||
	       !ip_neighbor_find(&entry->hop, multicast, &entry->slot);
}

static int send_local(struct packet *packet, struct net_device *lo)
{
	return net_device_transmit(lo, packet);
}

/* Our own members of the group (or listeners to the broadcast) hear it too. */
static void loop_back(const struct packet *packet, struct net_device *device)
{
	struct packet *copy = packet_clone(packet);

	if (!copy)
		return;
	copy->device = device;
	net_device_transmit(ip_loopback_device(), copy);
}

static int check_size(const struct packet *packet, const struct ip_flow *flow, uint32_t mtu)
{
	bool is_v4 = ip_address_is_v4(&flow->destination);
	uint32_t bytes = packet->bytes;

	if (!flow->header_included)
		bytes += is_v4 ? IP4_HEADER_BYTES : IP6_HEADER_BYTES;
	if (bytes > (is_v4 ? UINT16_MAX : UINT16_MAX + IP6_HEADER_BYTES))
		return -LINUX_EMSGSIZE;
	if (packet->segments || bytes <= mtu || (is_v4 && !flow->do_not_fragment))
		return 0;
	return is_v4 || flow->do_not_fragment ? -LINUX_EMSGSIZE : 0;
}

int ip_output(struct packet *packet, const struct ip_flow *flow)
{
	struct kept_hop *entry;
	bool is_group;
	int error = hop_keep(flow, &entry);

	if (!error)
		error = check_size(packet, flow, entry->mtu);
	if (!error)
		error = add_header(packet, flow,
			ip_address_is_any(&flow->source) ? &entry->hop.source : &flow->source);
	if (error) {
		packet_release(packet);
		return error;
	}
	if (entry->hop.is_local)
		return send_local(packet, entry->hop.device);
	is_group = ip_address_is_multicast(&flow->destination);
	if ((is_group && flow->multicast_loop) || entry->hop.is_broadcast)
		loop_back(packet, entry->hop.device);
	if (packet->bytes > entry->mtu && !packet->segments)
		return send_slow(packet, &entry->hop);
	return must_segment(packet, entry) ? send_segments(packet, entry) : send_one(packet, entry);
}
