/*
 * Sockets: making them, and the calls that may wait. See socket.h.
 *
 * A call first tries; only what found nothing to do joins the wait queue and tries again,
 * until it is woken no more in vain. A try may sleep on a mutex, so that a wake-up of the
 * thread does not say that the socket woke it: the waiter leaves a note.
 */
#include "kernel/net/socket.h"
#include "kernel/fs/file.h"
#include "kernel/fs/pipe_buffer.h"
#include "kernel/mm/heap.h"
#include "kernel/net/ip.h"
#include "kernel/net/socket_file.h"
#include "kernel/net/socket_filter.h"
#include "kernel/sched/device_poll.h"
#include "abi/linux/errno.h"
#include "abi/linux/fcntl.h"
#include "abi/linux/socket.h"
#include "lib/string.h"

#define ADDRESSES_NS (10ull * 1000000000)

static uint64_t last_number = 10000;

struct socket *socket_allocate(
	const struct socket_ops *ops, uint16_t family, int type, int protocol, void *data)
{
	struct socket *socket = heap_zalloc(sizeof(*socket));

	if (socket == NULL)
		return NULL;
	socket->ops = ops;
	socket->data = data;
	socket->references = 1;
	socket->family = family;
	socket->type = (uint16_t)type;
	socket->protocol = (uint32_t)protocol;
	socket->number = __atomic_add_fetch(&last_number, 1, __ATOMIC_RELAXED);
	socket->events = &socket->own_events;
	wait_queue_init(&socket->own_events);
	mutex_init(&socket->send_lock);
	mutex_init(&socket->receive_lock);
	socket->receive_low_water = 1;
	socket->linger_seconds = -1;
	return socket;
}

void socket_acquire(struct socket *socket)
{
	__atomic_fetch_add(&socket->references, 1, __ATOMIC_RELAXED);
}

void socket_release(struct socket *socket)
{
	if (__atomic_sub_fetch(&socket->references, 1, __ATOMIC_ACQ_REL) != 0)
		return;
	if (socket->ops->release != NULL)
		socket->ops->release(socket);
	socket_filter_free(socket->filter);
	heap_free(socket);
}

/* ---- making them ---------------------------------------------------------------- */

static const struct socket_family *const families[] = {
	&socket_family_unix,
	&socket_family_inet,
	&socket_family_inet6,
	&socket_family_netlink,
	&socket_family_packet,
};

static const struct socket_family *find_family(int family)
{
	for (size_t i = 0; i < ARRAY_SIZE(families); i++) {
		if (families[i]->create != NULL && families[i]->family == family)
			return families[i];
	}
	return NULL;
}

/* The family, if it is one that can be asked for `type`. */
static int find_kind(int family, int type, const struct socket_family **found)
{
	if (family < 0 || family >= LINUX_AF_MAX)
		return -LINUX_EAFNOSUPPORT;
	if (type < 0 || type >= LINUX_SOCK_MAX)
		return -LINUX_EINVAL;
	*found = find_family(family);
	return *found != NULL ? 0 : -LINUX_EAFNOSUPPORT;
}

int socket_create_file(int family, int type, int protocol, uint32_t flags, struct file **file)
{
	const struct socket_family *found = NULL;
	struct socket *socket = NULL;
	int error = find_kind(family, type, &found);

	if (error == 0)
		error = found->create(type, protocol, &socket);
	if (error != 0)
		return error;
	*file = socket_file_create(socket, flags);
	return *file != NULL ? 0 : -LINUX_ENOMEM;
}

int socket_create_pair(int family, int type, int protocol, uint32_t flags, struct file *files[2])
{
	struct socket *pair[2] = {NULL, NULL};
	const struct socket_family *found = NULL;
	int error = find_kind(family, type, &found);

	if (error != 0)
		return error;
	if (found->create_pair == NULL) {
		error = found->create(type, protocol, &pair[0]);
		if (error == 0)
			socket_release(pair[0]);
		return error != 0 ? error : -LINUX_EOPNOTSUPP;
	}
	error = found->create_pair(type, protocol, pair);
	if (error != 0)
		return error;
	files[0] = socket_file_create(pair[0], flags);
	files[1] = socket_file_create(pair[1], flags);
	if (files[0] != NULL && files[1] != NULL)
		return 0;
	for (size_t i = 0; i < 2; i++) {
		if (files[i] != NULL)
			file_release(files[i]);
	}
	return -LINUX_ENOMEM;
}

/* ---- waiting ---------------------------------------------------------------------- */

struct patience {
	struct waiter waiter;
	struct wait_queue *queue; /* NULL: not on it yet */
	uint32_t events;          /* POLL bits that are worth another try */
	bool triggered;
	bool may_wait;
	bool has_polled; /* devices, which may have brought what there is to wait for */
	uint64_t deadline_ns;
};

