/*
 * The netlink socket: requests come by send and are answered at once, into a queue that
 * recv takes from. See netlink.h.
 */
#include "kernel/net/netlink.h"
#include "kernel/fs/poll.h"
#include "kernel/mm/heap.h"
#include "kernel/mm/uaccess.h"
#include "kernel/net/interface_ioctl.h"
#include "kernel/net/net.h"
#include "kernel/net/socket.h"
#include "abi/linux/errno.h"
#include "abi/linux/socket.h"
#include "lib/string.h"

#define REQUEST_BYTES_MAX 4096u
#define CHUNKS_MAX        64u
#define FIRST_PORT        1u /* the process's id, as Linux chooses it */

struct netlink {
	uint32_t port, groups; /* network lock, as the queue */
	struct list chunks;
	uint32_t chunk_count;
};

static uint32_t sockets_made;

/* ---- messages ------------------------------------------------------------------------ */

static uint32_t aligned(uint32_t bytes)
{
	return (bytes + 3) & ~3u;
}

/* Room for `bytes` more; moves the message being written to a chunk of its own if need be. */
static uint8_t *reserve(struct netlink_answer *answer, uint32_t bytes)
{
	struct netlink_chunk *last = answer->last, *next;
	uint32_t begun;

	if (answer->has_failed)
		return NULL;
	if (last && last->bytes + bytes <= NETLINK_CHUNK_BYTES) {
		last->bytes += bytes;
		return last->data + last->bytes - bytes;
	}
	begun = last ? last->bytes - answer->message : 0;
	next = begun + bytes <= NETLINK_CHUNK_BYTES ? heap_alloc(sizeof(*next)) : NULL;
	if (!next) {
		answer->has_failed = true;
		return NULL;
	}
	if (last) {
		memcpy(next->data, last->data + answer->message, begun);
		last->bytes = answer->message;
	}
	next->bytes = begun + bytes;
	answer->message = 0;
	answer->last = next;
	list_add_last(answer->chunks, &next->link);
	return next->data + begun;
}

static void append(struct netlink_answer *answer, const void *data, uint32_t bytes)
{
	uint8_t *at = reserve(answer, aligned(bytes));

	if (!at)
		return;
	memcpy(at, data, bytes);
	memset(at + bytes, 0, aligned(bytes) - bytes);
}

void netlink_begin(struct netlink_answer *answer, uint16_t type, const void *fixed, uint32_t bytes)
{
	answer->header.type = type;
	answer->message = answer->last ? answer->last->bytes : 0;
	append(answer, &answer->header, sizeof(answer->header));
	append(answer, fixed, bytes);
}

void netlink_attribute(
	struct netlink_answer *answer, uint16_t type, const void *data, uint32_t bytes)
{
	struct linux_rtattr attribute = {
		.bytes = (uint16_t)(sizeof(attribute) + bytes), .type = type};
	uint8_t *at = reserve(answer, aligned(attribute.bytes));

	if (!at)
		return;
	memcpy(at, &attribute, sizeof(attribute));
	memcpy(at + sizeof(attribute), data, bytes);
	memset(at + attribute.bytes, 0, aligned(attribute.bytes) - attribute.bytes);
}

void netlink_end(struct netlink_answer *answer)
{
	uint32_t bytes;

	if (answer->has_failed)
		return;
	bytes = answer->last->bytes - answer->message;
	memcpy(answer->last->data + answer->message, &bytes, sizeof(bytes));
}

/* ---- requests -------------------------------------------------------------------------- */

static void write_error(
	struct netlink_answer *answer, const struct linux_nlmsghdr *request, int error)
{
	struct linux_nlmsgerr message = {.error = error, .request = *request};

	answer->header.flags = 0;
	/* Each answer that ends a request is a datagram of its own. */
	answer->last = NULL;
	netlink_begin(answer, LINUX_NLMSG_ERROR, &message, sizeof(message));
	netlink_end(answer);
}

static void serve(struct netlink *own, const struct linux_nlmsghdr *request, const uint8_t *payload,
	uint32_t bytes)
{
	bool is_dump = (request->flags & LINUX_NLM_F_DUMP) == LINUX_NLM_F_DUMP;
	struct list chunks = LIST_INIT(chunks);
	struct netlink_answer answer = {.chunks = &chunks,
		.header = {.flags = is_dump ? LINUX_NLM_F_MULTI : 0,
			.sequence = request->sequence,
			.port = own->port}};
	int error, nothing = 0;

	if (!(request->flags & LINUX_NLM_F_REQUEST) || request->type < LINUX_NLMSG_MIN_TYPE)
		return;
	error = netlink_route_answer(&answer, request, payload, bytes);
	if (error || (request->flags & LINUX_NLM_F_ACK && !is_dump)) {
		write_error(&answer, request, error);
	} else if (is_dump) {
		/* As Linux: after the last datagram of entries. */
		answer.last = NULL;
		netlink_begin(&answer, LINUX_NLMSG_DONE, &nothing, sizeof(nothing));
		netlink_end(&answer);
	}
	LIST_FOR_EACH_SAFE (link, after, &chunks) {
		list_remove(link);
		if (answer.has_failed || own->chunk_count >= CHUNKS_MAX) {
			heap_free(LIST_ENTRY(link, struct netlink_chunk, link));
			continue;
		}
		list_add_last(&own->chunks, link);
		own->chunk_count++;
	}
}

