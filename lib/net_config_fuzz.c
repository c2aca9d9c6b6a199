/*
 * Fuzzes lib/net_config.c: any text. An error points into the text; what is accepted
 * keeps the limits of lib/net_config.h.
 */
#include <stdlib.h>
#include <string.h>

#include "lib/net_config.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes);

static void require(bool condition)
{
	if (!condition)
		abort();
}

static void check_accepted(const struct net_config *config)
{
	require(config->address_count <= NET_CONFIG_ADDRESSES);
	require(config->route_count <= NET_CONFIG_ROUTES);
	require(config->server_count <= NET_CONFIG_SERVERS);
	require(memchr(config->search, 0, NET_CONFIG_NAME) != NULL);
	require(memchr(config->hostname, 0, NET_CONFIG_NAME) != NULL);
	require(config->mtu == 0 || (config->mtu >= 68 && config->mtu <= 65535));
	for (uint32_t i = 0; i < config->address_count; i++)
		require(config->addresses[i].prefix_bits <=
			(config->addresses[i].is_v6 ? 128 : 32));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
	char *text = malloc(bytes + 1);
	struct net_config config;
	const char *why;
	uint8_t address[16];
	size_t at;

	require(text != NULL);
	memcpy(text, data, bytes);
	text[bytes] = 0;
	at = net_config_parse(text, &config, &why);
	require((at == 0) == (why == NULL));
	require(at <= strlen(text) + 1);
	if (at == 0)
		check_accepted(&config);
	require(net_config_parse_v4(text, address) <= strlen(text));
	require(net_config_parse_v6(text, address) <= strlen(text));
	free(text);
	return 0;
}
