/*
 * What has arrived for a datagram socket: the queue bounded by SO_RCVBUF, and the queue of
 * errors (IP_RECVERR). A datagram is copied to the program without the network lock: who
 * copies holds a reference, so that several may peek at one.
 */
#include "kernel/fs/poll.h"
#include "kernel/mm/heap.h"
#include "kernel/net/datagram.h"
#include "kernel/net/inet_name.h"
#include "kernel/net/net.h"
#include "kernel/net/socket_filter.h"
#include "kernel/sched/clock.h"
#include "abi/linux/errno.h"
#include "abi/linux/inet.h"
#include "abi/linux/packet.h"
#include "abi/linux/socket.h"

static uint32_t cost(const struct packet *packet)
{
	return packet->bytes + DATAGRAM_OVERHEAD;
}

static uint32_t queue_limit(const struct inet_datagram *own)
{
	uint32_t limit = READ_ONCE(own->socket->receive_buffer_bytes);

	return limit ? limit : DATAGRAM_QUEUE;
}

static void drop(struct inet_datagram *own, struct packet *packet)
{
	own->drops++;
	packet_release(packet);
}

bool datagram_filter(
	const struct inet_datagram *own, struct packet *packet, const struct ip_received *ip)
{
	struct socket_filter_context context = {.device = ip->device,
		.link_offset = SOCKET_FILTER_NONE,
		.network_offset = SOCKET_FILTER_NONE};
	uint32_t least = own->kind == DATAGRAM_UDP ? UDP_HEADER_BYTES : 0, kept;

	if (LIKELY(own->socket->filter == NULL))
		return true;
	context.protocol = ip_address_is_v4(&ip->destination) ? LINUX_ETH_P_IP : LINUX_ETH_P_IPV6;
	kept = socket_filter_run(own->socket->filter, packet, &context);
	if (kept == 0)
		return false;
	if (kept < packet->bytes)
		packet_trim_to(packet, MAX(kept, least));
	return true;
}

void datagram_deliver(struct inet_datagram *own, struct packet *packet,
	const struct ip_received *ip, const uint16_t ports[2])
{
	struct datagram *datagram;

	/* One always fits, however small the buffer. */
	if ((own->queued_bytes && own->queued_bytes + cost(packet) > queue_limit(own)) ||
		own->is_shut & 1) {
		drop(own, packet);
		return;
	}
	datagram = heap_alloc(sizeof(*datagram));
	if (!datagram) {
		drop(own, packet);
		return;
	}
	*datagram = (struct datagram){.references = 1,
		.packet = packet,
		.ip = *ip,
		.device_index = ip->device ? ip->device->index : 0,
		.source_port = ports[0],
		.destination_port = ports[1]};
	if (own->socket->timestamp || own->socket->timestamp_ns)
		datagram->realtime_ns = clock_realtime_ns();
	list_add_last(&own->queue, &datagram->link);
	own->queued_bytes += cost(packet);
	wait_wake_events(own->socket->events, POLL_IN | POLL_RDNORM, 1);
}

static void let_go(struct datagram *datagram)
{
	if (__atomic_sub_fetch(&datagram->references, 1, __ATOMIC_ACQ_REL) != 0)
		return;
	packet_release(datagram->packet);
	heap_free(datagram);
}

static void unqueue(struct inet_datagram *own, struct datagram *datagram)
{
	list_remove(&datagram->link);
	own->queued_bytes -= cost(datagram->packet);
}

void datagram_discard(struct inet_datagram *own)
{
	struct list *link;

	while ((link = list_first(&own->queue)) != NULL) {
		struct datagram *datagram = LIST_ENTRY(link, struct datagram, link);

		unqueue(own, datagram);
		let_go(datagram);
	}
	while ((link = list_first(&own->errors)) != NULL) {
		list_remove(link);
		heap_free(LIST_ENTRY(link, struct datagram_error, link));
	}
	own->error_count = 0;
}

uint32_t datagram_next_bytes(struct inet_datagram *own)
{
	struct list *link = list_first(&own->queue);

	return link ? LIST_ENTRY(link, struct datagram, link)->packet->bytes : 0;
}

/* ---- errors ------------------------------------------------------------------------- */

static void keep_error(struct inet_datagram *own, const struct ip_error *error)
{
	struct datagram_error *kept;

	if (own->error_count >= DATAGRAM_ERRORS_MAX)
		return;
	kept = heap_alloc(sizeof(*kept));
	if (!kept)
		return;
	kept->error = *error;
	list_add_last(&own->errors, &kept->link);
	own->error_count++;
}

void datagram_report(struct inet_datagram *own, const struct ip_error *error)
{
	const struct datagram_level *level =
		&own->level[ip_address_is_v4(&error->destination) ? 0 : 1];
	bool is_wanted;

	if (error->error == -LINUX_EMSGSIZE)
		datagram_note_path_mtu(own, &error->destination, error->mtu);
	is_wanted = level->receive_errors ||
		    (own->socket->family == LINUX_AF_INET6 && own->level[1].receive_errors);

	if (is_wanted)
		keep_error(own, error);
	else if (!error->is_fatal || !own->is_connected)
		return;
	own->socket->error = -error->error;
	wait_wake_events(own->socket->events, POLL_ERR | POLL_IN | POLL_OUT, 1);
}

