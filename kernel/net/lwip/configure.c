/* Devices as lwIP's interfaces, and their addresses: by settings, DHCP, router advertisements. */
#include "kernel/log.h"
#include "kernel/mm/heap.h"
#include "kernel/net/lwip/layer.h"
#include "kernel/net/sntp.h"
#include "kernel/sched/clock.h"
#include "kernel/sched/wait.h"

#include <lwip/init.h>
#include <netif/ethernet.h>

#define CONFIGURING_NS (10ull * 1000000000) /* dnsmasq looks for 3 s whether an address is free */

static struct wait_queue events;
static uint32_t configuring; /* devices that wait for an address */
static uint64_t configuring_until_ns;

bool ip_is_configuring(void)
{
	return READ_ONCE(configuring) != 0 &&
	       clock_monotonic_ns() < READ_ONCE(configuring_until_ns);
}

struct wait_queue *ip_configuration_events(void)
{
	return &events;
}

static bool has_address(const struct ip_device *layer)
{
	const struct netif *netif = &layer->netifs[0];

	if (layer->config.dhcp4)
		return !ip4_addr_isany_val(*netif_ip4_addr(netif));
	for (uint32_t i = 1; i < LWIP_IPV6_NUM_ADDRESSES; i++) {
		if (ip6_addr_isvalid(netif_ip6_addr_state(netif, i)))
			return true;
	}
	return false;
}

void ip_configuration_changed(void)
{
	ip_generation++;
	for (struct net_device *device = net_device_next(NULL); device;
		device = net_device_next(device)) {
		struct ip_device *layer = ip_device_of(device);

		if (layer->is_configuring && has_address(layer)) {
			layer->is_configuring = false;
			configuring--;
		}
	}
	wait_wake_all(&events);
}

static void on_netif_change(
	struct netif *netif, netif_nsc_reason_t reason, const netif_ext_callback_args_t *args)
{
	(void)netif;
	(void)reason;
	(void)args;
	ip_configuration_changed();
}

/* ---- interfaces --------------------------------------------------------------------- */

static err_t output_loopback4(struct netif *netif, struct pbuf *pbuf, const ip4_addr_t *to)
{
	(void)to;
	return ip_link_output(netif, pbuf);
}

static err_t output_loopback6(struct netif *netif, struct pbuf *pbuf, const ip6_addr_t *to)
{
	(void)to;
	return ip_link_output(netif, pbuf);
}

static err_t init_netif(struct netif *netif)
{
	const struct ip_device *layer = netif->state;
	const struct net_device *device = layer->device;

	memcpy(netif->name, device->name, 2);
	netif->mtu = (u16_t)MIN(device->mtu, UINT16_MAX);
	netif->linkoutput = ip_link_output;
	netif->flags = NETIF_FLAG_LINK_UP;
	if (netif == &layer->netifs[0])
		netif->flags |= NETIF_FLAG_IGMP | NETIF_FLAG_MLD6;
	if (device->flags & NET_DEVICE_LOOPBACK) {
		netif->output = output_loopback4;
		netif->output_ip6 = output_loopback6;
		return ERR_OK;
	}
	netif->flags |= NETIF_FLAG_BROADCAST | NETIF_FLAG_ETHARP | NETIF_FLAG_ETHERNET;
	netif->output = etharp_output;
	netif->output_ip6 = ethip6_output;
	netif->hwaddr_len = 6;
	memcpy(netif->hwaddr, device->mac, 6);
	return ERR_OK;
}

static void read_settings(struct ip_device *layer)
{
	const char *why = "";
	const char *text = layer->device->settings ? layer->device->settings : "";
	size_t wrong = net_config_parse(text, &layer->config, &why);

	if (!wrong)
		return;
	log_notice("%s: wrong settings \"%s\": %s; using DHCP", layer->device->name,
		text + wrong - 1, why);
	net_config_parse("", &layer->config, &why);
}

static void add_time_server(const struct net_config *config)
{
	struct ip_address server;

	if (!config->has_time_server)
		return;
	if (config->time_server.is_v6)
		memcpy(server.bytes, config->time_server.bytes, sizeof(server.bytes));
	else
		server = ip_address_v4(config->time_server.bytes);
	sntp_set_server(&server);
}

int ip_device_add(struct net_device *device)
{
	struct ip_device *layer = heap_zalloc(sizeof(*layer));
	bool is_loopback = device->flags & NET_DEVICE_LOOPBACK;

	if (!layer)
		return -LINUX_ENOMEM;
	layer->device = device;
	layer->netif_count = 1;
	if (!is_loopback) {
		read_settings(layer);
		if (layer->config.mtu >= 1280 && layer->config.mtu < device->mtu)
			device->mtu = layer->config.mtu;
		if (layer->config.peer_acks_late)
			device->flags |= NET_DEVICE_ACKS_LATE;
		ip_resolver_add_settings(&layer->config);
		add_time_server(&layer->config);
	}
	if (!netif_add(&layer->netifs[0], NULL, NULL, NULL, layer, init_netif,
		    is_loopback ? ip_input : ethernet_input)) {
		heap_free(layer);
		return -LINUX_ENOMEM;
	}
	device->ip = layer;
	return 0;
}

