/*
 * Filters that programs attach to sockets: classic BPF, checked when it is attached and run for
 * each packet (SO_ATTACH_FILTER, socket(7)). Never sleeps but where it says so.
 */
#ifndef KERNEL_NET_SOCKET_FILTER_H
#define KERNEL_NET_SOCKET_FILTER_H

#include "lib/compiler.h"
#include "abi/linux/filter.h"

struct net_device;
struct packet;

struct socket_filter; /* immutable */

/* -EINVAL: a program that Linux refuses; -ENOMEM. It is copied. */
MUST_CHECK int socket_filter_create(const struct linux_sock_filter *instructions, uint32_t count,
	struct socket_filter **filter);
void socket_filter_free(struct socket_filter *filter); /* NULL: nothing */

/* What a filter may ask of a packet beside its bytes. */
struct socket_filter_context {
	const struct net_device *device; /* NULL: unknown */
	uint16_t protocol;               /* Ethernet type */
	uint8_t packet_type;             /* LINUX_PACKET_HOST ... */
	/* Where these begin, from the packet's first byte: the data that the socket is to get, and
	 * the headers that may be asked for; SOCKET_FILTER_NONE: that header is gone. The 14 bytes
	 * before the packet's first are those at `link`, if it is not NULL. */
	int32_t start, link_offset, network_offset;
	const uint8_t *link;
};

#define SOCKET_FILTER_NONE (-100)

/* How many bytes of the data the filter lets through; 0: drop it. */
uint32_t socket_filter_run(const struct socket_filter *filter, const struct packet *packet,
	const struct socket_filter_context *context);

/* The program, for SO_GET_FILTER: *count instructions. */
const struct linux_sock_filter *socket_filter_program(
	const struct socket_filter *filter, uint32_t *count);

#endif
