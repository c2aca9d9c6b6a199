/* Internet stream sockets over the loopback address: names, states, errors, options. */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include "check/trace.h"

static struct sockaddr_in any_v4, loopback;
static struct sockaddr_in6 any_v6, loopback_v6;

static void state(const char *what, int fd)
{
	struct pollfd poller = {.fd = fd, .events = 0x20ff & ~POLLNVAL};
	int count = poll(&poller, 1, 0);

	printf("%s: poll %d %#x\n", what, count, (unsigned)poller.revents);
}

/* What the other side did arrives soon, not at once. */
static void await(int fd, short events)
{
	struct pollfd poller = {.fd = fd, .events = events};

	poll(&poller, 1, 2000);
}

static void show(const char *what, int result, const struct sockaddr_storage *name, socklen_t bytes)
{
	char text[INET6_ADDRSTRLEN] = "";
	const struct sockaddr_in *in = (const void *)name;
	const struct sockaddr_in6 *in6 = (const void *)name;

	if (result != 0) {
		printf("  %s: %s\n", what, error_name(errno));
		return;
	}
	if (name->ss_family == AF_INET)
		inet_ntop(AF_INET, &in->sin_addr, text, sizeof(text));
	else
		inet_ntop(AF_INET6, &in6->sin6_addr, text, sizeof(text));
	printf("  %s: %u bytes, %s, %s\n", what, bytes, text,
		in->sin_port != 0 ? "a port" : "no port");
}

static void names_of(const char *what, int fd)
{
	struct sockaddr_storage name = {0};
	socklen_t bytes = sizeof(name);
	int result;

	printf("%s\n", what);
	result = getsockname(fd, (struct sockaddr *)&name, &bytes);
	show("own", result, &name, bytes);
	bytes = sizeof(name);
	result = getpeername(fd, (struct sockaddr *)&name, &bytes);
	show("peer", result, &name, bytes);
}

static void kinds(void)
{
	int pair[2];

	TRY(socket(AF_INET, SOCK_STREAM, 6));
	TRY(socket(AF_INET, SOCK_STREAM, 17));
	TRY(socket(AF_INET, SOCK_STREAM, 1000));
	TRY(socket(AF_INET, SOCK_STREAM, -1));
	TRY(socket(AF_INET, SOCK_SEQPACKET, 0));
	TRY(socket(AF_INET, 0, 0));
	TRY(socket(AF_INET6, SOCK_STREAM, 6));
	TRY(socketpair(AF_INET, SOCK_STREAM, 0, pair));
	close(3);
	close(4);
}

static void fresh(int family)
{
	struct sockaddr_in in = loopback;
	int fd = socket(family, SOCK_STREAM | SOCK_NONBLOCK, 0), value;
	char byte;

	printf("-- fresh, family %d\n", family);
	state("fresh", fd);
	names_of("fresh", fd);
	TRY(send(fd, "x", 1, MSG_NOSIGNAL));
	TRY(recv(fd, &byte, 1, 0));
	TRY(accept(fd, NULL, NULL));
	TRY(shutdown(fd, SHUT_RDWR));
	TRY(shutdown(fd, 3));
	TRY(ioctl(fd, FIONREAD, &value));
	TRY(bind(fd, (struct sockaddr *)&in, 1));
	TRY(bind(fd, (struct sockaddr *)&in, 15));
	TRY(connect(fd, (struct sockaddr *)&in, 1));
	TRY(connect(fd, (struct sockaddr *)&in, 15));
	in.sin_family = AF_UNIX;
	TRY(bind(fd, (struct sockaddr *)&in, sizeof(in)));
	TRY(connect(fd, (struct sockaddr *)&in, sizeof(in)));
	in.sin_family = AF_INET;
	in.sin_addr.s_addr = inet_addr("192.0.2.77");
	if (family == AF_INET)
		TRY(bind(fd, (struct sockaddr *)&in, sizeof(in)));
	close(fd);
}

