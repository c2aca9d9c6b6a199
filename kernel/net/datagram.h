/*
 * What UDP, raw and ping sockets share: the state of one, its queues and its options. For
 * kernel/net/inet_datagram.c and the files beside it. Guarded by the network lock, but for
 * options, which are read and written as whole words.
 */
#ifndef KERNEL_NET_DATAGRAM_H
#define KERNEL_NET_DATAGRAM_H

#include "kernel/net/ip.h"
#include "kernel/net/port.h"
#include "kernel/net/socket.h"

#define UDP_HEADER_BYTES    8u
#define DATAGRAM_BYTES_MAX  65535u
#define DATAGRAM_OVERHEAD   256u    /* what a queued one counts beside its bytes */
#define DATAGRAM_QUEUE      212992u /* net.core.rmem_default */
#define DATAGRAM_ERRORS_MAX 64u

enum datagram_kind { DATAGRAM_UDP, DATAGRAM_PING, DATAGRAM_RAW };

/* IP_MTU_DISCOVER */
enum datagram_discovery {
	DISCOVERY_DONT = 0,
	DISCOVERY_WANT = 1,
	DISCOVERY_DO = 2,
	DISCOVERY_PROBE = 3,
	DISCOVERY_INTERFACE = 4,
	DISCOVERY_OMIT = 5,
};

/* A queued datagram. Shared by the queue and by those that peek at it. */
struct datagram {
	struct list link;
	uint32_t references;
	struct packet *packet; /* the payload */
	struct ip_received ip;
	uint32_t device_index;
	uint16_t source_port, destination_port;
	uint64_t realtime_ns;
};

/* What IP_RECVERR keeps. */
struct datagram_error {
	struct list link;
	struct ip_error error;
};

struct datagram_group {
	struct list link;
	struct ip_address group;
	struct net_device *device;
};

/* Options of one level: IPPROTO_IP and IPPROTO_IPV6 have nearly the same. */
struct datagram_level {
	int hop_limit, multicast_hops, traffic_class; /* hop limits: -1: the default */
	int discovery;                                /* enum datagram_discovery */
	uint32_t multicast_device;                    /* index; 0: by route */
	bool multicast_loop, multicast_all;
	bool receive_info, receive_hops, receive_class, receive_origin, receive_errors;
	bool receive_path_mtu;
};

struct inet_datagram {
	struct list link; /* all of them */
	struct socket *socket;
	enum datagram_kind kind;
	struct port_binding binding; /* the local address and, for UDP and ping, port */
	uint32_t local_scope;
	struct ip_endpoint peer;  /* while is_connected */
	struct ip_address chosen; /* the source that connect() chose */
	bool is_connected, is_bound_by_program, address_is_bound;
	uint32_t is_shut; /* bits of shutdown */
	struct list queue, errors, groups;
	uint32_t queued_bytes, error_count, drops;
	uint32_t path_mtu; /* to be told (IPV6_RECVPATHMTU); 0: nothing */
	struct ip_address path_mtu_of;

	struct datagram_level level[2]; /* 0: IPPROTO_IP, 1: IPPROTO_IPV6 */
	bool free_bind, header_included;
	uint32_t segment_bytes; /* UDP_SEGMENT */
	int checksum_offset;    /* IPV6_CHECKSUM of raw sockets; -1: off */
	uint32_t icmp_filter;   /* blocked types */
	uint32_t icmp6_filter[8];
};

/* ---- inet_datagram.c: the socket ------------------------------------------------ */

/* Gives a local port to a socket that has none. Network lock held. */
MUST_CHECK int datagram_bind_any(struct inet_datagram *own);
/* Whether a datagram from `source` to `destination`, that came in on `device_index`, is for
 * the socket; ports aside. Higher is closer; 0: it is not. */
uint32_t datagram_match(const struct inet_datagram *own, const struct ip_address *source,
	const struct ip_address *destination, uint32_t device_index);
/* All sockets, oldest first. */
extern struct list datagram_sockets;

/* ---- datagram_queue.c: what has arrived ----------------------------------------- */

/* Runs the socket's filter, if it has one; the packet begins where Linux's filters see it: at
 * UDP's or ICMP's header, raw sockets' of IPv4 at IP's. False: it is not let through. */
bool datagram_filter(
	const struct inet_datagram *own, struct packet *packet, const struct ip_received *ip);
/* Queues the packet, consumed: it is the payload. */
void datagram_deliver(struct inet_datagram *own, struct packet *packet,
	const struct ip_received *ip, const uint16_t ports[2]);
/* An ICMP error about a datagram that the socket sent. */
void datagram_report(struct inet_datagram *own, const struct ip_error *error);
/* The path to an IPv6 address takes no more than `mtu` bytes: to be told where asked for. */
void datagram_note_path_mtu(
	struct inet_datagram *own, const struct ip_address *destination, uint32_t mtu);
long datagram_receive(struct socket *socket, struct socket_message *message);
/* Throws away what is queued. */
void datagram_discard(struct inet_datagram *own);
/* Bytes of the first, for FIONREAD. */
uint32_t datagram_next_bytes(struct inet_datagram *own);

/* ---- datagram_send.c ------------------------------------------------------------- */

long datagram_send(struct socket *socket, struct socket_message *message);
/* The socket's options as they apply to a datagram to `destination`. */
void datagram_fill_flow(const struct inet_datagram *own, const struct ip_address *destination,
	struct ip_flow *flow);

/* ---- datagram_control.c: ancillary data ------------------------------------------- */

/* What control data of sendmsg(2) says; -EINVAL. */
MUST_CHECK int datagram_read_control(const struct inet_datagram *own,
	const struct socket_message *message, struct ip_flow *flow, uint32_t *segment_bytes);
void datagram_write_control(const struct inet_datagram *own, const struct datagram *datagram,
	struct socket_message *message);
void datagram_write_error(const struct inet_datagram *own, const struct ip_error *error,
	struct socket_message *message);

/* ---- datagram_option.c, datagram_group.c ------------------------------------------- */

int datagram_set_option(
	struct socket *socket, int level, int option, const void *value, uint32_t bytes);
int datagram_get_option(struct socket *socket, int level, int option, void *value, uint32_t *bytes);
/* Options that join and leave groups; -ENOPROTOOPT for others. */
int datagram_group_option(
	struct inet_datagram *own, int level, int option, const void *value, uint32_t bytes);
/* Whether a datagram to the group is for the socket (IP_MULTICAST_ALL). */
bool datagram_has_group(
	const struct inet_datagram *own, const struct ip_address *group, uint32_t device_index);
void datagram_leave_all(struct inet_datagram *own);

/* ---- datagram_ping.c: ICMP identifiers ---------------------------------------------- */

extern struct port_table datagram_ping_ports;
/* The table that the socket's port is of; NULL: raw sockets have none. */
struct port_table *datagram_port_table(const struct inet_datagram *own);

#endif
