/*
 * AF_INET and AF_INET6 stream sockets: the options below SOL_SOCKET (inet_stream_option.c).
 */
#ifndef KERNEL_NET_INET_STREAM_H
#define KERNEL_NET_INET_STREAM_H

#include "kernel/net/socket.h"
#include "kernel/net/tcp.h"

static inline struct tcp *inet_stream_tcp(const struct socket *socket)
{
	return socket->data;
}

/* struct socket_ops.set_option and get_option. */
int inet_stream_set_option(
	struct socket *socket, int level, int option, const void *value, uint32_t bytes);
int inet_stream_get_option(
	struct socket *socket, int level, int option, void *value, uint32_t *bytes);

#endif