/* ---- path MTUs (RFC 3542, 11.3) --------------------------------------------------------- */

void datagram_note_path_mtu(
	struct inet_datagram *own, const struct ip_address *destination, uint32_t mtu)
{
	if (!own->level[1].receive_path_mtu || ip_address_is_v4(destination))
		return;
	own->path_mtu = mtu;
	own->path_mtu_of = *destination;
	wait_wake_events(own->socket->events, POLL_IN | POLL_RDNORM, 1);
}

/* A message without data. */
static long receive_path_mtu(struct inet_datagram *own, struct socket_message *message)
{
	struct linux_ip6_mtuinfo info = {.mtu = 0};
	struct ip_endpoint peer = {.port = 0};
	struct socket_name name;

	net_lock();
	info.mtu = own->path_mtu;
	peer.address = own->path_mtu_of;
	own->path_mtu = 0;
	net_unlock();
	if (info.mtu == 0)
		return -LINUX_EAGAIN;
	inet_name_write(&name, LINUX_AF_INET6, &peer);
	memcpy(info.name, name.data, sizeof(info.name));
	if (message->name)
		*message->name = name;
	socket_add_control(message, LINUX_SOL_IPV6, LINUX_IPV6_PATHMTU, &info, sizeof(info));
	return 0;
}

/* ---- errors out -------------------------------------------------------------------------- */

static long receive_error(struct inet_datagram *own, struct socket_message *message)
{
	struct datagram_error *kept;
	struct list *link;

	net_lock();
	link = list_first(&own->errors);
	if (link) {
		list_remove(link);
		own->error_count--;
		own->socket->error = 0;
	}
	net_unlock();
	if (!link)
		return -LINUX_EAGAIN;
	kept = LIST_ENTRY(link, struct datagram_error, link);
	if (message->name) {
		struct ip_endpoint peer = {.address = kept->error.destination};

		if (own->kind == DATAGRAM_UDP)
			peer.port = (uint16_t)(kept->error.transport[2] << 8 |
					       kept->error.transport[3]);
		inet_name_write(message->name, own->socket->family, &peer);
	}
	datagram_write_error(own, &kept->error, message);
	message->result_flags |= LINUX_MSG_ERRQUEUE;
	heap_free(kept);
	return 0;
}

/* ---- receiving ------------------------------------------------------------------------ */

static long take_first(struct inet_datagram *own, uint32_t flags, struct datagram **taken)
{
	struct list *link;
	long result = 0;

	*taken = NULL;
	net_lock();
	link = list_first(&own->queue);
	if (own->socket->error) {
		result = -own->socket->error;
		own->socket->error = 0;
	} else if (link) {
		*taken = LIST_ENTRY(link, struct datagram, link);
		if (flags & LINUX_MSG_PEEK)
			__atomic_add_fetch(&(*taken)->references, 1, __ATOMIC_RELAXED);
		else
			unqueue(own, *taken);
	} else if (!(own->is_shut & 1)) {
		result = -LINUX_EAGAIN;
	}
	net_unlock();
	return result;
}

static void name_sender(const struct inet_datagram *own, const struct datagram *datagram,
	struct socket_message *message)
{
	struct ip_endpoint sender = {
		.address = datagram->ip.source,
		.port = datagram->source_port,
		.scope = datagram->device_index,
	};

	if (message->name)
		inet_name_write(message->name, own->socket->family, &sender);
}

long datagram_receive(struct socket *socket, struct socket_message *message)
{
	struct inet_datagram *own = socket->data;
	struct datagram *datagram;
	uint32_t bytes, whole;
	long result;

	if (message->flags & LINUX_MSG_OOB)
		return -LINUX_EOPNOTSUPP;
	if (message->flags & LINUX_MSG_ERRQUEUE)
		return receive_error(own, message);
	if (UNLIKELY(READ_ONCE(own->path_mtu) != 0) && receive_path_mtu(own, message) == 0)
		return 0;
	result = take_first(own, message->flags, &datagram);
	if (!datagram)
		return result;
	whole = datagram->packet->bytes;
	bytes = (uint32_t)MIN((uint64_t)whole, message->uio->bytes_left);
	if (packet_copy_uio(datagram->packet, 0, message->uio, bytes) < bytes) {
		let_go(datagram);
		return -LINUX_EFAULT;
	}
	if (bytes < whole)
		message->result_flags |= LINUX_MSG_TRUNC;
	name_sender(own, datagram, message);
	datagram_write_control(own, datagram, message);
	let_go(datagram);
	return message->flags & LINUX_MSG_TRUNC ? whole : bytes;
}
