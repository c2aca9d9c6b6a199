/*
 * Which way to a destination: the longest prefix among the addresses of the devices, the
 * routes of their settings and what DHCP and router advertisements said. The lists are short,
 * and those who send much keep the answer as long as ip_generation stands still (output.c).
 */
#include "kernel/net/loopback.h"
#include "kernel/net/lwip/layer.h"

uint32_t ip_generation;

struct best {
	struct netif *netif;
	struct ip_address next_hop;
	int bits; /* -1: none yet */
	bool is_broadcast;
};

bool ip_prefix_matches(
	const struct ip_address *address, const struct ip_address *network, uint32_t bits)
{
	uint32_t whole = bits / 8, rest = bits % 8;

	if (memcmp(address->bytes, network->bytes, whole) != 0)
		return false;
	return rest == 0 ||
	       ((address->bytes[whole] ^ network->bytes[whole]) >> (8 - rest) & 0xff) == 0;
}

struct net_device *ip_loopback_device(void)
{
	return net_device_by_index(1);
}

static struct ip_device *layer_of(const struct netif *netif)
{
	return netif->state;
}

/* Devices that datagrams can leave by, in order; `index` 0: all. */
static struct ip_device *next_layer(const struct ip_device *after, uint32_t index)
{
	struct net_device *device = net_device_next(after ? after->device : NULL);

	for (; device; device = net_device_next(device)) {
		if (!(device->flags & NET_DEVICE_LOOPBACK) && (device->flags & NET_DEVICE_UP) &&
			(index == 0 || device->index == index))
			return ip_device_of(device);
	}
	return NULL;
}

static struct ip_address address_of_config(const uint8_t bytes[16], bool is_v6)
{
	struct ip_address address;

	if (!is_v6)
		return ip_address_v4(bytes);
	memcpy(address.bytes, bytes, 16);
	return address;
}

/* Better than what was found? Of equals the first holds, but for one with the wanted source. */
static void consider(struct best *best, struct netif *netif, const struct ip_address *next_hop,
	uint32_t bits, const struct ip_address *source)
{
	bool is_wanted = source && ip_address_is_v4(source) &&
			 ip4_of(source).addr == netif_ip4_addr(netif)->addr;

	if ((int)bits < best->bits || ((int)bits == best->bits && !is_wanted))
		return;
	*best = (struct best){netif, *next_hop, (int)bits, false};
}

/* The one of a device's interfaces whose network has `gateway`. */
static struct netif *netif_of_gateway(struct ip_device *layer, const struct ip_address *gateway)
{
	ip4_addr_t v4 = ip4_of(gateway);

	for (uint32_t i = 0; i < layer->netif_count && ip_address_is_v4(gateway); i++) {
		struct netif *netif = &layer->netifs[i];

		if (ip4_addr_net_eq(&v4, netif_ip4_addr(netif), netif_ip4_netmask(netif)))
			return netif;
	}
	return &layer->netifs[0];
}

static void consider_settings(struct ip_device *layer, struct best *best,
	const struct ip_address *destination, const struct ip_address *source)
{
	bool is_v6 = !ip_address_is_v4(destination);

	for (uint32_t i = 0; i < layer->config.route_count; i++) {
		const struct net_config_route *route = &layer->config.routes[i];
		struct ip_address network, gateway;
		uint32_t bits = route->destination.prefix_bits + (is_v6 ? 0u : 96u);

		if (route->destination.is_v6 != is_v6)
			continue;
		network = address_of_config(route->destination.bytes, is_v6);
		gateway = address_of_config(route->gateway, is_v6);
		if (ip_prefix_matches(destination, &network, bits))
			consider(best, netif_of_gateway(layer, &gateway),
				ip_address_is_any(&gateway) ? destination : &gateway, bits, source);
	}
}