static void serve_all(struct netlink *own, const uint8_t *data, uint32_t bytes)
{
	struct linux_nlmsghdr request;

	while (bytes >= sizeof(request)) {
		memcpy(&request, data, sizeof(request));
		if (request.bytes < sizeof(request) || request.bytes > bytes)
			return;
		serve(own, &request, data + sizeof(request),
			request.bytes - (uint32_t)sizeof(request));
		data += MIN(aligned(request.bytes), bytes);
		bytes -= MIN(aligned(request.bytes), bytes);
	}
}

/* ---- the socket ------------------------------------------------------------------------- */

static int read_name(const struct socket_name *name, struct linux_sockaddr_nl *nl)
{
	if (name->bytes < sizeof(*nl))
		return -LINUX_EINVAL;
	memcpy(nl, name->data, sizeof(*nl));
	return nl->family == LINUX_AF_NETLINK ? 0 : -LINUX_EINVAL;
}

static void write_name(struct socket_name *name, uint32_t port, uint32_t groups)
{
	struct linux_sockaddr_nl nl = {.family = LINUX_AF_NETLINK, .port = port, .groups = groups};

	memcpy(name->data, &nl, sizeof(nl));
	name->bytes = sizeof(nl);
}

static uint32_t choose_port(void)
{
	uint32_t n = __atomic_fetch_add(&sockets_made, 1, __ATOMIC_RELAXED);

	return n == 0 ? FIRST_PORT : UINT32_MAX - 4096 - n;
}

static int netlink_bind(struct socket *socket, const struct socket_name *name)
{
	struct netlink *own = socket->data;
	struct linux_sockaddr_nl nl;
	int error = read_name(name, &nl);

	if (error)
		return error;
	net_lock();
	if (own->port && nl.port && nl.port != own->port)
		error = -LINUX_EINVAL;
	else if (!own->port)
		own->port = nl.port ? nl.port : choose_port();
	if (!error)
		own->groups = nl.groups;
	net_unlock();
	return error;
}

static int netlink_connect(struct socket *socket, const struct socket_name *name)
{
	struct linux_sockaddr_nl nl;
	int error = read_name(name, &nl);

	(void)socket;
	if (error)
		return error;
	return nl.port ? -LINUX_ECONNREFUSED : 0;
}

static int netlink_local_name(struct socket *socket, struct socket_name *name)
{
	const struct netlink *own = socket->data;

	write_name(name, READ_ONCE(own->port), READ_ONCE(own->groups));
	return 0;
}

static int netlink_peer_name(struct socket *socket, struct socket_name *name)
{
	(void)socket;
	write_name(name, 0, 0);
	return 0;
}

static long netlink_send(struct socket *socket, struct socket_message *message)
{
	struct netlink *own = socket->data;
	uint32_t bytes = (uint32_t)MIN(message->uio->bytes_left, REQUEST_BYTES_MAX + 1);
	struct linux_sockaddr_nl to;
	uint8_t *copy;
	long error = 0;

	if (message->name && message->name->bytes)
		error = read_name(message->name, &to);
	if (!error && message->name && message->name->bytes && to.port)
		error = -LINUX_ECONNREFUSED; /* nobody but the kernel listens */
	if (!error && bytes > REQUEST_BYTES_MAX)
		error = -LINUX_EMSGSIZE;
	if (error)
		return error;
	copy = heap_alloc(bytes + 1);
	if (!copy)
		return -LINUX_ENOBUFS;
	error = uio_copy_from(message->uio, copy, bytes);
	if (error >= 0) {
		net_lock();
		if (!own->port)
			own->port = choose_port();
		serve_all(own, copy, bytes);
		wait_wake_events(socket->events, POLL_IN | POLL_RDNORM, 1);
		net_unlock();
		error = bytes;
	}
	heap_free(copy);
	return error;
}

static struct netlink_chunk *take(struct netlink *own, bool peek, struct netlink_chunk *copy)
{
	struct netlink_chunk *chunk = NULL;
	struct list *link;

	net_lock();
	link = list_first(&own->chunks);
	if (link) {
		chunk = LIST_ENTRY(link, struct netlink_chunk, link);
		if (peek) {
			copy->bytes = chunk->bytes;
			memcpy(copy->data, chunk->data, chunk->bytes);
		} else {
			list_remove(link);
			own->chunk_count--;
		}
	}
	net_unlock();
	return chunk && peek ? copy : chunk;
}

