/* Options of TCP sockets: tcp(7), ip(7), ipv6(7). See inet_stream.h. */
#include "kernel/net/inet_stream.h"
#include "abi/linux/errno.h"
#include "abi/linux/socket.h"
#include "lib/string.h"

#define SEND_BUFFER_DEFAULT    16384  /* net.ipv4.tcp_wmem */
#define RECEIVE_BUFFER_DEFAULT 131072 /* net.ipv4.tcp_rmem */
#define HOPS_DEFAULT           64
#define DISCOVERY_MOST         5 /* IP_PMTUDISC_OMIT */
#define SEGMENT_DEFAULT        536
#define SEGMENT_LEAST          88
#define SEGMENT_MOST           32767
#define INFO_SEGMENT_OFFSET    16 /* tcpi_snd_mss of struct tcp_info */

/* ---- setting --------------------------------------------------------------------------- */

static bool is_between(int value, int least, int most)
{
	return value >= least && value <= most;
}

static int set_within(uint32_t *target, int value, int least, int most)
{
	if (!is_between(value, least, most))
		return -LINUX_EINVAL;
	*target = (uint32_t)value;
	return 0;
}

static int set_tcp_number(struct tcp_options *options, int option, int value)
{
	switch (option) {
	case LINUX_TCP_NODELAY:
		options->no_delay = value != 0;
		return 0;
	case LINUX_TCP_CORK:
		options->cork = value != 0;
		return 0;
	case LINUX_TCP_QUICKACK:
		options->quick_ack = value != 0;
		return 0;
	case LINUX_TCP_MAXSEG:
		if (value == 0) {
			options->maximum_segment = 0;
			return 0;
		}
		return set_within(&options->maximum_segment, value, SEGMENT_LEAST, SEGMENT_MOST);
	case LINUX_TCP_KEEPIDLE:
		return set_within(&options->keep_idle_seconds, value, 1, 32767);
	case LINUX_TCP_KEEPINTVL:
		return set_within(&options->keep_interval_seconds, value, 1, 32767);
	case LINUX_TCP_KEEPCNT:
		return set_within(&options->keep_count, value, 1, 127);
	case LINUX_TCP_SYNCNT:
		return set_within(&options->syn_count, value, 1, 127);
	case LINUX_TCP_LINGER2:
		options->linger2_seconds = value < 0 ? UINT32_MAX : (uint32_t)value;
		return 0;
	case LINUX_TCP_DEFER_ACCEPT:
		options->defer_accept_seconds = (uint32_t)MAX(value, 0);
		return 0;
	case LINUX_TCP_WINDOW_CLAMP:
		options->window_clamp = (uint32_t)value;
		return 0;
	case LINUX_TCP_USER_TIMEOUT:
		return set_within(&options->user_timeout_ms, value, 0, INT32_MAX);
	case LINUX_TCP_NOTSENT_LOWAT:
		options->not_sent_low_water = (uint32_t)value;
		return 0;
	default:
		return -LINUX_ENOPROTOOPT;
	}
}

static int set_congestion(struct tcp_options *options, const char *value, uint32_t bytes)
{
	char name[sizeof(options->congestion)] = {0};

	memcpy(name, value, MIN(bytes, sizeof(name) - 1));
	if (strcmp(name, "cubic") != 0 && strcmp(name, "reno") != 0)
		return -LINUX_ENOENT;
	memcpy(options->congestion, name, sizeof(name));
	return 0;
}

static int set_discovery(struct tcp_options *options, int value)
{
	if (!is_between(value, 0, DISCOVERY_MOST))
		return -LINUX_EINVAL;
	options->discovery = (uint8_t)value;
	return 0;
}

static int set_ip_number(struct tcp_options *options, int option, int value)
{
	switch (option) {
	case LINUX_IP_TOS:
		options->traffic_class = (uint8_t)value;
		return 0;
	case LINUX_IP_TTL:
		if (value != -1 && !is_between(value, 1, 255))
			return -LINUX_EINVAL;
		options->hop_limit = value == -1 ? 0 : (uint8_t)value;
		return 0;
	case LINUX_IP_MTU_DISCOVER:
		return set_discovery(options, value);
	case LINUX_IP_RECVERR:
		options->receive_errors = value != 0;
		return 0;
	case LINUX_IP_BIND_ADDRESS_NO_PORT:
		return 0; /* connect() shares ports that it chose */
	default:
		return -LINUX_ENOPROTOOPT;
	}
}

