/*
 * Packet sockets: packet(7). A tap on all devices (device.h) is set while there are any.
 *
 * What a socket gets is a copy, made after its filter was run on the lent packet. Loopback
 * has no link headers; sockets see one of zeroes, as on Linux. Guarded by the network lock.
 */
#include "kernel/net/packet_socket.h"
#include "kernel/credentials.h"
#include "kernel/fs/poll.h"
#include "kernel/mm/heap.h"
#include "kernel/mm/uaccess.h"
#include "kernel/net/device.h"
#include "kernel/net/interface_ioctl.h"
#include "kernel/net/net.h"
#include "kernel/net/packet.h"
#include "kernel/net/socket.h"
#include "kernel/net/socket_filter.h"
#include "kernel/sched/clock.h"
#include "abi/linux/errno.h"
#include "abi/linux/inet.h"
#include "abi/linux/packet.h"
#include "abi/linux/socket.h"
#include "lib/endian.h"
#include "lib/string.h"

#define LINK_BYTES     14u
#define QUEUE_BYTES    212992u /* net.core.rmem_default */
#define OVERHEAD_BYTES 256u    /* what a queued one counts beside its bytes */
#define CAPTURE_MAX    65000u  /* of a frame: what a block of memory holds */
#define NS_PER_S       1000000000ull

struct capture {
	struct list link;
	struct packet *packet;
	uint32_t whole_bytes, device_index;
	uint16_t protocol, hardware_type, network_offset;
	uint8_t packet_type;
	bool checksum_is_partial, checksum_is_good;
	uint8_t source[6];
	uint64_t realtime_ns;
};

struct packet_socket {
	struct list link; /* all of them */
	struct socket *socket;
	struct list queue;
	uint32_t queued_bytes;
	uint16_t protocol; /* host order; 0: nothing is taken */
	bool wants_auxdata, ignores_outgoing;
	uint32_t packets, drops; /* since PACKET_STATISTICS was read */
};

static struct list sockets = LIST_INIT(sockets);
static const struct packet_socket *sender; /* does not get what it sends */

/* ---- what passes -------------------------------------------------------------------------- */

/* A packet on its way through a device, as sockets see it. */
struct passing {
	struct net_device *device;
	const struct packet *packet;
	struct socket_filter_context context; /* but for `start` */
	uint8_t header[LINK_BYTES];           /* link header; loopback: made up */
	bool outgoing;
};

static uint8_t type_of(const struct passing *passing)
{
	static const uint8_t everybody[6] = {0xff, 0xff, 0xff, 0xff, 0xff, 0xff};

	if (passing->outgoing)
		return LINUX_PACKET_OUTGOING;
	if (passing->device->flags & NET_DEVICE_LOOPBACK)
		return LINUX_PACKET_HOST;
	if (memcmp(passing->header, everybody, 6) == 0)
		return LINUX_PACKET_BROADCAST;
	if (passing->header[0] & 1)
		return LINUX_PACKET_MULTICAST;
	return memcmp(passing->header, passing->device->mac, 6) == 0 ? LINUX_PACKET_HOST
								     : LINUX_PACKET_OTHERHOST;
}

/* False: too short to be a frame. */
static bool look_at(struct passing *passing)
{
	struct socket_filter_context *context = &passing->context;
	const struct packet *packet = passing->packet;
	bool is_loopback = passing->device->flags & NET_DEVICE_LOOPBACK;
	uint8_t version = 0;

	if (packet->bytes < (is_loopback ? 1 : LINK_BYTES))
		return false;
	*context = (struct socket_filter_context){.device = passing->device};
	if (is_loopback) {
		memset(passing->header, 0, LINK_BYTES);
		packet_copy(packet, 0, &version, 1);
		store_be16(passing->header + 12,
			version >> 4 == 4 ? LINUX_ETH_P_IP : LINUX_ETH_P_IPV6);
		context->link = passing->header;
		context->link_offset = -(int32_t)LINK_BYTES;
	} else {
		packet_copy(packet, 0, passing->header, LINK_BYTES);
		context->network_offset = LINK_BYTES;
	}
	context->protocol = load_be16(passing->header + 12);
	if (context->protocol < LINUX_ETH_P_802_3_MIN)
		context->protocol = LINUX_ETH_P_802_2;
	context->packet_type = type_of(passing);
	return true;
}

