/*
 * What the files of the IP layer share: lwIP's declarations beside ours, and the layer's part
 * of a device. Network lock held everywhere.
 *
 * Fast ways: datagrams of TCP and UDP come in and go out without lwIP (input.c, output.c).
 * lwIP gets what is rare: link and configuration protocols, ICMP, groups, fragments, and
 * what goes to a neighbour whose address is not known (pbuf.c moves packets there and back,
 * transport.c is where lwIP hands datagrams on).
 */
#ifndef KERNEL_NET_LWIP_LAYER_H
#define KERNEL_NET_LWIP_LAYER_H

#include <lwip/dhcp.h>
#include <lwip/dhcp6.h>
#include <lwip/etharp.h>
#include <lwip/ethip6.h>
#include <lwip/igmp.h>
#include <lwip/ip.h>
#include <lwip/ip6.h>
#include <lwip/mld6.h>
#include <lwip/nd6.h>
#include <lwip/netif.h>
#include <lwip/pbuf.h>
#include <lwip/priv/nd6_priv.h>
#include <lwip/priv/raw_priv.h>
#include <lwip/prot/dhcp.h>
#include <lwip/udp.h>

/* Macros of lwIP that have the names of functions of ours. */
#undef ip_init
#undef ip_route
#undef ip_output
#undef udp_input
#undef raw_input

#include "abi/linux/errno.h"
#include "kernel/net/ip.h"
#include "lib/net_config.h"

#define ETHERNET_HEADER_BYTES 14u
#define IP4_HEADER_BYTES      20u
#define IP6_HEADER_BYTES      40u

struct ip_device {
	struct net_device *device;
	struct net_config config;
	/* The first is the device's; one more for each further IPv4 address, which share the
	 * device. Only the first has IPv6, groups and DHCP. */
	struct netif netifs[NET_CONFIG_ADDRESSES];
	uint32_t netif_count;
	uint8_t prefix_bits6[LWIP_IPV6_NUM_ADDRESSES]; /* of those given by settings; 0: 64 */
	bool is_configuring;                           /* waits for its first address */
};

static inline struct ip_device *ip_device_of(const struct net_device *device)
{
	return device->ip;
}

static inline bool ip_device_is_loopback(const struct ip_device *layer)
{
	return layer->device->flags & NET_DEVICE_LOOPBACK;
}

static inline ip4_addr_t ip4_of(const struct ip_address *address)
{
	ip4_addr_t v4;

	memcpy(&v4.addr, address->bytes + 12, 4);
	return v4;
}

static inline struct ip_address ip_address_of_ip4(const ip4_addr_t *v4)
{
	return ip_address_v4((const uint8_t *)&v4->addr);
}

/* With the zone of the interface, where the address has need of one. */
static inline ip6_addr_t ip6_of(const struct ip_address *address, const struct netif *netif)
{
	ip6_addr_t v6;

	memcpy(v6.addr, address->bytes, 16);
	ip6_addr_clear_zone(&v6);
	ip6_addr_assign_zone(&v6, IP6_UNKNOWN, netif);
	return v6;
}

static inline struct ip_address ip_address_of_ip6(const ip6_addr_t *v6)
{
	struct ip_address address;

	memcpy(address.bytes, v6->addr, 16);
	return address;
}

/* ---- route.c ---------------------------------------------------------------------- */

struct ip_hop {
	struct net_device *device;
	struct netif *netif;
	struct ip_address source;   /* preferred */
	struct ip_address next_hop; /* the destination itself when on link */
	bool is_local, is_broadcast;
};

/* As ip_route(). */
int ip_hop_find(const struct ip_address *destination, const struct ip_address *source,
	uint32_t device_index, struct ip_hop *hop);
/* Does `address` lie in `network`/`bits`? Both as 16 bytes; bits of those (IPv4: 96 + n). */
bool ip_prefix_matches(
	const struct ip_address *address, const struct ip_address *network, uint32_t bits);
