/*
 * The way in. TCP and UDP datagrams to us that are whole and plain (no IPv4 options, no
 * extension headers) go straight to their transport; everything else is checked for what
 * lwIP 2.2.1 trusts too much, and given to lwIP as a copy.
 */
#include "kernel/net/lwip/layer.h"
#include "lib/endian.h"

#include <netif/ethernet.h>

#define TYPE_IP4 0x0800
#define TYPE_ARP 0x0806
#define TYPE_IP6 0x86dd

#define DHCP_CLIENT_PORT  68
#define DHCP6_CLIENT_PORT 546

bool ip_port_is_lwip(const struct ip_device *layer, bool is_v6, uint16_t port)
{
	if (is_v6)
		return port == DHCP6_CLIENT_PORT &&
		       (layer->config.dhcp6 || layer->config.router_advertisements);
	return port == DHCP_CLIENT_PORT && layer->config.dhcp4;
}

static void drop(struct ip_device *layer, struct packet *packet)
{
	layer->device->counters.receive_drops++;
	packet_release(packet);
}

/* The whole frame to lwIP's interface `netif`. */
static void give_lwip(struct ip_device *layer, struct netif *netif, struct packet *packet)
{
	struct pbuf *pbuf;

	if (packet->flags & PACKET_CHECKSUM_PARTIAL && !ip_checksum_complete(packet)) {
		drop(layer, packet);
		return;
	}
	pbuf = ip_pbuf_create(NULL, 0, packet);
	packet_release(packet);
	if (!pbuf)
		return;
	ip_ticks_catch_up();
	if (netif->input(pbuf, netif) != ERR_OK)
		pbuf_free(pbuf);
	ip_ticks_arm();
}

void ip_reject(struct ip_device *layer, struct packet *packet, const uint8_t *header,
	uint32_t header_bytes)
{
	struct netif *netif = &layer->netifs[0];
	struct pbuf *pbuf = ip_pbuf_create(header, header_bytes, packet);

	packet_release(packet);
	if (!pbuf)
		return;
	ip_rejecting = true;
	if (ip_input(pbuf, netif) != ERR_OK)
		pbuf_free(pbuf);
	ip_rejecting = false;
}

/* ---- the fast way ------------------------------------------------------------------- */

/* Raw sockets, then the transport. The packet begins at its IP header. */
static void deliver(struct ip_device *layer, struct packet *packet, const struct ip_received *ip,
	uint32_t header_bytes)
{
	uint8_t header[IP6_HEADER_BYTES];

	packet_copy(packet, 0, header, header_bytes);
	raw_input(packet, ip, header_bytes);
	packet_trim_front(packet, header_bytes);
	if (ip->protocol == IP_PROTOCOL_TCP) {
		tcp_input(packet, ip);
	} else if (!udp_input(packet, ip)) {
		if (packet->flags & PACKET_CHECKSUM_PARTIAL) {
			packet->checksum_start = 0;
			packet->checksum_offset = 6;
			if (!ip_checksum_complete(packet)) {
				packet_release(packet);
				return;
			}
		}
		ip_reject(layer, packet, header, header_bytes);
	}
}

static bool is_member4(const struct ip_device *layer, const struct ip_address *group)
{
	ip4_addr_t v4 = ip4_of(group);

	return igmp_lookfor_group(LWIP_CONST_CAST(struct netif *, &layer->netifs[0]), &v4) != NULL;
}

/* Is it for us? Loopback addresses only by the loopback. */
static bool is_for_us(
	const struct ip_device *layer, const struct packet *packet, const struct ip_address *to)
{
	bool is_own_way = packet->flags & PACKET_LOOPBACK;

	if (ip_address_is_multicast(to)) {
		if (is_own_way)
			return true;
		if (ip_address_is_v4(to))
			return is_member4(layer, to);
		else {
			ip6_addr_t v6 = ip6_of(to, &layer->netifs[0]);

			return ip6_addr_isallnodes_iflocal(&v6) ||
			       ip6_addr_isallnodes_linklocal(&v6) ||
			       mld6_lookfor_group(
				       LWIP_CONST_CAST(struct netif *, &layer->netifs[0]), &v6) !=
				       NULL;
		}
	}
	if (ip_address_is_loopback(to))
		return is_own_way;
	return ip_address_is_local(to, is_own_way ? 0 : layer->device->index) ||
	       ip_address_is_broadcast(to);
}

