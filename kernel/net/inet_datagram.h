/*
 * Internet sockets that carry datagrams: UDP, raw sockets, and ping sockets (SOCK_DGRAM with
 * IPPROTO_ICMP or ICMPV6).
 *
 * Plugs into kernel/net/inet_family.h; the way in is udp_input(), udp_error() and raw_input()
 * of kernel/net/ip.h.
 */
#ifndef KERNEL_NET_INET_DATAGRAM_H
#define KERNEL_NET_INET_DATAGRAM_H

#include "kernel/net/address.h"
#include "kernel/net/socket.h"

/* type: SOCK_DGRAM or SOCK_RAW. -EPROTONOSUPPORT, -EPERM (raw, without CAP_NET_RAW), -ENOMEM. */
int inet_datagram_create(uint16_t family, int type, int protocol, struct socket **socket);

/* For /proc/net/udp and raw: the n-th socket. Network lock held. False: no more. */
struct inet_datagram_row {
	struct ip_endpoint local, peer;
	uint64_t number; /* of the socket */
	uint32_t queued_bytes, drops;
	uint16_t family;
	bool is_connected, is_raw;
};
bool inet_datagram_row(uint32_t n, struct inet_datagram_row *row);

#endif
