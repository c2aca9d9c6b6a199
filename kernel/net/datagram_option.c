/*
 * Options of datagram sockets, with the meaning they have in Linux: ip(7), ipv6(7), udp(7),
 * raw(7), RFC 3542.
 */
#include "kernel/credentials.h"
#include "kernel/net/datagram.h"
#include "kernel/net/inet_name.h"
#include "kernel/net/net.h"
#include "abi/linux/errno.h"
#include "abi/linux/inet.h"
#include "abi/linux/socket.h"

#define HOP_LIMIT_DEFAULT 64

/* Options of a level that are one flag. NULL: no such. */
static bool *flag_of(struct inet_datagram *own, int level, int option)
{
	struct datagram_level *options = &own->level[level == LINUX_SOL_IP ? 0 : 1];

	if (level == LINUX_SOL_IP) {
		switch (option) {
		case LINUX_IP_PKTINFO:
			return &options->receive_info;
		case LINUX_IP_RECVTTL:
			return &options->receive_hops;
		case LINUX_IP_RECVTOS:
			return &options->receive_class;
		case LINUX_IP_RECVORIGDSTADDR:
			return &options->receive_origin;
		case LINUX_IP_RECVERR:
			return &options->receive_errors;
		case LINUX_IP_MULTICAST_LOOP:
			return &options->multicast_loop;
		case LINUX_IP_MULTICAST_ALL:
			return &options->multicast_all;
		case LINUX_IP_FREEBIND:
			return &own->free_bind;
		case LINUX_IP_HDRINCL:
			return own->kind == DATAGRAM_RAW ? &own->header_included : NULL;
		default:
			return NULL;
		}
	}
	switch (option) {
	case LINUX_IPV6_RECVPKTINFO:
		return &options->receive_info;
	case LINUX_IPV6_RECVHOPLIMIT:
		return &options->receive_hops;
	case LINUX_IPV6_RECVTCLASS:
		return &options->receive_class;
	case LINUX_IPV6_RECVERR:
		return &options->receive_errors;
	case LINUX_IPV6_RECVPATHMTU:
		return &options->receive_path_mtu;
	case LINUX_IPV6_MULTICAST_LOOP:
		return &options->multicast_loop;
	case LINUX_IPV6_MULTICAST_ALL:
		return &options->multicast_all;
	default:
		return NULL;
	}
}

/* Options of a level that are a number of a range. */
static int *number_of(
	struct inet_datagram *own, int level, int option, int *least, int *most, int *standard)
{
	struct datagram_level *options = &own->level[level == LINUX_SOL_IP ? 0 : 1];
	bool is_v4 = level == LINUX_SOL_IP;

	*least = -1;
	*most = 255;
	*standard = 0;
	if (option == (is_v4 ? (int)LINUX_IP_TOS : (int)LINUX_IPV6_TCLASS)) {
		if (is_v4)
			*least = INT32_MIN, *most = INT32_MAX;
		return &options->traffic_class;
	}
	if (option == (is_v4 ? (int)LINUX_IP_TTL : (int)LINUX_IPV6_UNICAST_HOPS)) {
		*standard = HOP_LIMIT_DEFAULT;
		return &options->hop_limit;
	}
	if (option == (is_v4 ? (int)LINUX_IP_MULTICAST_TTL : (int)LINUX_IPV6_MULTICAST_HOPS)) {
		*standard = 1;
		return &options->multicast_hops;
	}
	if (option == (is_v4 ? (int)LINUX_IP_MTU_DISCOVER : (int)LINUX_IPV6_MTU_DISCOVER)) {
		*least = DISCOVERY_DONT;
		*most = DISCOVERY_OMIT;
		return &options->discovery;
	}
	return NULL;
}

/* ---- setting -------------------------------------------------------------------------- */

