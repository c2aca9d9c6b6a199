/*
 * Where lwIP hands datagrams on: its raw_input(), called with each one that is for us, whole
 * and with the IP header in front, before lwIP's own protocols. Raw sockets see it; TCP and
 * UDP are taken out, unless it is UDP to a configuration client of lwIP's.
 */
#include "kernel/net/lwip/layer.h"
#include "kernel/sched/clock.h"
#include "lib/endian.h"

#define ANSWERS_PER_SECOND 1000u
#define ANSWERS_AT_ONCE    50u

bool ip_rejecting;

/* Answers to strangers (port unreachable) are limited, as RFC 4443, 2.4 (f) wants it. */
static bool may_answer(void)
{
	static uint64_t full_at_ns; /* when the bucket will be full again */
	uint64_t now = clock_monotonic_ns(), each = 1000000000 / ANSWERS_PER_SECOND;

	full_at_ns = MAX(full_at_ns, now);
	if (full_at_ns - now > (ANSWERS_AT_ONCE - 1) * each)
		return false;
	full_at_ns += each;
	return true;
}

/* The transport's protocol of an IPv6 datagram, whose headers lwIP has checked. */
static uint8_t final_protocol6(const uint8_t *ip, uint32_t header_bytes)
{
	uint8_t next = ip[6];
	uint32_t offset = IP6_HEADER_BYTES;

	while (offset + 8 <= header_bytes) {
		uint32_t bytes = next == 44 ? 8 : 8 + ip[offset + 1] * 8u;

		next = ip[offset];
		offset += bytes;
	}
	return next;
}

static void describe(const struct pbuf *pbuf, const struct netif *netif, uint32_t header_bytes,
	struct ip_received *ip)
{
	const uint8_t *header = pbuf->payload;

	ip->device = ((const struct ip_device *)netif->state)->device;
	if (header[0] >> 4 == 4) {
		ip->source = ip_address_v4(header + 12);
		ip->destination = ip_address_v4(header + 16);
		ip->protocol = header[9];
		ip->hop_limit = header[8];
		ip->traffic_class = header[1];
	} else {
		memcpy(ip->source.bytes, header + 8, 16);
		memcpy(ip->destination.bytes, header + 24, 16);
		ip->protocol = final_protocol6(header, header_bytes);
		ip->hop_limit = header[7];
		ip->traffic_class = (uint8_t)(load_be16(header) >> 4);
	}
}

/* RFC 4861, 6.1 and 7.1: lwIP 2.2.1 reads options without looking at their lengths. */
static bool discovery_is_right(
	const struct ip_received *ip, const uint8_t *icmp, uint32_t bytes, uint32_t header_bytes)
{
	static const uint8_t fixed[] = {8, 16, 24, 24, 40}; /* types 133 to 137 */
	uint32_t offset = fixed[icmp[0] - 133];

	if (ip->hop_limit != 255 || icmp[1] != 0 || bytes < offset ||
		header_bytes != IP6_HEADER_BYTES)
		return false;
	while (offset < bytes) {
		uint32_t left = bytes - offset, length;

		if (left < 8)
			return false;
		length = icmp[offset + 1] * 8u;
		if (length == 0 || length > left)
			return false;
		switch (icmp[offset]) {
		case 1: /* link addresses, MTU */
		case 2:
		case 5:
			if (length != 8)
				return false;
			break;
		case 3: /* prefix */
			if (length != 32 || icmp[offset + 2] > 128)
				return false;
			break;
		case 24: /* route */
			if (length > 24)
				return false;
			break;
		case 25: /* DNS servers */
			if (length < 24 || length % 16 != 8)
				return false;
			break;
		}
		offset += length;
	}
	return true;
}