static bool source_is_right(const struct packet *packet, const struct ip_address *from)
{
	if (packet->flags & PACKET_LOOPBACK)
		return true;
	return !ip_address_is_multicast(from) && !ip_address_is_loopback(from) &&
	       !ip_address_is_broadcast(from);
}

static bool is_transport(uint8_t protocol)
{
	return protocol == IP_PROTOCOL_TCP || protocol == IP_PROTOCOL_UDP;
}

/* Of a fragment: would it end beyond what a datagram may have, or is it no multiple of 8? */
static bool fragment_is_right(uint32_t offset_bytes, uint32_t bytes, bool more)
{
	return bytes > 0 && offset_bytes + bytes <= UINT16_MAX && (!more || bytes % 8 == 0);
}

static void input4(struct ip_device *layer, struct packet *packet, uint32_t offset)
{
	const uint8_t *header = packet_peek(packet, offset + IP4_HEADER_BYTES + 4);
	struct ip_received ip = {.device = layer->device};
	uint32_t bytes, header_bytes, field;

	if (!header)
		header = packet_peek(packet, offset + IP4_HEADER_BYTES);
	if (!header) {
		drop(layer, packet);
		return;
	}
	header += offset;
	bytes = load_be16(header + 2);
	header_bytes = (header[0] & 15u) * 4;
	field = load_be16(header + 6);
	if (header[0] >> 4 != 4 || header_bytes < IP4_HEADER_BYTES || bytes < header_bytes ||
		bytes > packet->bytes - offset) {
		drop(layer, packet);
		return;
	}
	ip.source = ip_address_v4(header + 12);
	ip.destination = ip_address_v4(header + 16);
	ip.protocol = header[9];
	ip.hop_limit = header[8];
	ip.traffic_class = header[1];
	if (field & 0x3fff) { /* of several */
		if (!fragment_is_right(
			    (field & 0x1fff) * 8, bytes - header_bytes, field & 0x2000)) {
			drop(layer, packet);
			return;
		}
		ip_ticks_expect_fragments();
	}
	if (header_bytes != IP4_HEADER_BYTES || (field & 0x3fff) || !is_transport(ip.protocol) ||
		bytes < IP4_HEADER_BYTES + 8 ||
		(ip.protocol == IP_PROTOCOL_UDP &&
			ip_port_is_lwip(layer, false, load_be16(header + 22)))) {
		give_lwip(layer, &layer->netifs[0], packet);
		return;
	}
	if (checksum_finish(checksum_add(header, IP4_HEADER_BYTES, 0)) != 0 ||
		!source_is_right(packet, &ip.source) ||
		!is_for_us(layer, packet, &ip.destination)) {
		drop(layer, packet);
		return;
	}
	packet_trim_to(packet, offset + bytes);
	if (offset)
		packet_trim_front(packet, offset);
	deliver(layer, packet, &ip, IP4_HEADER_BYTES);
}

/* Fragment headers hide behind other extension headers. False: malformed. */
static bool extensions_are_right(struct packet *packet, uint32_t offset, uint8_t next, uint32_t end)
{
	while (next == 0 || next == 43 || next == 44 || next == 60) {
		uint8_t extension[8];

		if (offset + 8 > end)
			return false;
		packet_copy(packet, offset, extension, 8);
		if (next == 44) {
			uint32_t field = load_be16(extension + 2);

			ip_ticks_expect_fragments();
			return fragment_is_right(field & 0xfff8, end - offset - 8, field & 1);
		}
		offset += 8 + extension[1] * 8u;
		next = extension[0];
		if (offset > end)
			return false;
	}
	return true;
}