static bool wants(const struct packet_socket *own, const struct passing *passing)
{
	uint32_t index = own->socket->device_index;

	if (own == sender || (index != 0 && index != passing->device->index))
		return false;
	if (own->protocol == LINUX_ETH_P_ALL)
		return !(passing->outgoing && own->ignores_outgoing);
	return own->protocol == passing->context.protocol && !passing->outgoing;
}

/* [start, +bytes) of what passes, in a packet of its own. NULL: no memory. */
static struct packet *copy_of(const struct passing *passing, int32_t start, uint32_t bytes)
{
	struct packet *copy = packet_create_linear(bytes);
	uint32_t made_up = start < 0 ? MIN((uint32_t)-start, bytes) : 0;
	uint8_t *to;

	if (copy == NULL)
		return NULL;
	to = copy->fragments[0].data;
	memcpy(to, passing->header, made_up);
	packet_copy(
		passing->packet, start < 0 ? 0 : (uint32_t)start, to + made_up, bytes - made_up);
	return copy;
}

static uint32_t queue_limit(const struct packet_socket *own)
{
	uint32_t limit = READ_ONCE(own->socket->receive_buffer_bytes);

	return limit ? limit : QUEUE_BYTES;
}

static bool queue_copy(
	struct packet_socket *own, const struct passing *passing, int32_t start, uint32_t bytes)
{
	const struct packet *packet = passing->packet;
	struct capture *capture;

	if (own->queued_bytes != 0 && own->queued_bytes + bytes + OVERHEAD_BYTES > queue_limit(own))
		return false;
	capture = heap_zalloc(sizeof(*capture));
	if (capture == NULL)
		return false;
	capture->packet = copy_of(passing, start, bytes);
	if (capture->packet == NULL) {
		heap_free(capture);
		return false;
	}
	capture->whole_bytes = (uint32_t)((int64_t)packet->bytes - start);
	capture->device_index = passing->device->index;
	capture->protocol = passing->context.protocol;
	capture->packet_type = passing->context.packet_type;
	capture->hardware_type = passing->device->flags & NET_DEVICE_LOOPBACK
					 ? LINUX_ARPHRD_LOOPBACK
					 : LINUX_ARPHRD_ETHER;
	capture->network_offset = (uint16_t)(passing->context.network_offset - start);
	capture->checksum_is_partial = packet->flags & PACKET_CHECKSUM_PARTIAL;
	capture->checksum_is_good = packet->flags & PACKET_CHECKSUM_GOOD;
	memcpy(capture->source, passing->header + 6, 6);
	if (own->socket->timestamp || own->socket->timestamp_ns)
		capture->realtime_ns = clock_realtime_ns();
	list_add_last(&own->queue, &capture->link);
	own->queued_bytes += bytes + OVERHEAD_BYTES;
	return true;
}

static void offer(struct packet_socket *own, struct passing *passing)
{
	struct socket_filter_context *context = &passing->context;
	bool is_raw = own->socket->type == LINUX_SOCK_RAW;
	uint32_t bytes, kept;

	context->start = is_raw ? context->link_offset : context->network_offset;
	bytes = (uint32_t)((int64_t)passing->packet->bytes - context->start);
	if (own->socket->filter != NULL) {
		kept = socket_filter_run(own->socket->filter, passing->packet, context);
		if (kept == 0)
			return;
		bytes = MIN(bytes, kept);
	}
	if (!queue_copy(own, passing, context->start, MIN(bytes, CAPTURE_MAX))) {
		own->drops++;
		return;
	}
	own->packets++;
	wait_wake_events(own->socket->events, POLL_IN | POLL_RDNORM, 1);
}

