/*
 * Local ports of TCP and UDP: who has which, by the rules of Linux for SO_REUSEADDR,
 * SO_REUSEPORT and IPV6_V6ONLY (socket(7), ipv6(7)). Network lock held.
 */
#ifndef KERNEL_NET_PORT_H
#define KERNEL_NET_PORT_H

#include "lib/list.h"
#include "kernel/net/address.h"

#define PORT_EPHEMERAL_FIRST 32768u /* ip_local_port_range */
#define PORT_EPHEMERAL_LAST  60999u

struct port_binding {
	struct list link;
	struct ip_address address; /* any: all of the families below */
	uint16_t port;             /* host order; 0: not bound */
	uint32_t device_index;     /* SO_BINDTODEVICE; 0: any */
	bool is_v6;                /* of an AF_INET6 socket */
	bool v6_only;
	bool reuse_address, reuse_port;
	bool is_listening; /* TCP: SO_REUSEADDR does not share with listeners */
	bool is_connected; /* made by accept or connect: does not hinder a bind with reuse */
	bool is_chosen;    /* the port is one of our choice, made by connect() */
};

#define PORT_BUCKETS 256u

struct port_table {
	struct list buckets[PORT_BUCKETS];
	bool is_tcp;
};

extern struct port_table port_table_tcp, port_table_udp;

void port_tables_init(void);
/* Binds `binding` as its fields say; port 0 asks for a free ephemeral one, chosen at random.
 * -EADDRINUSE. */
int port_bind(struct port_table *table, struct port_binding *binding, uint16_t port);
/* Adds a binding that shares its port with another by right (an accepted connection). */
void port_share(struct port_table *table, struct port_binding *binding, uint16_t port);
/* Whether only connections made by connect() with a port of our choice hold it, if any: then
 * another of them may share it, as long as its remote end is another. */
bool port_is_for_connections(const struct port_table *table, uint16_t port);
void port_release(struct port_table *table, struct port_binding *binding);
/* Whether binding could become a listener beside the others of its port. -EADDRINUSE. */
int port_check_listen(const struct port_table *table, const struct port_binding *binding);

#endif
