/* Functions of ours that lwIP calls, declared without its types (opt.h comes before them). */
#ifndef KERNEL_NET_LWIP_PORT_HOOKS_H
#define KERNEL_NET_LWIP_PORT_HOOKS_H

#include <stdint.h>

struct netif;
struct ip4_addr;
struct ip6_addr;

/* By which interface, NULL: lwIP's own choice. */
struct netif *lwip_hook_route4(const struct ip4_addr *source, const struct ip4_addr *destination);
struct netif *lwip_hook_route6(const struct ip6_addr *source, const struct ip6_addr *destination);
/* By which gateway, NULL: lwIP's own choice. */
const struct ip4_addr *lwip_hook_gateway4(struct netif *netif, const struct ip4_addr *destination);
const struct ip6_addr *lwip_hook_gateway6(struct netif *netif, const struct ip6_addr *destination);

#endif
