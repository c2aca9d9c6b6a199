/*
 * setsockopt(2) and getsockopt(2) of SOL_SOCKET, with the meaning they have in Linux:
 * socket(7). What a family keeps itself it answers first.
 */
#include "kernel/credentials.h"
#include "kernel/mm/heap.h"
#include "kernel/mm/uaccess.h"
#include "kernel/net/device.h"
#include "kernel/net/net.h"
#include "kernel/net/socket.h"
#include "kernel/net/socket_filter.h"
#include "kernel/sched/thread.h"
#include "abi/linux/errno.h"
#include "abi/linux/socket.h"
#include "abi/linux/time.h"
#include "lib/string.h"

#define BUFFER_DEFAULT     212992u /* net.core.[rw]mem_default */
#define BUFFER_MAXIMUM     212992u
#define SEND_BUFFER_MIN    4608u
#define RECEIVE_BUFFER_MIN 2304u
#define PRIORITY_FREE      6
#define NS_PER_S           1000000000ull

/* Options that are one flag of the socket. NULL: no such option. */
static bool *flag_of(struct socket *socket, int option)
{
	switch (option) {
	case LINUX_SO_REUSEADDR:
		return &socket->reuse_address;
	case LINUX_SO_REUSEPORT:
		return &socket->reuse_port;
	case LINUX_SO_BROADCAST:
		return &socket->broadcast;
	case LINUX_SO_KEEPALIVE:
		return &socket->keep_alive;
	case LINUX_SO_DONTROUTE:
		return &socket->dont_route;
	case LINUX_SO_TIMESTAMP:
		return &socket->timestamp;
	case LINUX_SO_TIMESTAMPNS:
		return &socket->timestamp_ns;
	case LINUX_SO_PASSCRED:
		return &socket->pass_credentials;
	case LINUX_SO_OOBINLINE:
		return &socket->oob_inline;
	case LINUX_SO_NO_CHECK:
		return &socket->no_check;
	default:
		return NULL;
	}
}

/* ---- setting ------------------------------------------------------------------------ */

static uint32_t doubled(uint32_t value, uint32_t least)
{
	return MAX(MIN(value, BUFFER_MAXIMUM) * 2, least);
}

static uint32_t forced(int value, uint32_t least)
{
	return MAX((uint32_t)MIN(MAX(value, 0), INT32_MAX / 2) * 2, least);
}

static int set_timeout(uint64_t *timeout_ns, const void *value, uint32_t bytes)
{
	struct linux_timeval time;

	if (bytes < sizeof(time))
		return -LINUX_EINVAL;
	memcpy(&time, value, sizeof(time));
	if (time.microseconds < 0 || time.microseconds >= 1000000)
		return -LINUX_EDOM;
	if (time.seconds < 0)
		*timeout_ns = 1; /* as good as none */
	else if ((uint64_t)time.seconds >= INT64_MAX / NS_PER_S)
		*timeout_ns = 0;
	else
		*timeout_ns =
			(uint64_t)time.seconds * NS_PER_S + (uint64_t)time.microseconds * 1000;
	return 0;
}

/* By name; an empty one ends it. */
static int set_device_name(struct socket *socket, const char *value, uint32_t bytes)
{
	char name[NET_DEVICE_NAME_BYTES] = {0};
	const struct net_device *device = NULL;

	memcpy(name, value, MIN(bytes, NET_DEVICE_NAME_BYTES - 1));
	net_lock();
	if (name[0] != '\0')
		device = net_device_by_name(name);
	net_unlock();
	if (device == NULL && name[0] != '\0')
		return -LINUX_ENODEV;
	socket->device_index = device != NULL ? device->index : 0;
	return 0;
}

static int set_device_index(struct socket *socket, int index)
{
	const struct net_device *device;

	if (index < 0)
		return -LINUX_EINVAL;
	net_lock();
	device = net_device_by_index((uint32_t)index);
	net_unlock();
	if (index != 0 && device == NULL)
		return -LINUX_ENODEV;
	socket->device_index = (uint32_t)index;
	return 0;
}

