/*
 * Names of internet sockets: struct sockaddr_in and sockaddr_in6 to and from endpoints.
 */
#ifndef KERNEL_NET_INET_NAME_H
#define KERNEL_NET_INET_NAME_H

#include "kernel/net/address.h"
#include "kernel/net/socket.h"

/* What a program names in bind, connect or sendto on a socket of `socket_family` (AF_INET or
 * AF_INET6). An AF_INET name is taken by AF_INET6 sockets only where Linux does (`allow_v4`:
 * UDP's sendto and connect). -EINVAL (too short), -EAFNOSUPPORT. AF_UNSPEC is the caller's
 * to handle first: inet_name_family(). */
MUST_CHECK int inet_name_read(const struct socket_name *name, uint16_t socket_family, bool allow_v4,
	struct ip_endpoint *endpoint);
/* sa_family, or -EINVAL when the name has not even that. */
int inet_name_family(const struct socket_name *name);
/* As getsockname shows it to a socket of `socket_family`: IPv4 on an AF_INET6 socket is
 * mapped, but the unspecified address is ::. */
void inet_name_write(
	struct socket_name *name, uint16_t socket_family, const struct ip_endpoint *endpoint);

#endif