static bool on_wake(struct waiter *waiter, uint32_t events)
{
	struct patience *patience = CONTAINER_OF(waiter, struct patience, waiter);

	if (events != 0 && (events & patience->events) == 0)
		return false;
	__atomic_store_n(&patience->triggered, true, __ATOMIC_SEQ_CST);
	thread_wake(waiter->thread);
	return true;
}

static void patience_begin(
	struct patience *patience, uint32_t events, bool may_wait, uint64_t timeout_ns)
{
	patience->queue = NULL;
	patience->events = events | POLL_ERR | POLL_HUP;
	patience->triggered = false;
	patience->may_wait = may_wait;
	patience->has_polled = false;
	patience->deadline_ns = timeout_ns; /* of the first wait */
}

static void patience_end(struct patience *patience)
{
	if (patience->queue != NULL)
		wait_remove(patience->queue, &patience->waiter);
}

static void join(struct patience *patience, struct socket *socket)
{
	uint64_t now = clock_monotonic_ns();

	if (patience->deadline_ns == 0 || patience->deadline_ns > WAIT_FOREVER - 1 - now)
		patience->deadline_ns = WAIT_FOREVER;
	else
		patience->deadline_ns += now;
	waiter_init(&patience->waiter);
	patience->waiter.wake = on_wake;
	patience->queue = socket->events;
	wait_add(patience->queue, &patience->waiter);
}

/* A try gave -EAGAIN. 0: try again; else what the call returns. */
static int wait_for_change(struct patience *patience, struct socket *socket)
{
	if (!patience->has_polled) {
		patience->has_polled = true;
		if (device_poll())
			return 0;
	}
	if (!patience->may_wait)
		return -LINUX_EAGAIN;
	if (patience->queue == NULL) {
		join(patience, socket);
		return 0;
	}
	while (!__atomic_exchange_n(&patience->triggered, false, __ATOMIC_SEQ_CST)) {
		bool for_ever = patience->deadline_ns == WAIT_FOREVER;

		if (thread_is_interrupted(thread_current()))
			return for_ever ? -LINUX_ERESTARTSYS : -LINUX_EINTR;
		if (!for_ever && clock_monotonic_ns() >= patience->deadline_ns)
			return -LINUX_EAGAIN;
		thread_sleep(patience->deadline_ns);
	}
	return 0;
}

/* ---- connecting ------------------------------------------------------------------- */

static int await_connection(struct file *file, struct socket *socket, struct patience *patience)
{
	int error;

	if (file_is_nonblocking(file) || socket->ops->connect_result == NULL)
		return -LINUX_EINPROGRESS;
	for (;;) {
		error = socket->ops->connect_result(socket);
		if (error != -LINUX_EINPROGRESS)
			return error;
		error = wait_for_change(patience, socket);
		if (error != 0)
			return error == -LINUX_EAGAIN ? -LINUX_EINPROGRESS : error;
	}
}

/* A program is quicker than the DHCP server that was asked as the machine booted: no route yet
 * is worth a moment's wait, for non-blocking callers too. True: try again. */
static bool wait_for_addresses(void)
{
	return ip_is_configuring() && WAIT_UNTIL(ip_configuration_events(), !ip_is_configuring(),
					      clock_monotonic_ns() + ADDRESSES_NS) == 0;
}

int socket_connect(struct file *file, const struct socket_name *name)
{
	struct socket *socket = socket_of_file(file);
	struct patience patience;
	int error;

	if (socket->ops->connect == NULL)
		return -LINUX_EOPNOTSUPP;
	patience_begin(&patience, POLL_OUT, !file_is_nonblocking(file), socket->send_timeout_ns);
	do {
		error = socket->ops->connect(socket, name);
		if (error == -LINUX_ENETUNREACH && wait_for_addresses())
			error = socket->ops->connect(socket, name);
	} while (error == -LINUX_EAGAIN && (error = wait_for_change(&patience, socket)) == 0);
	if (error == -LINUX_EINPROGRESS || (error == -LINUX_EALREADY && !file_is_nonblocking(file)))
		error = await_connection(file, socket, &patience);
	patience_end(&patience);
	return error;
}

int socket_accept(struct file *file, uint32_t flags, struct file **connection)
{
	struct socket *socket = socket_of_file(file), *accepted = NULL;
	struct patience patience;
	int error;

	if (socket->ops->accept == NULL)
		return -LINUX_EOPNOTSUPP;
	patience_begin(&patience, POLL_IN, !file_is_nonblocking(file), socket->receive_timeout_ns);
	do {
		error = socket->ops->accept(socket, &accepted);
	} while (error == -LINUX_EAGAIN && (error = wait_for_change(&patience, socket)) == 0);
	patience_end(&patience);
	if (error != 0)
		return error;
	*connection = socket_file_create(accepted, flags);
	return *connection != NULL ? 0 : -LINUX_ENOMEM;
}

