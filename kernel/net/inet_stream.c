/*
 * AF_INET and AF_INET6 stream sockets, on TCP (tcp.h): tcp(7). socket->data is the struct
 * tcp; socket->events is its wait queue.
 */
#include "kernel/net/inet_stream.h"
#include "kernel/fs/poll.h"
#include "kernel/mm/uaccess.h"
#include "kernel/net/inet_family.h"
#include "kernel/net/inet_name.h"
#include "kernel/sched/clock.h"
#include "abi/linux/errno.h"
#include "abi/linux/socket.h"

#define NS_PER_S 1000000000ull

static const struct socket_ops stream_ops;

static struct tcp *tcp_of(const struct socket *socket)
{
	return inet_stream_tcp(socket);
}

/* NULL: no memory; the tcp stays the caller's. */
static struct socket *wrap(uint16_t family, struct tcp *tcp)
{
	struct socket *socket =
		socket_allocate(&stream_ops, family, LINUX_SOCK_STREAM, LINUX_IPPROTO_TCP, tcp);

	if (socket == NULL)
		return NULL;
	socket->events = tcp_events(tcp);
	tcp_set_number(tcp, socket->number);
	return socket;
}

int inet_stream_create(uint16_t family, int protocol, struct socket **socket)
{
	struct tcp *tcp;

	if (protocol != 0 && protocol != LINUX_IPPROTO_TCP)
		return -LINUX_EPROTONOSUPPORT;
	tcp = tcp_create(family == LINUX_AF_INET6);
	if (tcp == NULL)
		return -LINUX_ENOMEM;
	*socket = wrap(family, tcp);
	if (*socket == NULL) {
		tcp_close(tcp, true);
		return -LINUX_ENOMEM;
	}
	return 0;
}

/* ---- names --------------------------------------------------------------------------- */

static bool is_v6_only(const struct socket *socket)
{
	struct tcp_options options;

	tcp_get_options(tcp_of(socket), &options);
	return options.v6_only;
}

static int stream_bind(struct socket *socket, const struct socket_name *name)
{
	struct ip_endpoint local;
	int error = inet_name_read(name, socket->family, false, &local);

	/* AF_UNSPEC is taken for AF_INET where it names any address. */
	if (error == -LINUX_EAFNOSUPPORT && socket->family == LINUX_AF_INET &&
		inet_name_family(name) == LINUX_AF_UNSPEC) {
		struct socket_name copy = *name;

		copy.data[0] = LINUX_AF_INET;
		error = inet_name_read(&copy, LINUX_AF_INET, false, &local);
		if (error == 0 && !ip_address_is_any(&local.address))
			error = -LINUX_EAFNOSUPPORT;
	}
	if (error != 0)
		return error;
	if (socket->family == LINUX_AF_INET6 && ip_address_is_v4(&local.address) &&
		is_v6_only(socket))
		return -LINUX_EINVAL;
	return tcp_bind(tcp_of(socket), &local);
}

/* The unspecified address means this machine. */
static void replace_any(struct ip_address *address)
{
	static const uint8_t loopback_v4[4] = {127, 0, 0, 1};

	if (!ip_address_is_any(address))
		return;
	if (ip_address_is_v4(address))
		*address = ip_address_v4(loopback_v4);
	else
		address->bytes[15] = 1;
}

/* As if it were a new socket. */
static int disconnect(struct socket *socket)
{
	mutex_lock(&socket->receive_lock);
	mutex_lock(&socket->send_lock);
	tcp_disconnect(tcp_of(socket));
	mutex_unlock(&socket->send_lock);
	mutex_unlock(&socket->receive_lock);
	return 0;
}

static int stream_connect(struct socket *socket, const struct socket_name *name)
{
	struct ip_endpoint remote;
	int error = inet_name_family(name);

	if (error < 0)
		return error;
	if (error == LINUX_AF_UNSPEC)
		return disconnect(socket);
	error = inet_name_read(name, socket->family, false, &remote);
	if (error != 0)
		return error;
	if (socket->family == LINUX_AF_INET6 && ip_address_is_v4(&remote.address) &&
		is_v6_only(socket))
		return -LINUX_ENETUNREACH;
	replace_any(&remote.address);
	return tcp_connect(tcp_of(socket), &remote);
}

static int stream_connect_result(struct socket *socket)
{
	struct tcp *tcp = tcp_of(socket);

	if ((tcp_poll(tcp) & (POLL_OUT | POLL_ERR | POLL_HUP)) == 0)
		return -LINUX_EINPROGRESS;
	return -tcp_take_error(tcp);
}

static int stream_local_name(struct socket *socket, struct socket_name *name)
{
	struct ip_endpoint local = {.port = 0};

	tcp_local_name(tcp_of(socket), &local);
	inet_name_write(name, socket->family, &local);
	return 0;
}

static int stream_peer_name(struct socket *socket, struct socket_name *name)
{
	struct ip_endpoint remote;
	int error = tcp_peer_name(tcp_of(socket), &remote);

	if (error == 0)
		inet_name_write(name, socket->family, &remote);
	return error;
}

/* ---- listening ------------------------------------------------------------------------ */

static int stream_listen(struct socket *socket, int backlog)
{
	return tcp_listen(tcp_of(socket), backlog);
}