static bool is_bound(const struct socket *socket)
{
	struct ip_endpoint local;

	tcp_local_name(inet_stream_tcp(socket), &local);
	return local.port != 0;
}

static int set_ipv6_number(
	const struct socket *socket, struct tcp_options *options, int option, int value)
{
	switch (option) {
	case LINUX_IPV6_V6ONLY:
		if (is_bound(socket))
			return -LINUX_EINVAL;
		options->v6_only = value != 0;
		return 0;
	case LINUX_IPV6_TCLASS:
		if (!is_between(value, -1, 255))
			return -LINUX_EINVAL;
		options->traffic_class = (uint8_t)MAX(value, 0);
		return 0;
	case LINUX_IPV6_UNICAST_HOPS:
		if (!is_between(value, -1, 255))
			return -LINUX_EINVAL;
		options->hop_limit = (uint8_t)MAX(value, 0);
		return 0;
	case LINUX_IPV6_MTU_DISCOVER:
		return set_discovery(options, value);
	case LINUX_IPV6_RECVERR:
		options->receive_errors = value != 0;
		return 0;
	default:
		return -LINUX_ENOPROTOOPT;
	}
}

/* The layer keeps the options of SOL_SOCKET; TCP needs to know of some. */
static void tell_tcp(const struct socket *socket)
{
	struct tcp_options options;

	tcp_get_options(inet_stream_tcp(socket), &options);
	options.reuse_address = socket->reuse_address;
	options.reuse_port = socket->reuse_port;
	options.keep_alive = socket->keep_alive;
	options.oob_inline = socket->oob_inline;
	options.send_buffer = socket->send_buffer_bytes;
	options.receive_buffer = socket->receive_buffer_bytes;
	options.device_index = socket->device_index;
	(void)tcp_set_options(inet_stream_tcp(socket), &options);
}

static int set_level(struct socket *socket, struct tcp_options *options, int level, int option,
	const void *value, uint32_t bytes)
{
	int number = 0;

	if (level == LINUX_SOL_TCP && option == LINUX_TCP_CONGESTION)
		return bytes == 0 ? -LINUX_EINVAL : set_congestion(options, value, bytes);
	if (bytes < sizeof(number) && (level != LINUX_SOL_IP || bytes == 0))
		return -LINUX_EINVAL;
	memcpy(&number, value, MIN(bytes, sizeof(number)));
	if (level == LINUX_SOL_TCP)
		return set_tcp_number(options, option, number);
	if (level == LINUX_SOL_IP)
		return set_ip_number(options, option, number);
	if (level == LINUX_SOL_IPV6 && socket->family == LINUX_AF_INET6)
		return set_ipv6_number(socket, options, option, number);
	return -LINUX_ENOPROTOOPT;
}

int inet_stream_set_option(
	struct socket *socket, int level, int option, const void *value, uint32_t bytes)
{
	struct tcp_options options;
	int error;

	if (level == LINUX_SOL_SOCKET) {
		error = socket_set_base_option(socket, option, value, bytes);
		if (error == 0)
			tell_tcp(socket);
		return error;
	}
	tcp_get_options(inet_stream_tcp(socket), &options);
	error = set_level(socket, &options, level, option, value, bytes);
	return error != 0 ? error : tcp_set_options(inet_stream_tcp(socket), &options);
}

/* ---- getting ------------------------------------------------------------------------------ */

static int give(const void *source, uint32_t source_bytes, void *value, uint32_t *bytes)
{
	*bytes = MIN(*bytes, source_bytes);
	memcpy(value, source, *bytes);
	return 0;
}

static int segment_of(struct tcp *tcp, const struct tcp_options *options)
{
	struct ip_endpoint peer;
	uint32_t info[INFO_SEGMENT_OFFSET / 4 + 1] = {0};

	if (tcp_peer_name(tcp, &peer) == 0 && tcp_info(tcp, info, sizeof(info)) == sizeof(info))
		return (int)info[INFO_SEGMENT_OFFSET / 4];
	return options->maximum_segment ? (int)options->maximum_segment : SEGMENT_DEFAULT;
}

