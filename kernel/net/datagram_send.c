/*
 * Sending datagrams. The payload is copied from the program first, into a packet with room
 * for all headers; then, under the network lock, it is routed and handed to the IP layer.
 */
#include "kernel/net/datagram.h"
#include "kernel/net/inet_name.h"
#include "kernel/net/net.h"
#include "abi/linux/errno.h"
#include "abi/linux/socket.h"
#include "lib/endian.h"

#define ICMP_ECHO         8
#define ICMP6_ECHO        128
#define ICMP_HEADER_BYTES 8u
#define UDP_SEGMENTS_MAX  64u

/* A datagram on its way. */
struct sending {
	struct inet_datagram *own;
	struct ip_endpoint to;
	struct ip_flow flow;
	struct ip_route route;
	uint32_t segment_bytes; /* 0: one datagram */
};

void datagram_fill_flow(
	const struct inet_datagram *own, const struct ip_address *destination, struct ip_flow *flow)
{
	bool is_v4 = ip_address_is_v4(destination);
	bool is_group = ip_address_is_multicast(destination);
	const struct datagram_level *level = &own->level[is_v4 ? 0 : 1];
	int hops = is_group ? level->multicast_hops : level->hop_limit;

	flow->protocol = (uint8_t)own->socket->protocol;
	flow->hop_limit = hops > 0 ? (uint8_t)hops : 0;
	flow->traffic_class = (uint8_t)level->traffic_class;
	flow->do_not_fragment =
		level->discovery == DISCOVERY_DO || level->discovery == DISCOVERY_PROBE;
	flow->multicast_loop = level->multicast_loop;
	flow->header_included = own->header_included && is_v4;
	if (!flow->device_index)
		flow->device_index = own->socket->device_index;
	if (!flow->device_index && is_group)
		flow->device_index = level->multicast_device;
}

/* ---- where to --------------------------------------------------------------------- */

static int find_peer(struct sending *sending, const struct socket_message *message)
{
	struct inet_datagram *own = sending->own;
	int error = 0;

	if (message->name && message->name->bytes) {
		error = inet_name_read(message->name, own->socket->family, true, &sending->to);
	} else {
		net_lock();
		sending->to = own->peer;
		if (!own->is_connected)
			error = -LINUX_EDESTADDRREQ;
		net_unlock();
	}
	if (error)
		return error;
	if (own->kind == DATAGRAM_UDP && sending->to.port == 0)
		return -LINUX_EINVAL;
	if (ip_address_is_any(&sending->to.address)) {
		static const uint8_t loopback[4] = {127, 0, 0, 1};

		sending->to.address = ip_address_is_v4(&sending->to.address)
					      ? ip_address_v4(loopback)
					      : (struct ip_address){.bytes = {[15] = 1}};
	}
	if (own->socket->family == LINUX_AF_INET6 && ip_address_is_v4(&sending->to.address) &&
		(own->binding.v6_only || own->kind != DATAGRAM_UDP))
		return -LINUX_ENETUNREACH;
	return 0;
}

/* The source: control data, then bind, then what connect or the route chose. */
static int choose_route(struct sending *sending)
{
	struct inet_datagram *own = sending->own;
	struct ip_flow *flow = &sending->flow;
	bool is_v4 = ip_address_is_v4(&flow->destination);
	bool is_given = !ip_address_is_any(&flow->source);
	int error;

	if (!is_given && own->address_is_bound && !ip_address_is_multicast(&own->binding.address) &&
		!ip_address_is_broadcast(&own->binding.address)) {
		flow->source = own->binding.address;
		is_given = true;
	}
	if (is_given && ip_address_is_v4(&flow->source) != is_v4)
		return -LINUX_ENETUNREACH;
	error = ip_route(&flow->destination, is_given ? &flow->source : NULL, flow->device_index,
		&sending->route);
	if (error)
		return error;
	if (sending->route.is_broadcast && !own->socket->broadcast)
		return -LINUX_EACCES;
	if (!is_given)
		flow->source = sending->route.source;
	return 0;
}

/* ---- headers ------------------------------------------------------------------------- */

static int add_udp_header(const struct sending *sending, struct packet *packet)
{
	uint8_t *header = packet_push(packet, UDP_HEADER_BYTES);
	uint16_t sum;

	if (!header)
		return -LINUX_ENOBUFS;
	store_be16(header, sending->own->binding.port);
	store_be16(header + 2, sending->to.port);
	store_be16(header + 4, (uint16_t)packet->bytes);
	sum = 0;
	if (!(sending->own->socket->no_check && ip_address_is_v4(&sending->to.address))) {
		sum = (uint16_t)~checksum_finish(ip_pseudo_checksum(&sending->flow, packet->bytes));
		packet->flags |= PACKET_CHECKSUM_PARTIAL;
		packet->checksum_start = 0;
		packet->checksum_offset = 6;
	}
	memcpy(header + 6, &sum, sizeof(sum));
	return 0;
}

/* Sums up the whole packet and stores the result at `offset`. */
static void fill_checksum(struct packet *packet, uint32_t offset, uint32_t start)
{
	uint16_t sum = 0;
	uint8_t *field = packet->fragments[0].data + offset;

	memcpy(field, &sum, sizeof(sum));
	sum = checksum_finish(packet_checksum(packet, 0, packet->bytes, start));
	memcpy(field, &sum, sizeof(sum));
}

static int finish_ping(const struct sending *sending, struct packet *packet)
{
	uint8_t *header = packet->fragments[0].data;
	bool is_v4 = sending->own->socket->family == LINUX_AF_INET;

	if (packet->bytes < ICMP_HEADER_BYTES || header[1] != 0 ||
		header[0] != (is_v4 ? ICMP_ECHO : ICMP6_ECHO))
		return -LINUX_EINVAL;
	store_be16(header + 4, sending->own->binding.port);
	fill_checksum(packet, 2, is_v4 ? 0 : ip_pseudo_checksum(&sending->flow, packet->bytes));
	return 0;
}

