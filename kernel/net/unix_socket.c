/*
 * AF_UNIX: making, connecting and closing sockets. See unix_socket.h.
 */
#include "kernel/net/unix_socket.h"
#include "kernel/credentials.h"
#include "kernel/fs/poll.h"
#include "kernel/mm/heap.h"
#include "kernel/mm/uaccess.h"
#include "kernel/sched/thread.h"
#include "abi/linux/errno.h"
#include "lib/string.h"

#define EVENTS_OF_SPACE (POLL_OUT | POLL_WRNORM | POLL_WRBAND)
#define EVENTS_OF_DATA  (POLL_IN | POLL_RDNORM)
#define EVENTS_OF_END   (EVENTS_OF_DATA | EVENTS_OF_SPACE | POLL_RDHUP | POLL_HUP | POLL_ERR)

struct spinlock unix_lock = SPINLOCK_INIT;

/* Who waits for room at others; guarded by unix_lock. */
static struct list blocked = LIST_INIT(blocked);

/* ---- the shared parts ------------------------------------------------------------------ */

void unix_wake_locked(struct unix_socket *socket, uint32_t events)
{
	if (socket->socket != NULL)
		wait_wake_events(&socket->socket->own_events, events, UINT32_MAX);
}

void unix_block_locked(struct unix_socket *socket)
{
	if (!list_is_linked(&socket->blocked_link))
		list_add_last(&blocked, &socket->blocked_link);
}

void unix_wake_blocked_locked(void)
{
	struct list *link;

	while ((link = list_first(&blocked)) != NULL) {
		list_remove(link);
		unix_wake_locked(
			LIST_ENTRY(link, struct unix_socket, blocked_link), EVENTS_OF_SPACE);
	}
}

int unix_take_error(struct socket *socket)
{
	if (READ_ONCE(socket->error) == 0)
		return 0;
	return -__atomic_exchange_n(&socket->error, 0, __ATOMIC_RELAXED);
}

static uint32_t cost_of(const struct unix_message *message)
{
	return message->bytes + UNIX_MESSAGE_OVERHEAD;
}

void unix_give_back_locked(struct unix_message *message)
{
	struct unix_socket *sender = message->sender;
	bool was_writable = unix_is_writable(sender);

	sender->outstanding -= cost_of(message);
	if (!was_writable && unix_is_writable(sender))
		unix_wake_locked(sender, EVENTS_OF_SPACE);
}

void unix_deliver_locked(struct unix_socket *receiver, struct unix_message *message)
{
	message->sender->outstanding += cost_of(message);
	list_add_last(&receiver->queue, &message->link);
	receiver->queued_count++;
	unix_wake_locked(receiver, EVENTS_OF_DATA);
}

struct unix_message *unix_oldest_locked(const struct unix_socket *socket)
{
	struct list *link = list_first(&socket->queue);

	return link != NULL ? LIST_ENTRY(link, struct unix_message, link) : NULL;
}

void unix_remove_locked(struct unix_socket *receiver, struct unix_message *message)
{
	list_remove(&message->link);
	receiver->queued_count--;
	unix_give_back_locked(message);
	if (receiver->type == LINUX_SOCK_DGRAM && receiver->queued_count == UNIX_DATAGRAMS_MAX)
		unix_wake_blocked_locked();
}

void unix_purge_locked(struct unix_socket *socket, struct list *messages)
{
	LIST_FOR_EACH (link, &socket->queue)
		unix_give_back_locked(LIST_ENTRY(link, struct unix_message, link));
	list_splice_last(messages, &socket->queue);
	socket->queued_count = 0;
}

void unix_release(struct unix_socket *socket)
{
	if (__atomic_sub_fetch(&socket->references, 1, __ATOMIC_ACQ_REL) != 0)
		return;
	unix_address_release(socket->address);
	heap_free(socket);
}

/* ---- making -------------------------------------------------------------------------------- */

static const struct socket_ops stream_ops, datagram_ops, packet_ops;

static struct socket *allocate(const struct socket_ops *ops, int type)
{
	struct unix_socket *end = heap_zalloc(sizeof(*end));
	struct socket *socket;