/* ---- addresses ---------------------------------------------------------------------- */

static ip4_addr_t mask_of_bits(uint32_t bits)
{
	ip4_addr_t mask = {bits ? PP_HTONL(0xffffffffu << (32 - bits)) : 0};

	return mask;
}

static void add_address4(struct ip_device *layer, const struct net_config_address *address)
{
	ip4_addr_t own, mask = mask_of_bits(address->prefix_bits);
	struct netif *netif = &layer->netifs[0];

	memcpy(&own.addr, address->bytes, 4);
	if (!ip4_addr_isany_val(*netif_ip4_addr(netif))) {
		netif = &layer->netifs[layer->netif_count];
		if (!netif_add(netif, NULL, NULL, NULL, layer, init_netif, ethernet_input))
			return;
		layer->netif_count++;
		netif_set_up(netif);
	}
	netif_set_addr(netif, &own, &mask, NULL);
}

static void add_address6(struct ip_device *layer, const struct net_config_address *address)
{
	struct netif *netif = &layer->netifs[0];
	struct ip_address plain;
	ip6_addr_t own;
	s8_t index;

	memcpy(plain.bytes, address->bytes, 16);
	own = ip6_of(&plain, netif);
	if (netif_add_ip6_address(netif, &own, &index) != ERR_OK || index < 0)
		return;
	netif_ip6_addr_set_valid_life(netif, index, IP6_ADDR_LIFE_STATIC);
	netif_ip6_addr_set_pref_life(netif, index, IP6_ADDR_LIFE_STATIC);
	netif_ip6_addr_set_state(netif, index, IP6_ADDR_PREFERRED);
	layer->prefix_bits6[index] = address->prefix_bits;
}

static void start_loopback(struct ip_device *layer)
{
	struct netif *netif = &layer->netifs[0];
	static const struct net_config_address one4 = {.bytes = {127, 0, 0, 1}, .prefix_bits = 8};
	ip6_addr_t one6;

	netif_set_up(netif);
	add_address4(layer, &one4);
	ip6_addr_set_loopback(&one6);
	netif_ip6_addr_set(netif, 0, &one6);
	netif_ip6_addr_set_state(netif, 0, IP6_ADDR_PREFERRED);
	layer->prefix_bits6[0] = 128;
	netif->rs_count = 0;
}

static void start_configuring(struct ip_device *layer)
{
	WRITE_ONCE(configuring_until_ns, clock_monotonic_ns() + CONFIGURING_NS);
	layer->is_configuring = true;
	configuring++;
}

void ip_configure(struct ip_device *layer)
{
	struct netif *netif = &layer->netifs[0];
	const struct net_config *config = &layer->config;
	bool has_static = config->address_count > 0;

	if (config->hostname[0])
		netif_set_hostname(netif, config->hostname);
	netif_set_ip6_autoconfig_enabled(netif, config->router_advertisements);
	netif_set_default(netif_default ? netif_default : netif);
	netif_set_up(netif);
	if (config->router_advertisements || config->dhcp6 || has_static) {
		netif_create_ip6_linklocal_address(netif, 1);
		layer->prefix_bits6[0] = 64;
	}
	for (uint32_t i = 0; i < config->address_count; i++) {
		if (config->addresses[i].is_v6)
			add_address6(layer, &config->addresses[i]);
		else
			add_address4(layer, &config->addresses[i]);
	}
	if (!config->router_advertisements)
		netif->rs_count = 0;
	if (config->router_advertisements || config->dhcp6)
		dhcp6_enable_stateless(netif);
	if (config->dhcp4)
		dhcp_start(netif);
	if (!has_static && (config->dhcp4 || config->router_advertisements))
		start_configuring(layer);
	nd6_tmr(); /* the router solicitation goes out now */
}

void ip_device_start(struct net_device *device)
{
	struct ip_device *layer = ip_device_of(device);

	ip_ticks_catch_up();
	if (device->flags & NET_DEVICE_LOOPBACK)
		start_loopback(layer);
	else
		ip_configure(layer);
	ip_configuration_changed();
	ip_ticks_arm();
}

int ip_init(void)
{
	static netif_ext_callback_t callback;

	wait_queue_init(&events);
	lwip_init();
	ip_ticks_init();
	netif_add_ext_callback(&callback, on_netif_change);
	return 0;
}
