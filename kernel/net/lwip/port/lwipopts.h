/*
 * What of lwIP is used: links, addresses, configuration, ICMP, groups, fragments. TCP and UDP
 * are ours (docs/decisions/0003-network.md); lwIP's UDP serves its own DHCP clients only.
 */
#ifndef KERNEL_NET_LWIP_PORT_LWIPOPTS_H
#define KERNEL_NET_LWIP_PORT_LWIPOPTS_H

#include "kernel/net/lwip/port/hooks.h"

/* One lock around all of it (net_lock), timers called by kernel/net/lwip/ticks.c. */
#define NO_SYS               1
#define SYS_LIGHTWEIGHT_PROT 0
#define LWIP_TIMERS          0
#define LWIP_SOCKET          0
#define LWIP_NETCONN         0
#define LWIP_STATS           0
#define LWIP_ASSERT_CORE_LOCKED()

/* Memory: the kernel's heap. */
#define MEM_LIBC_MALLOC 1
#define MEMP_MEM_MALLOC 1
#define MEM_ALIGNMENT   16
#define MEM_SIZE        0x100000

/* Names that the kernel's own transports have too. */
#define udp_input lwip_udp_input
#define raw_input lwip_raw_input

#define LWIP_IPV4           1
#define LWIP_IPV6           1
#define LWIP_ARP            1
#define LWIP_ETHERNET       1
#define LWIP_ICMP           1
#define LWIP_ICMP6          1
#define LWIP_IGMP           1
#define LWIP_IPV6_MLD       1
#define LWIP_RAW            1 /* raw_input() is kernel/net/lwip/transport.c */
#define LWIP_UDP            1
#define LWIP_TCP            0
#define LWIP_HAVE_LOOPIF    0 /* lo is ours; lwIP's would keep answers to ourselves */
#define LWIP_NETIF_LOOPBACK 0

/* DNS servers only pass through: dns_setserver() is kernel/net/lwip/resolver.c. */
#define LWIP_DNS                       1
#define DNS_MAX_SERVERS                4
#define LWIP_DHCP_MAX_DNS_SERVERS      4
#define LWIP_DHCP6_MAX_DNS_SERVERS     4
#define LWIP_ND6_RDNSS_MAX_DNS_SERVERS 4

#define LWIP_DHCP 1
/* A probe for the address takes seconds of a boot of milliseconds. */
#define LWIP_DHCP_DOES_ACD_CHECK  0
#define LWIP_ACD                  0
#define LWIP_IPV6_DHCP6           1
#define LWIP_IPV6_DHCP6_STATELESS 1
#define LWIP_NETIF_HOSTNAME       1

#define LWIP_IPV6_AUTOCONFIG          1
#define LWIP_IPV6_SEND_ROUTER_SOLICIT 1
#define LWIP_IPV6_ADDRESS_LIFETIMES   1
#define LWIP_IPV6_NUM_ADDRESSES       12
#define LWIP_IPV6_SCOPES              1
/* The same: a second until the first address; MACs are given by the launcher, each once. */
#define LWIP_IPV6_DUP_DETECT_ATTEMPTS   0
#define LWIP_ND6_NUM_NEIGHBORS          100
#define LWIP_ND6_NUM_DESTINATIONS       100
#define LWIP_ND6_QUEUEING               1
#define MEMP_NUM_ND6_QUEUE              64
#define LWIP_ND6_DELAY_FIRST_PROBE_TIME 5000
#define LWIP_ND6_TCP_REACHABILITY_HINTS 0

#define ARP_TABLE_SIZE                120
#define ARP_QUEUEING                  1
#define ARP_QUEUE_LEN                 64
#define ETHARP_TRUST_IP_MAC           0
#define ETHARP_SUPPORT_STATIC_ENTRIES 0

#define IP_FORWARD                          0
#define IP_OPTIONS_ALLOWED                  1
#define IP_REASSEMBLY                       1
#define IP_REASS_MAX_PBUFS                  512
#define IP_FRAG                             1
#define MEMP_NUM_REASSDATA                  64
#define LWIP_IPV6_FRAG                      1
#define LWIP_IPV6_REASS                     1
#define IPV6_FRAG_COPYHEADER                1
#define LWIP_ICMP_ECHO_CHECK_INPUT_PBUF_LEN 1
#define LWIP_BROADCAST_PING                 0
#define LWIP_MULTICAST_PING                 1

#define LWIP_NETIF_STATUS_CALLBACK     0
#define LWIP_NETIF_EXT_STATUS_CALLBACK 1
#define LWIP_NETIF_API                 0
#define LWIP_SINGLE_NETIF              0
#define ETH_PAD_SIZE                   0

#define LWIP_HOOK_IP4_ROUTE_SRC(source, destination) lwip_hook_route4(source, destination)
#define LWIP_HOOK_ETHARP_GET_GW(netif, destination)  lwip_hook_gateway4(netif, destination)
#define LWIP_HOOK_IP6_ROUTE(source, destination)     lwip_hook_route6(source, destination)
#define LWIP_HOOK_ND6_GET_GW(netif, destination)     lwip_hook_gateway6(netif, destination)

#endif