	if (end == NULL)
		return NULL;
	socket = socket_allocate(ops, LINUX_AF_UNIX, type, 0, end);
	if (socket == NULL) {
		heap_free(end);
		return NULL;
	}
	end->references = 1;
	end->type = (uint16_t)type;
	end->socket = socket;
	list_init(&end->name_link);
	list_init(&end->queue);
	list_init(&end->pending);
	list_init(&end->pending_link);
	list_init(&end->blocked_link);
	spin_lock(&unix_lock);
	unix_collect_add_locked(end);
	spin_unlock(&unix_lock);
	return socket;
}

static int create(int type, int protocol, struct socket **result)
{
	const struct socket_ops *ops;

	if (protocol != 0 && protocol != LINUX_AF_UNIX)
		return -LINUX_EPROTONOSUPPORT;
	switch (type) {
	case LINUX_SOCK_STREAM:
		ops = &stream_ops;
		break;
	case LINUX_SOCK_RAW: /* as BSD has it */
		type = LINUX_SOCK_DGRAM;
		ops = &datagram_ops;
		break;
	case LINUX_SOCK_DGRAM:
		ops = &datagram_ops;
		break;
	case LINUX_SOCK_SEQPACKET:
		ops = &packet_ops;
		break;
	default:
		return -LINUX_ESOCKTNOSUPPORT;
	}
	*result = allocate(ops, type);
	return *result != NULL ? 0 : -LINUX_ENOMEM;
}

static void join_locked(struct unix_socket *a, struct unix_socket *b)
{
	unix_acquire(b);
	a->peer = b;
	WRITE_ONCE(a->state, UNIX_CONNECTED);
}

static struct linux_ucred effective_credentials(void)
{
	struct credentials own = credentials_get();

	return (struct linux_ucred){.pid = PROCESS_ID, .uid = own.euid, .gid = own.egid};
}

static int create_pair(int type, int protocol, struct socket *pair[2])
{
	struct unix_socket *a, *b;
	int error = create(type, protocol, &pair[0]);

	if (error != 0)
		return error;
	error = create(type, protocol, &pair[1]);
	if (error != 0) {
		socket_release(pair[0]);
		return error;
	}
	a = unix_of(pair[0]);
	b = unix_of(pair[1]);
	join_locked(a, b); /* nobody else knows them yet */
	join_locked(b, a);
	a->peer_credentials = b->peer_credentials = effective_credentials();
	return 0;
}

const struct socket_family socket_family_unix = {
	.family = LINUX_AF_UNIX, .create = create, .create_pair = create_pair};

/* ---- closing --------------------------------------------------------------------------------- */

/* The other end learns that this one is gone; what was not read is lost to it. */
static void leave_peer_locked(struct unix_socket *socket, bool data_is_lost)
{
	struct unix_socket *peer = socket->peer;

	if (peer == NULL || !unix_is_connection_based(socket))
		return;
	WRITE_ONCE(peer->shutdown, 3);
	if (data_is_lost && peer->socket != NULL)
		WRITE_ONCE(peer->socket->error, LINUX_ECONNRESET);
	unix_wake_locked(peer, EVENTS_OF_END);
}

struct unix_leavings {
	struct list messages;
	struct list pending;
	struct unix_socket *peer;
};

static void close_locked(struct unix_socket *socket, bool was_pending, struct unix_leavings *left)
{
	unix_name_forget_locked(socket);
	unix_collect_remove_locked(socket);
	if (list_is_linked(&socket->blocked_link))
		list_remove(&socket->blocked_link);
	leave_peer_locked(socket, was_pending || !list_is_empty(&socket->queue));
	WRITE_ONCE(socket->state, UNIX_FREE);
	socket->shutdown = 3;
	socket->socket = NULL;
	left->peer = socket->peer;
	socket->peer = NULL;
	list_splice_last(&left->pending, &socket->pending);
	socket->pending_count = 0;
	unix_purge_locked(socket, &left->messages);
	unix_wake_blocked_locked();
}

static void drop_pending(struct list *pending);

