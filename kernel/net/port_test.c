/* Ports: the table of who may bind beside whom, as socket(7) and ipv6(7) have it. */
#include "kernel/net/port.h"

#include "abi/linux/errno.h"
#include "lib/test.h"

static const uint8_t one[4] = {10, 0, 0, 1}, two[4] = {10, 0, 0, 2}, zero[4];

static struct port_binding v4(const uint8_t address[4])
{
	return (struct port_binding){.address = ip_address_v4(address)};
}

static struct port_binding v6_any(bool v6_only)
{
	return (struct port_binding){.is_v6 = true, .v6_only = v6_only};
}

/* What comes of binding `second` while `first` has the port. */
static int beside(struct port_table *table, struct port_binding first, struct port_binding second)
{
	int error;

	CHECK_EQUAL(port_bind(table, &first, 80), 0);
	error = port_bind(table, &second, 80);
	if (!error)
		port_release(table, &second);
	port_release(table, &first);
	port_release(table, &first); /* no harm */
	CHECK(list_is_empty(&table->buckets[80]));
	return error;
}

TEST(addresses_and_families_keep_apart)
{
	port_tables_init();
	CHECK_EQUAL(beside(&port_table_tcp, v4(one), v4(two)), 0);
	CHECK_EQUAL(beside(&port_table_tcp, v4(one), v4(one)), -LINUX_EADDRINUSE);
	CHECK_EQUAL(beside(&port_table_tcp, v4(zero), v4(one)), -LINUX_EADDRINUSE);
	CHECK_EQUAL(beside(&port_table_tcp, v4(one), v4(zero)), -LINUX_EADDRINUSE);
	CHECK_EQUAL(beside(&port_table_tcp, v6_any(false), v4(zero)), -LINUX_EADDRINUSE);
	CHECK_EQUAL(beside(&port_table_tcp, v6_any(true), v4(zero)), 0);
	CHECK_EQUAL(beside(&port_table_tcp, v6_any(true), v6_any(false)), -LINUX_EADDRINUSE);
}

TEST(devices_keep_apart)
{
	struct port_binding a = v4(zero), b = v4(zero);

	a.device_index = 1;
	b.device_index = 2;
	CHECK_EQUAL(beside(&port_table_udp, a, b), 0);
	b.device_index = 0;
	CHECK_EQUAL(beside(&port_table_udp, a, b), -LINUX_EADDRINUSE);
}

TEST(reuse_shares)
{
	struct port_binding a = v4(zero), b = v4(zero);

	a.reuse_address = true;
	CHECK_EQUAL(beside(&port_table_tcp, a, b), -LINUX_EADDRINUSE);
	b.reuse_address = true;
	CHECK_EQUAL(beside(&port_table_tcp, a, b), 0);
	a.is_listening = true;
	CHECK_EQUAL(beside(&port_table_tcp, a, b), -LINUX_EADDRINUSE);
	CHECK_EQUAL(beside(&port_table_udp, a, b), 0);
	a.reuse_port = b.reuse_port = true;
	CHECK_EQUAL(beside(&port_table_tcp, a, b), 0);
	a = v4(zero);
	a.is_connected = true;
	CHECK_EQUAL(beside(&port_table_tcp, a, b), 0);
}

TEST(listeners_share_by_reuse_port_only)
{
	struct port_binding a = v4(zero), b = v4(zero);

	a.reuse_address = b.reuse_address = true;
	CHECK_EQUAL(port_bind(&port_table_tcp, &a, 80), 0);
	CHECK_EQUAL(port_bind(&port_table_tcp, &b, 80), 0);
	CHECK_EQUAL(port_check_listen(&port_table_tcp, &a), 0);
	a.is_listening = true;
	CHECK_EQUAL(port_check_listen(&port_table_tcp, &b), -LINUX_EADDRINUSE);
	a.reuse_port = b.reuse_port = true;
	CHECK_EQUAL(port_check_listen(&port_table_tcp, &b), 0);
	port_release(&port_table_tcp, &a);
	port_release(&port_table_tcp, &b);
}

TEST(ephemeral_ports_are_unique_until_there_is_none)
{
	enum { COUNT = PORT_EPHEMERAL_LAST - PORT_EPHEMERAL_FIRST + 1 };
	static struct port_binding bindings[COUNT + 1];
	static bool seen[65536];

	for (int i = 0; i < COUNT; i++) {
		bindings[i] = v4(zero);
		CHECK_EQUAL(port_bind(&port_table_udp, &bindings[i], 0), 0);
		CHECK(!seen[bindings[i].port] && bindings[i].port >= PORT_EPHEMERAL_FIRST &&
			bindings[i].port <= PORT_EPHEMERAL_LAST);
		seen[bindings[i].port] = true;
	}
	bindings[COUNT] = v4(zero);
	CHECK_EQUAL(port_bind(&port_table_udp, &bindings[COUNT], 0), -LINUX_EADDRINUSE);
	CHECK(!port_is_for_connections(&port_table_udp, PORT_EPHEMERAL_FIRST));
	for (int i = 0; i < COUNT; i++)
		port_release(&port_table_udp, &bindings[i]);
	CHECK(port_is_for_connections(&port_table_udp, PORT_EPHEMERAL_FIRST));
}

TEST_DEFINE_MAIN
