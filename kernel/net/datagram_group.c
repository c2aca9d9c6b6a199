/*
 * Multicast groups of a socket. The device joins once for each of its sockets: the IP layer
 * counts. Membership for some sources only is not offered (-ENOPROTOOPT).
 */
#include "kernel/mm/heap.h"
#include "kernel/net/datagram.h"
#include "kernel/net/net.h"
#include "abi/linux/errno.h"
#include "abi/linux/inet.h"
#include "abi/linux/socket.h"

/* igmp_max_memberships is 20; Linux has no such limit for IPv6. */
#define GROUPS_MAX 20u

struct request {
	struct ip_address group;
	struct ip_address address; /* any, or the interface's */
	uint32_t index;            /* 0: not said */
	bool is_join;
};

static int read_v4(const void *value, uint32_t bytes, struct request *request)
{
	struct linux_ip_mreqn mreq = {.index = 0};

	if (bytes < 8)
		return -LINUX_EINVAL;
	memcpy(&mreq, value, bytes >= sizeof(mreq) ? sizeof(mreq) : 8);
	request->group = ip_address_v4(mreq.group);
	request->address = ip_address_v4(mreq.address);
	request->index = mreq.index;
	return 0;
}

static int read_v6(const void *value, uint32_t bytes, struct request *request)
{
	struct linux_ipv6_mreq mreq;

	if (bytes < sizeof(mreq))
		return -LINUX_EINVAL;
	memcpy(&mreq, value, sizeof(mreq));
	memcpy(request->group.bytes, mreq.group, sizeof(mreq.group));
	request->index = mreq.index;
	return 0;
}

static int read_any(const void *value, uint32_t bytes, struct request *request)
{
	struct linux_group_req req;
	uint16_t family;

	if (bytes < sizeof(req))
		return -LINUX_EINVAL;
	memcpy(&req, value, sizeof(req));
	request->index = req.index;
	memcpy(&family, req.group, sizeof(family));
	if (family == LINUX_AF_INET) {
		request->group = ip_address_v4(req.group + 4);
		return 0;
	}
	if (family != LINUX_AF_INET6)
		return -LINUX_EADDRNOTAVAIL;
	memcpy(request->group.bytes, req.group + 8, 16);
	return 0;
}

static bool has_address(const struct net_device *device, const struct ip_address *address)
{
	struct ip_interface_address entry;

	for (uint32_t n = 0; ip_interface_address(device, n, &entry); n++) {
		if (ip_address_equal(&entry.address, address))
			return true;
	}
	return false;
}

static struct net_device *find_device(const struct request *request)
{
	struct net_device *device = NULL;
	struct ip_route route;

	if (request->index)
		return net_device_by_index(request->index);
	if (!ip_address_is_any(&request->address)) {
		while ((device = net_device_next(device)) != NULL) {
			if (has_address(device, &request->address))
				return device;
		}
		return NULL;
	}
	if (ip_route(&request->group, NULL, 0, &route) == 0)
		return route.device;
	while ((device = net_device_next(device)) != NULL) {
		if (!(device->flags & NET_DEVICE_LOOPBACK))
			return device;
	}
	return NULL;
}

static struct datagram_group *find(const struct inet_datagram *own, const struct ip_address *group,
	const struct net_device *device, uint32_t *count)
{
	*count = 0;
	LIST_FOR_EACH (link, &own->groups) {
		struct datagram_group *entry = LIST_ENTRY(link, struct datagram_group, link);

		(*count)++;
		if (ip_address_equal(&entry->group, group) && (!device || entry->device == device))
			return entry;
	}
	return NULL;
}

static int join(struct inet_datagram *own, const struct request *request)
{
	struct net_device *device = find_device(request);
	struct datagram_group *entry;
	uint32_t count;
	int error;

	if (!device)
		return -LINUX_ENODEV;
	if (find(own, &request->group, device, &count))
		return -LINUX_EADDRINUSE;
	if (count >= GROUPS_MAX && ip_address_is_v4(&request->group))
		return -LINUX_ENOBUFS;
	entry = heap_alloc(sizeof(*entry));
	if (!entry)
		return -LINUX_ENOMEM;
	error = ip_group_join(&request->group, device);
	if (error) {
		heap_free(entry);
		return error;
	}
	entry->group = request->group;
	entry->device = device;
	list_add_last(&own->groups, &entry->link);
	return 0;
}

static void forget(struct datagram_group *entry)
{
	ip_group_leave(&entry->group, entry->device);
	list_remove(&entry->link);
	heap_free(entry);
}

static int leave(struct inet_datagram *own, const struct request *request)
{
	bool names_device = request->index || !ip_address_is_any(&request->address);
	struct net_device *device = names_device ? find_device(request) : NULL;
	struct datagram_group *entry;
	uint32_t count;

	if (names_device && !device)
		return -LINUX_ENODEV;
	entry = find(own, &request->group, device, &count);
	if (!entry)
		return -LINUX_EADDRNOTAVAIL;
	forget(entry);
	return 0;
}

void datagram_leave_all(struct inet_datagram *own)
{
	struct list *link;

	while ((link = list_first(&own->groups)) != NULL)
		forget(LIST_ENTRY(link, struct datagram_group, link));
}

bool datagram_has_group(
	const struct inet_datagram *own, const struct ip_address *group, uint32_t device_index)
{
	bool is_v4 = ip_address_is_v4(group);

	LIST_FOR_EACH (link, &own->groups) {
		const struct datagram_group *entry = LIST_ENTRY(link, struct datagram_group, link);

		if (ip_address_equal(&entry->group, group) && entry->device->index == device_index)
			return true;
	}
	return own->level[is_v4 ? 0 : 1].multicast_all;
}

static int read_request(
	int level, int option, const void *value, uint32_t bytes, struct request *request)
{
	if (option == LINUX_MCAST_JOIN_GROUP || option == LINUX_MCAST_LEAVE_GROUP) {
		request->is_join = option == LINUX_MCAST_JOIN_GROUP;
		return read_any(value, bytes, request);
	}
	if (level == LINUX_SOL_IP &&
		(option == LINUX_IP_ADD_MEMBERSHIP || option == LINUX_IP_DROP_MEMBERSHIP)) {
		request->is_join = option == LINUX_IP_ADD_MEMBERSHIP;
		return read_v4(value, bytes, request);
	}
	if (level == LINUX_SOL_IPV6 &&
		(option == LINUX_IPV6_ADD_MEMBERSHIP || option == LINUX_IPV6_DROP_MEMBERSHIP)) {
		request->is_join = option == LINUX_IPV6_ADD_MEMBERSHIP;
		return read_v6(value, bytes, request);
	}
	return -LINUX_ENOPROTOOPT;
}

int datagram_group_option(
	struct inet_datagram *own, int level, int option, const void *value, uint32_t bytes)
{
	struct request request = {.index = 0};
	int error = read_request(level, option, value, bytes, &request);

	if (error)
		return error;
	if (!ip_address_is_multicast(&request.group))
		return -LINUX_EINVAL;
	net_lock();
	error = request.is_join ? join(own, &request) : leave(own, &request);
	net_unlock();
	return error;
}