static int set_linger(struct socket *socket, const void *value, uint32_t bytes)
{
	struct linux_linger linger;

	if (bytes < sizeof(linger))
		return -LINUX_EINVAL;
	memcpy(&linger, value, sizeof(linger));
	socket->linger_seconds = linger.on == 0 ? -1 : MAX(linger.seconds, 0);
	return 0;
}

static int set_priority(struct socket *socket, int value)
{
	if ((value < 0 || value > PRIORITY_FREE) && !credentials_has(CAPABILITY_NET_ADMIN))
		return -LINUX_EPERM;
	socket->priority = (uint32_t)value;
	return 0;
}

static int set_forced(uint32_t *buffer, int value, uint32_t least)
{
	if (!credentials_has(CAPABILITY_NET_ADMIN))
		return -LINUX_EPERM;
	*buffer = forced(value, least);
	return 0;
}

/* ---- filters -------------------------------------------------------------------------- */

static int replace_filter(struct socket *socket, struct socket_filter *filter)
{
	struct socket_filter *before;

	if (socket->filter_is_locked)
		return -LINUX_EPERM;
	net_lock();
	before = socket->filter;
	socket->filter = filter;
	net_unlock();
	socket_filter_free(before);
	return before == NULL && filter == NULL ? -LINUX_ENOENT : 0;
}

static int attach_filter(struct socket *socket, const void *value, uint32_t bytes)
{
	struct linux_sock_filter *program;
	struct socket_filter *filter = NULL;
	struct linux_sock_fprog given;
	uint32_t program_bytes;
	int error;

	if (!socket->ops->is_filtered)
		return -LINUX_ENOPROTOOPT;
	if (bytes != sizeof(given))
		return -LINUX_EINVAL;
	memcpy(&given, value, sizeof(given));
	program_bytes = given.count * (uint32_t)sizeof(*program);
	if (given.count == 0 || given.count > LINUX_BPF_MAXINSNS)
		return -LINUX_EINVAL;
	program = heap_alloc(program_bytes);
	if (program == NULL)
		return -LINUX_ENOMEM;
	error = user_copy_in(program, given.instructions, program_bytes);
	if (error == 0)
		error = socket_filter_create(program, given.count, &filter);
	heap_free(program);
	if (error == 0)
		error = replace_filter(socket, filter);
	if (error != 0)
		socket_filter_free(filter);
	return error;
}

/* ---- numbers -------------------------------------------------------------------------- */

static int set_number(struct socket *socket, int option, int value)
{
	bool *flag = flag_of(socket, option);

	if (flag != NULL) {
		*flag = value != 0;
		if (option == LINUX_SO_TIMESTAMP && *flag)
			socket->timestamp_ns = false;
		else if (option == LINUX_SO_TIMESTAMPNS && *flag)
			socket->timestamp = false;
		return 0;
	}
	switch (option) {
	case LINUX_SO_SNDBUF:
		socket->send_buffer_bytes = doubled((uint32_t)value, SEND_BUFFER_MIN);
		return 0;
	case LINUX_SO_RCVBUF:
		socket->receive_buffer_bytes = doubled((uint32_t)value, RECEIVE_BUFFER_MIN);
		return 0;
	case LINUX_SO_SNDBUFFORCE:
		return set_forced(&socket->send_buffer_bytes, value, SEND_BUFFER_MIN);
	case LINUX_SO_RCVBUFFORCE:
		return set_forced(&socket->receive_buffer_bytes, value, RECEIVE_BUFFER_MIN);
	case LINUX_SO_PRIORITY:
		return set_priority(socket, value);
	case LINUX_SO_RCVLOWAT:
		socket->receive_low_water = value < 0 ? INT32_MAX : (uint32_t)MAX(value, 1);
		return 0;
	case LINUX_SO_MARK:
		if (!credentials_has(CAPABILITY_NET_ADMIN))
			return -LINUX_EPERM;
		socket->mark = (uint32_t)value;
		return 0;
	case LINUX_SO_BSDCOMPAT:
	case LINUX_SO_DEBUG:
	case LINUX_SO_INCOMING_CPU:
		return 0;
	case LINUX_SO_DETACH_FILTER:
		return replace_filter(socket, NULL);
	case LINUX_SO_LOCK_FILTER:
		if (socket->filter_is_locked && value == 0)
			return -LINUX_EPERM;
		socket->filter_is_locked = value != 0;
		return 0;
	default:
		return -LINUX_ENOPROTOOPT;
	}
}

