/*
 * Ancillary data of datagram sockets: ip(7), ipv6(7), RFC 3542.
 */
#include "kernel/net/datagram.h"
#include "kernel/net/inet_name.h"
#include "abi/linux/errno.h"
#include "abi/linux/inet.h"
#include "abi/linux/socket.h"
#include "lib/endian.h"

#define NS_PER_S 1000000000ull

/* ---- sending ------------------------------------------------------------------------ */

struct control {
	int level, type;
	const uint8_t *data;
	uint32_t bytes;
};

static int read_number(const struct control *control, int least, int most, int *number)
{
	if (control->bytes == 1) {
		*number = control->data[0];
	} else if (control->bytes >= sizeof(*number)) {
		memcpy(number, control->data, sizeof(*number));
	} else {
		return -LINUX_EINVAL;
	}
	return *number < least || *number > most ? -LINUX_EINVAL : 0;
}

static int read_info4(const struct control *control, struct ip_flow *flow)
{
	static const uint8_t zero[4];
	struct linux_in_pktinfo info;

	if (control->bytes != sizeof(info))
		return -LINUX_EINVAL;
	memcpy(&info, control->data, sizeof(info));
	if (info.index)
		flow->device_index = info.index;
	if (memcmp(info.specific, zero, sizeof(zero)) != 0)
		flow->source = ip_address_v4(info.specific);
	return 0;
}

static int read_info6(const struct control *control, struct ip_flow *flow)
{
	struct linux_in6_pktinfo info;

	if (control->bytes < sizeof(info))
		return -LINUX_EINVAL;
	memcpy(&info, control->data, sizeof(info));
	if (info.index)
		flow->device_index = info.index;
	memcpy(flow->source.bytes, info.address, sizeof(info.address));
	return 0;
}

static int read_hops(const struct control *control, struct ip_flow *flow)
{
	bool is_v4 = control->level == LINUX_SOL_IP;
	int number, error = read_number(control, is_v4 ? 1 : -1, 255, &number);

	if (!error && number > 0)
		flow->hop_limit = (uint8_t)number;
	return error;
}

static int read_class(const struct control *control, struct ip_flow *flow)
{
	int number, error = read_number(control, -1, 255, &number);

	if (!error)
		flow->traffic_class = (uint8_t)MAX(number, 0);
	return error;
}

static int read_ip(const struct control *control, struct ip_flow *flow)
{
	switch (control->type) {
	case LINUX_IP_PKTINFO:
		return read_info4(control, flow);
	case LINUX_IP_TTL:
		return read_hops(control, flow);
	case LINUX_IP_TOS:
		return read_class(control, flow);
	default:
		return -LINUX_EINVAL;
	}
}

static int read_ipv6(const struct control *control, struct ip_flow *flow)
{
	int number, error;

	switch (control->type) {
	case LINUX_IPV6_PKTINFO:
		return read_info6(control, flow);
	case LINUX_IPV6_HOPLIMIT:
		return read_hops(control, flow);
	case LINUX_IPV6_TCLASS:
		return read_class(control, flow);
	case LINUX_IPV6_DONTFRAG:
		error = read_number(control, 0, 1, &number);
		flow->do_not_fragment |= !error && number;
		return error;
	default:
		return -LINUX_EINVAL;
	}
}

static int read_one(const struct inet_datagram *own, const struct control *control,
	struct ip_flow *flow, uint32_t *segment_bytes)
{
	uint16_t segment;

	switch (control->level) {
	case LINUX_SOL_IP:
		return read_ip(control, flow);
	case LINUX_SOL_IPV6:
		return own->socket->family == LINUX_AF_INET6 ? read_ipv6(control, flow) : 0;
	case LINUX_SOL_UDP:
		if (control->type != LINUX_UDP_SEGMENT || control->bytes != sizeof(segment))
			return -LINUX_EINVAL;
		memcpy(&segment, control->data, sizeof(segment));
		*segment_bytes = segment;
		return 0;
	case LINUX_SOL_SOCKET:
		return -LINUX_EINVAL;
	default:
		return 0; /* other levels are others' */
	}
}

int datagram_read_control(const struct inet_datagram *own, const struct socket_message *message,
	struct ip_flow *flow, uint32_t *segment_bytes)
{
	uint32_t offset = 0;

	while (message->control_bytes - offset >= sizeof(struct linux_cmsghdr)) {
		uint32_t left = message->control_bytes - offset;
		struct linux_cmsghdr header;
		struct control control;
		int error;

		memcpy(&header, message->control + offset, sizeof(header));
		if (header.bytes < sizeof(header) || header.bytes > left)
			return -LINUX_EINVAL;
		control = (struct control){.level = header.level,
			.type = header.type,
			.data = message->control + offset + sizeof(header),
			.bytes = (uint32_t)(header.bytes - sizeof(header))};
		error = read_one(own, &control, flow, segment_bytes);
		if (error)
			return error;
		offset += MIN((uint32_t)LINUX_CMSG_ALIGN(header.bytes), left);
	}
	if (!ip_address_is_any(&flow->source) &&
		ip_address_is_v4(&flow->source) != ip_address_is_v4(&flow->destination))
		return -LINUX_EINVAL;
	return 0;
}

