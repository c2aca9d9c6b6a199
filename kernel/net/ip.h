/*
 * The IP layer as transports and sockets see it: routes, addresses, output, and what it
 * calls with input. Implemented in kernel/net/lwip/ on the library lwIP, but for the
 * transports, which are ours (docs/decisions/0003-network.md). Network lock held.
 */
#ifndef KERNEL_NET_IP_H
#define KERNEL_NET_IP_H

#include "kernel/net/address.h"
#include "kernel/net/device.h"
#include "kernel/net/packet.h"

struct wait_queue;

enum ip_protocol {
	IP_PROTOCOL_ICMP = 1,
	IP_PROTOCOL_IGMP = 2,
	IP_PROTOCOL_TCP = 6,
	IP_PROTOCOL_UDP = 17,
	IP_PROTOCOL_ICMPV6 = 58,
};

/* ---- devices: called by device.c and net.c ---------------------------------------- */

/* Before the first device; -ENOMEM. */
int ip_init(void);
/* Makes the layer's part of a device (device->ip), then starts its configuration (once it is
 * in the list of devices). -ENOMEM. */
int ip_device_add(struct net_device *device);
void ip_device_start(struct net_device *device);
/* A frame (loopback: a datagram) has come; consumed. */
void ip_input_frame(struct net_device *device, struct packet *packet);

/* Some device still waits for its first address by DHCP or a router: calls that find no route
 * may wait on ip_configuration_events() (with a limit of seconds) and try again. Any context. */
bool ip_is_configuring(void);
struct wait_queue *ip_configuration_events(void);
/* The text of /etc/resolv.conf by what is configured and was learned: the full length, of which
 * at most `capacity` bytes are written. Takes the lock itself. */
size_t ip_resolver_text(char *buffer, size_t capacity);

/* ---- routes and addresses ------------------------------------------------------- */

struct ip_route {
	struct net_device *device;
	struct ip_address source; /* preferred for this destination */
	uint32_t mtu;             /* of the path, as far as known */
	bool is_local;            /* to this machine: goes through loopback */
	bool is_broadcast;
};

/* How to reach `destination`. `device_index` (SO_BINDTODEVICE, scope) 0: any; `source` NULL
 * or any: the layer chooses. -ENETUNREACH, -EHOSTUNREACH, -EADDRNOTAVAIL (no such source). */
int ip_route(const struct ip_address *destination, const struct ip_address *source,
	uint32_t device_index, struct ip_route *route);
/* One of our own addresses (127.0.0.0/8 and ::1 too). scope as in struct ip_endpoint. */
bool ip_address_is_local(const struct ip_address *address, uint32_t scope);
bool ip_address_is_broadcast(const struct ip_address *address);
/* Learns a smaller path MTU from ICMP; 0 entries cost nothing. */
void ip_set_path_mtu(const struct ip_address *destination, uint32_t mtu);

struct ip_interface_address {
	struct ip_address address;
	uint8_t prefix_bits; /* of the family: 0-32 or 0-128 */
	bool is_tentative, is_deprecated, is_permanent;
	uint32_t preferred_seconds, valid_seconds; /* UINT32_MAX: for ever */
};

/* The n-th address of a device. False: no more. */
bool ip_interface_address(
	const struct net_device *device, uint32_t n, struct ip_interface_address *result);

struct ip_route_entry {
	struct ip_address destination, gateway; /* gateway any: on link */
	uint8_t prefix_bits;
	struct net_device *device;
	uint32_t metric;
};

bool ip_route_entry(uint32_t n, struct ip_route_entry *result);

struct ip_neighbor {
	struct ip_address address;
	struct net_device *device;
	uint8_t mac[6];
	bool is_reachable;
};

bool ip_neighbor(uint32_t n, struct ip_neighbor *result);

/* Group membership (IGMP, MLD), counted per device. -ENODEV, -ENOMEM. */
int ip_group_join(const struct ip_address *group, struct net_device *device);
void ip_group_leave(const struct ip_address *group, struct net_device *device);

struct ip_group_entry {
	struct ip_address group;
	uint32_t users;
};

/* The n-th group of a family that a device is member of. False: no more. */
bool ip_group_entry(
	const struct net_device *device, bool is_v6, uint32_t n, struct ip_group_entry *result);

/* Asks what is behind a device a question (ARP, for an address that nobody has) that passt
 * answers in order: once device->answered has reached the number returned, it has read all
 * that was sent before. */
uint16_t ip_ask_device(struct net_device *device);

/* ---- output --------------------------------------------------------------------- */

struct ip_flow {
	struct ip_address source, destination; /* both of one family */
	uint32_t device_index;                 /* 0: by route */
	uint8_t protocol;
	uint8_t hop_limit; /* 0: the default, 64 (1 for multicast) */
	uint8_t traffic_class;
	bool do_not_fragment; /* IPv4: DF set, -EMSGSIZE when larger than the path's MTU */
	bool multicast_loop;  /* deliver to our own members of the group too */
	bool header_included; /* IP_HDRINCL: the packet begins with an IPv4 header */
};

/*
 * Adds the IP and link headers to a transport's packet and sends it; consumes it. With
 * PACKET_CHECKSUM_PARTIAL or `segments` the layer does in software what the device cannot.
 * 0, -EMSGSIZE, -ENETUNREACH, -EHOSTUNREACH, -ENOBUFS, -ENOMEM. Waiting for the neighbour's
 * link address is no error.
 */
int ip_output(struct packet *packet, const struct ip_flow *flow);
/* Sum of the pseudo header (RFC 9293, 3.1; RFC 8200, 8.1), to start a checksum with. */
uint32_t ip_pseudo_checksum(const struct ip_flow *flow, uint32_t bytes);

/* ---- input: called by the layer ------------------------------------------------- */

struct ip_received {
	struct ip_address source, destination;
	struct net_device *device;
	uint8_t protocol, hop_limit, traffic_class;
};

/* The packet begins at the transport's header (network_offset is negative then and not used;
 * raw sockets get the whole datagram from raw_input). Consumed. */
void tcp_input(struct packet *packet, const struct ip_received *ip);
/* False: nobody listens at that port; the packet is then not consumed and the layer answers
 * with an ICMP error where that is right. */
bool udp_input(struct packet *packet, const struct ip_received *ip);
/* Every datagram, before the transports; lent. `header_bytes`: of the IP header, which the
 * packet begins with. True: some raw socket took it (no "protocol unreachable"). */
bool raw_input(struct packet *packet, const struct ip_received *ip, uint32_t header_bytes);

struct ip_error {
	int error;          /* -LINUX_ECONNREFUSED, -LINUX_EHOSTUNREACH, -LINUX_EMSGSIZE ... */
	bool is_fatal;      /* as Linux has it: port or protocol unreachable */
	uint32_t mtu;       /* with EMSGSIZE */
	uint8_t type, code; /* of ICMP or ICMPv6 */
	uint8_t protocol;
	struct ip_address source, destination; /* of the datagram that we had sent */
	struct ip_address from;                /* who says so */
	uint8_t transport[8];                  /* the first bytes of its transport header */
};

void tcp_error(const struct ip_error *error);
void udp_error(const struct ip_error *error);

#endif
