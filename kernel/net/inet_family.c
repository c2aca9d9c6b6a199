/*
 * AF_INET and AF_INET6: which kind of socket a type and a protocol ask for.
 */
#include "kernel/net/inet_family.h"
#include "kernel/net/inet_datagram.h"
#include "kernel/net/inet_stream.h"
#include "abi/linux/errno.h"
#include "abi/linux/socket.h"

static int create(uint16_t family, int type, int protocol, struct socket **socket)
{
	if (protocol < 0 || protocol >= LINUX_IPPROTO_MAX)
		return -LINUX_EINVAL;
	switch (type) {
	case LINUX_SOCK_STREAM:
		return inet_stream_create(family, protocol, socket);
	case LINUX_SOCK_DGRAM:
	case LINUX_SOCK_RAW:
		return inet_datagram_create(family, type, protocol, socket);
	default:
		return -LINUX_ESOCKTNOSUPPORT;
	}
}

static int create_v4(int type, int protocol, struct socket **socket)
{
	return create(LINUX_AF_INET, type, protocol, socket);
}

static int create_v6(int type, int protocol, struct socket **socket)
{
	return create(LINUX_AF_INET6, type, protocol, socket);
}

const struct socket_family socket_family_inet = {.family = LINUX_AF_INET, .create = create_v4};
const struct socket_family socket_family_inet6 = {.family = LINUX_AF_INET6, .create = create_v6};