static void tap(struct net_device *device, const struct packet *packet, bool outgoing)
{
	struct passing passing = {.device = device, .packet = packet, .outgoing = outgoing};

	if (!look_at(&passing))
		return;
	LIST_FOR_EACH (link, &sockets) {
		struct packet_socket *own = LIST_ENTRY(link, struct packet_socket, link);

		if (wants(own, &passing))
			offer(own, &passing);
	}
}

/* ---- names ---------------------------------------------------------------------------------- */

static int read_name(const struct socket_name *name, struct linux_sockaddr_ll *ll)
{
	if (name->bytes < sizeof(*ll))
		return -LINUX_EINVAL;
	memcpy(ll, name->data, sizeof(*ll));
	return ll->family == LINUX_AF_PACKET ? 0 : -LINUX_EINVAL;
}

static int packet_bind(struct socket *socket, const struct socket_name *name)
{
	struct packet_socket *own = socket->data;
	struct linux_sockaddr_ll ll;
	int error = read_name(name, &ll);

	if (error != 0)
		return error;
	net_lock();
	if (ll.index < 0 || (ll.index != 0 && net_device_by_index((uint32_t)ll.index) == NULL)) {
		error = -LINUX_ENODEV;
	} else {
		socket->device_index = (uint32_t)ll.index;
		if (load_be16(ll.protocol) != 0)
			own->protocol = load_be16(ll.protocol);
	}
	net_unlock();
	return error;
}

static void write_name(struct socket_name *name, const struct linux_sockaddr_ll *ll)
{
	name->bytes = sizeof(*ll);
	memcpy(name->data, ll, sizeof(*ll));
}

static int packet_local_name(struct socket *socket, struct socket_name *name)
{
	struct packet_socket *own = socket->data;
	struct linux_sockaddr_ll ll = {
		.family = LINUX_AF_PACKET, .index = (int32_t)socket->device_index};
	const struct net_device *device;

	store_be16(ll.protocol, own->protocol);
	net_lock();
	device = net_device_by_index(socket->device_index);
	if (device != NULL) {
		ll.hardware_type = device->flags & NET_DEVICE_LOOPBACK ? LINUX_ARPHRD_LOOPBACK
								       : LINUX_ARPHRD_ETHER;
		ll.address_bytes = sizeof(device->mac);
		memcpy(ll.address, device->mac, sizeof(device->mac));
	}
	net_unlock();
	write_name(name, &ll);
	return 0;
}

static int packet_peer_name(struct socket *socket, struct socket_name *name)
{
	(void)socket, (void)name;
	return -LINUX_EOPNOTSUPP;
}

/* ---- sending -------------------------------------------------------------------------------- */

/* Where to, by the message's name or the socket's binding. */
static int find_target(const struct packet_socket *own, const struct socket_message *message,
	struct linux_sockaddr_ll *ll)
{
	int error = 0;

	if (message->name != NULL && message->name->bytes != 0) {
		error = read_name(message->name, ll);
	} else {
		*ll = (struct linux_sockaddr_ll){.index = (int32_t)own->socket->device_index};
		store_be16(ll->protocol, own->protocol);
		if (own->socket->type == LINUX_SOCK_DGRAM)
			ll->address_bytes = 6; /* zeroes, as Linux has it */
	}
	if (error == 0 && ll->address_bytes > sizeof(ll->address))
		error = -LINUX_EINVAL;
	return error;
}

static int send_locked(
	struct packet_socket *own, struct packet *packet, const struct linux_sockaddr_ll *ll)
{
	struct net_device *device = net_device_by_index((uint32_t)ll->index);
	uint8_t *header = NULL;
	int error = device == NULL ? -LINUX_ENXIO : 0;