static int get_tcp_number(
	struct tcp *tcp, const struct tcp_options *options, int option, int *number)
{
	switch (option) {
	case LINUX_TCP_NODELAY:
		*number = options->no_delay;
		return 0;
	case LINUX_TCP_CORK:
		*number = options->cork;
		return 0;
	case LINUX_TCP_QUICKACK:
		*number = options->quick_ack;
		return 0;
	case LINUX_TCP_MAXSEG:
		*number = segment_of(tcp, options);
		return 0;
	case LINUX_TCP_KEEPIDLE:
		*number = (int)options->keep_idle_seconds;
		return 0;
	case LINUX_TCP_KEEPINTVL:
		*number = (int)options->keep_interval_seconds;
		return 0;
	case LINUX_TCP_KEEPCNT:
		*number = (int)options->keep_count;
		return 0;
	case LINUX_TCP_SYNCNT:
		*number = (int)options->syn_count;
		return 0;
	case LINUX_TCP_LINGER2:
		*number = (int)options->linger2_seconds;
		return 0;
	case LINUX_TCP_DEFER_ACCEPT:
		*number = (int)options->defer_accept_seconds;
		return 0;
	case LINUX_TCP_WINDOW_CLAMP:
		*number = (int)options->window_clamp;
		return 0;
	case LINUX_TCP_USER_TIMEOUT:
		*number = (int)options->user_timeout_ms;
		return 0;
	case LINUX_TCP_NOTSENT_LOWAT:
		*number = (int)options->not_sent_low_water;
		return 0;
	default:
		return -LINUX_ENOPROTOOPT;
	}
}

static int get_ip_number(const struct tcp_options *options, int level, int option, int *number)
{
	if ((level == LINUX_SOL_IP && option == LINUX_IP_TTL) ||
		(level == LINUX_SOL_IPV6 && option == LINUX_IPV6_UNICAST_HOPS))
		*number = options->hop_limit ? options->hop_limit : HOPS_DEFAULT;
	else if ((level == LINUX_SOL_IP && option == LINUX_IP_TOS) ||
		 (level == LINUX_SOL_IPV6 && option == LINUX_IPV6_TCLASS))
		*number = options->traffic_class;
	else if (level == LINUX_SOL_IPV6 && option == LINUX_IPV6_V6ONLY)
		*number = options->v6_only;
	else if (option == (level == LINUX_SOL_IP ? (int)LINUX_IP_MTU_DISCOVER
						  : (int)LINUX_IPV6_MTU_DISCOVER))
		*number = options->discovery;
	else if (option ==
		 (level == LINUX_SOL_IP ? (int)LINUX_IP_RECVERR : (int)LINUX_IPV6_RECVERR))
		*number = options->receive_errors;
	else
		return -LINUX_ENOPROTOOPT;
	return 0;
}

static int get_socket_number(struct socket *socket, int option, int *number)
{
	switch (option) {
	case LINUX_SO_ERROR:
		*number = tcp_take_error(inet_stream_tcp(socket));
		if (*number == 0)
			*number = __atomic_exchange_n(&socket->error, 0, __ATOMIC_RELAXED);
		return 0;
	case LINUX_SO_ACCEPTCONN:
		*number = tcp_is_listening(inet_stream_tcp(socket));
		return 0;
	case LINUX_SO_SNDBUF:
		*number = socket->send_buffer_bytes ? (int)socket->send_buffer_bytes
						    : SEND_BUFFER_DEFAULT;
		return 0;
	case LINUX_SO_RCVBUF:
		*number = socket->receive_buffer_bytes ? (int)socket->receive_buffer_bytes
						       : RECEIVE_BUFFER_DEFAULT;
		return 0;
	default:
		return -LINUX_ENOPROTOOPT;
	}
}

int inet_stream_get_option(
	struct socket *socket, int level, int option, void *value, uint32_t *bytes)
{
	struct tcp *tcp = inet_stream_tcp(socket);
	struct tcp_options options;
	int number = 0, error;

	tcp_get_options(tcp, &options);
	if (level == LINUX_SOL_TCP && option == LINUX_TCP_INFO) {
		*bytes = (uint32_t)tcp_info(tcp, value, *bytes);
		return 0;
	}
	if (level == LINUX_SOL_TCP && option == LINUX_TCP_CONGESTION)
		return give(options.congestion, sizeof(options.congestion), value, bytes);
	if (level == LINUX_SOL_SOCKET)
		error = get_socket_number(socket, option, &number);
	else if (level == LINUX_SOL_TCP)
		error = get_tcp_number(tcp, &options, option, &number);
	else if (level == LINUX_SOL_IPV6 && socket->family != LINUX_AF_INET6)
		error = -LINUX_EOPNOTSUPP;
	else
		error = get_ip_number(&options, level, option, &number);
	return error != 0 ? error : give(&number, sizeof(number), value, bytes);
}
