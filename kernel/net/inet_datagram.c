/*
 * Datagram sockets: names, connections, life and death. See inet_datagram.h, datagram.h.
 */
#include "kernel/net/inet_datagram.h"
#include "kernel/credentials.h"
#include "kernel/fs/poll.h"
#include "kernel/mm/heap.h"
#include "kernel/mm/uaccess.h"
#include "kernel/net/datagram.h"
#include "kernel/net/inet_name.h"
#include "kernel/net/interface_ioctl.h"
#include "kernel/net/net.h"
#include "abi/linux/errno.h"
#include "abi/linux/socket.h"

#define PORT_PROTOCOL_RAW 255

struct list datagram_sockets = LIST_INIT(datagram_sockets);

static struct ip_address any_address(uint16_t family)
{
	static const uint8_t zero[4];

	return family == LINUX_AF_INET ? ip_address_v4(zero) : (struct ip_address){.bytes = {0}};
}

/* ---- local names ----------------------------------------------------------------- */

static int take_port(struct inet_datagram *own, uint16_t port)
{
	struct port_table *table = datagram_port_table(own);
	const struct socket *socket = own->socket;

	if (!table)
		return 0;
	own->binding.is_v6 = socket->family == LINUX_AF_INET6;
	own->binding.device_index = socket->device_index;
	own->binding.reuse_address = socket->reuse_address;
	own->binding.reuse_port = socket->reuse_port;
	return port_bind(table, &own->binding, port);
}

static void give_port_back(struct inet_datagram *own)
{
	struct port_table *table = datagram_port_table(own);

	if (table)
		port_release(table, &own->binding);
}

int datagram_bind_any(struct inet_datagram *own)
{
	return own->binding.port || own->kind == DATAGRAM_RAW ? 0 : take_port(own, 0);
}

static bool may_bind(const struct inet_datagram *own, const struct ip_endpoint *name)
{
	return own->free_bind || ip_address_is_any(&name->address) ||
	       ip_address_is_multicast(&name->address) ||
	       ip_address_is_local(&name->address, name->scope) ||
	       ip_address_is_broadcast(&name->address);
}

static int bind_locked(struct inet_datagram *own, const struct ip_endpoint *name)
{
	struct ip_address before = own->binding.address;
	int error;

	if (own->binding.port)
		return -LINUX_EINVAL;
	if (own->binding.v6_only && ip_address_is_v4(&name->address) &&
		own->socket->family == LINUX_AF_INET6)
		return -LINUX_EINVAL;
	if (!may_bind(own, name))
		return -LINUX_EADDRNOTAVAIL;
	own->binding.address = name->address;
	error = take_port(own, name->port);
	if (error) {
		own->binding.address = before;
		return error;
	}
	own->local_scope = name->scope;
	own->is_bound_by_program = name->port != 0;
	own->address_is_bound = !ip_address_is_any(&name->address);
	return 0;
}

static int datagram_bind(struct socket *socket, const struct socket_name *name)
{
	struct inet_datagram *own = socket->data;
	struct ip_endpoint endpoint;
	int error = inet_name_read(name, socket->family, false, &endpoint);

	if (error)
		return error;
	if (ip_address_is_link_local(&endpoint.address) && endpoint.scope == 0)
		endpoint.scope = socket->device_index;
	if (ip_address_is_link_local(&endpoint.address) && endpoint.scope == 0 &&
		!ip_address_is_multicast(&endpoint.address))
		return -LINUX_EINVAL;
	net_lock();
	error = bind_locked(own, &endpoint);
	net_unlock();
	return error;
}

static int datagram_local_name(struct socket *socket, struct socket_name *name)
{
	struct inet_datagram *own = socket->data;
	struct ip_endpoint local;

	net_lock();
	local = (struct ip_endpoint){own->binding.address, own->binding.port, own->local_scope};
	if (own->is_connected && !own->address_is_bound)
		local.address = own->chosen;
	if (ip_address_is_link_local(&local.address) && local.scope == 0)
		local.scope = own->peer.scope;
	net_unlock();
	if (own->kind == DATAGRAM_RAW)
		local.port = (uint16_t)socket->protocol;
	inet_name_write(name, socket->family, &local);
	return 0;
}

static int datagram_peer_name(struct socket *socket, struct socket_name *name)
{
	struct inet_datagram *own = socket->data;
	struct ip_endpoint peer;
	bool is_connected;

	net_lock();
	peer = own->peer;
	is_connected = own->is_connected;
	net_unlock();
	if (!is_connected)
		return -LINUX_ENOTCONN;
	inet_name_write(name, socket->family, &peer);
	return 0;
}

/* ---- connections ------------------------------------------------------------------ */