/* True: lwIP must not see it. */
static bool inspect_icmp(
	const struct ip_received *ip, const uint8_t *icmp, uint32_t bytes, uint32_t header_bytes)
{
	uint32_t sum;

	if (bytes < 8)
		return true;
	if (ip->protocol == IP_PROTOCOL_ICMP) {
		if (checksum_finish(checksum_add(icmp, bytes, 0)) != 0)
			return true;
		ip_icmp_error(ip, icmp, bytes);
		return false;
	}
	sum = checksum_add(ip->source.bytes, 16, (uint32_t)__builtin_bswap16((uint16_t)bytes));
	sum = checksum_add(ip->destination.bytes, 16, sum + ((uint32_t)IP_PROTOCOL_ICMPV6 << 8));
	if (checksum_finish(checksum_add(icmp, bytes, sum)) != 0)
		return true;
	if (icmp[0] >= 133 && icmp[0] <= 137)
		return !discovery_is_right(ip, icmp, bytes, header_bytes);
	ip_icmp_error(ip, icmp, bytes);
	return false;
}

/* True: taken or dropped; false: lwIP may answer. */
static bool hand_to_transport(struct ip_device *layer, struct packet *packet,
	const struct ip_received *ip, uint32_t header_bytes)
{
	uint8_t ports[4];

	if (packet->bytes < header_bytes + 8) {
		packet_release(packet);
		return true;
	}
	packet_copy(packet, header_bytes, ports, 4);
	if (ip->protocol == IP_PROTOCOL_UDP &&
		ip_port_is_lwip(layer, !ip_address_is_v4(&ip->source), load_be16(ports + 2))) {
		packet_release(packet);
		return false;
	}
	packet_trim_front(packet, header_bytes);
	if (ip->protocol == IP_PROTOCOL_TCP) {
		tcp_input(packet, ip);
		return true;
	}
	if (udp_input(packet, ip))
		return true;
	packet_release(packet);
	return !may_answer();
}

static raw_input_state_t eat(struct pbuf *pbuf)
{
	pbuf_free(pbuf);
	return RAW_INPUT_EATEN;
}

/* Declared by lwIP under the name that lwipopts.h gives it. */
raw_input_state_t lwip_raw_input(struct pbuf *pbuf, struct netif *netif)
{
	struct ip_device *layer = netif->state;
	uint32_t header_bytes = ip_data.current_ip_header_tot_len;
	struct ip_received ip;
	struct packet *packet;
	bool is_taken;

	if (ip_rejecting)
		return may_answer() ? RAW_INPUT_NONE : eat(pbuf);
	/* Headers in one piece, as they are in what input.c made; else who knows what it is. */
	if (pbuf->len < header_bytes)
		return eat(pbuf);
	describe(pbuf, netif, header_bytes, &ip);
	packet = ip_packet_of_pbuf(pbuf);
	if (!packet)
		return eat(pbuf);
	is_taken = raw_input(packet, &ip, header_bytes);
	if (ip.protocol == IP_PROTOCOL_TCP || ip.protocol == IP_PROTOCOL_UDP)
		return hand_to_transport(layer, packet, &ip, header_bytes) ? eat(pbuf)
									   : RAW_INPUT_NONE;
	if (ip.protocol == IP_PROTOCOL_ICMP || ip.protocol == IP_PROTOCOL_ICMPV6) {
		bool is_wrong = inspect_icmp(&ip, packet->fragments[0].data + header_bytes,
			packet->bytes - header_bytes, header_bytes);

		packet_release(packet);
		return is_wrong ? eat(pbuf) : RAW_INPUT_NONE;
	}
	packet_release(packet);
	if (is_taken)
		return RAW_INPUT_DELIVERED;
	return ip.protocol == IP_PROTOCOL_IGMP || may_answer() ? RAW_INPUT_NONE : eat(pbuf);
}

/* lwIP tells its own raw sockets, of which there are none. */
void raw_netif_ip_addr_changed(const ip_addr_t *old_addr, const ip_addr_t *new_addr)
{
	(void)old_addr;
	(void)new_addr;
}
