/*
 * Reads the settings of a network interface: see lib/net_config.h.
 *
 * Words are separated by commas. Each word is a keyword, or NAME=VALUE; a value is read
 * to its end, so that nothing stays unnoticed behind it.
 */
#include "lib/net_config.h"
#include "lib/string.h"

#define V4_BYTES 4u
#define MTU_LOW  68u /* RFC 791 */
#define MTU_HIGH 65535u

/* A word's value: not ended by NUL. */
struct text {
	const char *at;
	size_t bytes;
};

/* ---- addresses ------------------------------------------------------------------ */

/* Decimal without leading zeroes, at most `limit`; digits used, or 0. */
static size_t parse_decimal(const char *text, uint32_t limit, uint32_t *value)
{
	size_t used = 0;

	*value = 0;
	while (text[used] >= '0' && text[used] <= '9') {
		*value = *value * 10 + (uint32_t)(text[used] - '0');
		if (*value > limit || (used > 0 && text[0] == '0'))
			return 0;
		used++;
	}
	return used;
}

size_t net_config_parse_v4(const char *text, uint8_t address[4])
{
	size_t used = 0;

	for (unsigned i = 0; i < V4_BYTES; i++) {
		uint32_t value;
		size_t digits;

		if (i > 0 && text[used++] != '.')
			return 0;
		digits = parse_decimal(text + used, 255, &value);
		if (digits == 0)
			return 0;
		address[i] = (uint8_t)value;
		used += digits;
	}
	return used;
}

static int hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	if (c >= 'A' && c <= 'F')
		return c - 'A' + 10;
	return -1;
}

/* One to four hexadecimal digits; digits used, or 0. */
static size_t parse_group(const char *text, uint8_t group[2])
{
	uint32_t value = 0;
	size_t used = 0;

	for (; used < 4 && hex_digit(text[used]) >= 0; used++)
		value = value << 4 | (uint32_t)hex_digit(text[used]);
	group[0] = (uint8_t)(value >> 8);
	group[1] = (uint8_t)value;
	return used;
}

/* Moves what was read after the "::" to the end. False: no room for the zeroes. */
static bool expand_zeroes(uint8_t address[16], int zeroes_at, unsigned filled)
{
	unsigned tail;

	if (zeroes_at < 0)
		return filled == 16;
	if (filled > 14)
		return false;
	tail = filled - (unsigned)zeroes_at;
	memmove(address + 16 - tail, address + zeroes_at, tail);
	memset(address + zeroes_at, 0, 16 - filled);
	return true;
}

/* A group, or a trailing IPv4 address; bytes used of the text, or 0. */
static size_t parse_piece(const char *text, uint8_t address[16], unsigned *filled)
{
	size_t used;

	if (*filled + V4_BYTES <= 16) {
		used = net_config_parse_v4(text, address + *filled);
		if (used != 0) {
			*filled += V4_BYTES;
			return used;
		}
	}
	used = parse_group(text, address + *filled);
	if (used != 0)
		*filled += 2;
	return used;
}

size_t net_config_parse_v6(const char *text, uint8_t address[16])
{
	uint8_t bytes[16] = {0};
	int zeroes_at = -1;
	unsigned filled = 0;
	size_t used = 0;

	if (text[0] == ':') {
		if (text[1] != ':')
			return 0;
		zeroes_at = 0;
		used = 2;
	}
	while (filled < 16) {
		size_t piece = parse_piece(text + used, bytes, &filled);

		if (piece == 0 && (zeroes_at < 0 || (unsigned)zeroes_at != filled))
			return 0; /* nothing after a single colon */
		used += piece;
		if (piece == 0 || text[used] != ':' || memchr(text + used - piece, '.', piece))
			break;
		if (text[used + 1] == ':') {
			if (zeroes_at >= 0)
				return 0;
			zeroes_at = (int)filled;
			used += 2;
		} else if (filled < 16) {
			used++;
		}
	}
	if (!expand_zeroes(bytes, zeroes_at, filled))
		return 0;
	memcpy(address, bytes, sizeof(bytes));
	return used;
}