static int listen_at(int family, struct sockaddr_storage *name, socklen_t *bytes)
{
	int fd = socket(family, SOCK_STREAM, 0);

	if (family == AF_INET)
		TRY(bind(fd, (struct sockaddr *)&loopback, sizeof(loopback)));
	else
		TRY(bind(fd, (struct sockaddr *)&loopback_v6, sizeof(loopback_v6)));
	TRY(listen(fd, 5));
	*bytes = sizeof(*name);
	TRY(getsockname(fd, (struct sockaddr *)name, bytes));
	return fd;
}

static void connections(int family)
{
	struct sockaddr_storage name = {0};
	socklen_t bytes;
	char data[16];
	int value;

	printf("-- connections, family %d\n", family);
	int listener = listen_at(family, &name, &bytes);
	names_of("listening", listener);
	state("listening", listener);
	TRY(bind(listener, (struct sockaddr *)&name, bytes));
	int other = socket(family, SOCK_STREAM, 0);
	TRY(bind(other, (struct sockaddr *)&name, bytes));
	TRY(connect(other, (struct sockaddr *)&name, bytes));
	names_of("connected", other);
	TRY(connect(other, (struct sockaddr *)&name, bytes));
	TRY(listen(other, 1));
	await(listener, POLLIN);
	state("with a connection", listener);
	int server = TRY(accept4(listener, NULL, NULL, SOCK_NONBLOCK));
	names_of("accepted", server);
	state("accepted", server);
	TRY(recv(server, data, 16, 0));
	TRY(send(other, "hello world", 11, 0));
	await(server, POLLIN);
	TRY(ioctl(server, FIONREAD, &value));
	printf("readable %d\n", value);
	TRY(recv(server, data, 5, MSG_PEEK));
	TRY(recv(server, data, 5, 0));
	TRY(recv(server, data, 1, MSG_TRUNC));
	TRY(recv(server, data, 16, 0));
	TRY(recv(server, data, 16, 0));
	TRY(shutdown(other, SHUT_WR));
	await(server, POLLIN);
	state("half closed by peer", server);
	TRY(recv(server, data, 16, 0));
	TRY(send(other, "x", 1, MSG_NOSIGNAL));
	TRY(send(server, "back", 4, 0));
	TRY(recv(other, data, 16, 0));
	TRY(sendto(server, "x", 1, 0, (struct sockaddr *)&name, bytes));
	close(server);
	await(other, POLLHUP);
	state("closed by peer", other);
	TRY(recv(other, data, 16, 0));
	TRY(recv(other, data, 16, 0));
	close(other);
	close(listener);
	other = socket(family, SOCK_STREAM, 0);
	TRY(connect(other, (struct sockaddr *)&name, bytes));
	TRY(getsockopt(other, SOL_SOCKET, SO_ERROR, &value, &(socklen_t){sizeof(value)}));
	close(other);
	other = socket(family, SOCK_STREAM | SOCK_NONBLOCK, 0);
	int result = connect(other, (struct sockaddr *)&name, bytes);
	printf("refused %d\n", result);
	await(other, POLLOUT);
	value = 0;
	TRY(getsockopt(other, SOL_SOCKET, SO_ERROR, &value, &(socklen_t){sizeof(value)}));
	close(other);
}

static void reset(void)
{
	struct linger linger = {.l_onoff = 1};
	struct sockaddr_storage name = {0};
	socklen_t bytes;
	char data[4];
	int listener = listen_at(AF_INET, &name, &bytes), fd = socket(AF_INET, SOCK_STREAM, 0);

	TRY(connect(fd, (struct sockaddr *)&name, bytes));
	int server = TRY(accept(listener, NULL, NULL));
	TRY(setsockopt(fd, SOL_SOCKET, SO_LINGER, &linger, sizeof(linger)));
	close(fd);
	await(server, POLLIN);
	state("reset", server);
	TRY(recv(server, data, 4, 0));
	TRY(recv(server, data, 4, 0));
	TRY(send(server, "x", 1, MSG_NOSIGNAL));
	close(server);
	close(listener);
}

