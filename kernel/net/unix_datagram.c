/* Sending and receiving on AF_UNIX datagram and seqpacket sockets. See unix_socket.h. */
#include "kernel/fs/poll.h"
#include "kernel/net/unix_socket.h"
#include "abi/linux/errno.h"

#define SEND_RESERVE 32u /* of the buffer: a message fits that is so much smaller */

/* ---- sending ---------------------------------------------------------------------------- */

bool unix_peer_is_full_locked(const struct unix_socket *socket, const struct unix_socket *peer)
{
	return peer != socket && peer->peer != socket && peer->queued_count > UNIX_DATAGRAMS_MAX;
}

/* What Linux asks before it looks at the bytes. */
static int check_send(struct socket *socket, const struct socket_message *message)
{
	struct unix_socket *sender = unix_of(socket);
	bool is_named = message->name != NULL && message->name->bytes != 0;
	int error;

	if ((message->flags & LINUX_MSG_OOB) != 0)
		return -LINUX_EOPNOTSUPP;
	if (sender->type == LINUX_SOCK_SEQPACKET) {
		if (READ_ONCE(sender->state) != UNIX_CONNECTED)
			return -LINUX_ENOTCONN;
	} else if (is_named) {
		error = unix_name_check(message->name);
		if (error != 0)
			return error;
	} else if (READ_ONCE(sender->peer) == NULL) {
		return -LINUX_ENOTCONN;
	}
	if (socket->pass_credentials && READ_ONCE(sender->address) == NULL) {
		error = unix_name_bind_automatically(sender);
		if (error != 0)
			return error;
	}
	if (message->uio->bytes_left + SEND_RESERVE > unix_send_buffer(socket))
		return -LINUX_EMSGSIZE;
	error = unix_take_error(socket);
	if (error != 0)
		return error;
	if ((READ_ONCE(sender->shutdown) & 2) != 0)
		return -LINUX_EPIPE;
	return READ_ONCE(sender->outstanding) < unix_send_buffer(socket) ? 0 : -LINUX_EAGAIN;
}

/* With a reference: the one named, else the peer. */
static int find_receiver(struct unix_socket *sender, const struct socket_message *message,
	struct unix_socket **receiver)
{
	int error = 0;

	if (sender->type == LINUX_SOCK_DGRAM && message->name != NULL && message->name->bytes != 0)
		return unix_name_find(message->name, sender->type, receiver);
	spin_lock(&unix_lock);
	*receiver = sender->peer;
	if (*receiver != NULL)
		unix_acquire(*receiver);
	else
		error = -LINUX_ENOTCONN;
	spin_unlock(&unix_lock);
	return error;
}

/* The receiver has gone: a connected sender is free again. *dropped: its reference. */
static int refuse_locked(
	struct unix_socket *sender, struct unix_socket *receiver, struct unix_socket **dropped)
{
	if (unix_is_connection_based(sender))
		return -LINUX_EPIPE;
	if (sender->peer == receiver) {
		*dropped = receiver;
		sender->peer = NULL;
		sender->state = UNIX_FREE;
	}
	return -LINUX_ECONNREFUSED;
}

static int check_receiver_locked(
	struct unix_socket *sender, struct unix_socket *receiver, struct unix_socket **dropped)
{
	if (receiver->socket == NULL)
		return refuse_locked(sender, receiver, dropped);
	if (receiver->peer != NULL && receiver->peer != sender)
		return -LINUX_EPERM;
	if ((receiver->shutdown & 1) != 0)
		return -LINUX_EPIPE;
	if (unix_peer_is_full_locked(sender, receiver)) {
		unix_block_locked(sender);
		return -LINUX_EAGAIN;
	}
	return 0;
}

static void complete_locked(struct unix_socket *sender, const struct unix_socket *receiver,
	struct unix_message *message, const struct linux_ucred *own)
{
	if (!message->baggage.has_credentials &&
		(sender->socket->pass_credentials || receiver->socket->pass_credentials)) {
		message->baggage.credentials = *own;
		message->baggage.has_credentials = true;
	}
	message->from = sender->address;
	if (message->from != NULL)
		unix_address_acquire(message->from);
}

static int deliver(
	struct unix_socket *sender, struct unix_socket *receiver, struct unix_message *message)
{
	struct linux_ucred own = unix_own_credentials();
	struct unix_socket *dropped = NULL;
	int error;

