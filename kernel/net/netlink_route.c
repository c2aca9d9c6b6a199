/* The answers of NETLINK_ROUTE; see netlink.h, rtnetlink(7). */
#include "kernel/net/interface_ioctl.h"
#include "kernel/net/ip.h"
#include "kernel/net/netlink.h"
#include "abi/linux/errno.h"
#include "abi/linux/inet.h"
#include "abi/linux/socket.h"
#include "lib/endian.h"

#define OPERATIONAL_UNKNOWN 0
#define OPERATIONAL_UP      6
#define QUEUE_LENGTH        1000u
#define STATISTICS          25u /* struct rtnl_link_stats64 */

static uint8_t family_of(const struct ip_address *address)
{
	return ip_address_is_v4(address) ? LINUX_AF_INET : LINUX_AF_INET6;
}

static bool is_asked_for(uint8_t family, const struct ip_address *address)
{
	return family == LINUX_AF_UNSPEC || family == family_of(address);
}

static void add_u32(struct netlink_answer *answer, uint16_t type, uint32_t value)
{
	netlink_attribute(answer, type, &value, sizeof(value));
}

static void add_u8(struct netlink_answer *answer, uint16_t type, uint8_t value)
{
	netlink_attribute(answer, type, &value, sizeof(value));
}

static void add_text(struct netlink_answer *answer, uint16_t type, const char *text)
{
	netlink_attribute(answer, type, text, (uint32_t)strlen(text) + 1);
}

static void add_address(
	struct netlink_answer *answer, uint16_t type, const struct ip_address *address)
{
	bool is_v4 = ip_address_is_v4(address);

	netlink_attribute(answer, type, address->bytes + (is_v4 ? 12 : 0), is_v4 ? 4 : 16);
}

/* ---- links ------------------------------------------------------------------------------ */

static void add_statistics(struct netlink_answer *answer, const struct net_device_counters *counts)
{
	uint64_t statistics[STATISTICS] = {counts->received_packets, counts->sent_packets,
		counts->received_bytes, counts->sent_bytes, counts->receive_errors,
		counts->send_errors, counts->receive_drops, counts->send_drops};

	netlink_attribute(answer, LINUX_IFLA_STATS64, statistics, sizeof(statistics));
}

static void write_link(struct netlink_answer *answer, const struct net_device *device)
{
	static const uint8_t broadcast[6] = {0xff, 0xff, 0xff, 0xff, 0xff, 0xff};
	static const uint8_t none[6];
	bool is_loopback = device->flags & NET_DEVICE_LOOPBACK;
	struct linux_ifinfomsg info = {
		.type = is_loopback ? LINUX_ARPHRD_LOOPBACK : LINUX_ARPHRD_ETHER,
		.index = (int32_t)device->index,
		.flags = interface_flags(device)};

	netlink_begin(answer, LINUX_RTM_NEWLINK, &info, sizeof(info));
	add_text(answer, LINUX_IFLA_IFNAME, device->name);
	add_u32(answer, LINUX_IFLA_TXQLEN, QUEUE_LENGTH);
	add_u8(answer, LINUX_IFLA_OPERSTATE, is_loopback ? OPERATIONAL_UNKNOWN : OPERATIONAL_UP);
	add_u8(answer, LINUX_IFLA_LINKMODE, 0);
	add_u32(answer, LINUX_IFLA_MTU, device->mtu);
	add_u32(answer, LINUX_IFLA_GROUP, 0);
	add_u8(answer, LINUX_IFLA_CARRIER, 1);
	add_text(answer, LINUX_IFLA_QDISC, is_loopback ? "noqueue" : "pfifo_fast");
	netlink_attribute(answer, LINUX_IFLA_ADDRESS, device->mac, sizeof(device->mac));
	netlink_attribute(
		answer, LINUX_IFLA_BROADCAST, is_loopback ? none : broadcast, sizeof(none));
	add_statistics(answer, &device->counters);
	netlink_end(answer);
}

static void dump_links(struct netlink_answer *answer)
{
	const struct net_device *device = NULL;

	while ((device = net_device_next(device)) != NULL)
		write_link(answer, device);
}