static void consider_links4(struct ip_device *layer, struct best *best,
	const struct ip_address *destination, const struct ip_address *source)
{
	ip4_addr_t v4 = ip4_of(destination);

	for (uint32_t i = 0; i < layer->netif_count; i++) {
		struct netif *netif = &layer->netifs[i];
		uint32_t mask = netif_ip4_netmask(netif)->addr;
		int before = best->bits;

		if (ip4_addr_isany_val(*netif_ip4_addr(netif)))
			continue;
		if (ip4_addr_net_eq(&v4, netif_ip4_addr(netif), netif_ip4_netmask(netif))) {
			uint32_t bits = 96u + (uint32_t)__builtin_popcount(mask);

			consider(best, netif, destination, bits, source);
			if (best->bits > before)
				best->is_broadcast = bits < 127 && (v4.addr | mask) == 0xffffffff;
		}
		if (!ip4_addr_isany_val(*netif_ip4_gw(netif))) {
			struct ip_address gateway = ip_address_of_ip4(netif_ip4_gw(netif));

			consider(best, netif, &gateway, 96, source);
		}
	}
}

static bool is_own_prefix6(
	const struct ip_device *layer, uint32_t i, const struct ip_address *destination)
{
	const struct netif *netif = &layer->netifs[0];
	struct ip_address own = ip_address_of_ip6(netif_ip6_addr(netif, i));

	/* Learned by SLAAC or DHCPv6: on link only if the router says so (prefix_list). */
	return layer->prefix_bits6[i] && !ip6_addr_isinvalid(netif_ip6_addr_state(netif, i)) &&
	       ip_prefix_matches(destination, &own, layer->prefix_bits6[i]);
}

static void consider_links6(
	struct ip_device *layer, struct best *best, const struct ip_address *destination)
{
	struct netif *netif = &layer->netifs[0];

	for (uint32_t i = 0; i < LWIP_IPV6_NUM_ADDRESSES; i++) {
		if (is_own_prefix6(layer, i, destination))
			consider(best, netif, destination, layer->prefix_bits6[i], NULL);
	}
	for (uint32_t i = 0; i < LWIP_ND6_NUM_PREFIXES; i++) {
		struct ip_address prefix = ip_address_of_ip6(&prefix_list[i].prefix);

		if (prefix_list[i].netif == netif && ip_prefix_matches(destination, &prefix, 64))
			consider(best, netif, destination, 64, NULL);
	}
	for (uint32_t i = 0; i < LWIP_ND6_NUM_ROUTERS; i++) {
		const struct nd6_router_list_entry *router = &default_router_list[i];

		if (router->neighbor_entry && router->neighbor_entry->netif == netif &&
			router->invalidation_timer > 0) {
			struct ip_address gateway =
				ip_address_of_ip6(&router->neighbor_entry->next_hop_address);

			consider(best, netif, &gateway, 0, NULL);
		}
	}
}

static bool find_unicast(const struct ip_address *destination, const struct ip_address *source,
	uint32_t device_index, struct best *best)
{
	struct ip_device *layer = NULL;

	while ((layer = next_layer(layer, device_index)) != NULL) {
		if (ip_address_is_link_local(destination)) {
			consider(best, &layer->netifs[0], destination, 64, source);
			continue;
		}
		consider_settings(layer, best, destination, source);
		if (ip_address_is_v4(destination))
			consider_links4(layer, best, destination, source);
		else
			consider_links6(layer, best, destination);
	}
	layer = device_index ? next_layer(NULL, device_index) : NULL;
	if (best->bits < 0 && layer) /* bound to a device without a route: on its link */
		consider(best, &layer->netifs[0], destination, 0, source);
	return best->bits >= 0;
}

/* Groups and the limited broadcast: by the device asked for, that of the source, the default
 * route's, or the first. */
