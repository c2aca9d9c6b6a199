/* Local ports; see port.h. */
#include "kernel/net/port.h"

#include "abi/linux/errno.h"
#include "kernel/random.h"

struct port_table port_table_tcp, port_table_udp;

void port_tables_init(void)
{
	for (uint32_t i = 0; i < PORT_BUCKETS; i++) {
		list_init(&port_table_tcp.buckets[i]);
		list_init(&port_table_udp.buckets[i]);
	}
	port_table_tcp.is_tcp = true;
}

/* ---- who hinders whom ------------------------------------------------------------ */

static bool covers_v4(const struct port_binding *binding)
{
	if (ip_address_is_v4(&binding->address) || !binding->is_v6)
		return true;
	return ip_address_is_any(&binding->address) && !binding->v6_only;
}

static bool covers_v6(const struct port_binding *binding)
{
	return binding->is_v6 && !ip_address_is_v4(&binding->address);
}

static bool addresses_overlap(const struct port_binding *a, const struct port_binding *b)
{
	if (!(covers_v4(a) && covers_v4(b)) && !(covers_v6(a) && covers_v6(b)))
		return false;
	return ip_address_is_any(&a->address) || ip_address_is_any(&b->address) ||
	       ip_address_equal(&a->address, &b->address);
}

static bool overlap(const struct port_binding *a, const struct port_binding *b)
{
	if (a->device_index && b->device_index && a->device_index != b->device_index)
		return false;
	return addresses_overlap(a, b);
}

static bool may_share(const struct port_table *table, const struct port_binding *wanted,
	const struct port_binding *other)
{
	if (wanted->reuse_port && other->reuse_port)
		return true;
	if (!wanted->reuse_address)
		return false;
	if (other->is_connected)
		return true;
	return other->reuse_address && !(table->is_tcp && other->is_listening);
}

static struct list *bucket_of(struct port_table *table, uint16_t port)
{
	return &table->buckets[port % PORT_BUCKETS];
}

/* is_strict: the port must not be shared at all, as one that we choose. */
static bool is_free(
	struct port_table *table, const struct port_binding *wanted, uint16_t port, bool is_strict)
{
	LIST_FOR_EACH (link, bucket_of(table, port)) {
		struct port_binding *other = LIST_ENTRY(link, struct port_binding, link);

		if (other->port == port && other != wanted && overlap(wanted, other) &&
			(is_strict || !may_share(table, wanted, other)))
			return false;
	}
	return true;
}

static uint16_t choose(struct port_table *table, const struct port_binding *wanted, bool is_strict)
{
	uint32_t count = PORT_EPHEMERAL_LAST - PORT_EPHEMERAL_FIRST + 1;
	uint32_t start = (uint32_t)random_below(count);

	for (uint32_t i = 0; i < count; i++) {
		uint16_t port = (uint16_t)(PORT_EPHEMERAL_FIRST + (start + i) % count);

		if (is_free(table, wanted, port, is_strict))
			return port;
	}
	return 0;
}

/* ---- the table ------------------------------------------------------------------- */

void port_share(struct port_table *table, struct port_binding *binding, uint16_t port)
{
	binding->port = port;
	list_add_last(bucket_of(table, port), &binding->link);
}

int port_bind(struct port_table *table, struct port_binding *binding, uint16_t port)
{
	if (port == 0) {
		port = choose(table, binding, true);
		if (port == 0)
			port = choose(table, binding, false);
		if (port == 0)
			return -LINUX_EADDRINUSE;
	} else if (!is_free(table, binding, port, false)) {
		return -LINUX_EADDRINUSE;
	}
	port_share(table, binding, port);
	return 0;
}

bool port_is_for_connections(const struct port_table *table, uint16_t port)
{
	LIST_FOR_EACH (link, &table->buckets[port % PORT_BUCKETS]) {
		const struct port_binding *other = LIST_ENTRY(link, struct port_binding, link);

		if (other->port == port && !other->is_chosen)
			return false;
	}
	return true;
}

void port_release(struct port_table *table, struct port_binding *binding)
{
	(void)table;
	if (binding->port == 0)
		return;
	list_remove(&binding->link);
	binding->port = 0;
}

int port_check_listen(const struct port_table *table, const struct port_binding *binding)
{
	LIST_FOR_EACH (link, &table->buckets[binding->port % PORT_BUCKETS]) {
		const struct port_binding *other = LIST_ENTRY(link, struct port_binding, link);

		if (other != binding && other->port == binding->port && other->is_listening &&
			overlap(binding, other) && !(binding->reuse_port && other->reuse_port))
			return -LINUX_EADDRINUSE;
	}
	return 0;
}