static void close_socket(struct unix_socket *end, bool was_pending)
{
	struct unix_leavings left = {
		LIST_INIT(left.messages), LIST_INIT(left.pending), .peer = NULL};

	spin_lock(&unix_lock);
	close_locked(end, was_pending, &left);
	spin_unlock(&unix_lock);
	unix_message_release_list(&left.messages);
	drop_pending(&left.pending);
	if (left.peer != NULL)
		unix_release(left.peer);
	unix_release(end);
}

/* Connections that nobody accepted: their clients are reset. */
static void drop_pending(struct list *pending)
{
	struct list *link;

	while ((link = list_first(pending)) != NULL) {
		struct unix_socket *end = LIST_ENTRY(link, struct unix_socket, pending_link);
		struct socket *socket = end->socket;

		list_remove(link);
		close_socket(end, true);
		heap_free(socket);
	}
}

static void release(struct socket *socket)
{
	close_socket(unix_of(socket), false);
	unix_collect();
}

/* ---- names ---------------------------------------------------------------------------------- */

static int bind(struct socket *socket, const struct socket_name *name)
{
	return unix_name_bind(unix_of(socket), name);
}

static int local_name(struct socket *socket, struct socket_name *name)
{
	const struct unix_socket *end = unix_of(socket);

	spin_lock(&unix_lock);
	unix_address_show(end->address, name);
	spin_unlock(&unix_lock);
	return 0;
}

static int peer_name(struct socket *socket, struct socket_name *name)
{
	const struct unix_socket *end = unix_of(socket);
	int error = 0;

	spin_lock(&unix_lock);
	if (end->peer == NULL)
		error = -LINUX_ENOTCONN;
	else
		unix_address_show(end->peer->address, name);
	spin_unlock(&unix_lock);
	return error;
}

static int name_automatically(struct socket *socket)
{
	struct unix_socket *end = unix_of(socket);

	if (!socket->pass_credentials || READ_ONCE(end->address) != NULL)
		return 0;
	return unix_name_bind_automatically(end);
}

/* ---- connections ------------------------------------------------------------------------------
 */

static int check_connect_locked(struct unix_socket *client, struct unix_socket *listener)
{
	if (listener->socket == NULL || listener->state != UNIX_LISTENING ||
		(listener->shutdown & 1) != 0)
		return -LINUX_ECONNREFUSED;
	if (listener->pending_count > listener->backlog) {
		unix_block_locked(client);
		return -LINUX_EAGAIN;
	}
	if (client->state == UNIX_CONNECTED)
		return -LINUX_EISCONN;
	return client->state == UNIX_FREE ? 0 : -LINUX_EINVAL;
}

static void connect_locked(struct unix_socket *client, struct unix_socket *listener,
	struct unix_socket *server, const struct linux_ucred *own)
{
	join_locked(client, server);
	join_locked(server, client);
	client->peer_credentials = listener->listener_credentials;
	server->peer_credentials = *own;
	server->address = listener->address;
	unix_address_acquire(server->address);
	server->socket->pass_credentials = listener->socket->pass_credentials;
	list_add_last(&listener->pending, &server->pending_link);
	listener->pending_count++;
	unix_wake_locked(listener, EVENTS_OF_DATA);
	unix_wake_locked(client, EVENTS_OF_SPACE);
}

static int connect_to(struct socket *socket, struct unix_socket *listener)
{
	struct unix_socket *client = unix_of(socket);
	struct linux_ucred own = effective_credentials();
	struct socket *server = allocate(socket->ops, socket->type);
	int error;

	if (server == NULL)
		return -LINUX_ENOMEM;
	spin_lock(&unix_lock);
	error = check_connect_locked(client, listener);
	if (error == 0)
		connect_locked(client, listener, unix_of(server), &own);
	spin_unlock(&unix_lock);
	if (error != 0)
		socket_release(server);
	return error;
}

static int stream_connect(struct socket *socket, const struct socket_name *name)
{
	struct unix_socket *listener = NULL;
	int error = unix_name_check(name);

	if (error == 0)
		error = name_automatically(socket);
	if (error == 0)
		error = unix_name_find(name, socket->type, &listener);
	if (error != 0)
		return error;
	error = connect_to(socket, listener);
	unix_release(listener);
	return error;
}