static int finish_raw(const struct sending *sending, struct packet *packet)
{
	const struct inet_datagram *own = sending->own;
	int offset = own->socket->protocol == LINUX_IPPROTO_ICMPV6 ? 2 : own->checksum_offset;

	if (own->socket->family == LINUX_AF_INET || offset < 0)
		return 0;
	if ((uint32_t)offset + 2 > packet->bytes)
		return -LINUX_EINVAL;
	fill_checksum(packet, (uint32_t)offset, ip_pseudo_checksum(&sending->flow, packet->bytes));
	return 0;
}

static int add_header(const struct sending *sending, struct packet *packet)
{
	switch (sending->own->kind) {
	case DATAGRAM_UDP:
		return add_udp_header(sending, packet);
	case DATAGRAM_PING:
		return finish_ping(sending, packet);
	case DATAGRAM_RAW:
		return finish_raw(sending, packet);
	}
	return -LINUX_EINVAL;
}

/* ---- out ------------------------------------------------------------------------------ */

static int output(struct sending *sending, struct packet *packet)
{
	int error = add_header(sending, packet);

	if (error) {
		packet_release(packet);
		return error;
	}
	error = ip_output(packet, &sending->flow);
	if (error == -LINUX_EMSGSIZE)
		datagram_note_path_mtu(sending->own, &sending->to.address, sending->route.mtu);
	/* As Linux: a full queue is a lost datagram, unless the program wants to know. */
	if (error == -LINUX_ENOBUFS && !sending->own->level[0].receive_errors &&
		!sending->own->level[1].receive_errors)
		error = 0;
	return error;
}

/* UDP_SEGMENT where no device cuts: to ourselves and to groups. */
static int output_pieces(struct sending *sending, struct packet *packet)
{
	const uint8_t *payload = packet->fragments[0].data;
	uint32_t left = packet->bytes;
	int error = 0;

	while (left && !error) {
		uint32_t bytes = MIN(left, sending->segment_bytes);
		struct packet *piece = packet_create_linear(bytes);

		if (!piece) {
			error = -LINUX_ENOMEM;
			break;
		}
		memcpy(piece->fragments[0].data, payload, bytes);
		payload += bytes;
		left -= bytes;
		error = output(sending, piece);
	}
	packet_release(packet);
	return error;
}

static int send_locked(struct sending *sending, struct packet *packet)
{
	struct inet_datagram *own = sending->own;
	uint32_t headers = ip_address_is_v4(&sending->to.address) ? 28 : 48;
	int error = own->is_shut & 2 ? -LINUX_EPIPE : -own->socket->error;

	if (error == -own->socket->error)
		own->socket->error = 0;
	if (!error)
		error = datagram_bind_any(own);
	if (!error)
		error = choose_route(sending);
	if (!error && sending->segment_bytes &&
		(sending->segment_bytes + headers > sending->route.mtu ||
			packet->bytes > sending->segment_bytes * UDP_SEGMENTS_MAX))
		error = -LINUX_EINVAL;
	if (error) {
		packet_release(packet);
		return error;
	}
	if (!sending->segment_bytes || packet->bytes <= sending->segment_bytes)
		return output(sending, packet);
	if (sending->route.is_local || ip_address_is_multicast(&sending->to.address))
		return output_pieces(sending, packet);
	packet->segments = PACKET_SEGMENT_UDP;
	packet->segment_bytes = (uint16_t)sending->segment_bytes;
	packet->header_bytes = UDP_HEADER_BYTES;
	return output(sending, packet);
}

/* The length fields of IPv4 count its header, those of IPv6 do not. */
static uint64_t payload_max(const struct sending *sending)
{
	uint32_t headers = sending->own->kind == DATAGRAM_UDP ? UDP_HEADER_BYTES : 0;

	if (ip_address_is_v4(&sending->to.address) && !sending->own->header_included)
		headers += 20;
	return DATAGRAM_BYTES_MAX - headers;
}

static int prepare(struct sending *sending, struct socket_message *message)
{
	struct inet_datagram *own = sending->own;
	uint64_t bytes = message->uio->bytes_left;
	int error;

	if (message->flags & (LINUX_MSG_OOB | LINUX_MSG_MORE))
		return -LINUX_EOPNOTSUPP;
	if (bytes > DATAGRAM_BYTES_MAX)
		return -LINUX_EMSGSIZE;
	error = find_peer(sending, message);
	if (error)
		return error;
	if (bytes > payload_max(sending))
		return -LINUX_EMSGSIZE;
	sending->segment_bytes = own->segment_bytes;
	sending->flow.destination = sending->to.address;
	sending->flow.device_index = sending->to.scope;
	datagram_fill_flow(own, &sending->to.address, &sending->flow);
	return datagram_read_control(own, message, &sending->flow, &sending->segment_bytes);
}

long datagram_send(struct socket *socket, struct socket_message *message)
{
	struct sending sending = {.own = socket->data};
	uint32_t bytes = (uint32_t)message->uio->bytes_left;
	struct packet *packet;
	long error = prepare(&sending, message);

	if (error)
		return error;
	packet = packet_create_linear(bytes);
	if (!packet)
		return -LINUX_ENOBUFS;
	error = uio_copy_from(message->uio, packet->fragments[0].data, bytes);
	if (error < 0) {
		packet_release(packet);
		return error;
	}
	net_lock();
	error = send_locked(&sending, packet);
	net_unlock();
	return error ? error : bytes;
}