/* One, by index or by name. */
static int get_link(struct netlink_answer *answer, const uint8_t *payload, uint32_t bytes)
{
	const struct net_device *device = NULL;
	struct linux_ifinfomsg info;
	struct linux_rtattr attribute;
	uint32_t offset = sizeof(info);

	if (bytes < sizeof(info))
		return -LINUX_EINVAL;
	memcpy(&info, payload, sizeof(info));
	if (info.index > 0)
		device = net_device_by_index((uint32_t)info.index);
	while (!device && offset + sizeof(attribute) <= bytes) {
		char name[NET_DEVICE_NAME_BYTES] = "";

		memcpy(&attribute, payload + offset, sizeof(attribute));
		if (attribute.bytes < sizeof(attribute) || attribute.bytes > bytes - offset)
			return -LINUX_EINVAL;
		if (attribute.type == LINUX_IFLA_IFNAME) {
			memcpy(name, payload + offset + sizeof(attribute),
				MIN(attribute.bytes - sizeof(attribute), sizeof(name) - 1));
			device = net_device_by_name(name);
		}
		offset += (attribute.bytes + 3u) & ~3u;
	}
	if (!device)
		return -LINUX_ENODEV;
	write_link(answer, device);
	return 0;
}

/* ---- addresses ---------------------------------------------------------------------------- */

static uint8_t address_scope(const struct ip_address *address)
{
	if (ip_address_is_loopback(address))
		return LINUX_RT_SCOPE_HOST;
	return ip_address_is_link_local(address) ? LINUX_RT_SCOPE_LINK : LINUX_RT_SCOPE_UNIVERSE;
}

static void write_address(struct netlink_answer *answer, const struct net_device *device,
	const struct ip_interface_address *entry)
{
	bool is_v4 = ip_address_is_v4(&entry->address);
	uint32_t flags = (entry->is_permanent ? LINUX_IFA_F_PERMANENT : 0u) |
			 (entry->is_tentative ? LINUX_IFA_F_TENTATIVE : 0u) |
			 (entry->is_deprecated ? LINUX_IFA_F_DEPRECATED : 0u);
	struct linux_ifaddrmsg message = {.family = family_of(&entry->address),
		.prefix_bits = entry->prefix_bits,
		.flags = (uint8_t)flags,
		.scope = address_scope(&entry->address),
		.index = device->index};
	uint32_t lifetimes[4] = {entry->preferred_seconds, entry->valid_seconds, 0, 0};

	netlink_begin(answer, LINUX_RTM_NEWADDR, &message, sizeof(message));
	add_address(answer, LINUX_IFA_ADDRESS, &entry->address);
	if (is_v4)
		add_address(answer, LINUX_IFA_LOCAL, &entry->address);
	if (is_v4 && !(device->flags & NET_DEVICE_LOOPBACK) && entry->prefix_bits < 31) {
		uint32_t host = entry->prefix_bits ? ~(~0u << (32 - entry->prefix_bits)) : ~0u;
		uint8_t broadcast[4];

		store_be32(broadcast, load_be32(entry->address.bytes + 12) | host);
		netlink_attribute(answer, LINUX_IFA_BROADCAST, broadcast, sizeof(broadcast));
	}
	if (is_v4)
		add_text(answer, LINUX_IFA_LABEL, device->name);
	add_u32(answer, LINUX_IFA_FLAGS, flags);
	netlink_attribute(answer, LINUX_IFA_CACHEINFO, lifetimes, sizeof(lifetimes));
	netlink_end(answer);
}

static void dump_addresses(struct netlink_answer *answer, uint8_t family)
{
	const struct net_device *device = NULL;
	struct ip_interface_address entry;

	while ((device = net_device_next(device)) != NULL) {
		for (uint32_t n = 0; ip_interface_address(device, n, &entry); n++) {
			if (is_asked_for(family, &entry.address))
				write_address(answer, device, &entry);
		}
	}
}

/* ---- routes ------------------------------------------------------------------------------- */

static void dump_routes(struct netlink_answer *answer, uint8_t family)
{
	struct ip_route_entry entry;

	for (uint32_t n = 0; ip_route_entry(n, &entry); n++) {
		bool has_gateway = !ip_address_is_any(&entry.gateway);
		struct linux_rtmsg message = {.family = family_of(&entry.destination),
			.destination_bits = entry.prefix_bits,
			.table = LINUX_RT_TABLE_MAIN,
			.protocol = LINUX_RTPROT_BOOT,
			.scope = has_gateway ? LINUX_RT_SCOPE_UNIVERSE : LINUX_RT_SCOPE_LINK,
			.type = LINUX_RTN_UNICAST};

		if (!is_asked_for(family, &entry.destination))
			continue;
		netlink_begin(answer, LINUX_RTM_NEWROUTE, &message, sizeof(message));
		add_u32(answer, LINUX_RTA_TABLE, LINUX_RT_TABLE_MAIN);
		if (entry.prefix_bits)
			add_address(answer, LINUX_RTA_DST, &entry.destination);
		if (has_gateway)
			add_address(answer, LINUX_RTA_GATEWAY, &entry.gateway);
		if (entry.metric)
			add_u32(answer, LINUX_RTA_PRIORITY, entry.metric);
		if (entry.device)
			add_u32(answer, LINUX_RTA_OIF, entry.device->index);
		netlink_end(answer);
	}
}

