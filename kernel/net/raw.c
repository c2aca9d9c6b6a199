/*
 * Raw sockets and ping sockets: what they see of the datagrams that come in. RFC 3542, raw(7),
 * icmp(7).
 */
#include "kernel/net/datagram.h"
#include "abi/linux/socket.h"
#include "lib/endian.h"

#define ICMP_ECHO_REPLY  0
#define ICMP6_ECHO_REPLY 129
#define ICMP_BYTES       8u

struct port_table datagram_ping_ports;

struct port_table *datagram_port_table(const struct inet_datagram *own)
{
	if (own->kind == DATAGRAM_RAW)
		return NULL;
	if (own->kind == DATAGRAM_UDP)
		return &port_table_udp;
	for (uint32_t i = 0; !datagram_ping_ports.buckets[0].next && i < PORT_BUCKETS; i++)
		list_init(&datagram_ping_ports.buckets[PORT_BUCKETS - 1 - i]);
	return &datagram_ping_ports;
}

static bool is_filtered(const struct inet_datagram *own, uint8_t type)
{
	if (own->socket->protocol == LINUX_IPPROTO_ICMP)
		return type < 32 && own->icmp_filter >> type & 1;
	if (own->socket->protocol == LINUX_IPPROTO_ICMPV6)
		return own->icmp6_filter[type >> 5] >> (type & 31) & 1;
	return false;
}

/* IPV6_CHECKSUM: what does not add up is not for the socket. */
static bool adds_up(const struct inet_datagram *own, const struct packet *packet,
	const struct ip_received *ip, uint32_t header_bytes)
{
	struct ip_flow flow = {
		.source = ip->source, .destination = ip->destination, .protocol = ip->protocol};
	uint32_t bytes = packet->bytes - header_bytes;

	if (own->socket->family == LINUX_AF_INET ||
		(own->checksum_offset < 0 && ip->protocol != IP_PROTOCOL_ICMPV6) ||
		packet->flags & (PACKET_CHECKSUM_GOOD | PACKET_CHECKSUM_PARTIAL))
		return true;
	return checksum_finish(packet_checksum(
		       packet, header_bytes, bytes, ip_pseudo_checksum(&flow, bytes))) == 0;
}

static bool wants(const struct inet_datagram *own, const struct packet *packet,
	const struct ip_received *ip, uint32_t header_bytes, const uint8_t icmp[ICMP_BYTES])
{
	bool is_v4 = ip_address_is_v4(&ip->destination);
	uint32_t index = ip->device ? ip->device->index : 0;

	if (own->kind == DATAGRAM_UDP || own->socket->protocol != ip->protocol ||
		!datagram_match(own, &ip->source, &ip->destination, index))
		return false;
	if (own->kind == DATAGRAM_PING)
		return icmp[0] == (is_v4 ? ICMP_ECHO_REPLY : ICMP6_ECHO_REPLY) &&
		       load_be16(icmp + 4) == own->binding.port;
	return !is_filtered(own, icmp[0]) && adds_up(own, packet, ip, header_bytes);
}

bool raw_input(struct packet *packet, const struct ip_received *ip, uint32_t header_bytes)
{
	static const uint16_t no_ports[2];
	uint8_t icmp[ICMP_BYTES] = {0};
	bool is_taken = false;

	if (packet->bytes < header_bytes)
		return false;
	packet_copy(packet, header_bytes, icmp, MIN(ICMP_BYTES, packet->bytes - header_bytes));
	LIST_FOR_EACH (link, &datagram_sockets) {
		struct inet_datagram *own = LIST_ENTRY(link, struct inet_datagram, link);
		struct packet *copy;

		if (!wants(own, packet, ip, header_bytes, icmp))
			continue;
		is_taken = true;
		copy = packet_clone(packet);
		if (!copy) {
			own->drops++;
			continue;
		}
		if (own->kind == DATAGRAM_PING || own->socket->family == LINUX_AF_INET6)
			packet_trim_front(copy, header_bytes);
		if (datagram_filter(own, copy, ip)) {
			datagram_deliver(own, copy, ip, no_ports);
		} else {
			own->drops++;
			packet_release(copy);
		}
	}
	return is_taken;
}