static void disconnect_locked(struct inet_datagram *own)
{
	own->is_connected = false;
	if (!own->address_is_bound)
		own->binding.address = any_address(own->socket->family);
	if (!own->is_bound_by_program)
		give_port_back(own);
}

static int connect_locked(struct inet_datagram *own, struct ip_endpoint *peer)
{
	struct ip_flow flow = {.destination = peer->address,
		.device_index = peer->scope ? peer->scope : own->socket->device_index};
	struct ip_route route;
	int error;

	if (own->socket->family == LINUX_AF_INET6 && own->binding.v6_only &&
		ip_address_is_v4(&peer->address))
		return -LINUX_ENETUNREACH;
	datagram_fill_flow(own, &peer->address, &flow);
	error = ip_route(&peer->address, own->address_is_bound ? &own->binding.address : NULL,
		flow.device_index, &route);
	if (error)
		return error;
	if (route.is_broadcast && !own->socket->broadcast)
		return -LINUX_EACCES;
	error = datagram_bind_any(own);
	if (error)
		return error;
	own->chosen = own->address_is_bound ? own->binding.address : route.source;
	own->peer = *peer;
	own->is_connected = true;
	return 0;
}

/* 0.0.0.0 and :: as a destination are this machine. */
static void name_this_machine(struct ip_endpoint *endpoint)
{
	static const uint8_t loopback[4] = {127, 0, 0, 1};

	if (!ip_address_is_any(&endpoint->address))
		return;
	if (ip_address_is_v4(&endpoint->address))
		endpoint->address = ip_address_v4(loopback);
	else
		endpoint->address = (struct ip_address){.bytes = {[15] = 1}};
}

static int datagram_connect(struct socket *socket, const struct socket_name *name)
{
	struct inet_datagram *own = socket->data;
	struct ip_endpoint peer = {.port = 0};
	int family = inet_name_family(name), error = 0;

	if (family < 0)
		return family;
	if (family != LINUX_AF_UNSPEC)
		error = inet_name_read(name, socket->family, true, &peer);
	if (error)
		return error;
	name_this_machine(&peer);
	net_lock();
	if (family == LINUX_AF_UNSPEC)
		disconnect_locked(own);
	else
		error = connect_locked(own, &peer);
	net_unlock();
	return error;
}

/* ---- matching ----------------------------------------------------------------------- */

static bool takes_family(const struct inet_datagram *own, const struct ip_address *address)
{
	bool is_v4 = ip_address_is_v4(address);

	if (own->socket->family == LINUX_AF_INET)
		return is_v4;
	if (!is_v4)
		return !ip_address_is_v4(&own->binding.address);
	/* Raw and ping sockets are of one protocol, and so of one family. */
	return own->kind == DATAGRAM_UDP && !own->binding.v6_only;
}

uint32_t datagram_match(const struct inet_datagram *own, const struct ip_address *source,
	const struct ip_address *destination, uint32_t device_index)
{
	uint32_t score = 1;

	if (!takes_family(own, destination))
		return 0;
	if (own->socket->family == LINUX_AF_INET || !ip_address_is_v4(destination))
		score++;
	if (!ip_address_is_any(&own->binding.address)) {
		if (!ip_address_equal(&own->binding.address, destination))
			return 0;
		score += 4;
	} else if (own->is_connected && !ip_address_is_multicast(destination) &&
		   !ip_address_equal(&own->chosen, destination)) {
		return 0;
	}
	if (own->is_connected) {
		if (!ip_address_equal(&own->peer.address, source))
			return 0;
		score += 16;
	}
	if (own->socket->device_index) {
		if (own->socket->device_index != device_index)
			return 0;
		score += 8;
	}
	return score;
}

/* ---- state ---------------------------------------------------------------------------- */

static uint32_t datagram_poll(struct socket *socket)
{
	struct inet_datagram *own = socket->data;
	uint32_t events = POLL_OUT | POLL_WRNORM | POLL_WRBAND;

	net_lock();
	if (!list_is_empty(&own->queue) || own->is_shut & 1 || own->path_mtu)
		events |= POLL_IN | POLL_RDNORM;
	if (socket->error || !list_is_empty(&own->errors))
		events |= POLL_ERR;
	if (own->is_shut & 1)
		events |= POLL_RDHUP;
	if (own->is_shut == 3)
		events |= POLL_HUP;
	net_unlock();
	return events;
}

/* As Linux: what is not connected is shut down too, and told that it is not. */
static int datagram_shutdown(struct socket *socket, uint32_t how)
{
	struct inet_datagram *own = socket->data;
	bool is_connected;

	net_lock();
	own->is_shut |= how;
	is_connected = own->is_connected;
	wait_wake_all(socket->events);
	net_unlock();
	return is_connected ? 0 : -LINUX_ENOTCONN;
}