/* ---- receiving -------------------------------------------------------------------------- */

static void add_number(struct socket_message *message, int level, int type, int number)
{
	socket_add_control(message, level, type, &number, sizeof(number));
}

static void add_time(const struct inet_datagram *own, uint64_t ns, struct socket_message *message)
{
	uint64_t pair[2];

	if (!own->socket->timestamp && !own->socket->timestamp_ns)
		return;
	pair[0] = ns / NS_PER_S;
	pair[1] = own->socket->timestamp_ns ? ns % NS_PER_S : ns % NS_PER_S / 1000;
	socket_add_control(message, LINUX_SOL_SOCKET,
		own->socket->timestamp_ns ? LINUX_SCM_TIMESTAMPNS : LINUX_SCM_TIMESTAMP, pair,
		sizeof(pair));
}

static void add_ip(const struct inet_datagram *own, const struct datagram *datagram,
	struct socket_message *message)
{
	const struct datagram_level *level = &own->level[0];
	const struct ip_received *ip = &datagram->ip;

	if (level->receive_info) {
		struct linux_in_pktinfo info = {.index = datagram->device_index};

		memcpy(info.specific, ip->destination.bytes + 12, 4);
		memcpy(info.address, ip->destination.bytes + 12, 4);
		socket_add_control(message, LINUX_SOL_IP, LINUX_IP_PKTINFO, &info, sizeof(info));
	}
	if (level->receive_hops)
		add_number(message, LINUX_SOL_IP, LINUX_IP_TTL, ip->hop_limit);
	if (level->receive_class)
		socket_add_control(message, LINUX_SOL_IP, LINUX_IP_TOS, &ip->traffic_class, 1);
	if (level->receive_origin) {
		struct linux_sockaddr_in origin = {.family = LINUX_AF_INET};

		memcpy(origin.address, ip->destination.bytes + 12, 4);
		store_be16(origin.port, datagram->destination_port);
		socket_add_control(
			message, LINUX_SOL_IP, LINUX_IP_RECVORIGDSTADDR, &origin, sizeof(origin));
	}
}

static void add_ipv6(const struct inet_datagram *own, const struct datagram *datagram,
	struct socket_message *message)
{
	const struct datagram_level *level = &own->level[1];
	const struct ip_received *ip = &datagram->ip;

	if (level->receive_info) {
		struct linux_in6_pktinfo info = {.index = datagram->device_index};

		memcpy(info.address, ip->destination.bytes, sizeof(info.address));
		socket_add_control(
			message, LINUX_SOL_IPV6, LINUX_IPV6_PKTINFO, &info, sizeof(info));
	}
	if (level->receive_hops)
		add_number(message, LINUX_SOL_IPV6, LINUX_IPV6_HOPLIMIT, ip->hop_limit);
	if (level->receive_class)
		add_number(message, LINUX_SOL_IPV6, LINUX_IPV6_TCLASS, ip->traffic_class);
}

void datagram_write_control(const struct inet_datagram *own, const struct datagram *datagram,
	struct socket_message *message)
{
	add_time(own, datagram->realtime_ns, message);
	if (own->socket->family == LINUX_AF_INET6)
		add_ipv6(own, datagram, message);
	if (ip_address_is_v4(&datagram->ip.destination))
		add_ip(own, datagram, message);
}

void datagram_write_error(const struct inet_datagram *own, const struct ip_error *error,
	struct socket_message *message)
{
	bool is_v4 = ip_address_is_v4(&error->destination);
	struct linux_extended_error extended = {.error = (uint32_t)-error->error,
		.origin = is_v4 ? LINUX_ERROR_ORIGIN_ICMP : LINUX_ERROR_ORIGIN_ICMP6,
		.type = error->type,
		.code = error->code,
		.info = error->mtu};
	struct ip_endpoint from = {.address = error->from};
	struct socket_name offender;
	uint8_t data[sizeof(extended) + sizeof(struct linux_sockaddr_in6)];

	inet_name_write(&offender, is_v4 ? LINUX_AF_INET : LINUX_AF_INET6, &from);
	memcpy(data, &extended, sizeof(extended));
	memcpy(data + sizeof(extended), offender.data, offender.bytes);
	if (own->socket->family == LINUX_AF_INET)
		socket_add_control(message, LINUX_SOL_IP, LINUX_IP_RECVERR, data,
			(uint32_t)sizeof(extended) + offender.bytes);
	else
		socket_add_control(message, LINUX_SOL_IPV6, LINUX_IPV6_RECVERR, data,
			(uint32_t)sizeof(extended) + offender.bytes);
}
