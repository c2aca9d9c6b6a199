/*
 * Netlink sockets (NETLINK_ROUTE): requests about interfaces, addresses, routes and
 * neighbours. netlink.c has the socket, netlink_route.c the answers. Nothing changes by
 * netlink: such requests give -EPERM; groups can be joined, and nothing is ever sent to them.
 */
#ifndef KERNEL_NET_NETLINK_H
#define KERNEL_NET_NETLINK_H

#include "lib/compiler.h"
#include "lib/list.h"
#include "abi/linux/netlink.h"

#define NETLINK_CHUNK_BYTES 4096u /* of one datagram: what Go's buffer holds */

/* One datagram of messages. */
struct netlink_chunk {
	struct list link;
	uint32_t bytes;
	uint8_t data[NETLINK_CHUNK_BYTES];
};

/* The answer to one request, as it grows: chunks in the order of reading. */
struct netlink_answer {
	struct list *chunks;
	struct netlink_chunk *last;   /* NULL: none begun */
	uint32_t message;             /* offset of the message being written in `last` */
	struct linux_nlmsghdr header; /* of each message */
	bool has_failed;              /* no memory */
};

/* Begins a message with its fixed part; then attributes; then netlink_end. */
void netlink_begin(struct netlink_answer *answer, uint16_t type, const void *fixed, uint32_t bytes);
void netlink_attribute(
	struct netlink_answer *answer, uint16_t type, const void *data, uint32_t bytes);
void netlink_end(struct netlink_answer *answer);

/* Answers a request whose payload (after its header) is given: writes all messages but the
 * closing one. Takes no lock: the network lock is held. 0; -EOPNOTSUPP, -EPERM, -EINVAL,
 * -ENODEV, ... go into an NLMSG_ERROR. */
int netlink_route_answer(struct netlink_answer *answer, const struct linux_nlmsghdr *request,
	const uint8_t *payload, uint32_t bytes);

#endif