int socket_set_base_option(struct socket *socket, int option, const void *value, uint32_t bytes)
{
	int number;

	if (option == LINUX_SO_BINDTODEVICE)
		return set_device_name(socket, value, bytes);
	if (bytes < sizeof(number))
		return -LINUX_EINVAL;
	memcpy(&number, value, sizeof(number));
	switch (option) {
	case LINUX_SO_BINDTOIFINDEX:
		return set_device_index(socket, number);
	case LINUX_SO_RCVTIMEO:
		return set_timeout(&socket->receive_timeout_ns, value, bytes);
	case LINUX_SO_SNDTIMEO:
		return set_timeout(&socket->send_timeout_ns, value, bytes);
	case LINUX_SO_LINGER:
		return set_linger(socket, value, bytes);
	case LINUX_SO_ATTACH_FILTER:
		return attach_filter(socket, value, bytes);
	default:
		return set_number(socket, option, number);
	}
}

int socket_set_option(
	struct socket *socket, int level, int option, const void *value, uint32_t bytes)
{
	int error = -LINUX_ENOPROTOOPT;

	if (level != LINUX_SOL_SOCKET && socket->ops->set_option == NULL)
		return -LINUX_EOPNOTSUPP;
	if (socket->ops->set_option != NULL)
		error = socket->ops->set_option(socket, level, option, value, bytes);
	if (error == -LINUX_ENOPROTOOPT && level == LINUX_SOL_SOCKET)
		error = socket_set_base_option(socket, option, value, bytes);
	return error;
}

/* ---- getting ------------------------------------------------------------------------- */

static int give(const void *source, uint32_t source_bytes, void *value, uint32_t *bytes)
{
	*bytes = MIN(*bytes, source_bytes);
	memcpy(value, source, *bytes);
	return 0;
}

static int give_number(int number, void *value, uint32_t *bytes)
{
	return give(&number, sizeof(number), value, bytes);
}

static int give_timeout(uint64_t timeout_ns, void *value, uint32_t *bytes)
{
	struct linux_timeval time = {.seconds = (int64_t)(timeout_ns / NS_PER_S),
		.microseconds = (int64_t)(timeout_ns % NS_PER_S / 1000)};

	return give(&time, sizeof(time), value, bytes);
}

static int give_linger(const struct socket *socket, void *value, uint32_t *bytes)
{
	struct linux_linger linger = {
		.on = socket->linger_seconds >= 0, .seconds = MAX(socket->linger_seconds, 0)};

	return give(&linger, sizeof(linger), value, bytes);
}

static int give_device_name(const struct socket *socket, void *value, uint32_t *bytes)
{
	char name[NET_DEVICE_NAME_BYTES] = {0};
	const struct net_device *device;

	if (socket->device_index == 0) {
		*bytes = 0;
		return 0;
	}
	if (*bytes < sizeof(name))
		return -LINUX_EINVAL;
	net_lock();
	device = net_device_by_index(socket->device_index);
	if (device != NULL)
		memcpy(name, device->name, sizeof(name));
	net_unlock();
	return device == NULL
		       ? -LINUX_ENODEV
		       : give(name, (uint32_t)strnlen(name, sizeof(name) - 1) + 1, value, bytes);
}