/* Counts changes of addresses, routes and path MTUs, for those who keep what they found. */
extern uint32_t ip_generation;
struct net_device *ip_loopback_device(void);

/* ---- path_mtu.c ------------------------------------------------------------------- */

/* Of the path to `destination`, at most `limit`. */
uint32_t ip_path_mtu(const struct ip_address *destination, uint32_t limit);

/* ---- neighbor.c ------------------------------------------------------------------- */

/* The link address of hop->next_hop, if sending there at once is right; else NULL: the slow
 * way. *slot is a hint, kept by the caller. */
const uint8_t *ip_neighbor_find(const struct ip_hop *hop, uint8_t multicast[6], uint32_t *slot);

/* Every now and then something must go the slow way to each neighbour that is used, for lwIP
 * to see that it is, and to ask again for one that it is about to forget. *slot as found. */
bool ip_neighbor_is_due(const struct ip_hop *hop, uint32_t slot);

/* Whether an ARP packet is the answer to ip_ask_device(): then noted, and of no other use. */
bool ip_neighbor_answers(struct net_device *device, const uint8_t arp[SIZEOF_ETHARP_HDR]);

/* ---- pbuf.c ----------------------------------------------------------------------- */

/* A pbuf (with room for a link header) of `prefix` and the packet's bytes. NULL: no memory. */
struct pbuf *ip_pbuf_create(const void *prefix, uint32_t prefix_bytes, const struct packet *packet);
struct packet *ip_packet_of_pbuf(const struct pbuf *pbuf);
/* netif->linkoutput */
err_t ip_link_output(struct netif *netif, struct pbuf *pbuf);
int ip_error_of_lwip(err_t error);

/* ---- checksum.c, segment.c ---------------------------------------------------------- */

/* Completes PACKET_CHECKSUM_PARTIAL in software. False: malformed. */
bool ip_checksum_complete(struct packet *packet);
/* Pseudo header's sum of an IP datagram whose headers are at `ip`. */
uint32_t ip_pseudo_sum(const uint8_t *ip, uint8_t protocol, uint32_t bytes);
/*
 * Cuts a datagram (IP header first) with `segments` into those, added to `list`; consumes it.
 * 0, -ENOMEM (the list then has some of them), -EINVAL.
 */
int ip_segment(struct packet *packet, struct list *list);

/* ---- input.c, transport.c --------------------------------------------------------- */

/* A UDP datagram that nobody wants: lwIP answers, if the rate of answers allows it. The packet
 * begins at the transport's header, `header` is the IP header before it. Consumed. */
void ip_reject(struct ip_device *layer, struct packet *packet, const uint8_t *header,
	uint32_t header_bytes);
/* Would lwIP's own client take this port of ours? */
bool ip_port_is_lwip(const struct ip_device *layer, bool is_v6, uint16_t port);
/* transport.c: not to be offered to the transports again. */
extern bool ip_rejecting;

/* ---- icmp_error.c ----------------------------------------------------------------- */

/* An ICMP or ICMPv6 message (`icmp`, of `bytes`) from `ip->source`: tells transports of errors. */
void ip_icmp_error(const struct ip_received *ip, const uint8_t *icmp, uint32_t bytes);

/* ---- ticks.c ---------------------------------------------------------------------- */

void ip_ticks_init(void);
/* Ages lwIP's tables up to now: before they are used. */
void ip_ticks_catch_up(void);
/* After anything that may have set timeouts in lwIP: arms the timer for what is due next. */
void ip_ticks_arm(void);
/* A query for an IPv4 neighbour may have begun; a fragment has come. */
void ip_ticks_expect_arp(void);
void ip_ticks_expect_fragments(void);

/* ---- configure.c, resolver.c ------------------------------------------------------- */

void ip_configure(struct ip_device *layer);
/* Something about addresses changed. */
void ip_configuration_changed(void);
void ip_resolver_add_settings(const struct net_config *config);

#endif
