/*
 * The kinds of internet sockets behind AF_INET and AF_INET6.
 */
#ifndef KERNEL_NET_INET_FAMILY_H
#define KERNEL_NET_INET_FAMILY_H

#include "kernel/net/socket.h"

/* SOCK_STREAM (inet_stream.c): protocol 0 or TCP. -EPROTONOSUPPORT, -ENOMEM. */
int inet_stream_create(uint16_t family, int protocol, struct socket **socket);
/* SOCK_DGRAM and SOCK_RAW: see kernel/net/inet_datagram.h, which declares it too. */
int inet_datagram_create(uint16_t family, int type, int protocol, struct socket **socket);

#endif