static bool find_group(const struct ip_address *destination, const struct ip_address *source,
	uint32_t device_index, struct best *best)
{
	static const uint8_t anywhere[4] = {240, 0, 0, 1};
	struct ip_device *layer = NULL;
	struct ip_address probe = ip_address_is_v4(destination) ? ip_address_v4(anywhere)
								: (struct ip_address){{0x20}};

	if (!device_index && source && !ip_address_is_any(source)) {
		while ((layer = next_layer(layer, 0)) != NULL) {
			for (uint32_t i = 0; i < layer->netif_count; i++) {
				if (ip_address_is_v4(source) &&
					ip4_of(source).addr ==
						netif_ip4_addr(&layer->netifs[i])->addr)
					consider(best, &layer->netifs[i], destination, 0, NULL);
			}
		}
	}
	if (best->bits < 0)
		find_unicast(&probe, source, device_index, best);
	layer = next_layer(NULL, device_index);
	if (best->bits < 0 && layer)
		consider(best, &layer->netifs[0], destination, 0, NULL);
	best->next_hop = *destination;
	best->is_broadcast = !ip_address_is_multicast(destination);
	return best->bits >= 0;
}

static int choose_source(const struct ip_address *destination, struct ip_hop *hop)
{
	if (ip_address_is_v4(destination)) {
		hop->source = ip_address_of_ip4(netif_ip4_addr(hop->netif));
	} else {
		ip6_addr_t v6 = ip6_of(destination, hop->netif);
		const ip_addr_t *source = ip6_select_source_address(hop->netif, &v6);

		if (!source)
			return -LINUX_EADDRNOTAVAIL;
		hop->source = ip_address_of_ip6(ip_2_ip6(source));
	}
	return 0;
}

static void hop_to_ourselves(
	const struct ip_address *destination, const struct ip_address *source, struct ip_hop *hop)
{
	static const uint8_t one[4] = {127, 0, 0, 1};

	*hop = (struct ip_hop){.device = ip_loopback_device(),
		.source = *destination,
		.next_hop = *destination,
		.is_local = true};
	hop->netif = &ip_device_of(hop->device)->netifs[0];
	if (source && !ip_address_is_any(source))
		hop->source = *source;
	else if (ip_address_is_v4(destination) && ip_address_is_loopback(destination))
		hop->source = ip_address_v4(one);
}

int ip_hop_find(const struct ip_address *destination, const struct ip_address *source,
	uint32_t device_index, struct ip_hop *hop)
{
	static const uint8_t all[4] = {255, 255, 255, 255};
	struct ip_address everybody = ip_address_v4(all);
	struct best best = {.bits = -1};
	bool has_source = source && !ip_address_is_any(source), is_found;

	if (has_source && !ip_address_is_local(source, device_index))
		return -LINUX_EADDRNOTAVAIL;
	if (device_index && !net_device_by_index(device_index))
		return -LINUX_ENETUNREACH;
	if (ip_address_is_local(destination, device_index) ||
		(device_index == 1 && ip_address_is_multicast(destination))) {
		hop_to_ourselves(destination, source, hop);
		return 0;
	}
	if (ip_address_is_multicast(destination) || ip_address_equal(destination, &everybody))
		is_found = find_group(destination, source, device_index, &best);
	else
		is_found = !ip_address_is_any(destination) &&
			   find_unicast(destination, source, device_index, &best);
	if (!is_found)
		return -LINUX_ENETUNREACH;
	*hop = (struct ip_hop){.device = layer_of(best.netif)->device,
		.netif = best.netif,
		.next_hop = best.next_hop,
		.is_broadcast = best.is_broadcast};
	if (has_source) {
		hop->source = *source;
		return 0;
	}
	return choose_source(destination, hop);
}

int ip_route(const struct ip_address *destination, const struct ip_address *source,
	uint32_t device_index, struct ip_route *route)
{
	struct ip_hop hop;
	int error = ip_hop_find(destination, source, device_index, &hop);

	if (error)
		return error;
	*route = (struct ip_route){.device = hop.device,
		.source = hop.source,
		.mtu = ip_path_mtu(destination, hop.device->mtu),
		.is_local = hop.is_local,
		.is_broadcast = hop.is_broadcast};
	return 0;
}