static void both_families(void)
{
	int a = socket(AF_INET6, SOCK_STREAM, 0), b = socket(AF_INET, SOCK_STREAM, 0), on = 1;
	struct sockaddr_storage name = {0};
	socklen_t bytes = sizeof(name);

	TRY(bind(a, (struct sockaddr *)&any_v6, sizeof(any_v6)));
	TRY(listen(a, 1));
	TRY(getsockname(a, (struct sockaddr *)&name, &bytes));
	struct sockaddr_in in = loopback;
	in.sin_port = ((struct sockaddr_in6 *)&name)->sin6_port;
	TRY(connect(b, (struct sockaddr *)&in, sizeof(in)));
	int server = TRY(accept(a, NULL, NULL));
	names_of("mapped", server);
	TRY(setsockopt(a, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof(on)));
	close(a);
	close(b);
	close(server);
}

static void set(int fd, int level, int option, const char *what, int value)
{
	socklen_t bytes = sizeof(value);
	int now = -1;

	printf("set %s %d: %s", what, value,
		setsockopt(fd, level, option, &value, sizeof(value)) == 0 ? "well"
									  : error_name(errno));
	if (getsockopt(fd, level, option, &now, &bytes) == 0)
		printf(", now %d\n", now);
	else
		printf(", %s\n", error_name(errno));
}

#define SET(level, option, value) set(fd, level, option, #option, value)

static void options(int family)
{
	int fd = socket(family, SOCK_STREAM, 0);

	printf("-- options, family %d\n", family);
	SET(IPPROTO_TCP, TCP_NODELAY, 5);
	SET(IPPROTO_TCP, TCP_CORK, 1);
	SET(IPPROTO_TCP, TCP_KEEPIDLE, 30);
	SET(IPPROTO_TCP, TCP_KEEPIDLE, 0);
	SET(IPPROTO_TCP, TCP_KEEPIDLE, 32768);
	SET(IPPROTO_TCP, TCP_KEEPINTVL, 3);
	SET(IPPROTO_TCP, TCP_KEEPCNT, 4);
	SET(IPPROTO_TCP, TCP_KEEPCNT, 128);
	SET(IPPROTO_TCP, TCP_SYNCNT, 3);
	SET(IPPROTO_TCP, TCP_USER_TIMEOUT, 1000);
	SET(IPPROTO_TCP, TCP_USER_TIMEOUT, -1);
	SET(IPPROTO_TCP, 10000, 1);
	SET(IPPROTO_IP, IP_TOS, 16);
	SET(IPPROTO_IP, IP_TTL, 33);
	SET(IPPROTO_IP, IP_TTL, 256);
	SET(IPPROTO_IP, IP_TTL, -1);
	SET(IPPROTO_IPV6, IPV6_V6ONLY, 1);
	SET(IPPROTO_IPV6, IPV6_UNICAST_HOPS, 9);
	SET(IPPROTO_IPV6, IPV6_UNICAST_HOPS, 256);
	SET(IPPROTO_IPV6, IPV6_TCLASS, 12);
	SET(SOL_SOCKET, SO_REUSEADDR, 1);
	SET(SOL_SOCKET, SO_REUSEPORT, 1);
	SET(SOL_SOCKET, SO_KEEPALIVE, 1);
	SET(SOL_SOCKET, SO_RCVBUF, 10000);
	SET(SOL_SOCKET, SO_SNDBUF, 10000);
	SET(SOL_SOCKET, SO_PROTOCOL, 1);
	SET(SOL_SOCKET, SO_DOMAIN, 1);
	TRY(setsockopt(fd, IPPROTO_TCP, TCP_CONGESTION, "reno", 4));
	TRY(setsockopt(fd, IPPROTO_TCP, TCP_CONGESTION, "nonesuch", 8));
	TRY(setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, "x", 1));
	TRY(setsockopt(fd, SOL_SOCKET, SO_BINDTODEVICE, "nonesuch", 9));
	close(fd);
}

int main(void)
{
	signal(SIGPIPE, SIG_IGN);
	any_v4.sin_family = loopback.sin_family = AF_INET;
	loopback.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	any_v6.sin6_family = loopback_v6.sin6_family = AF_INET6;
	loopback_v6.sin6_addr = in6addr_loopback;
	kinds();
	fresh(AF_INET);
	fresh(AF_INET6);
	connections(AF_INET);
	connections(AF_INET6);
	reset();
	both_families();
	options(AF_INET);
	options(AF_INET6);
	return 0;
}
