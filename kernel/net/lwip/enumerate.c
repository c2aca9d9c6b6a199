/* Addresses and routes one by one, for netlink and /proc. */
#include "kernel/net/lwip/layer.h"

static uint8_t bits_of_mask(const struct netif *netif)
{
	return (uint8_t)__builtin_popcount(netif_ip4_netmask(netif)->addr);
}

static bool has_address4(const struct netif *netif)
{
	return !ip4_addr_isany_val(*netif_ip4_addr(netif));
}

static void fill_address6(
	const struct ip_device *layer, uint32_t i, struct ip_interface_address *result)
{
	const struct netif *netif = &layer->netifs[0];
	uint8_t state = netif_ip6_addr_state(netif, i);
	bool is_static = netif_ip6_addr_isstatic(netif, i);

	*result = (struct ip_interface_address){
		.address = ip_address_of_ip6(netif_ip6_addr(netif, i)),
		.prefix_bits = layer->prefix_bits6[i] ? layer->prefix_bits6[i] : 64,
		.is_tentative = ip6_addr_istentative(state),
		.is_deprecated = state == IP6_ADDR_DEPRECATED,
		.is_permanent = is_static,
		.preferred_seconds = is_static ? UINT32_MAX : netif_ip6_addr_pref_life(netif, i),
		.valid_seconds = is_static ? UINT32_MAX : netif_ip6_addr_valid_life(netif, i)};
}

bool ip_interface_address(
	const struct net_device *device, uint32_t n, struct ip_interface_address *result)
{
	const struct ip_device *layer = ip_device_of(device);

	for (uint32_t i = 0; i < layer->netif_count; i++) {
		const struct netif *netif = &layer->netifs[i];

		if (!has_address4(netif) || n-- != 0)
			continue;
		*result = (struct ip_interface_address){
			.address = ip_address_of_ip4(netif_ip4_addr(netif)),
			.prefix_bits = bits_of_mask(netif),
			.is_permanent = !layer->config.dhcp4,
			.preferred_seconds = UINT32_MAX,
			.valid_seconds = UINT32_MAX};
		return true;
	}
	for (uint32_t i = 0; i < LWIP_IPV6_NUM_ADDRESSES; i++) {
		if (ip6_addr_isinvalid(netif_ip6_addr_state(&layer->netifs[0], i)) || n-- != 0)
			continue;
		fill_address6(layer, i, result);
		return true;
	}
	return false;
}

static struct ip_address masked(const struct ip_address *address, uint32_t bits)
{
	struct ip_address network = {{0}};

	memcpy(network.bytes, address->bytes, bits / 8);
	if (bits % 8)
		network.bytes[bits / 8] =
			(uint8_t)(address->bytes[bits / 8] & (0xff00 >> (bits % 8)));
	return network;
}

static const struct ip_address any4 = {.bytes = {[10] = 0xff, [11] = 0xff}};

static bool device_route4(struct ip_device *layer, uint32_t *n, struct ip_route_entry *result)
{
	for (uint32_t i = 0; i < layer->netif_count; i++) {
		const struct netif *netif = &layer->netifs[i];
		struct ip_address own = ip_address_of_ip4(netif_ip4_addr(netif));

		if (has_address4(netif) && (*n)-- == 0) {
			*result = (struct ip_route_entry){
				.destination = masked(&own, 96u + bits_of_mask(netif)),
				.gateway = any4,
				.prefix_bits = bits_of_mask(netif),
				.device = layer->device};
			return true;
		}
		if (!ip4_addr_isany_val(*netif_ip4_gw(netif)) && (*n)-- == 0) {
			*result = (struct ip_route_entry){.destination = any4,
				.gateway = ip_address_of_ip4(netif_ip4_gw(netif)),
				.device = layer->device};
			return true;
		}
	}
	return false;
}

static bool device_route_given(struct ip_device *layer, uint32_t *n, struct ip_route_entry *result)
{
	for (uint32_t i = 0; i < layer->config.route_count; i++) {
		const struct net_config_route *route = &layer->config.routes[i];

		if ((*n)-- != 0)
			continue;
		*result = (struct ip_route_entry){
			.prefix_bits = route->destination.prefix_bits, .device = layer->device};
		if (route->destination.is_v6) {
			memcpy(result->destination.bytes, route->destination.bytes, 16);
			memcpy(result->gateway.bytes, route->gateway, 16);
		} else {
			result->destination = ip_address_v4(route->destination.bytes);
			result->gateway = ip_address_v4(route->gateway);
		}
		return true;
	}
	return false;
}

static bool device_route6(struct ip_device *layer, uint32_t *n, struct ip_route_entry *result)
{
	const struct netif *netif = &layer->netifs[0];

	for (uint32_t i = 0; i < LWIP_IPV6_NUM_ADDRESSES; i++) {
		struct ip_address own = ip_address_of_ip6(netif_ip6_addr(netif, i));

		if (!layer->prefix_bits6[i] || ip6_addr_isinvalid(netif_ip6_addr_state(netif, i)) ||
			(*n)-- != 0)
			continue;
		*result =
			(struct ip_route_entry){.destination = masked(&own, layer->prefix_bits6[i]),
				.prefix_bits = layer->prefix_bits6[i],
				.device = layer->device,
				.metric = 256};
		return true;
	}
	for (uint32_t i = 0; i < LWIP_ND6_NUM_PREFIXES; i++) {
		if (prefix_list[i].netif != netif || (*n)-- != 0)
			continue;
		*result = (struct ip_route_entry){
			.destination = ip_address_of_ip6(&prefix_list[i].prefix),
			.prefix_bits = 64,
			.device = layer->device,
			.metric = 256};
		return true;
	}
	for (uint32_t i = 0; i < LWIP_ND6_NUM_ROUTERS; i++) {
		const struct nd6_router_list_entry *router = &default_router_list[i];

		if (!router->neighbor_entry || router->neighbor_entry->netif != netif ||
			(*n)-- != 0)
			continue;
		*result = (struct ip_route_entry){
			.gateway = ip_address_of_ip6(&router->neighbor_entry->next_hop_address),
			.device = layer->device,
			.metric = 1024};
		return true;
	}
	return false;
}

bool ip_route_entry(uint32_t n, struct ip_route_entry *result)
{
	for (struct net_device *device = net_device_next(NULL); device;
		device = net_device_next(device)) {
		struct ip_device *layer = ip_device_of(device);

		if (device_route4(layer, &n, result) || device_route_given(layer, &n, result) ||
			device_route6(layer, &n, result))
			return true;
	}
	return false;
}