	spin_lock(&unix_lock);
	error = check_receiver_locked(sender, receiver, &dropped);
	if (error == 0) {
		complete_locked(sender, receiver, message, &own);
		unix_deliver_locked(receiver, message);
	}
	spin_unlock(&unix_lock);
	if (dropped != NULL)
		unix_release(dropped);
	return error;
}

static int make_message(struct unix_socket *sender, struct uio *uio, struct unix_message **result)
{
	uint32_t bytes = (uint32_t)uio->bytes_left;

	*result = unix_message_create(sender, bytes);
	if (*result == NULL)
		return -LINUX_ENOBUFS;
	if (uio_copy_some_from(uio, (*result)->data, bytes) == bytes)
		return 0;
	unix_message_release(*result);
	return -LINUX_EFAULT;
}

static long send_with(
	struct socket *socket, struct socket_message *message, struct unix_baggage *baggage)
{
	struct unix_socket *sender = unix_of(socket), *receiver;
	struct uio before = *message->uio;
	struct unix_message *made = NULL;
	long bytes = (long)before.bytes_left;
	int error = check_send(socket, message);

	if (error == 0)
		error = make_message(sender, message->uio, &made);
	if (error != 0)
		return error;
	error = find_receiver(sender, message, &receiver);
	if (error == 0) {
		made->baggage = *baggage;
		error = deliver(sender, receiver, made);
		unix_release(receiver);
	}
	if (error == 0) {
		*baggage = (struct unix_baggage){0};
		return bytes;
	}
	made->baggage = (struct unix_baggage){0};
	unix_message_release(made);
	*message->uio = before;
	return error;
}

long unix_datagram_send(struct socket *socket, struct socket_message *message)
{
	struct unix_baggage baggage;
	long sent;
	int error = unix_baggage_read(&baggage, message);

	if (error != 0)
		return error;
	sent = send_with(socket, message, &baggage);
	unix_baggage_drop(&baggage);
	return sent;
}

/* ---- receiving ---------------------------------------------------------------------------- */

/* The oldest message with a reference, taken out unless it is only peeked at. */
static struct unix_message *take_message(struct unix_socket *receiver, bool peek)
{
	struct unix_message *message;

	spin_lock(&unix_lock);
	message = unix_oldest_locked(receiver);
	if (message != NULL && peek)
		unix_message_acquire_locked(message);
	else if (message != NULL)
		unix_remove_locked(receiver, message);
	spin_unlock(&unix_lock);
	return message;
}

/* Nothing came: the end of what was connected, or not yet. */
static long no_message(const struct socket *socket, const struct socket_message *message)
{
	const struct unix_socket *receiver = unix_of(socket);
	bool at_end = (READ_ONCE(receiver->shutdown) & 1) != 0;

	if (at_end &&
		(unix_is_connection_based(receiver) || (message->flags & LINUX_MSG_DONTWAIT) == 0))
		return 0;
	return -LINUX_EAGAIN;
}

static long unpack(struct socket *socket, struct unix_message *message,
	struct socket_message *received, bool peek)
{
	uint32_t wanted = (uint32_t)MIN(received->uio->bytes_left, message->bytes);

	if (received->name != NULL && message->from != NULL)
		unix_address_show(message->from, received->name);
	if (wanted < message->bytes)
		received->result_flags |= LINUX_MSG_TRUNC;
	if (uio_copy_some_to(received->uio, message->data, wanted) != wanted)
		return -LINUX_EFAULT;
	unix_message_unpack(message, socket, received, peek);
	return (received->flags & LINUX_MSG_TRUNC) != 0 ? message->bytes : wanted;
}

long unix_datagram_receive(struct socket *socket, struct socket_message *received)
{
	struct unix_socket *receiver = unix_of(socket);
	bool peek = (received->flags & LINUX_MSG_PEEK) != 0;
	struct unix_message *message;
	long bytes;
	int error;

	if (receiver->type == LINUX_SOCK_SEQPACKET && READ_ONCE(receiver->state) != UNIX_CONNECTED)
		return -LINUX_ENOTCONN;
	if ((received->flags & LINUX_MSG_OOB) != 0)
		return -LINUX_EOPNOTSUPP;
	error = unix_take_error(socket);
	if (error != 0)
		return error;
	message = take_message(receiver, peek);
	if (message == NULL)
		return no_message(socket, received);
	bytes = unpack(socket, message, received, peek);
	unix_message_release(message);
	return bytes;
}