/* Linux takes a byte for many of IPPROTO_IP's numbers. */
static int read_number(int level, const void *value, uint32_t bytes, int *number)
{
	uint8_t byte;

	if (bytes >= sizeof(*number)) {
		memcpy(number, value, sizeof(*number));
		return 0;
	}
	if (bytes == 0 || level != LINUX_SOL_IP)
		return -LINUX_EINVAL;
	memcpy(&byte, value, 1);
	*number = byte;
	return 0;
}

static int set_multicast_device(
	struct inet_datagram *own, int level, const void *value, uint32_t bytes)
{
	struct linux_ip_mreqn mreq = {.index = 0};
	struct net_device *device = NULL;
	bool is_any;

	if (bytes < 4)
		return -LINUX_EINVAL;
	if (level == LINUX_SOL_IPV6)
		memcpy(&mreq.index, value, sizeof(mreq.index));
	else if (bytes >= 8)
		memcpy(&mreq, value, bytes >= sizeof(mreq) ? sizeof(mreq) : 8);
	else
		memcpy(mreq.address, value, sizeof(mreq.address));
	is_any = memcmp(mreq.address, (const uint8_t[4]){0}, 4) == 0;
	net_lock();
	while (mreq.index == 0 && !is_any && (device = net_device_next(device)) != NULL) {
		struct ip_address wanted = ip_address_v4(mreq.address);
		struct ip_interface_address entry;

		for (uint32_t n = 0; ip_interface_address(device, n, &entry); n++) {
			if (ip_address_equal(&entry.address, &wanted))
				mreq.index = device->index;
		}
	}
	device = mreq.index ? net_device_by_index(mreq.index) : NULL;
	if (device || (mreq.index == 0 && is_any))
		own->level[level == LINUX_SOL_IP ? 0 : 1].multicast_device = mreq.index;
	net_unlock();
	if (device || (mreq.index == 0 && is_any))
		return 0;
	return level == LINUX_SOL_IP ? -LINUX_EADDRNOTAVAIL : -LINUX_ENODEV;
}

static int set_v6_only(struct inet_datagram *own, int number)
{
	if (own->binding.port)
		return -LINUX_EINVAL;
	own->binding.v6_only = number != 0;
	return 0;
}

static int set_checksum_offset(struct inet_datagram *own, int number)
{
	if (own->kind != DATAGRAM_RAW)
		return -LINUX_ENOPROTOOPT;
	if ((number > 0 && number & 1) || own->socket->protocol == LINUX_IPPROTO_ICMPV6)
		return -LINUX_EINVAL;
	own->checksum_offset = number < 0 ? -1 : number;
	return 0;
}

static int set_ip(
	struct inet_datagram *own, int level, int option, const void *value, uint32_t bytes)
{
	int least, most, standard, number, error;
	int *target = number_of(own, level, option, &least, &most, &standard);
	bool *flag = flag_of(own, level, option);

	error = read_number(level, value, bytes, &number);
	if (target || flag) {
		if (error)
			return error;
		if (target && (number < least || number > most))
			return -LINUX_EINVAL;
		if (target && option == LINUX_IP_TTL && level == LINUX_SOL_IP && number == 0)
			return -LINUX_EINVAL;
		if (flag)
			*flag = number != 0;
		else
			*target = number == -1 && standard ? (standard == 1 ? 1 : -1) : number;
		return 0;
	}
	if (option ==
		(level == LINUX_SOL_IP ? (int)LINUX_IP_MULTICAST_IF : (int)LINUX_IPV6_MULTICAST_IF))
		return set_multicast_device(own, level, value, bytes);
	if (level == LINUX_SOL_IP)
		return option == LINUX_IP_BIND_ADDRESS_NO_PORT || option == LINUX_IP_RECVOPTS
			       ? error
			       : -LINUX_ENOPROTOOPT;
	if (error)
		return error;
	switch (option) {
	case LINUX_IPV6_V6ONLY:
		return set_v6_only(own, number);
	case LINUX_IPV6_CHECKSUM:
		return set_checksum_offset(own, number);
	case LINUX_IPV6_DONTFRAG:
		own->level[1].discovery = number ? DISCOVERY_DO : DISCOVERY_WANT;
		return 0;
	default:
		return -LINUX_ENOPROTOOPT;
	}
}