static long netlink_receive(struct socket *socket, struct socket_message *message)
{
	bool peek = message->flags & LINUX_MSG_PEEK;
	struct netlink_chunk *copy = NULL, *chunk;
	uint32_t bytes;
	long result;

	if (message->flags & LINUX_MSG_OOB)
		return -LINUX_EOPNOTSUPP;
	if (peek && !(copy = heap_alloc(sizeof(*copy))))
		return -LINUX_ENOBUFS;
	chunk = take(socket->data, peek, copy);
	if (!chunk) {
		heap_free(copy);
		return -LINUX_EAGAIN;
	}
	bytes = (uint32_t)MIN((uint64_t)chunk->bytes, message->uio->bytes_left);
	result = uio_copy_to(message->uio, chunk->data, bytes);
	if (bytes < chunk->bytes)
		message->result_flags |= LINUX_MSG_TRUNC;
	if (message->name)
		write_name(message->name, 0, 0);
	if (result >= 0)
		result = message->flags & LINUX_MSG_TRUNC ? chunk->bytes : bytes;
	heap_free(chunk);
	return result;
}

static uint32_t netlink_poll(struct socket *socket)
{
	const struct netlink *own = socket->data;

	return POLL_OUT | POLL_WRNORM | (READ_ONCE(own->chunk_count) ? POLL_IN | POLL_RDNORM : 0u);
}

static int netlink_set_option(
	struct socket *socket, int level, int option, const void *value, uint32_t bytes)
{
	struct netlink *own = socket->data;
	uint32_t number;

	if (level != LINUX_SOL_NETLINK)
		return -LINUX_ENOPROTOOPT;
	if (bytes < sizeof(number))
		return -LINUX_EINVAL;
	memcpy(&number, value, sizeof(number));
	switch (option) {
	case LINUX_NETLINK_ADD_MEMBERSHIP:
	case LINUX_NETLINK_DROP_MEMBERSHIP:
		if (number == 0 || number > 64)
			return -LINUX_EINVAL;
		if (number <= 32 && option == LINUX_NETLINK_ADD_MEMBERSHIP)
			own->groups |= 1u << (number - 1);
		else if (number <= 32)
			own->groups &= ~(1u << (number - 1));
		return 0;
	case LINUX_NETLINK_PKTINFO:
	case LINUX_NETLINK_BROADCAST_ERROR:
	case LINUX_NETLINK_NO_ENOBUFS:
	case LINUX_NETLINK_CAP_ACK:
	case LINUX_NETLINK_EXT_ACK:
	case LINUX_NETLINK_GET_STRICT_CHK:
		return 0;
	default:
		return -LINUX_ENOPROTOOPT;
	}
}

static int netlink_get_option(
	struct socket *socket, int level, int option, void *value, uint32_t *bytes)
{
	(void)socket, (void)level, (void)option, (void)value, (void)bytes;
	return -LINUX_ENOPROTOOPT;
}

static long netlink_ioctl(struct socket *socket, uint32_t request, uintptr_t argument)
{
	(void)socket;
	return interface_ioctl(request, argument);
}

static void netlink_release(struct socket *socket)
{
	struct netlink *own = socket->data;
	struct list *link;

	while ((link = list_first(&own->chunks)) != NULL) {
		list_remove(link);
		heap_free(LIST_ENTRY(link, struct netlink_chunk, link));
	}
	heap_free(own);
}

static const struct socket_ops netlink_ops = {
	.name = "NETLINK",
	.bind = netlink_bind,
	.connect = netlink_connect,
	.local_name = netlink_local_name,
	.peer_name = netlink_peer_name,
	.send = netlink_send,
	.receive = netlink_receive,
	.poll = netlink_poll,
	.set_option = netlink_set_option,
	.get_option = netlink_get_option,
	.ioctl = netlink_ioctl,
	.release = netlink_release,
};

static int netlink_create(int type, int protocol, struct socket **socket)
{
	struct netlink *own;

	if (type != LINUX_SOCK_RAW && type != LINUX_SOCK_DGRAM)
		return -LINUX_ESOCKTNOSUPPORT;
	if (protocol != LINUX_NETLINK_ROUTE)
		return -LINUX_EPROTONOSUPPORT;
	own = heap_zalloc(sizeof(*own));
	if (!own)
		return -LINUX_ENOMEM;
	list_init(&own->chunks);
	*socket = socket_allocate(&netlink_ops, LINUX_AF_NETLINK, type, protocol, own);
	if (*socket)
		return 0;
	heap_free(own);
	return -LINUX_ENOMEM;
}

const struct socket_family socket_family_netlink = {
	.family = LINUX_AF_NETLINK, .create = netlink_create};
