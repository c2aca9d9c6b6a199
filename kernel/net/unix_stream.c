/* Sending and receiving on AF_UNIX streams. See unix_socket.h. */
#include "kernel/fs/poll.h"
#include "kernel/net/unix_socket.h"
#include "abi/linux/errno.h"

/* A message with its header fills whole pages. */
#define CHUNK_BYTES (32768u - (uint32_t)sizeof(struct unix_message))

/* Why nothing can be sent now, or 0. */
static int check_send_locked(const struct unix_socket *sender)
{
	const struct socket *socket = sender->socket;

	if (sender->peer == NULL)
		return -LINUX_ENOTCONN;
	if ((sender->shutdown & 2) != 0 || sender->peer->socket == NULL ||
		(sender->peer->shutdown & 1) != 0)
		return -LINUX_EPIPE;
	return sender->outstanding < unix_send_buffer(socket) ? 0 : -LINUX_EAGAIN;
}

static int check_send(struct socket *socket, const struct socket_message *message)
{
	struct unix_socket *sender = unix_of(socket);
	int error;

	if ((message->flags & LINUX_MSG_OOB) != 0)
		return -LINUX_EOPNOTSUPP;
	spin_lock(&unix_lock);
	if (message->name != NULL && message->name->bytes != 0)
		error = sender->state == UNIX_CONNECTED ? -LINUX_EISCONN : -LINUX_EOPNOTSUPP;
	else
		error = check_send_locked(sender);
	spin_unlock(&unix_lock);
	if (error == 0 || error == -LINUX_EAGAIN) {
		int pending = unix_take_error(socket);

		error = pending != 0 ? pending : error;
	}
	return error;
}

/* Credentials travel when one side asked for them. */
static bool wants_credentials_locked(const struct unix_socket *sender)
{
	const struct socket *peer = sender->peer->socket;

	return sender->socket->pass_credentials || (peer != NULL && peer->pass_credentials);
}

static int deliver(struct unix_socket *sender, struct unix_message *message)
{
	struct linux_ucred own = unix_own_credentials();
	int error;

	spin_lock(&unix_lock);
	error = check_send_locked(sender);
	if (error == 0 || error == -LINUX_EAGAIN) { /* room was there when we looked */
		if (!message->baggage.has_credentials && wants_credentials_locked(sender)) {
			message->baggage.credentials = own;
			message->baggage.has_credentials = true;
		}
		message->from = sender->address;
		if (message->from != NULL)
			unix_address_acquire(message->from);
		unix_deliver_locked(sender->peer, message);
		error = 0;
	}
	spin_unlock(&unix_lock);
	return error;
}

/* Makes a message of the next bytes. */
static int take_chunk(
	struct unix_socket *sender, struct uio *uio, uint32_t most, struct unix_message **result)
{
	uint32_t bytes = (uint32_t)MIN(uio->bytes_left, most);
	struct unix_message *message = unix_message_create(sender, bytes);
	size_t copied;

	if (message == NULL)
		return -LINUX_ENOBUFS;
	copied = uio_copy_some_from(uio, message->data, bytes);
	if (copied == 0 && bytes != 0) {
		unix_message_release(message);
		return -LINUX_EFAULT;
	}
	message->bytes = (uint32_t)copied;
	*result = message;
	return 0;
}

/* One chunk. The baggage goes with the first that is delivered. */
static long send_chunk(
	struct socket *socket, const struct socket_message *message, struct unix_baggage *baggage)
{
	uint32_t most = MIN(CHUNK_BYTES, unix_send_buffer(socket) / 2);
	struct unix_socket *sender = unix_of(socket);
	struct uio before = *message->uio;
	struct unix_message *chunk = NULL;
	long bytes;
	int error = check_send(socket, message);

	if (error == 0)
		error = take_chunk(sender, message->uio, most, &chunk);
	if (error != 0)
		return error;
	bytes = chunk->bytes;
	chunk->baggage = *baggage;
	error = deliver(sender, chunk);
	if (error == 0) {
		*baggage = (struct unix_baggage){0};
		return bytes;
	}
	chunk->baggage = (struct unix_baggage){0};
	unix_message_release(chunk);
	*message->uio = before;
	return error;
}

static long send_chunks(
	struct socket *socket, struct socket_message *message, struct unix_baggage *baggage)
{
	long total = 0;

	while (message->uio->bytes_left != 0) {
		long sent = send_chunk(socket, message, baggage);

		if (sent < 0)
			return total != 0 ? total : sent;
		total += sent;
	}
	return total;
}