static long datagram_ioctl(struct socket *socket, uint32_t request, uintptr_t argument)
{
	struct inet_datagram *own = socket->data;
	int number = 0;

	switch (request) {
	case LINUX_SIOCINQ:
		net_lock();
		number = (int)datagram_next_bytes(own);
		net_unlock();
		break;
	case LINUX_SIOCOUTQ:
		break;
	default:
		return interface_ioctl(request, argument);
	}
	return user_copy_out(argument, &number, sizeof(number));
}

static void datagram_release(struct socket *socket)
{
	struct inet_datagram *own = socket->data;

	net_lock();
	list_remove(&own->link);
	give_port_back(own);
	datagram_leave_all(own);
	datagram_discard(own);
	net_unlock();
	heap_free(own);
}

bool inet_datagram_row(uint32_t n, struct inet_datagram_row *row)
{
	LIST_FOR_EACH (link, &datagram_sockets) {
		const struct inet_datagram *own = LIST_ENTRY(link, struct inet_datagram, link);

		if (n-- > 0)
			continue;
		*row = (struct inet_datagram_row){.peer = own->peer,
			.local = {own->binding.address, own->binding.port, own->local_scope},
			.number = own->socket->number,
			.queued_bytes = own->queued_bytes,
			.drops = own->drops,
			.family = own->socket->family,
			.is_connected = own->is_connected,
			.is_raw = own->kind != DATAGRAM_UDP};
		if (own->is_connected && !own->address_is_bound)
			row->local.address = own->chosen;
		if (own->kind == DATAGRAM_RAW)
			row->local.port = (uint16_t)own->socket->protocol;
		return true;
	}
	return false;
}

/* ---- making them ------------------------------------------------------------------------ */

static const struct socket_ops datagram_ops = {
	.name = "UDP",
	.is_filtered = true,
	.bind = datagram_bind,
	.connect = datagram_connect,
	.local_name = datagram_local_name,
	.peer_name = datagram_peer_name,
	.send = datagram_send,
	.receive = datagram_receive,
	.shutdown = datagram_shutdown,
	.poll = datagram_poll,
	.set_option = datagram_set_option,
	.get_option = datagram_get_option,
	.ioctl = datagram_ioctl,
	.release = datagram_release,
};

static int choose_kind(uint16_t family, int type, int *protocol, enum datagram_kind *kind)
{
	int icmp = family == LINUX_AF_INET ? LINUX_IPPROTO_ICMP : LINUX_IPPROTO_ICMPV6;

	if (type == LINUX_SOCK_RAW) {
		*kind = DATAGRAM_RAW;
		if (*protocol == 0)
			return -LINUX_EPROTONOSUPPORT;
		return credentials_has(CAPABILITY_NET_RAW) ? 0 : -LINUX_EPERM;
	}
	if (*protocol == 0)
		*protocol = LINUX_IPPROTO_UDP;
	*kind = *protocol == icmp ? DATAGRAM_PING : DATAGRAM_UDP;
	return *protocol == icmp || *protocol == LINUX_IPPROTO_UDP ? 0 : -LINUX_EPROTONOSUPPORT;
}

static void set_defaults(struct inet_datagram *own, int protocol)
{
	own->binding.address = any_address(own->socket->family);
	list_init(&own->binding.link);
	list_init(&own->queue);
	list_init(&own->errors);
	list_init(&own->groups);
	for (size_t i = 0; i < ARRAY_SIZE(own->level); i++)
		own->level[i] = (struct datagram_level){.hop_limit = -1,
			.multicast_hops = 1,
			.discovery = DISCOVERY_WANT,
			.multicast_loop = true,
			.multicast_all = true};
	own->header_included = protocol == PORT_PROTOCOL_RAW && own->kind == DATAGRAM_RAW;
	own->checksum_offset = -1;
}

int inet_datagram_create(uint16_t family, int type, int protocol, struct socket **socket)
{
	struct inet_datagram *own;
	enum datagram_kind kind;
	int error = choose_kind(family, type, &protocol, &kind);

	if (error)
		return error;
	own = heap_zalloc(sizeof(*own));
	if (!own)
		return -LINUX_ENOMEM;
	*socket = socket_allocate(&datagram_ops, family, type, protocol, own);
	if (!*socket) {
		heap_free(own);
		return -LINUX_ENOMEM;
	}
	own->socket = *socket;
	own->kind = kind;
	set_defaults(own, protocol);
	net_lock();
	list_add_last(&datagram_sockets, &own->link);
	net_unlock();
	return 0;
}
