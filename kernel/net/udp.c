/*
 * UDP (RFC 768): which socket a datagram or an ICMP error is for.
 *
 * The port table is the hash. A datagram goes to the socket that says most about it (a
 * connected one first); several that say the same and share their port by SO_REUSEPORT are
 * chosen among by a hash of the flow; multicast and broadcast go to all.
 */
#include "kernel/net/datagram.h"
#include "abi/linux/errno.h"
#include "abi/linux/socket.h"
#include "lib/endian.h"

static bool is_for(const struct inet_datagram *own, const uint16_t ports[2])
{
	return own->binding.port == ports[1] && (!own->is_connected || own->peer.port == ports[0]);
}

static struct list *sockets_at(uint16_t port)
{
	return &port_table_udp.buckets[port % PORT_BUCKETS];
}

static struct inet_datagram *owner_of(struct list *link)
{
	struct port_binding *binding = LIST_ENTRY(link, struct port_binding, link);

	return CONTAINER_OF(binding, struct inet_datagram, binding);
}

static uint32_t hash_flow(const struct ip_received *ip, const uint16_t ports[2])
{
	uint32_t hash = (uint32_t)ports[0] << 16 | ports[1];

	for (uint32_t i = 0; i < 16; i += 4)
		hash = (hash ^ load_be32(ip->source.bytes + i)) * 0x9e3779b1u;
	return hash ^ hash >> 15;
}

static struct inet_datagram *find(const struct ip_received *ip, const uint16_t ports[2])
{
	uint32_t best = 0, equals = 0, hash = 0;
	struct inet_datagram *found = NULL;

	LIST_FOR_EACH (link, sockets_at(ports[1])) {
		struct inet_datagram *own = owner_of(link);
		uint32_t score;

		if (!is_for(own, ports))
			continue;
		score = datagram_match(
			own, &ip->source, &ip->destination, ip->device ? ip->device->index : 0);
		if (score == 0 || score < best)
			continue;
		if (score > best) {
			best = score;
			found = own;
			equals = 1;
			continue;
		}
		if (!own->binding.reuse_port) {
			found = own; /* the latest, as Linux has it */
			continue;
		}
		/* Each of n equals is taken with probability 1/n, always the same for a flow. */
		if (equals++ == 1)
			hash = hash_flow(ip, ports);
		hash = hash * 1664525u + 1013904223u;
		if ((uint64_t)hash * equals >> 32 == 0)
			found = own;
	}
	return found;
}

/* ---- the way in -------------------------------------------------------------------- */

static bool checksum_is_right(const struct packet *packet, const struct ip_received *ip)
{
	struct ip_flow flow = {
		.source = ip->source, .destination = ip->destination, .protocol = IP_PROTOCOL_UDP};

	return checksum_finish(packet_checksum(
		       packet, 0, packet->bytes, ip_pseudo_checksum(&flow, packet->bytes))) == 0;
}

/* Trims to the length that the header says. */
static bool check_header(struct packet *packet, const struct ip_received *ip, uint16_t ports[2])
{
	const uint8_t *header = packet_peek(packet, UDP_HEADER_BYTES);
	uint32_t length;
	bool has_checksum;

	if (!header)
		return false;
	ports[0] = load_be16(header);
	ports[1] = load_be16(header + 2);
	length = load_be16(header + 4);
	has_checksum = header[6] || header[7];
	if (length < UDP_HEADER_BYTES || length > packet->bytes)
		return false;
	packet_trim_to(packet, length);
	if (packet->flags & (PACKET_CHECKSUM_GOOD | PACKET_CHECKSUM_PARTIAL))
		return true;
	if (!has_checksum)
		return ip_address_is_v4(&ip->source);
	return checksum_is_right(packet, ip);
}

/* With the header, which filters see. */
static void deliver(struct inet_datagram *own, struct packet *packet, const struct ip_received *ip,
	const uint16_t ports[2])
{
	if (!datagram_filter(own, packet, ip)) {
		own->drops++;
		packet_release(packet);
		return;
	}
	packet_trim_front(packet, UDP_HEADER_BYTES);
	datagram_deliver(own, packet, ip, ports);
}

static void deliver_to_all(
	struct packet *packet, const struct ip_received *ip, const uint16_t ports[2])
{
	bool is_group = ip_address_is_multicast(&ip->destination);
	uint32_t index = ip->device ? ip->device->index : 0;

	LIST_FOR_EACH (link, sockets_at(ports[1])) {
		struct inet_datagram *own = owner_of(link);
		struct packet *copy;

		if (!is_for(own, ports) ||
			!datagram_match(own, &ip->source, &ip->destination, index) ||
			(is_group && !datagram_has_group(own, &ip->destination, index)))
			continue;
		copy = packet_clone(packet);
		if (copy)
			deliver(own, copy, ip, ports);
		else
			own->drops++;
	}
	packet_release(packet);
}

bool udp_input(struct packet *packet, const struct ip_received *ip)
{
	struct inet_datagram *own;
	uint16_t ports[2];

	if (!check_header(packet, ip, ports)) {
		packet_release(packet);
		return true;
	}
	if (ip_address_is_multicast(&ip->destination) ||
		ip_address_is_broadcast(&ip->destination)) {
		deliver_to_all(packet, ip, ports);
		return true;
	}
	own = find(ip, ports);
	if (!own)
		return false;
	deliver(own, packet, ip, ports);
	return true;
}

void udp_error(const struct ip_error *error)
{
	/* As if an answer had come from whom we had sent to. */
	struct ip_received answer = {.source = error->destination, .destination = error->source};
	uint16_t ports[2] = {load_be16(error->transport + 2), load_be16(error->transport)};
	struct inet_datagram *own = find(&answer, ports);

	if (own)
		datagram_report(own, error);
}