/* ---- moving data ------------------------------------------------------------------- */

static bool is_stream(const struct socket *socket)
{
	return socket->type == LINUX_SOCK_STREAM;
}

static long send_once(struct socket *socket, struct socket_message *message)
{
	long sent;

	if (!is_stream(socket))
		return socket->ops->send(socket, message);
	mutex_lock(&socket->send_lock);
	sent = socket->ops->send(socket, message);
	mutex_unlock(&socket->send_lock);
	return sent;
}

static long send_all(
	struct socket *socket, struct socket_message *message, struct patience *patience)
{
	long total = 0;

	for (;;) {
		long sent = send_once(socket, message);

		if (sent >= 0) {
			total += sent;
			if (!is_stream(socket) || message->uio->bytes_left == 0)
				return total;
			continue;
		}
		if (sent == -LINUX_EAGAIN)
			sent = wait_for_change(patience, socket);
		if (sent != 0)
			return total != 0 ? total : sent;
	}
}

long socket_send(struct file *file, struct socket_message *message)
{
	struct socket *socket = socket_of_file(file);
	struct patience patience;
	long sent;

	if (socket->ops->send == NULL)
		return -LINUX_EOPNOTSUPP;
	if (file_is_nonblocking(file))
		message->flags |= LINUX_MSG_DONTWAIT;
	patience_begin(&patience, POLL_OUT, (message->flags & LINUX_MSG_DONTWAIT) == 0,
		socket->send_timeout_ns);
	sent = send_all(socket, message, &patience);
	patience_end(&patience);
	if (sent == -LINUX_EPIPE && is_stream(socket) && (message->flags & LINUX_MSG_NOSIGNAL) == 0)
		pipe_send_broken();
	return sent;
}

static long receive_once(struct socket *socket, struct socket_message *message)
{
	long received;

	if (!is_stream(socket))
		return socket->ops->receive(socket, message);
	mutex_lock(&socket->receive_lock);
	received = socket->ops->receive(socket, message);
	mutex_unlock(&socket->receive_lock);
	return received;
}

/* How much a stream must give before the call returns. */
static uint64_t receive_target(const struct socket *socket, const struct socket_message *message)
{
	uint64_t bytes = message->uio->bytes_left;

	if ((message->flags & LINUX_MSG_WAITALL) != 0)
		return bytes;
	return MIN(bytes, READ_ONCE(socket->receive_low_water));
}

static long receive_enough(
	struct socket *socket, struct socket_message *message, struct patience *patience)
{
	uint64_t target = receive_target(socket, message);
	long total = 0;

	for (;;) {
		long received = receive_once(socket, message);

		if (received >= 0) {
			total += received;
			if (!is_stream(socket) || received == 0 || (uint64_t)total >= target ||
				message->is_complete || (message->flags & LINUX_MSG_PEEK) != 0)
				return total;
			continue;
		}
		if (received == -LINUX_EAGAIN && is_stream(socket) && target == 0)
			return 0;
		if (received == -LINUX_EAGAIN)
			received = wait_for_change(patience, socket);
		if (received != 0)
			return total != 0 ? total : received;
	}
}

long socket_receive(struct file *file, struct socket_message *message)
{
	struct socket *socket = socket_of_file(file);
	struct patience patience;
	long received;

	if (socket->ops->receive == NULL)
		return -LINUX_EOPNOTSUPP;
	if (file_is_nonblocking(file))
		message->flags |= LINUX_MSG_DONTWAIT;
	patience_begin(&patience, POLL_IN | POLL_RDHUP | POLL_PRI,
		(message->flags & LINUX_MSG_DONTWAIT) == 0, socket->receive_timeout_ns);
	received = receive_enough(socket, message, &patience);
	patience_end(&patience);
	return received;
}

void socket_add_control(
	struct socket_message *message, int level, int type, const void *data, uint32_t bytes)
{
	struct linux_cmsghdr header = {
		.bytes = sizeof(header) + bytes, .level = level, .type = type};
	uint32_t room = message->control_capacity - message->control_bytes;
	uint8_t *target = message->control + message->control_bytes;
	uint32_t whole = (uint32_t)LINUX_CMSG_SPACE(bytes);

	if (message->control == NULL || room < sizeof(header)) {
		message->result_flags |= LINUX_MSG_CTRUNC;
		return;
	}
	if (room < header.bytes) {
		message->result_flags |= LINUX_MSG_CTRUNC;
		header.bytes = room;
		bytes = room - (uint32_t)sizeof(header);
	}
	memcpy(target, &header, sizeof(header));
	memcpy(target + sizeof(header), data, bytes);
	if (whole > sizeof(header) + bytes && whole <= room)
		memset(target + sizeof(header) + bytes, 0, whole - sizeof(header) - bytes);
	message->control_bytes += MIN(whole, room);
}
