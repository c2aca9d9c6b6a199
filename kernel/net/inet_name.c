/* See inet_name.h. */
#include "kernel/net/inet_name.h"
#include "abi/linux/errno.h"
#include "abi/linux/socket.h"

#define IN6_LEAST_BYTES 24u /* without the scope: RFC 2133 */

int inet_name_family(const struct socket_name *name)
{
	uint16_t family;

	if (name->bytes < sizeof(family))
		return -LINUX_EINVAL;
	memcpy(&family, name->data, sizeof(family));
	return family;
}

static uint16_t read_port(const uint8_t port[2])
{
	return (uint16_t)(port[0] << 8 | port[1]);
}

static int read_v4(const struct socket_name *name, struct ip_endpoint *endpoint)
{
	struct linux_sockaddr_in in;

	if (name->bytes < sizeof(in))
		return -LINUX_EINVAL;
	memcpy(&in, name->data, sizeof(in));
	*endpoint = (struct ip_endpoint){
		.address = ip_address_v4(in.address), .port = read_port(in.port)};
	return 0;
}

static int read_v6(const struct socket_name *name, struct ip_endpoint *endpoint)
{
	struct linux_sockaddr_in6 in6 = {0};

	if (name->bytes < IN6_LEAST_BYTES)
		return -LINUX_EINVAL;
	memcpy(&in6, name->data, MIN(name->bytes, sizeof(in6)));
	*endpoint = (struct ip_endpoint){.port = read_port(in6.port)};
	memcpy(endpoint->address.bytes, in6.address, sizeof(in6.address));
	if (ip_address_is_link_local(&endpoint->address))
		endpoint->scope = in6.scope_id;
	return 0;
}

int inet_name_read(const struct socket_name *name, uint16_t socket_family, bool allow_v4,
	struct ip_endpoint *endpoint)
{
	int family = inet_name_family(name);

	if (family < 0)
		return family;
	if (socket_family == LINUX_AF_INET) {
		if (name->bytes < sizeof(struct linux_sockaddr_in))
			return -LINUX_EINVAL;
		return family == LINUX_AF_INET ? read_v4(name, endpoint) : -LINUX_EAFNOSUPPORT;
	}
	if (family == LINUX_AF_INET && allow_v4)
		return read_v4(name, endpoint);
	if (name->bytes < IN6_LEAST_BYTES)
		return -LINUX_EINVAL;
	return family == LINUX_AF_INET6 ? read_v6(name, endpoint) : -LINUX_EAFNOSUPPORT;
}

void inet_name_write(
	struct socket_name *name, uint16_t socket_family, const struct ip_endpoint *endpoint)
{
	uint8_t port[2] = {(uint8_t)(endpoint->port >> 8), (uint8_t)endpoint->port};

	if (socket_family == LINUX_AF_INET) {
		struct linux_sockaddr_in in = {.family = LINUX_AF_INET, .port = {port[0], port[1]}};

		memcpy(in.address, endpoint->address.bytes + 12, sizeof(in.address));
		memcpy(name->data, &in, sizeof(in));
		name->bytes = sizeof(in);
	} else {
		struct linux_sockaddr_in6 in6 = {
			.family = LINUX_AF_INET6, .port = {port[0], port[1]}};

		if (!ip_address_is_any(&endpoint->address))
			memcpy(in6.address, endpoint->address.bytes, sizeof(in6.address));
		if (ip_address_is_link_local(&endpoint->address))
			in6.scope_id = endpoint->scope;
		memcpy(name->data, &in6, sizeof(in6));
		name->bytes = sizeof(in6);
	}
}