	if (error == 0 && own->socket->type == LINUX_SOCK_DGRAM) {
		header = packet_push(packet, LINK_BYTES);
		error = header == NULL ? -LINUX_ENOBUFS : ll->address_bytes < 6 ? -LINUX_EINVAL : 0;
	}
	if (error == 0 && packet->bytes < LINK_BYTES)
		error = -LINUX_EINVAL;
	if (error == 0 && packet->bytes > device->mtu + LINK_BYTES)
		error = -LINUX_EMSGSIZE;
	if (error != 0) {
		packet_release(packet);
		return error;
	}
	if (header != NULL) {
		memcpy(header, ll->address, 6);
		memcpy(header + 6, device->mac, 6);
		memcpy(header + 12, ll->protocol, 2);
	}
	if (device->flags & NET_DEVICE_LOOPBACK)
		packet_trim_front(packet, LINK_BYTES);
	sender = own;
	error = net_device_transmit(device, packet);
	sender = NULL;
	return error;
}

static long packet_send(struct socket *socket, struct socket_message *message)
{
	struct packet_socket *own = socket->data;
	uint32_t bytes = (uint32_t)MIN(message->uio->bytes_left, (uint64_t)UINT32_MAX);
	struct linux_sockaddr_ll ll;
	struct packet *packet;
	long error = find_target(own, message, &ll);

	if (error != 0)
		return error;
	if (bytes > CAPTURE_MAX)
		return -LINUX_EMSGSIZE;
	packet = packet_create_linear(bytes);
	if (packet == NULL)
		return -LINUX_ENOBUFS;
	error = uio_copy_from(message->uio, packet->fragments[0].data, bytes);
	if (error < 0) {
		packet_release(packet);
		return error;
	}
	net_lock();
	error = send_locked(own, packet, &ll);
	net_unlock();
	return error != 0 ? error : bytes;
}

/* ---- receiving ------------------------------------------------------------------------------ */

static void free_capture(struct capture *capture)
{
	packet_release(capture->packet);
	heap_free(capture);
}

/* The first, taken off the queue, or a copy of it. */
static long take_first(struct packet_socket *own, bool peek, struct capture **taken)
{
	struct list *link;
	long error = 0;

	*taken = NULL;
	net_lock();
	link = list_first(&own->queue);
	if (link == NULL) {
		error = -LINUX_EAGAIN;
	} else if (!peek) {
		*taken = LIST_ENTRY(link, struct capture, link);
		list_remove(link);
		own->queued_bytes -= (*taken)->packet->bytes + OVERHEAD_BYTES;
	} else {
		struct capture *copy = heap_alloc(sizeof(*copy));

		if (copy != NULL) {
			*copy = *LIST_ENTRY(link, struct capture, link);
			copy->packet = packet_clone(copy->packet);
		}
		if (copy == NULL || copy->packet == NULL) {
			heap_free(copy);
			error = -LINUX_ENOBUFS;
		} else {
			*taken = copy;
		}
	}
	net_unlock();
	return error;
}

static void name_sender(const struct capture *capture, struct socket_name *name)
{
	struct linux_sockaddr_ll ll = {.family = LINUX_AF_PACKET,
		.index = (int32_t)capture->device_index,
		.hardware_type = capture->hardware_type,
		.packet_type = capture->packet_type,
		.address_bytes = 6};

	store_be16(ll.protocol, capture->protocol);
	memcpy(ll.address, capture->source, 6);
	write_name(name, &ll);
}

static void add_control(const struct packet_socket *own, const struct capture *capture,
	struct socket_message *message)
{
	struct linux_tpacket_auxdata data = {.status = LINUX_TP_STATUS_USER,
		.bytes = capture->whole_bytes,
		.captured_bytes = capture->packet->bytes,
		.network_offset = capture->network_offset};

	if (own->socket->timestamp || own->socket->timestamp_ns) {
		bool is_ns = own->socket->timestamp_ns;
		uint64_t rest = capture->realtime_ns % NS_PER_S;
		uint64_t pair[2] = {capture->realtime_ns / NS_PER_S, is_ns ? rest : rest / 1000};

		socket_add_control(message, LINUX_SOL_SOCKET,
			is_ns ? LINUX_SCM_TIMESTAMPNS : LINUX_SCM_TIMESTAMP, pair, sizeof(pair));
	}
	if (!own->wants_auxdata)
		return;
	if (capture->checksum_is_partial)
		data.status |= LINUX_TP_STATUS_CSUMNOTREADY;
	else if (capture->checksum_is_good)
		data.status |= LINUX_TP_STATUS_CSUM_VALID;
	socket_add_control(message, LINUX_SOL_PACKET, LINUX_PACKET_AUXDATA, &data, sizeof(data));
}