static int set_udp(struct inet_datagram *own, int option, const void *value, uint32_t bytes)
{
	int number;

	if (own->kind != DATAGRAM_UDP || option != LINUX_UDP_SEGMENT)
		return -LINUX_ENOPROTOOPT;
	if (bytes < sizeof(number))
		return -LINUX_EINVAL;
	memcpy(&number, value, sizeof(number));
	if (number < 0 || number > (int)UINT16_MAX)
		return -LINUX_EINVAL;
	own->segment_bytes = (uint32_t)number;
	return 0;
}

static int bind_to_device(struct inet_datagram *own, const char *name, uint32_t bytes)
{
	char copy[NET_DEVICE_NAME_BYTES] = "";
	struct net_device *device;
	int error = 0;

	memcpy(copy, name, MIN(bytes, NET_DEVICE_NAME_BYTES - 1));
	net_lock();
	device = net_device_by_name(copy);
	if (copy[0] && !device)
		error = -LINUX_ENODEV;
	else
		own->socket->device_index = device ? device->index : 0;
	own->binding.device_index = own->socket->device_index;
	net_unlock();
	return error;
}

static int set_filter(uint32_t *filter, size_t filter_bytes, const void *value, uint32_t bytes)
{
	memcpy(filter, value, MIN(filter_bytes, bytes));
	return 0;
}

int datagram_set_option(
	struct socket *socket, int level, int option, const void *value, uint32_t bytes)
{
	struct inet_datagram *own = socket->data;
	int error;

	switch (level) {
	case LINUX_SOL_SOCKET:
		return option == LINUX_SO_BINDTODEVICE ? bind_to_device(own, value, bytes)
						       : -LINUX_ENOPROTOOPT;
	case LINUX_SOL_IPV6:
		if (socket->family != LINUX_AF_INET6)
			return -LINUX_ENOPROTOOPT;
		__attribute__((fallthrough));
	case LINUX_SOL_IP:
		error = datagram_group_option(own, level, option, value, bytes);
		return error == -LINUX_ENOPROTOOPT ? set_ip(own, level, option, value, bytes)
						   : error;
	case LINUX_SOL_UDP:
		return set_udp(own, option, value, bytes);
	case LINUX_SOL_RAW:
		if (own->kind == DATAGRAM_RAW && option == LINUX_ICMP_FILTER &&
			socket->protocol == LINUX_IPPROTO_ICMP)
			return set_filter(
				&own->icmp_filter, sizeof(own->icmp_filter), value, bytes);
		return -LINUX_ENOPROTOOPT;
	case LINUX_SOL_ICMPV6:
		if (own->kind == DATAGRAM_RAW && option == LINUX_ICMPV6_FILTER &&
			socket->protocol == LINUX_IPPROTO_ICMPV6)
			return set_filter(
				own->icmp6_filter, sizeof(own->icmp6_filter), value, bytes);
		return -LINUX_ENOPROTOOPT;
	default:
		return -LINUX_ENOPROTOOPT;
	}
}

/* ---- getting ---------------------------------------------------------------------------- */

static int give(const void *source, uint32_t source_bytes, void *value, uint32_t *bytes)
{
	*bytes = MIN(*bytes, source_bytes);
	memcpy(value, source, *bytes);
	return 0;
}

static int get_mtu(struct inet_datagram *own, int *number)
{
	struct ip_route route;
	int error = -LINUX_ENOTCONN;

	net_lock();
	if (own->is_connected)
		error = ip_route(&own->peer.address, NULL, own->socket->device_index, &route);
	net_unlock();
	if (!error)
		*number = (int)route.mtu;
	return error;
}