static void input6(struct ip_device *layer, struct packet *packet, uint32_t offset)
{
	const uint8_t *header = packet_peek(packet, offset + IP6_HEADER_BYTES);
	struct ip_received ip = {.device = layer->device};
	uint8_t ports[4] = {0};
	uint32_t bytes;

	if (!header) {
		drop(layer, packet);
		return;
	}
	header += offset;
	bytes = IP6_HEADER_BYTES + load_be16(header + 4);
	if (header[0] >> 4 != 6 || bytes > packet->bytes - offset) {
		drop(layer, packet);
		return;
	}
	memcpy(ip.source.bytes, header + 8, 16);
	memcpy(ip.destination.bytes, header + 24, 16);
	ip.protocol = header[6];
	ip.hop_limit = header[7];
	ip.traffic_class = (uint8_t)(load_be16(header) >> 4);
	packet_trim_to(packet, offset + bytes);
	/* A mapped address has no business on a wire, and would be taken for IPv4. */
	if (ip_address_is_v4(&ip.source) || ip_address_is_v4(&ip.destination) ||
		!extensions_are_right(
			packet, offset + IP6_HEADER_BYTES, ip.protocol, offset + bytes)) {
		drop(layer, packet);
		return;
	}
	if (bytes >= IP6_HEADER_BYTES + 4)
		packet_copy(packet, offset + IP6_HEADER_BYTES, ports, 4);
	if (!is_transport(ip.protocol) || bytes < IP6_HEADER_BYTES + 8 ||
		(ip.protocol == IP_PROTOCOL_UDP &&
			ip_port_is_lwip(layer, true, load_be16(ports + 2)))) {
		give_lwip(layer, &layer->netifs[0], packet);
		return;
	}
	if (!source_is_right(packet, &ip.source) || ip_address_is_any(&ip.source) ||
		!is_for_us(layer, packet, &ip.destination)) {
		drop(layer, packet);
		return;
	}
	if (offset)
		packet_trim_front(packet, offset);
	deliver(layer, packet, &ip, IP6_HEADER_BYTES);
}

/* ---- frames ------------------------------------------------------------------------- */

/* The interface that has the address asked for: lwIP answers for the one it is given to. */
static void input_arp(struct ip_device *layer, struct packet *packet)
{
	uint8_t arp[SIZEOF_ETHARP_HDR];
	const uint8_t *target = arp + 24;
	struct netif *netif = &layer->netifs[0];

	if (packet->bytes < ETHERNET_HEADER_BYTES + sizeof(arp)) {
		drop(layer, packet);
		return;
	}
	packet_copy(packet, ETHERNET_HEADER_BYTES, arp, sizeof(arp));
	if (ip_neighbor_answers(layer->device, arp)) {
		packet_release(packet);
		return;
	}
	for (uint32_t i = 1; i < layer->netif_count; i++) {
		if (memcmp(&netif_ip4_addr(&layer->netifs[i])->addr, target, 4) == 0)
			netif = &layer->netifs[i];
	}
	give_lwip(layer, netif, packet);
}

static void input_ethernet(struct ip_device *layer, struct packet *packet)
{
	const uint8_t *header = packet_peek(packet, ETHERNET_HEADER_BYTES);

	if (!header || (!(header[0] & 1) && memcmp(header, layer->device->mac, 6) != 0)) {
		drop(layer, packet);
		return;
	}
	if (header[0] & 1)
		packet->flags |= PACKET_BROADCAST;
	packet->network_offset = ETHERNET_HEADER_BYTES;
	switch (load_be16(header + 12)) {
	case TYPE_IP4:
		input4(layer, packet, ETHERNET_HEADER_BYTES);
		break;
	case TYPE_IP6:
		input6(layer, packet, ETHERNET_HEADER_BYTES);
		break;
	case TYPE_ARP:
		input_arp(layer, packet);
		break;
	default:
		drop(layer, packet);
	}
}

void ip_input_frame(struct net_device *device, struct packet *packet)
{
	struct ip_device *layer = ip_device_of(device);
	const uint8_t *first;

	if (!(packet->flags & PACKET_LOOPBACK)) {
		input_ethernet(layer, packet);
		return;
	}
	packet->network_offset = 0;
	first = packet_peek(packet, 1);
	if (first && *first >> 4 == 4)
		input4(layer, packet, 0);
	else if (first && *first >> 4 == 6)
		input6(layer, packet, 0);
	else
		drop(layer, packet);
}