static long packet_receive(struct socket *socket, struct socket_message *message)
{
	struct packet_socket *own = socket->data;
	struct capture *capture;
	uint32_t bytes;
	long result;

	if (message->flags & (LINUX_MSG_OOB | LINUX_MSG_ERRQUEUE))
		return message->flags & LINUX_MSG_OOB ? -LINUX_EINVAL : -LINUX_EAGAIN;
	result = take_first(own, message->flags & LINUX_MSG_PEEK, &capture);
	if (capture == NULL)
		return result;
	bytes = (uint32_t)MIN((uint64_t)capture->packet->bytes, message->uio->bytes_left);
	if (packet_copy_uio(capture->packet, 0, message->uio, bytes) < bytes) {
		free_capture(capture);
		return -LINUX_EFAULT;
	}
	if (bytes < capture->packet->bytes)
		message->result_flags |= LINUX_MSG_TRUNC;
	if (message->name != NULL)
		name_sender(capture, message->name);
	add_control(own, capture, message);
	result = message->flags & LINUX_MSG_TRUNC ? capture->packet->bytes : bytes;
	free_capture(capture);
	return result;
}

static uint32_t packet_poll(struct socket *socket)
{
	struct packet_socket *own = socket->data;
	uint32_t events = POLL_OUT | POLL_WRNORM | POLL_WRBAND;

	net_lock();
	if (!list_is_empty(&own->queue))
		events |= POLL_IN | POLL_RDNORM;
	net_unlock();
	return events;
}

/* ---- options -------------------------------------------------------------------------------- */

/* Devices hand over all frames there are: a membership changes nothing. */
static int change_membership(const void *value, uint32_t bytes)
{
	struct linux_packet_mreq mreq;
	int error = 0;

	if (bytes < sizeof(mreq))
		return -LINUX_EINVAL;
	memcpy(&mreq, value, sizeof(mreq));
	net_lock();
	if (mreq.index <= 0 || net_device_by_index((uint32_t)mreq.index) == NULL)
		error = -LINUX_ENODEV;
	else if (mreq.type > LINUX_PACKET_MR_UNICAST)
		error = -LINUX_EINVAL;
	net_unlock();
	return error;
}

static int packet_set_option(
	struct socket *socket, int level, int option, const void *value, uint32_t bytes)
{
	struct packet_socket *own = socket->data;
	int number;

	if (level != LINUX_SOL_PACKET)
		return -LINUX_ENOPROTOOPT;
	if (option == LINUX_PACKET_ADD_MEMBERSHIP || option == LINUX_PACKET_DROP_MEMBERSHIP)
		return change_membership(value, bytes);
	if (bytes < sizeof(number))
		return -LINUX_EINVAL;
	memcpy(&number, value, sizeof(number));
	if (option == LINUX_PACKET_AUXDATA)
		own->wants_auxdata = number != 0;
	else if (option == LINUX_PACKET_IGNORE_OUTGOING && (number == 0 || number == 1))
		own->ignores_outgoing = number != 0;
	else
		return option == LINUX_PACKET_IGNORE_OUTGOING ? -LINUX_EINVAL : -LINUX_ENOPROTOOPT;
	return 0;
}

static int packet_get_option(
	struct socket *socket, int level, int option, void *value, uint32_t *bytes)
{
	struct packet_socket *own = socket->data;
	struct linux_tpacket_stats stats;
	int number;