static int listen(struct socket *socket, int backlog)
{
	struct unix_socket *end = unix_of(socket);
	struct linux_ucred own = effective_credentials();
	int error = 0;

	spin_lock(&unix_lock);
	if (end->address == NULL || end->state == UNIX_CONNECTED) {
		error = -LINUX_EINVAL;
	} else {
		if ((uint32_t)backlog > end->backlog)
			unix_wake_blocked_locked();
		end->backlog = (uint32_t)backlog;
		end->listener_credentials = own;
		WRITE_ONCE(end->state, UNIX_LISTENING);
	}
	spin_unlock(&unix_lock);
	return error;
}

static int accept(struct socket *socket, struct socket **connection)
{
	struct unix_socket *listener = unix_of(socket);
	struct list *link;
	int error = 0;

	spin_lock(&unix_lock);
	link = list_first(&listener->pending);
	if (listener->state != UNIX_LISTENING) {
		error = -LINUX_EINVAL;
	} else if (link == NULL) {
		error = (listener->shutdown & 1) != 0 ? -LINUX_EINVAL : -LINUX_EAGAIN;
	} else {
		list_remove(link);
		*connection = LIST_ENTRY(link, struct unix_socket, pending_link)->socket;
		listener->pending_count--;
		unix_wake_blocked_locked();
	}
	spin_unlock(&unix_lock);
	return error;
}

/* ---- connected datagram sockets -----------------------------------------------------------------
 */

/* Sets the peer (NULL: none), whose reference it takes over, and forgets what came from
 * the one before. */
static int change_peer(struct unix_socket *end, struct unix_socket *peer)
{
	struct list messages = LIST_INIT(messages);
	struct unix_socket *old;
	int error = 0;

	spin_lock(&unix_lock);
	old = end->peer;
	if (peer != NULL && peer->peer != NULL && peer->peer != end) {
		error = -LINUX_EPERM;
		old = peer;
	} else {
		if (old != NULL && old != peer) {
			unix_purge_locked(end, &messages);
			if (old->socket != NULL && old->peer == end) {
				WRITE_ONCE(old->socket->error, LINUX_ECONNRESET);
				unix_wake_locked(old, EVENTS_OF_END);
			}
		}
		end->peer = peer;
		end->state = peer != NULL ? UNIX_CONNECTED : UNIX_FREE;
		unix_wake_blocked_locked();
	}
	spin_unlock(&unix_lock);
	unix_message_release_list(&messages);
	if (old != NULL)
		unix_release(old);
	return error;
}

static int datagram_connect(struct socket *socket, const struct socket_name *name)
{
	struct unix_socket *peer = NULL;
	uint16_t family;
	int error;

	if (name->bytes < sizeof(family))
		return -LINUX_EINVAL;
	memcpy(&family, name->data, sizeof(family));
	if (family == LINUX_AF_UNSPEC)
		return change_peer(unix_of(socket), NULL);
	error = unix_name_check(name);
	if (error == 0)
		error = name_automatically(socket);
	if (error == 0)
		error = unix_name_find(name, socket->type, &peer);
	return error != 0 ? error : change_peer(unix_of(socket), peer);
}

/* ---- the rest ----------------------------------------------------------------------------------
 */

static int shutdown(struct socket *socket, uint32_t how)
{
	struct unix_socket *end = unix_of(socket);

	spin_lock(&unix_lock);
	WRITE_ONCE(end->shutdown, end->shutdown | how);
	if (end->peer != NULL && unix_is_connection_based(end)) {
		uint32_t other = (how & 1) << 1 | (how & 2) >> 1;

		WRITE_ONCE(end->peer->shutdown, end->peer->shutdown | other);
		unix_wake_locked(end->peer, EVENTS_OF_END);
	}
	unix_wake_locked(end, EVENTS_OF_END);
	unix_wake_blocked_locked();
	spin_unlock(&unix_lock);
	return 0;
}

