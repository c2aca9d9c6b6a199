/*
 * Packet sockets (AF_PACKET): whole frames as they pass the devices. The family is
 * socket_family_packet in kernel/net/socket.h; this is what /proc/net/packet shows.
 */
#ifndef KERNEL_NET_PACKET_SOCKET_H
#define KERNEL_NET_PACKET_SOCKET_H

#include "lib/compiler.h"

struct packet_socket_row {
	uint64_t number;
	uint32_t device_index, queued_bytes;
	uint16_t type, protocol;
};

/* The n-th; false: no more. Network lock held. */
bool packet_socket_row(uint32_t n, struct packet_socket_row *row);

#endif