	if (level != LINUX_SOL_PACKET)
		return -LINUX_ENOPROTOOPT;
	switch (option) {
	case LINUX_PACKET_STATISTICS:
		net_lock();
		stats = (struct linux_tpacket_stats){
			.packets = own->packets + own->drops, .drops = own->drops};
		own->packets = own->drops = 0;
		net_unlock();
		*bytes = MIN(*bytes, (uint32_t)sizeof(stats));
		memcpy(value, &stats, *bytes);
		return 0;
	case LINUX_PACKET_AUXDATA:
		number = own->wants_auxdata;
		break;
	case LINUX_PACKET_IGNORE_OUTGOING:
		number = own->ignores_outgoing;
		break;
	default:
		return -LINUX_ENOPROTOOPT;
	}
	*bytes = MIN(*bytes, (uint32_t)sizeof(number));
	memcpy(value, &number, *bytes);
	return 0;
}

static long packet_ioctl(struct socket *socket, uint32_t request, uintptr_t argument)
{
	struct packet_socket *own = socket->data;
	struct list *link;
	int number = 0;

	if (request != LINUX_SIOCINQ && request != LINUX_SIOCOUTQ)
		return -LINUX_ENOTTY;
	net_lock();
	link = list_first(&own->queue);
	if (link != NULL && request == LINUX_SIOCINQ)
		number = (int)LIST_ENTRY(link, struct capture, link)->packet->bytes;
	net_unlock();
	return user_copy_out(argument, &number, sizeof(number));
}

/* ---- life ----------------------------------------------------------------------------------- */

static void packet_socket_release(struct socket *socket)
{
	struct packet_socket *own = socket->data;
	struct list *link;

	net_lock();
	list_remove(&own->link);
	if (list_is_empty(&sockets))
		net_device_tap = NULL;
	net_unlock();
	while ((link = list_first(&own->queue)) != NULL) {
		list_remove(link);
		free_capture(LIST_ENTRY(link, struct capture, link));
	}
	heap_free(own);
}

bool packet_socket_row(uint32_t n, struct packet_socket_row *row)
{
	LIST_FOR_EACH (link, &sockets) {
		const struct packet_socket *own = LIST_ENTRY(link, struct packet_socket, link);

		if (n-- > 0)
			continue;
		*row = (struct packet_socket_row){.number = own->socket->number,
			.device_index = own->socket->device_index,
			.queued_bytes = own->queued_bytes,
			.type = own->socket->type,
			.protocol = own->protocol};
		return true;
	}
	return false;
}

static const struct socket_ops packet_socket_ops = {
	.name = "PACKET",
	.is_filtered = true,
	.bind = packet_bind,
	.local_name = packet_local_name,
	.peer_name = packet_peer_name,
	.send = packet_send,
	.receive = packet_receive,
	.poll = packet_poll,
	.set_option = packet_set_option,
	.get_option = packet_get_option,
	.ioctl = packet_ioctl,
	.release = packet_socket_release,
};

/* The protocol is given in network order; SOCK_PACKET is Linux 2.0's. */
static int packet_create_socket(int type, int protocol, struct socket **socket)
{
	struct packet_socket *own;

	if (!credentials_has(CAPABILITY_NET_RAW))
		return -LINUX_EPERM;
	if (type != LINUX_SOCK_RAW && type != LINUX_SOCK_DGRAM)
		return -LINUX_ESOCKTNOSUPPORT;
	own = heap_zalloc(sizeof(*own));
	if (own == NULL)
		return -LINUX_ENOMEM;
	list_init(&own->queue);
	own->protocol = __builtin_bswap16((uint16_t)protocol);
	*socket = socket_allocate(&packet_socket_ops, LINUX_AF_PACKET, type, protocol, own);
	if (*socket == NULL) {
		heap_free(own);
		return -LINUX_ENOMEM;
	}
	own->socket = *socket;
	net_lock();
	list_add_last(&sockets, &own->link);
	net_device_tap = tap;
	net_unlock();
	return 0;
}

const struct socket_family socket_family_packet = {
	.family = LINUX_AF_PACKET, .create = packet_create_socket};
