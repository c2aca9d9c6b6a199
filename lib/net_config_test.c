/*
 * The settings of a network interface: each word, its limits, and where errors point.
 */
#include <string.h>

#include "lib/net_config.h"
#include "lib/test.h"

static struct net_config config;
static const char *why;

static void expect_wrong(const char *text, const char *word)
{
	size_t at = net_config_parse(text, &config, &why);

	if (at == 0 || strcmp(text + at - 1, word) != 0 || why == NULL) {
		fprintf(stderr, "%s: offset %zu, expected to point at %s\n", text, at, word);
		exit(1);
	}
}

static void expect_v6(const char *text, const char *hex)
{
	char shown[33];
	uint8_t address[16];

	if (net_config_parse_v6(text, address) != strlen(text)) {
		fprintf(stderr, "%s: not read to its end\n", text);
		exit(1);
	}
	for (int i = 0; i < 16; i++)
		snprintf(shown + 2 * i, 3, "%02x", address[i]);
	if (strcmp(shown, hex) != 0) {
		fprintf(stderr, "%s: %s, expected %s\n", text, shown, hex);
		exit(1);
	}
}

TEST(nothing_said_means_automatic)
{
	CHECK_EQUAL(net_config_parse("", &config, &why), 0);
	CHECK(config.dhcp4 && config.router_advertisements && !config.dhcp6);
	CHECK_EQUAL(config.address_count, 0);
	CHECK_EQUAL(net_config_parse("none", &config, &why), 0);
	CHECK(!config.dhcp4 && !config.router_advertisements && !config.dhcp6);
}

TEST(an_address_replaces_the_automatic_one_of_its_family)
{
	CHECK_EQUAL(net_config_parse("ip=10.0.0.2/24", &config, &why), 0);
	CHECK(!config.dhcp4 && config.router_advertisements);
	CHECK_EQUAL(net_config_parse("ip=fd00::2/64", &config, &why), 0);
	CHECK(config.dhcp4 && !config.router_advertisements);
	CHECK(!config.peer_acks_late && !config.has_time_server);
	CHECK_EQUAL(net_config_parse("ntp=fd00::7", &config, &why), 0);
	CHECK(config.has_time_server && config.time_server.is_v6);
	CHECK_EQUAL(net_config_parse("late-ack,none", &config, &why), 0);
	CHECK(config.peer_acks_late && !config.dhcp4);
	CHECK_EQUAL(net_config_parse("ip=10.0.0.2/24,dhcp,dhcp6", &config, &why), 0);
	CHECK(config.dhcp4 && config.dhcp6);
}

TEST(everything_at_once)
{
	static const uint8_t gateway[4] = {10, 0, 0, 1}, other[4] = {10, 0, 0, 9};

	CHECK_EQUAL(net_config_parse("ip=10.0.0.2/24,gw=10.0.0.1,dns=1.1.1.1,dns=2606:4700::1111,"
				     "ip=fd00::2/64,route=10.1.0.0/16@10.0.0.9,mtu=1400,"
				     "search=example.com,hostname=web-1",
			    &config, &why),
		0);
	CHECK_EQUAL(config.address_count, 2);
	CHECK_EQUAL(config.addresses[0].prefix_bits, 24);
	CHECK(config.addresses[1].is_v6 && config.addresses[1].prefix_bits == 64);
	CHECK_EQUAL(config.route_count, 2);
	CHECK_EQUAL(config.routes[0].destination.prefix_bits, 0);
	CHECK(memcmp(config.routes[0].gateway, gateway, 4) == 0);
	CHECK_EQUAL(config.routes[1].destination.prefix_bits, 16);
	CHECK(memcmp(config.routes[1].gateway, other, 4) == 0);
	CHECK_EQUAL(config.server_count, 2);
	CHECK(!config.servers[0].is_v6 && config.servers[1].is_v6);
	CHECK_EQUAL(config.mtu, 1400);
	CHECK(strcmp(config.search, "example.com") == 0);
	CHECK(strcmp(config.hostname, "web-1") == 0);
}