/* A connection has the options of its listener. */
static void inherit(struct socket *connection, const struct socket *listener)
{
	connection->send_timeout_ns = listener->send_timeout_ns;
	connection->receive_timeout_ns = listener->receive_timeout_ns;
	connection->send_buffer_bytes = listener->send_buffer_bytes;
	connection->receive_buffer_bytes = listener->receive_buffer_bytes;
	connection->receive_low_water = listener->receive_low_water;
	connection->device_index = listener->device_index;
	connection->mark = listener->mark;
	connection->priority = listener->priority;
	connection->linger_seconds = listener->linger_seconds;
	connection->reuse_address = listener->reuse_address;
	connection->reuse_port = listener->reuse_port;
	connection->keep_alive = listener->keep_alive;
	connection->oob_inline = listener->oob_inline;
}

static int stream_accept(struct socket *socket, struct socket **connection)
{
	struct tcp *tcp;
	int error = tcp_accept(tcp_of(socket), &tcp);

	if (error != 0)
		return error;
	*connection = wrap(socket->family, tcp);
	if (*connection == NULL) {
		tcp_close(tcp, true);
		return -LINUX_ENOMEM;
	}
	inherit(*connection, socket);
	return 0;
}

/* ---- data ------------------------------------------------------------------------------- */

static long stream_send(struct socket *socket, struct socket_message *message)
{
	uint32_t flags = 0;

	if ((message->flags & LINUX_MSG_MORE) != 0)
		flags |= TCP_SEND_MORE;
	if ((message->flags & LINUX_MSG_OOB) != 0)
		flags |= TCP_SEND_URGENT;
	return tcp_send(tcp_of(socket), message->uio, flags);
}

static long receive_urgent(struct socket *socket, struct socket_message *message)
{
	bool peek = (message->flags & LINUX_MSG_PEEK) != 0;
	uint8_t byte;
	long received = tcp_receive_urgent(tcp_of(socket), &byte, peek);

	if (received <= 0)
		return received;
	message->result_flags |= LINUX_MSG_OOB;
	return uio_copy_to(message->uio, &byte, sizeof(byte));
}

static long stream_receive(struct socket *socket, struct socket_message *message)
{
	uint32_t flags = 0;
	long received;

	if ((message->flags & LINUX_MSG_ERRQUEUE) != 0)
		return -LINUX_EAGAIN;
	if ((message->flags & LINUX_MSG_OOB) != 0)
		return receive_urgent(socket, message);
	if ((message->flags & LINUX_MSG_PEEK) != 0)
		flags |= TCP_RECEIVE_PEEK;
	if ((message->flags & LINUX_MSG_TRUNC) != 0)
		flags |= TCP_RECEIVE_TRUNCATE;
	received = tcp_receive(tcp_of(socket), message->uio, flags);
	if (received > 0 && message->uio->bytes_left > 0 && tcp_is_at_mark(tcp_of(socket)))
		message->is_complete = true;
	return received;
}

static int stream_shutdown(struct socket *socket, uint32_t how)
{
	return tcp_shutdown(tcp_of(socket), how);
}

static uint32_t stream_poll(struct socket *socket)
{
	return tcp_poll(tcp_of(socket));
}

static long stream_ioctl(struct socket *socket, uint32_t request, uintptr_t argument)
{
	struct tcp *tcp = tcp_of(socket);
	int32_t value;

	switch (request) {
	case LINUX_SIOCINQ:
		value = (int32_t)tcp_readable_bytes(tcp);
		break;
	case LINUX_SIOCOUTQ:
		value = (int32_t)tcp_unacknowledged_bytes(tcp);
		break;
	case LINUX_SIOCOUTQNSD:
		value = (int32_t)tcp_unsent_bytes(tcp);
		break;
	case LINUX_SIOCATMARK:
		value = tcp_is_at_mark(tcp);
		return user_copy_out(argument, &value, sizeof(value));
	default:
		return -LINUX_ENOTTY;
	}
	if (tcp_is_listening(tcp))
		return -LINUX_EINVAL;
	return user_copy_out(argument, &value, sizeof(value));
}

/* ---- closing ------------------------------------------------------------------------------ */

/* SO_LINGER: close(2) waits for what was sent, but not longer than was said. */
static void linger(struct socket *socket)
{
	struct tcp *tcp = tcp_of(socket);
	uint64_t deadline = clock_monotonic_ns() + (uint64_t)socket->linger_seconds * NS_PER_S;

	if (tcp_is_listening(tcp) || tcp_shutdown(tcp, 2) != 0)
		return;
	(void)WAIT_UNTIL(socket->events, tcp_is_drained(tcp), deadline);
}

static void stream_release(struct socket *socket)
{
	if (socket->linger_seconds > 0)
		linger(socket);
	tcp_close(tcp_of(socket), socket->linger_seconds == 0);
}

static const struct socket_ops stream_ops = {
	.name = "TCP",
	.bind = stream_bind,
	.connect = stream_connect,
	.connect_result = stream_connect_result,
	.listen = stream_listen,
	.accept = stream_accept,
	.local_name = stream_local_name,
	.peer_name = stream_peer_name,
	.send = stream_send,
	.receive = stream_receive,
	.shutdown = stream_shutdown,
	.poll = stream_poll,
	.set_option = inet_stream_set_option,
	.get_option = inet_stream_get_option,
	.ioctl = stream_ioctl,
	.release = stream_release,
};