static int get_ip(struct inet_datagram *own, int level, int option, int *number)
{
	int least, most, standard;
	const int *target = number_of(own, level, option, &least, &most, &standard);
	const bool *flag = flag_of(own, level, option);

	if (flag) {
		*number = *flag;
		return 0;
	}
	if (target) {
		*number = *target == -1 ? standard : *target;
		return 0;
	}
	if (option == (level == LINUX_SOL_IP ? (int)LINUX_IP_MTU : (int)LINUX_IPV6_MTU))
		return get_mtu(own, number);
	if (level == LINUX_SOL_IP) {
		*number = 0;
		return option == LINUX_IP_MULTICAST_IF || option == LINUX_IP_BIND_ADDRESS_NO_PORT ||
				       option == LINUX_IP_RECVOPTS
			       ? 0
			       : -LINUX_ENOPROTOOPT;
	}
	switch (option) {
	case LINUX_IPV6_V6ONLY:
		*number = own->binding.v6_only;
		return 0;
	case LINUX_IPV6_CHECKSUM:
		*number = own->checksum_offset;
		return own->kind == DATAGRAM_RAW ? 0 : -LINUX_ENOPROTOOPT;
	case LINUX_IPV6_MULTICAST_IF:
		*number = (int)own->level[1].multicast_device;
		return 0;
	case LINUX_IPV6_DONTFRAG:
		*number = own->level[1].discovery == DISCOVERY_DO;
		return 0;
	default:
		return -LINUX_ENOPROTOOPT;
	}
}

static int get_device_name(struct inet_datagram *own, void *value, uint32_t *bytes)
{
	struct net_device *device;
	int error = 0;

	net_lock();
	device = own->socket->device_index ? net_device_by_index(own->socket->device_index) : NULL;
	if (!device)
		*bytes = 0;
	else if (*bytes < NET_DEVICE_NAME_BYTES)
		error = -LINUX_EINVAL;
	else
		error = give(device->name, (uint32_t)strlen(device->name) + 1, value, bytes);
	net_unlock();
	return error;
}

static int get_path_mtu(struct inet_datagram *own, void *value, uint32_t *bytes)
{
	struct linux_ip6_mtuinfo info = {.mtu = 0};
	struct ip_endpoint peer;
	struct socket_name name;
	int mtu, error = get_mtu(own, &mtu);

	if (error)
		return error;
	net_lock();
	peer = (struct ip_endpoint){.address = own->peer.address, .scope = own->peer.scope};
	net_unlock();
	inet_name_write(&name, LINUX_AF_INET6, &peer);
	memcpy(info.name, name.data, sizeof(info.name));
	info.mtu = (uint32_t)mtu;
	return give(&info, sizeof(info), value, bytes);
}

int datagram_get_option(struct socket *socket, int level, int option, void *value, uint32_t *bytes)
{
	struct inet_datagram *own = socket->data;
	int number, error = -LINUX_ENOPROTOOPT;

	switch (level) {
	case LINUX_SOL_SOCKET:
		return option == LINUX_SO_BINDTODEVICE ? get_device_name(own, value, bytes)
						       : -LINUX_ENOPROTOOPT;
	case LINUX_SOL_IPV6:
		if (socket->family == LINUX_AF_INET6 && option == LINUX_IPV6_PATHMTU)
			return get_path_mtu(own, value, bytes);
		if (socket->family == LINUX_AF_INET6)
			error = get_ip(own, level, option, &number);
		break;
	case LINUX_SOL_IP:
		error = get_ip(own, level, option, &number);
		break;
	case LINUX_SOL_UDP:
		number = (int)own->segment_bytes;
		if (own->kind == DATAGRAM_UDP && option == LINUX_UDP_SEGMENT)
			error = 0;
		break;
	case LINUX_SOL_RAW:
		if (own->kind == DATAGRAM_RAW && option == LINUX_ICMP_FILTER)
			return give(&own->icmp_filter, sizeof(own->icmp_filter), value, bytes);
		break;
	case LINUX_SOL_ICMPV6:
		if (own->kind == DATAGRAM_RAW && option == LINUX_ICMPV6_FILTER)
			return give(own->icmp6_filter, sizeof(own->icmp6_filter), value, bytes);
		break;
	}
	return error ? error : give(&number, sizeof(number), value, bytes);
}