TEST(errors_point_at_the_word)
{
	expect_wrong("ip=10.0.0.2/24,gw=10.0.0.1x", "gw=10.0.0.1x");
	expect_wrong("ip=10.0.0.2", "ip=10.0.0.2");
	expect_wrong("ip=10.0.0.2/33", "ip=10.0.0.2/33");
	expect_wrong("ip=10.0.0.2/", "ip=10.0.0.2/");
	expect_wrong("ip=10.0.0.2/024", "ip=10.0.0.2/024");
	expect_wrong("ip=fd00::1/129", "ip=fd00::1/129");
	expect_wrong("ip=,gw=1.2.3.4", "ip=,gw=1.2.3.4");
	expect_wrong("dhcp,", ",");
	expect_wrong(",dhcp", ",dhcp");
	expect_wrong("dhcp,,ra", ",ra");
	expect_wrong("mtu=67", "mtu=67");
	expect_wrong("mtu=65536", "mtu=65536");
	expect_wrong("mtu=1500,mtu=1500", "mtu=1500");
	expect_wrong("route=10.0.0.0/8@fd00::1", "route=10.0.0.0/8@fd00::1");
	expect_wrong("route=10.0.0.0/8", "route=10.0.0.0/8");
	expect_wrong("hostname=a b", "hostname=a b");
	expect_wrong("hostname=.a", "hostname=.a");
	expect_wrong("hostname=a.", "hostname=a.");
	expect_wrong("hostname=0123456789012345678901234567890123456789012345678901234567890123",
		"hostname=0123456789012345678901234567890123456789012345678901234567890123");
	expect_wrong("dhcp4", "dhcp4");
	expect_wrong("dns=1.1.1.1,dns=1.1.1.1,dns=1.1.1.1,dns=1.1.1.1,dns=9.9.9.9", "dns=9.9.9.9");
}

TEST(addresses_of_ipv4)
{
	uint8_t address[4];

	CHECK_EQUAL(net_config_parse_v4("255.1.0.20/8", address), 10);
	CHECK(address[0] == 255 && address[1] == 1 && address[2] == 0 && address[3] == 20);
	CHECK_EQUAL(net_config_parse_v4("256.1.1.1", address), 0);
	CHECK_EQUAL(net_config_parse_v4("1.2.3", address), 0);
	CHECK_EQUAL(net_config_parse_v4("01.2.3.4", address), 0);
	CHECK_EQUAL(net_config_parse_v4("1..3.4", address), 0);
	CHECK_EQUAL(net_config_parse_v4("", address), 0);
	CHECK_EQUAL(net_config_parse_v4("4294967297.1.1.1", address), 0);
}

TEST(addresses_of_ipv6)
{
	uint8_t address[16];

	expect_v6("::", "00000000000000000000000000000000");
	expect_v6("::1", "00000000000000000000000000000001");
	expect_v6("fe80::", "fe800000000000000000000000000000");
	expect_v6("2606:4700::1111", "26064700000000000000000000001111");
	expect_v6("1:2:3:4:5:6:7:8", "00010002000300040005000600070008");
	expect_v6("1:2:3:4:5:6:7::", "00010002000300040005000600070000");
	expect_v6("::2:3:4:5:6:7:8", "00000002000300040005000600070008");
	expect_v6("::ffff:10.0.0.1", "00000000000000000000ffff0a000001");
	expect_v6("1:2:3:4:5:6:1.2.3.4", "00010002000300040005000601020304");
	expect_v6("ABCD::EF", "abcd00000000000000000000000000ef");
	CHECK_EQUAL(net_config_parse_v6("fe80::1/64", address), 7);
	CHECK_EQUAL(net_config_parse_v6("", address), 0);
	CHECK_EQUAL(net_config_parse_v6(":", address), 0);
	CHECK_EQUAL(net_config_parse_v6(":1", address), 0);
	CHECK_EQUAL(net_config_parse_v6("1:2", address), 0);
	CHECK_EQUAL(net_config_parse_v6("1::2::3", address), 0);
	CHECK_EQUAL(net_config_parse_v6("1:2:", address), 0);
	CHECK_EQUAL(net_config_parse_v6("::1:", address), 0);
	CHECK_EQUAL(net_config_parse_v6("1:2:3:4:5:6:7:", address), 0);
	CHECK_EQUAL(net_config_parse_v6("g::", address), 0);
	/* What does not belong to it is left to the caller, who wants the end. */
	CHECK_EQUAL(net_config_parse_v6("1:2:3:4:5:6:7:8:9", address), 15);
	CHECK_EQUAL(net_config_parse_v6("12345::", address), 0);
}

TEST_DEFINE_MAIN
