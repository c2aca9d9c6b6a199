/*
 * The text that configures a network interface:
 *
 *     ip=10.0.0.2/24,gw=10.0.0.1,dns=1.1.1.1,ip=fd00::2/64,route=10.1.0.0/16@10.0.0.9,mtu=1400
 *
 * Words: ip=ADDRESS/PREFIX, gw=ADDRESS, dns=ADDRESS, route=NETWORK/PREFIX@GATEWAY, mtu=N,
 * search=DOMAIN, hostname=NAME, ntp=ADDRESS; dhcp (the default without an ip= of IPv4), ra (the
 * default without an ip= of IPv6), dhcp6, none; late-ack. Each may come several times but mtu and
 * hostname. Kernel and tool read it with this parser, so that the tool can refuse a wrong one.
 */
#ifndef LIB_NET_CONFIG_H
#define LIB_NET_CONFIG_H

#include "lib/compiler.h"

#define NET_CONFIG_ADDRESSES 8u
#define NET_CONFIG_ROUTES    16u
#define NET_CONFIG_SERVERS   4u
#define NET_CONFIG_NAME      64u

struct net_config_address {
	uint8_t bytes[16]; /* IPv4 in the first 4 */
	uint8_t prefix_bits;
	bool is_v6;
};

struct net_config_route {
	struct net_config_address destination;
	uint8_t gateway[16]; /* same family */
};

struct net_config {
	struct net_config_address addresses[NET_CONFIG_ADDRESSES];
	struct net_config_route routes[NET_CONFIG_ROUTES]; /* gw= is a route to 0/0 or ::/0 */
	struct net_config_address servers[NET_CONFIG_SERVERS];
	struct net_config_address time_server;
	bool has_time_server;
	uint32_t address_count, route_count, server_count;
	char search[NET_CONFIG_NAME], hostname[NET_CONFIG_NAME]; /* "": none */
	uint32_t mtu;                                            /* 0: the device's */
	bool dhcp4, dhcp6, router_advertisements;
	/* The other side ends a TCP handshake only with the first data that it has to send (passt
	 * before June 2024): ask, or those wait for each other whose server speaks first. */
	bool peer_acks_late;
};

/* 0, or the offset + 1 of the word that is wrong; *why then says what is wrong with it. */
size_t net_config_parse(const char *text, struct net_config *config, const char **why);

/* "10.0.0.1", "fe80::1": bytes used of text; 0: no address. */
size_t net_config_parse_v4(const char *text, uint8_t address[4]);
size_t net_config_parse_v6(const char *text, uint8_t address[16]);

#endif