long unix_stream_send(struct socket *socket, struct socket_message *message)
{
	struct unix_baggage baggage;
	long sent;
	int error = unix_baggage_read(&baggage, message);

	if (error != 0)
		return error;
	if (message->uio->bytes_left == 0) {
		error = check_send(socket, message);
		sent = error == -LINUX_EAGAIN ? 0 : error; /* an empty write sends nothing */
	} else {
		sent = send_chunks(socket, message, &baggage);
	}
	unix_baggage_drop(&baggage);
	if (sent > 0)
		message->control_bytes = 0; /* what is left to send goes without it */
	return sent;
}

/* ---- receiving ------------------------------------------------------------------------ */

/* The message after `last` (NULL: the oldest), or why there is none; NULL and 0: the end. */
static int next_message(
	struct socket *socket, struct unix_message *last, struct unix_message **result)
{
	struct unix_socket *receiver = unix_of(socket);
	bool at_end;

	spin_lock(&unix_lock);
	*result = NULL;
	if (last == NULL)
		*result = unix_oldest_locked(receiver);
	else if (last->link.next != &receiver->queue)
		*result = LIST_ENTRY(last->link.next, struct unix_message, link);
	at_end = (receiver->shutdown & 1) != 0;
	spin_unlock(&unix_lock);
	if (*result != NULL)
		return 0;
	if (last == NULL) {
		int error = unix_take_error(socket);

		if (error != 0)
			return error;
	}
	return at_end ? 0 : -LINUX_EAGAIN;
}

static void consume(struct unix_socket *receiver, struct unix_message *message, uint32_t bytes)
{
	bool is_empty;

	spin_lock(&unix_lock);
	message->taken += bytes;
	is_empty = message->taken == message->bytes;
	if (is_empty)
		unix_remove_locked(receiver, message);
	spin_unlock(&unix_lock);
	if (is_empty)
		unix_message_release(message);
}

static void tell_sender(struct unix_message *message, struct socket_message *received)
{
	if (received->name != NULL && received->name->bytes == 0 && message->from != NULL)
		unix_address_show(message->from, received->name);
}

/* Takes (or looks at) some of a message. Bytes, or -EFAULT. */
static long take(struct socket *socket, struct unix_message *message,
	struct socket_message *received, bool peek)
{
	uint32_t left = message->bytes - message->taken;
	uint32_t wanted = (uint32_t)MIN(received->uio->bytes_left, left);
	size_t copied = uio_copy_some_to(received->uio, message->data + message->taken, wanted);

	if (copied == 0 && wanted != 0)
		return -LINUX_EFAULT;
	tell_sender(message, received);
	unix_message_unpack(message, socket, received, peek);
	if (!peek)
		consume(unix_of(socket), message, (uint32_t)copied);
	return (long)copied;
}

/* Beginnings of messages with other credentials are not mixed into what is received. */
static bool may_mix(const struct socket *socket, const struct unix_message *message,
	const struct linux_ucred *first)
{
	const struct linux_ucred *own = &message->baggage.credentials;

	return !socket->pass_credentials ||
	       (own->pid == first->pid && own->uid == first->uid && own->gid == first->gid);
}

static long receive_some(struct socket *socket, struct socket_message *received)
{
	bool peek = (received->flags & LINUX_MSG_PEEK) != 0;
	struct unix_message *message = NULL;
	struct linux_ucred first = {0};
	long total = 0;

	for (;;) {
		int error = next_message(socket, peek ? message : NULL, &message);
		long copied;

		if (error != 0 || message == NULL)
			return total != 0 ? total : error;
		if (total == 0)
			first = message->baggage.credentials;
		else if (!may_mix(socket, message, &first))
			return total;
		copied = take(socket, message, received, peek);
		if (copied < 0)
			return total != 0 ? total : copied;
		total += copied;
		if (received->uio->bytes_left == 0 || received->is_complete)
			return total;
	}
}

long unix_stream_receive(struct socket *socket, struct socket_message *message)
{
	struct unix_socket *receiver = unix_of(socket);

	if (READ_ONCE(receiver->state) != UNIX_CONNECTED)
		return -LINUX_EINVAL;
	if ((message->flags & LINUX_MSG_OOB) != 0)
		return -LINUX_EOPNOTSUPP;
	if (message->uio->bytes_left == 0) {
		struct unix_message *oldest;
		int error = next_message(socket, NULL, &oldest);

		return error != 0 && oldest == NULL ? error : 0;
	}
	return receive_some(socket, message);
}