/* An address of either family at the start of the text; bytes used, or 0. */
static size_t parse_address(const char *text, struct net_config_address *address)
{
	size_t used;

	*address = (struct net_config_address){.is_v6 = false};
	used = net_config_parse_v4(text, address->bytes);
	if (used != 0)
		return used;
	memset(address->bytes, 0, sizeof(address->bytes));
	address->is_v6 = true;
	return net_config_parse_v6(text, address->bytes);
}

/* ADDRESS/PREFIX; bytes used, or 0. */
static size_t parse_network(const char *text, struct net_config_address *address)
{
	size_t used = parse_address(text, address), digits;
	uint32_t bits;

	if (used == 0 || text[used] != '/')
		return 0;
	digits = parse_decimal(text + used + 1, address->is_v6 ? 128 : 32, &bits);
	address->prefix_bits = (uint8_t)bits;
	return digits != 0 ? used + 1 + digits : 0;
}

/* ---- values: each returns NULL, or what is wrong ---------------------------------- */

static const char *read_ip(struct net_config *config, struct text value)
{
	struct net_config_address *address = &config->addresses[config->address_count];

	if (config->address_count == NET_CONFIG_ADDRESSES)
		return "more addresses than an interface can have";
	if (parse_network(value.at, address) != value.bytes)
		return "not an address with its prefix, such as 10.0.0.2/24 or fd00::2/64";
	config->address_count++;
	return NULL;
}

static const char *add_route(struct net_config *config, const struct net_config_route *route)
{
	if (config->route_count == NET_CONFIG_ROUTES)
		return "more routes than an interface can have";
	config->routes[config->route_count++] = *route;
	return NULL;
}

static const char *read_gateway(struct net_config *config, struct text value)
{
	struct net_config_route route = {0};
	struct net_config_address gateway;

	if (parse_address(value.at, &gateway) != value.bytes)
		return "not an address, such as 10.0.0.1 or fd00::1";
	route.destination.is_v6 = gateway.is_v6;
	memcpy(route.gateway, gateway.bytes, sizeof(route.gateway));
	return add_route(config, &route);
}

static const char *read_route(struct net_config *config, struct text value)
{
	struct net_config_route route = {0};
	struct net_config_address gateway;
	size_t used = parse_network(value.at, &route.destination);

	if (used == 0 || value.at[used] != '@' ||
		parse_address(value.at + used + 1, &gateway) != value.bytes - used - 1)
		return "not a route, such as 10.1.0.0/16@10.0.0.9";
	if (gateway.is_v6 != route.destination.is_v6)
		return "network and gateway are of different families";
	memcpy(route.gateway, gateway.bytes, sizeof(route.gateway));
	return add_route(config, &route);
}

static const char *read_server(struct net_config *config, struct text value)
{
	if (config->server_count == NET_CONFIG_SERVERS)
		return "more servers than are asked";
	if (parse_address(value.at, &config->servers[config->server_count]) != value.bytes)
		return "not an address, such as 1.1.1.1 or 2606:4700::1111";
	config->server_count++;
	return NULL;
}

static const char *read_time_server(struct net_config *config, struct text value)
{
	if (config->has_time_server)
		return "given twice";
	if (parse_address(value.at, &config->time_server) != value.bytes)
		return "not an address, such as 10.0.0.1 or fd00::1";
	config->has_time_server = true;
	return NULL;
}

static const char *read_mtu(struct net_config *config, struct text value)
{
	if (config->mtu != 0)
		return "given twice";
	if (parse_decimal(value.at, MTU_HIGH, &config->mtu) != value.bytes || config->mtu < MTU_LOW)
		return "not a number of bytes from 68 to 65535";
	return NULL;
}

/* Letters, digits, '-', '_' and dots between them. */
static bool is_host_name(struct text name)
{
	bool after_dot = true;

	for (size_t i = 0; i < name.bytes; i++) {
		char c = name.at[i];
		bool is_plain = hex_digit(c) >= 0 || (c >= 'g' && c <= 'z') ||
				(c >= 'G' && c <= 'Z') || c == '-' || c == '_';

		if (!is_plain && (c != '.' || after_dot))
			return false;
		after_dot = c == '.';
	}
	return name.bytes > 0 && !after_dot;
}

