/* See interface_ioctl.h. */
#include "kernel/net/interface_ioctl.h"
#include "kernel/mm/uaccess.h"
#include "kernel/net/ip.h"
#include "kernel/net/net.h"
#include "abi/linux/errno.h"
#include "abi/linux/inet.h"
#include "abi/linux/socket.h"
#include "lib/endian.h"

#define INTERFACES_MAX 16u
#define QUEUE_LENGTH   1000

uint32_t interface_flags(const struct net_device *device)
{
	uint32_t flags = 0;

	if (device->flags & NET_DEVICE_UP)
		flags |= LINUX_IFF_UP | LINUX_IFF_RUNNING | LINUX_IFF_LOWER_UP;
	if (device->flags & NET_DEVICE_LOOPBACK)
		flags |= LINUX_IFF_LOOPBACK;
	else
		flags |= LINUX_IFF_BROADCAST | LINUX_IFF_MULTICAST;
	return flags;
}

static bool first_v4(const struct net_device *device, struct ip_interface_address *entry)
{
	for (uint32_t n = 0; ip_interface_address(device, n, entry); n++) {
		if (ip_address_is_v4(&entry->address))
			return true;
	}
	return false;
}

static void write_address(struct linux_ifreq *request, const uint8_t v4[4])
{
	struct linux_sockaddr_in in = {.family = LINUX_AF_INET};

	memcpy(in.address, v4, sizeof(in.address));
	memcpy(request->value.address, &in, sizeof(in));
}

static int get_address(const struct net_device *device, uint32_t which, struct linux_ifreq *request)
{
	struct ip_interface_address entry;
	uint32_t mask;
	uint8_t bytes[4];

	if (!first_v4(device, &entry))
		return -LINUX_EADDRNOTAVAIL;
	mask = entry.prefix_bits ? ~0u << (32 - entry.prefix_bits) : 0;
	if (which == LINUX_SIOCGIFNETMASK)
		store_be32(bytes, mask);
	else if (which == LINUX_SIOCGIFBRDADDR && device->flags & NET_DEVICE_LOOPBACK)
		store_be32(bytes, 0);
	else if (which == LINUX_SIOCGIFBRDADDR)
		store_be32(bytes, load_be32(entry.address.bytes + 12) | ~mask);
	else
		memcpy(bytes, entry.address.bytes + 12, 4);
	write_address(request, bytes);
	return 0;
}

static void get_hardware(const struct net_device *device, struct linux_ifreq *request)
{
	uint16_t type =
		device->flags & NET_DEVICE_LOOPBACK ? LINUX_ARPHRD_LOOPBACK : LINUX_ARPHRD_ETHER;

	memset(request->value.address, 0, sizeof(request->value.address));
	memcpy(request->value.address, &type, sizeof(type));
	memcpy(request->value.address + 2, device->mac, sizeof(device->mac));
}

static int answer(const struct net_device *device, uint32_t which, struct linux_ifreq *request)
{
	switch (which) {
	case LINUX_SIOCGIFFLAGS:
		request->value.flags = (int16_t)interface_flags(device);
		return 0;
	case LINUX_SIOCGIFMTU:
		request->value.number = (int32_t)device->mtu;
		return 0;
	case LINUX_SIOCGIFINDEX:
		request->value.number = (int32_t)device->index;
		return 0;
	case LINUX_SIOCGIFMETRIC:
		request->value.number = 0;
		return 0;
	case LINUX_SIOCGIFTXQLEN:
		request->value.number = QUEUE_LENGTH;
		return 0;
	case LINUX_SIOCGIFHWADDR:
		get_hardware(device, request);
		return 0;
	default:
		return get_address(device, which, request);
	}
}

static long about_one(uint32_t which, uintptr_t argument)
{
	const struct net_device *device;
	struct linux_ifreq request;
	int error = user_copy_in(&request, argument, sizeof(request));

	if (error)
		return error;
	request.name[sizeof(request.name) - 1] = 0;
	net_lock();
	device = which == LINUX_SIOCGIFNAME ? net_device_by_index((uint32_t)request.value.number)
					    : net_device_by_name(request.name);
	if (!device)
		error = -LINUX_ENODEV;
	else if (which == LINUX_SIOCGIFNAME)
		memcpy(request.name, device->name, sizeof(request.name));
	else
		error = answer(device, which, &request);
	net_unlock();
	return error ? error : user_copy_out(argument, &request, sizeof(request));
}

static uint32_t list_addresses(struct linux_ifreq requests[INTERFACES_MAX])
{
	const struct net_device *device = NULL;
	struct ip_interface_address entry;
	uint32_t count = 0;

	net_lock();
	while ((device = net_device_next(device)) != NULL) {
		for (uint32_t n = 0;
			count < INTERFACES_MAX && ip_interface_address(device, n, &entry); n++) {
			if (!ip_address_is_v4(&entry.address))
				continue;
			memcpy(requests[count].name, device->name, sizeof(requests[count].name));
			write_address(&requests[count++], entry.address.bytes + 12);
		}
	}
	net_unlock();
	return count;
}

static long about_all(uintptr_t argument)
{
	struct linux_ifreq requests[INTERFACES_MAX] = {0};
	struct linux_ifconf conf;
	uint32_t count, room;
	int error = user_copy_in(&conf, argument, sizeof(conf));

	if (error)
		return error;
	count = list_addresses(requests);
	if (conf.requests) {
		room = conf.bytes < 0 ? 0 : (uint32_t)conf.bytes / (uint32_t)sizeof(requests[0]);
		count = MIN(count, room);
		error = user_copy_out(conf.requests, requests, count * sizeof(requests[0]));
	}
	conf.bytes = (int32_t)(count * sizeof(requests[0]));
	return error ? error : user_copy_out(argument, &conf, sizeof(conf));
}

long interface_ioctl(uint32_t request, uintptr_t argument)
{
	switch (request) {
	case LINUX_SIOCGIFCONF:
		return about_all(argument);
	case LINUX_SIOCGIFNAME:
	case LINUX_SIOCGIFFLAGS:
	case LINUX_SIOCGIFADDR:
	case LINUX_SIOCGIFDSTADDR:
	case LINUX_SIOCGIFBRDADDR:
	case LINUX_SIOCGIFNETMASK:
	case LINUX_SIOCGIFMETRIC:
	case LINUX_SIOCGIFMTU:
	case LINUX_SIOCGIFHWADDR:
	case LINUX_SIOCGIFINDEX:
	case LINUX_SIOCGIFTXQLEN:
		return about_one(request, argument);
	default:
		return -LINUX_ENOTTY;
	}
}