static int give_peer_credentials(void *value, uint32_t *bytes)
{
	struct linux_ucred none = {.pid = 0, .uid = UINT32_MAX, .gid = UINT32_MAX};

	return give(&none, sizeof(none), value, bytes);
}

static int get_number(struct socket *socket, int option, int *number)
{
	const bool *flag = flag_of(socket, option);

	if (flag != NULL) {
		*number = *flag;
		return 0;
	}
	switch (option) {
	case LINUX_SO_TYPE:
		*number = socket->type;
		return 0;
	case LINUX_SO_PROTOCOL:
		*number = (int)socket->protocol;
		return 0;
	case LINUX_SO_DOMAIN:
		*number = socket->family;
		return 0;
	case LINUX_SO_ERROR:
		*number = __atomic_exchange_n(&socket->error, 0, __ATOMIC_RELAXED);
		return 0;
	case LINUX_SO_SNDBUF:
		*number = (int)(socket->send_buffer_bytes ? socket->send_buffer_bytes
							  : BUFFER_DEFAULT);
		return 0;
	case LINUX_SO_RCVBUF:
		*number = (int)(socket->receive_buffer_bytes ? socket->receive_buffer_bytes
							     : BUFFER_DEFAULT);
		return 0;
	case LINUX_SO_PRIORITY:
		*number = (int)socket->priority;
		return 0;
	case LINUX_SO_RCVLOWAT:
		*number = (int)socket->receive_low_water;
		return 0;
	case LINUX_SO_SNDLOWAT:
		*number = 1;
		return 0;
	case LINUX_SO_MARK:
		*number = (int)socket->mark;
		return 0;
	case LINUX_SO_BINDTOIFINDEX:
		*number = (int)socket->device_index;
		return 0;
	case LINUX_SO_LOCK_FILTER:
		*number = socket->filter_is_locked;
		return 0;
	case LINUX_SO_INCOMING_CPU:
		*number = -1;
		return 0;
	case LINUX_SO_DEBUG:
	case LINUX_SO_BSDCOMPAT:
	case LINUX_SO_ACCEPTCONN:
	case LINUX_SO_PASSSEC:
		*number = 0;
		return 0;
	default:
		return -LINUX_ENOPROTOOPT;
	}
}

static int get_socket_option(struct socket *socket, int option, void *value, uint32_t *bytes)
{
	int number, error;

	switch (option) {
	case LINUX_SO_RCVTIMEO:
		return give_timeout(socket->receive_timeout_ns, value, bytes);
	case LINUX_SO_SNDTIMEO:
		return give_timeout(socket->send_timeout_ns, value, bytes);
	case LINUX_SO_LINGER:
		return give_linger(socket, value, bytes);
	case LINUX_SO_BINDTODEVICE:
		return give_device_name(socket, value, bytes);
	case LINUX_SO_PEERCRED:
		return give_peer_credentials(value, bytes);
	case LINUX_SO_COOKIE:
		if (*bytes != sizeof(socket->number))
			return -LINUX_EINVAL;
		return give(&socket->number, sizeof(socket->number), value, bytes);
	default:
		error = get_number(socket, option, &number);
		return error != 0 ? error : give_number(number, value, bytes);
	}
}

int socket_get_option(struct socket *socket, int level, int option, void *value, uint32_t *bytes)
{
	int error = -LINUX_ENOPROTOOPT;

	if (level != LINUX_SOL_SOCKET && socket->ops->get_option == NULL)
		return -LINUX_EOPNOTSUPP;
	if (socket->ops->get_option != NULL)
		error = socket->ops->get_option(socket, level, option, value, bytes);
	if (error == -LINUX_ENOPROTOOPT && level == LINUX_SOL_SOCKET)
		error = get_socket_option(socket, option, value, bytes);
	return error;
}