static const char *read_name(char to[NET_CONFIG_NAME], struct text value)
{
	if (to[0] != 0)
		return "given twice";
	if (!is_host_name(value))
		return "not a name of letters, digits, '-' and dots";
	if (value.bytes >= NET_CONFIG_NAME)
		return "longer than 63 bytes";
	memcpy(to, value.at, value.bytes);
	to[value.bytes] = 0;
	return NULL;
}

static const char *read_search(struct net_config *config, struct text value)
{
	return read_name(config->search, value);
}

static const char *read_hostname(struct net_config *config, struct text value)
{
	return read_name(config->hostname, value);
}

/* ---- words ---------------------------------------------------------------------- */

struct named_reader {
	const char *name;
	const char *(*read)(struct net_config *config, struct text value);
};

static const struct named_reader readers[] = {
	{"ip=", read_ip},
	{"gw=", read_gateway},
	{"dns=", read_server},
	{"route=", read_route},
	{"mtu=", read_mtu},
	{"search=", read_search},
	{"hostname=", read_hostname},
	{"ntp=", read_time_server},
};

struct keywords {
	bool dhcp, ra, dhcp6, none, late_ack;
};

static bool is_word(struct text word, const char *name)
{
	return strlen(name) == word.bytes && memcmp(name, word.at, word.bytes) == 0;
}

static bool read_keyword(struct keywords *keywords, struct text word)
{
	if (is_word(word, "dhcp"))
		keywords->dhcp = true;
	else if (is_word(word, "ra"))
		keywords->ra = true;
	else if (is_word(word, "dhcp6"))
		keywords->dhcp6 = true;
	else if (is_word(word, "none"))
		keywords->none = true;
	else if (is_word(word, "late-ack"))
		keywords->late_ack = true;
	else
		return false;
	return true;
}

static const char *read_word(struct net_config *config, struct keywords *keywords, struct text word)
{
	if (word.bytes == 0)
		return "an empty word";
	if (read_keyword(keywords, word))
		return NULL;
	for (size_t i = 0; i < ARRAY_SIZE(readers); i++) {
		size_t bytes = strlen(readers[i].name);

		if (word.bytes > bytes && memcmp(word.at, readers[i].name, bytes) == 0)
			return readers[i].read(
				config, (struct text){word.at + bytes, word.bytes - bytes});
	}
	return "unknown; there are ip=, gw=, dns=, route=, mtu=, search=, hostname=, ntp=, dhcp, "
	       "ra, dhcp6, none and late-ack";
}

/* What is asked for, and what is the default because no address was given. */
static void choose_automatic(struct net_config *config, const struct keywords *keywords)
{
	bool has_v4 = false, has_v6 = false;

	for (uint32_t i = 0; i < config->address_count; i++) {
		has_v4 |= !config->addresses[i].is_v6;
		has_v6 |= config->addresses[i].is_v6;
	}
	config->dhcp4 = keywords->dhcp || (!has_v4 && !keywords->none);
	config->router_advertisements = keywords->ra || (!has_v6 && !keywords->none);
	config->dhcp6 = keywords->dhcp6;
	config->peer_acks_late = keywords->late_ack;
}

size_t net_config_parse(const char *text, struct net_config *config, const char **why)
{
	struct keywords keywords = {0};
	size_t at = 0;

	memset(config, 0, sizeof(*config));
	*why = NULL;
	while (text[at] != 0) {
		const char *comma = strchr(text + at, ',');
		size_t bytes = comma != NULL ? (size_t)(comma - text) - at : strlen(text + at);

		*why = read_word(config, &keywords, (struct text){text + at, bytes});
		if (*why == NULL && comma != NULL && comma[1] == 0) {
			*why = "nothing after the comma";
			at += bytes;
		}
		if (*why != NULL)
			return at + 1;
		at += bytes + (comma != NULL);
	}
	choose_automatic(config, &keywords);
	return 0;
}