static bool is_local4(const struct ip_address *address)
{
	ip4_addr_t v4 = ip4_of(address);
	struct ip_device *layer = NULL;

	while ((layer = next_layer(layer, 0)) != NULL) {
		for (uint32_t i = 0; i < layer->netif_count; i++) {
			if (netif_ip4_addr(&layer->netifs[i])->addr == v4.addr)
				return v4.addr != 0;
		}
	}
	return false;
}

bool ip_address_is_local(const struct ip_address *address, uint32_t scope)
{
	struct ip_device *layer = NULL;

	if (ip_address_is_loopback(address))
		return true;
	if (ip_address_is_any(address) || ip_address_is_multicast(address))
		return false;
	if (ip_address_is_v4(address))
		return is_local4(address);
	if (!ip_address_is_link_local(address))
		scope = 0;
	while ((layer = next_layer(layer, scope)) != NULL) {
		const struct netif *netif = &layer->netifs[0];

		for (uint32_t i = 0; i < LWIP_IPV6_NUM_ADDRESSES; i++) {
			if (ip6_addr_isvalid(netif_ip6_addr_state(netif, i)) &&
				memcmp(netif_ip6_addr(netif, i)->addr, address->bytes, 16) == 0)
				return true;
		}
	}
	return false;
}

bool ip_address_is_broadcast(const struct ip_address *address)
{
	ip4_addr_t v4 = ip4_of(address);
	struct ip_device *layer = NULL;

	if (!ip_address_is_v4(address))
		return false;
	if (v4.addr == 0xffffffff)
		return true;
	while ((layer = next_layer(layer, 0)) != NULL) {
		for (uint32_t i = 0; i < layer->netif_count; i++) {
			const struct netif *netif = &layer->netifs[i];
			uint32_t mask = netif_ip4_netmask(netif)->addr;

			if (netif_ip4_addr(netif)->addr && __builtin_popcount(mask) < 31 &&
				ip4_addr_net_eq(
					&v4, netif_ip4_addr(netif), netif_ip4_netmask(netif)) &&
				(v4.addr | mask) == 0xffffffff)
				return true;
		}
	}
	return false;
}

/* ---- lwIP's questions about what it sends itself ------------------------------------ */

struct netif *lwip_hook_route4(const struct ip4_addr *source, const struct ip4_addr *destination)
{
	struct ip_address to = ip_address_of_ip4(destination), from = {{0}};
	struct ip_hop hop;

	if (source)
		from = ip_address_of_ip4(source);
	if (ip_hop_find(&to, source ? &from : NULL, 0, &hop) != 0)
		return NULL;
	return hop.netif;
}

struct netif *lwip_hook_route6(const struct ip6_addr *source, const struct ip6_addr *destination)
{
	struct ip_address to = ip_address_of_ip6(destination);
	struct ip_hop hop;

	(void)source;
	return ip_hop_find(&to, NULL, 0, &hop) == 0 ? hop.netif : NULL;
}

const struct ip4_addr *lwip_hook_gateway4(struct netif *netif, const struct ip4_addr *destination)
{
	static ip4_addr_t gateway;
	struct ip_address to = ip_address_of_ip4(destination);
	struct ip_hop hop;

	if (ip_hop_find(&to, NULL, layer_of(netif)->device->index, &hop) != 0)
		return NULL;
	gateway = ip4_of(&hop.next_hop);
	return &gateway;
}

const struct ip6_addr *lwip_hook_gateway6(struct netif *netif, const struct ip6_addr *destination)
{
	static ip6_addr_t gateway;
	struct ip_address to = ip_address_of_ip6(destination);
	struct ip_hop hop;

	if (ip_hop_find(&to, NULL, layer_of(netif)->device->index, &hop) != 0)
		return NULL;
	gateway = ip6_of(&hop.next_hop, netif);
	return &gateway;
}