static int read_destination(
	const uint8_t *payload, uint32_t bytes, uint8_t family, struct ip_address *destination)
{
	struct linux_rtattr attribute;
	uint32_t offset = sizeof(struct linux_rtmsg);

	while (offset + sizeof(attribute) <= bytes) {
		const uint8_t *value = payload + offset + sizeof(attribute);

		memcpy(&attribute, payload + offset, sizeof(attribute));
		if (attribute.bytes < sizeof(attribute) || attribute.bytes > bytes - offset)
			return -LINUX_EINVAL;
		if (attribute.type == LINUX_RTA_DST && family == LINUX_AF_INET &&
			attribute.bytes >= sizeof(attribute) + 4) {
			*destination = ip_address_v4(value);
			return 0;
		}
		if (attribute.type == LINUX_RTA_DST && family == LINUX_AF_INET6 &&
			attribute.bytes >= sizeof(attribute) + 16) {
			memcpy(destination->bytes, value, 16);
			return 0;
		}
		offset += (attribute.bytes + 3u) & ~3u;
	}
	return -LINUX_EINVAL;
}

/* "ip route get": which way a destination is reached. */
static int get_route(
	struct netlink_answer *answer, const uint8_t *payload, uint32_t bytes, uint8_t family)
{
	struct ip_address destination = {.bytes = {0}};
	struct linux_rtmsg message = {.family = family,
		.destination_bits = family == LINUX_AF_INET ? 32 : 128,
		.table = LINUX_RT_TABLE_MAIN,
		.type = LINUX_RTN_UNICAST};
	struct ip_route route;
	int error;

	if (bytes < sizeof(message))
		return -LINUX_EINVAL;
	error = read_destination(payload, bytes, family, &destination);
	if (!error)
		error = ip_route(&destination, NULL, 0, &route);
	if (error)
		return error;
	if (route.is_local)
		message.type = LINUX_RTN_LOCAL;
	netlink_begin(answer, LINUX_RTM_NEWROUTE, &message, sizeof(message));
	add_address(answer, LINUX_RTA_DST, &destination);
	add_u32(answer, LINUX_RTA_OIF, route.device->index);
	add_address(answer, LINUX_RTA_PREFSRC, &route.source);
	netlink_end(answer);
	return 0;
}

/* ---- neighbours --------------------------------------------------------------------------- */

static void dump_neighbors(struct netlink_answer *answer, uint8_t family)
{
	struct ip_neighbor entry;

	for (uint32_t n = 0; ip_neighbor(n, &entry); n++) {
		struct linux_ndmsg message = {.family = family_of(&entry.address),
			.index = (int32_t)entry.device->index,
			.state = entry.is_reachable ? LINUX_NUD_REACHABLE : LINUX_NUD_INCOMPLETE,
			.type = LINUX_RTN_UNICAST};

		if (!is_asked_for(family, &entry.address))
			continue;
		netlink_begin(answer, LINUX_RTM_NEWNEIGH, &message, sizeof(message));
		add_address(answer, LINUX_NDA_DST, &entry.address);
		if (entry.is_reachable)
			netlink_attribute(answer, LINUX_NDA_LLADDR, entry.mac, sizeof(entry.mac));
		netlink_end(answer);
	}
}

/* ---- requests ------------------------------------------------------------------------------ */

int netlink_route_answer(struct netlink_answer *answer, const struct linux_nlmsghdr *request,
	const uint8_t *payload, uint32_t bytes)
{
	bool is_dump = (request->flags & LINUX_NLM_F_DUMP) == LINUX_NLM_F_DUMP;
	uint8_t family;

	if (bytes < 1)
		return -LINUX_EINVAL;
	family = payload[0];
	switch (request->type) {
	case LINUX_RTM_GETLINK:
		if (!is_dump)
			return get_link(answer, payload, bytes);
		dump_links(answer);
		return 0;
	case LINUX_RTM_GETADDR:
		if (!is_dump)
			return -LINUX_EOPNOTSUPP;
		dump_addresses(answer, family);
		return 0;
	case LINUX_RTM_GETROUTE:
		if (!is_dump)
			return get_route(answer, payload, bytes, family);
		dump_routes(answer, family);
		return 0;
	case LINUX_RTM_GETNEIGH:
		if (!is_dump)
			return -LINUX_EOPNOTSUPP;
		dump_neighbors(answer, family);
		return 0;
	default:
		/* Of each four types the third asks; the others change something. */
		return request->type % 4 == 2 ? -LINUX_EOPNOTSUPP : -LINUX_EPERM;
	}
}