static bool can_send_locked(struct unix_socket *end)
{
	if (end->state == UNIX_LISTENING || !unix_is_writable(end))
		return false;
	if (end->type == LINUX_SOCK_STREAM || end->peer == NULL || end->peer->socket == NULL ||
		!unix_peer_is_full_locked(end, end->peer))
		return true;
	unix_block_locked(end);
	return false;
}

static uint32_t poll(struct socket *socket)
{
	struct unix_socket *end = unix_of(socket);
	uint32_t events = READ_ONCE(socket->error) != 0 ? POLL_ERR : 0;

	spin_lock(&unix_lock);
	if (end->shutdown == 3)
		events |= POLL_HUP;
	if ((end->shutdown & 1) != 0)
		events |= POLL_RDHUP | EVENTS_OF_DATA;
	if (!list_is_empty(&end->queue) || !list_is_empty(&end->pending))
		events |= EVENTS_OF_DATA;
	if (unix_is_connection_based(end) && end->state == UNIX_FREE)
		events |= POLL_HUP;
	if (can_send_locked(end))
		events |= EVENTS_OF_SPACE;
	spin_unlock(&unix_lock);
	return events;
}

static int get_option(struct socket *socket, int level, int option, void *value, uint32_t *bytes)
{
	const struct unix_socket *end = unix_of(socket);
	struct linux_ucred peer = end->peer_credentials;
	int is_listening = READ_ONCE(end->state) == UNIX_LISTENING;
	const void *source = &is_listening;
	uint32_t source_bytes = sizeof(is_listening);

	if (level != LINUX_SOL_SOCKET)
		return -LINUX_EOPNOTSUPP;
	if (option == LINUX_SO_PEERCRED) {
		if (is_listening)
			peer = end->listener_credentials;
		else if (peer.pid == 0)
			peer = (struct linux_ucred){.pid = 0, .uid = UINT32_MAX, .gid = UINT32_MAX};
		source = &peer;
		source_bytes = sizeof(peer);
	} else if (option != LINUX_SO_ACCEPTCONN) {
		return -LINUX_ENOPROTOOPT;
	}
	*bytes = MIN(*bytes, source_bytes);
	memcpy(value, source, *bytes);
	return 0;
}

static int64_t readable_bytes(const struct unix_socket *end)
{
	int64_t total = 0;

	spin_lock(&unix_lock);
	LIST_FOR_EACH (link, &end->queue) {
		const struct unix_message *message = LIST_ENTRY(link, struct unix_message, link);

		total += message->bytes - message->taken;
		if (end->type == LINUX_SOCK_DGRAM)
			break;
	}
	spin_unlock(&unix_lock);
	return total;
}

static long ioctl(struct socket *socket, uint32_t request, uintptr_t argument)
{
	const struct unix_socket *end = unix_of(socket);
	int32_t value;

	switch (request) {
	case LINUX_SIOCINQ:
		if (READ_ONCE(end->state) == UNIX_LISTENING)
			return -LINUX_EINVAL;
		value = (int32_t)readable_bytes(end);
		break;
	case LINUX_SIOCOUTQ:
		value = (int32_t)READ_ONCE(end->outstanding);
		break;
	default:
		return -LINUX_ENOTTY;
	}
	return user_copy_out(argument, &value, sizeof(value));
}

#define COMMON_OPS                                                                                 \
	.name = "UNIX", .bind = bind, .local_name = local_name, .peer_name = peer_name,            \
	.shutdown = shutdown, .poll = poll, .get_option = get_option, .ioctl = ioctl,              \
	.release = release

static const struct socket_ops stream_ops = {
	COMMON_OPS,
	.connect = stream_connect,
	.listen = listen,
	.accept = accept,
	.send = unix_stream_send,
	.receive = unix_stream_receive,
};

static const struct socket_ops packet_ops = {
	COMMON_OPS,
	.connect = stream_connect,
	.listen = listen,
	.accept = accept,
	.send = unix_datagram_send,
	.receive = unix_datagram_receive,
};

static const struct socket_ops datagram_ops = {
	COMMON_OPS,
	.connect = datagram_connect,
	.send = unix_datagram_send,
	.receive = unix_datagram_receive,
};
