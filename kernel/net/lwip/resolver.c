/* /etc/resolv.conf: the servers given by settings, then those that DHCP and routers named. */
#include "kernel/net/lwip/layer.h"
#include "kernel/net/net.h"
#include "lib/format.h"

#include <lwip/dns.h>

#define SERVERS_SHOWN 3u /* what resolvers read */

static struct ip_address given[NET_CONFIG_SERVERS];
static struct ip_address learned4[DNS_MAX_SERVERS], learned6[DNS_MAX_SERVERS];
static uint32_t given_count;
static char search[NET_CONFIG_NAME];

void dns_init(void)
{
}

/* lwIP's clients call it with what they learn. */
void dns_setserver(u8_t number, const ip_addr_t *server)
{
	if (number >= DNS_MAX_SERVERS)
		return;
	if (!server) {
		learned6[number] = (struct ip_address){{0}};
	} else if (IP_IS_V4(server)) {
		learned4[number] = ip_address_of_ip4(ip_2_ip4(server));
	} else {
		learned6[number] = ip_address_of_ip6(ip_2_ip6(server));
	}
}

const ip_addr_t *dns_getserver(u8_t number)
{
	(void)number;
	return IP_ADDR_ANY;
}

void ip_resolver_add_settings(const struct net_config *config)
{
	for (uint32_t i = 0; i < config->server_count && given_count < NET_CONFIG_SERVERS; i++) {
		struct ip_address *to = &given[given_count++];

		if (config->servers[i].is_v6)
			memcpy(to->bytes, config->servers[i].bytes, 16);
		else
			*to = ip_address_v4(config->servers[i].bytes);
	}
	if (config->search[0] && !search[0])
		memcpy(search, config->search, sizeof(search));
}

/* Text that may be cut off, whose full length is counted. */
struct text {
	char *buffer;
	size_t capacity, length;
};

static void append(struct text *text, const char *piece)
{
	size_t bytes = strlen(piece);

	for (size_t i = 0; i < bytes; i++, text->length++) {
		if (text->length < text->capacity)
			text->buffer[text->length] = piece[i];
	}
}

static void append_server(struct text *text, const struct ip_address *address)
{
	char name[48];
	ip6_addr_t v6;
	ip4_addr_t v4;

	if (ip_address_is_v4(address)) {
		v4 = ip4_of(address);
		ip4addr_ntoa_r(&v4, name, sizeof(name));
	} else {
		memcpy(v6.addr, address->bytes, 16);
		ip6_addr_clear_zone(&v6);
		ip6addr_ntoa_r(&v6, name, sizeof(name));
		for (char *c = name; *c; c++) /* RFC 5952, 4.3 */
			*c = (char)(*c >= 'A' && *c <= 'F' ? *c + ('a' - 'A') : *c);
	}
	append(text, "nameserver ");
	append(text, name);
	append(text, "\n");
}

static void append_list(
	struct text *text, const struct ip_address *list, uint32_t count, uint32_t *shown)
{
	for (uint32_t i = 0; i < count && *shown < SERVERS_SHOWN; i++) {
		/* Link-local ones would need the zone, which resolvers cannot all read. */
		if (ip_address_is_any(&list[i]) || ip_address_is_link_local(&list[i]))
			continue;
		append_server(text, &list[i]);
		++*shown;
	}
}

size_t ip_resolver_text(char *buffer, size_t capacity)
{
	struct text text = {buffer, capacity, 0};
	uint32_t shown = 0;

	net_lock();
	if (search[0]) {
		append(&text, "search ");
		append(&text, search);
		append(&text, "\n");
	}
	append_list(&text, given, given_count, &shown);
	append_list(&text, learned4, DNS_MAX_SERVERS, &shown);
	append_list(&text, learned6, DNS_MAX_SERVERS, &shown);
	net_unlock();
	return text.length;
}
