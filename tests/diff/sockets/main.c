/*
 * Sockets without a network: every call good and bad, and what pairs, streams, datagrams,
 * packets, names, options and control messages do in every state.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/uio.h>
#include <sys/un.h>
#include "check/trace.h"

#define BAD_POINTER ((void *)16)

static int broken_pipes;

static void on_broken_pipe(int signal)
{
	(void)signal;
	broken_pipes++;
}

static void show_signals(void)
{
	printf("broken pipes: %d\n", broken_pipes);
	broken_pipes = 0;
}

static void state(const char *what, int fd)
{
	struct pollfd poller = {.fd = fd, .events = 0x20ff & ~POLLNVAL};
	int count = poll(&poller, 1, 0);

	printf("%s: poll %d %#x\n", what, count, (unsigned)poller.revents);
}

/* ---- names ------------------------------------------------------------------------- */

static socklen_t set_name(struct sockaddr_un *name, const char *text)
{
	memset(name, 0, sizeof(*name));
	name->sun_family = AF_UNIX;
	if (text[0] == '@') {
		memcpy(name->sun_path + 1, text + 1, strlen(text) - 1);
		return (socklen_t)(offsetof(struct sockaddr_un, sun_path) + strlen(text));
	}
	strcpy(name->sun_path, text);
	return (socklen_t)(offsetof(struct sockaddr_un, sun_path) + strlen(text) + 1);
}

static int bind_to(int fd, const char *text)
{
	struct sockaddr_un name;
	socklen_t bytes = set_name(&name, text);

	return bind(fd, (struct sockaddr *)&name, bytes);
}

static int connect_to(int fd, const char *text)
{
	struct sockaddr_un name;
	socklen_t bytes = set_name(&name, text);

	return connect(fd, (struct sockaddr *)&name, bytes);
}

static long send_to(int fd, const char *text, const char *data)
{
	struct sockaddr_un name;
	socklen_t bytes = set_name(&name, text);

	return sendto(fd, data, strlen(data), MSG_DONTWAIT, (struct sockaddr *)&name, bytes);
}

static void show_name(const char *what, int result, const struct sockaddr_un *name, socklen_t bytes)
{
	printf("%s: ", what);
	if (result != 0) {
		printf("%s\n", error_name(errno));
		return;
	}
	printf("%u bytes, family %d, ", bytes, bytes >= 2 ? name->sun_family : -1);
	for (size_t i = 2; i < bytes && i < sizeof(*name); i++) {
		char byte = ((const char *)name)[i];

		putchar(byte != 0 ? byte : '@');
	}
	putchar('\n');
}

static void names_of(const char *what, int fd)
{
	struct sockaddr_un name = {0};
	socklen_t bytes = sizeof(name);
	int result;

	printf("%s\n", what);
	result = getsockname(fd, (struct sockaddr *)&name, &bytes);
	show_name("  own", result, &name, bytes);
	bytes = sizeof(name);
	result = getpeername(fd, (struct sockaddr *)&name, &bytes);
	show_name("  peer", result, &name, bytes);
}

/* ---- descriptors and kinds ----------------------------------------------------------- */

static void kinds(void)
{
	int pair[2];

	for (int type = -1; type < 12; type++) {
		int fd = TRY(socket(AF_UNIX, type, 0));

		close(fd);
		if (TRY(socketpair(AF_UNIX, type, 0, pair)) == 0) {
			close(pair[0]);
			close(pair[1]);
		}
	}
	TRY(socket(-1, SOCK_STREAM, 0));
	TRY(socket(0, SOCK_STREAM, 0));
	TRY(socket(46, SOCK_STREAM, 0));
	TRY(socket(1000, SOCK_STREAM, 0));
	TRY(socket(AF_UNIX, SOCK_STREAM | 0x10, 0));
	TRY(socket(AF_UNIX, SOCK_STREAM, 1));
	TRY(socket(AF_UNIX, SOCK_STREAM, 2));
	TRY(socket(AF_UNIX, SOCK_STREAM, -1));
	close(3);
	TRY(syscall(SYS_socketpair, AF_UNIX, SOCK_STREAM, 0, BAD_POINTER));
	TRY(socketpair(AF_UNIX, SOCK_STREAM, 3, pair));
	TRY(socketpair(0, SOCK_STREAM, 0, pair));
	int fd = TRY(socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
	printf("flags %#x %d\n", fcntl(fd, F_GETFL), fcntl(fd, F_GETFD));
	struct stat status;
	TRY(fstat(fd, &status));
	printf("mode %o, %ld bytes, %d links\n", status.st_mode, (long)status.st_size,
		(int)status.st_nlink);
	char text[64];
	ssize_t length;
	char path[64];
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	length = readlink(path, text, sizeof(text));
	printf("%.8s\n", length > 8 ? text : "?");
	TRY(open(path, O_RDWR));
	TRY(lseek(fd, 0, SEEK_SET));
	TRY(pread(fd, text, 1, 0));
	TRY(ftruncate(fd, 0));
	TRY(fsync(fd));
	TRY(ioctl(fd, 0x1234, 0));
	close(fd);
}

static void foreign(int fd)
{
	struct sockaddr_un name;
	struct msghdr header = {0};
	struct mmsghdr many[1] = {{.msg_len = 0}};
	socklen_t bytes = sizeof(name);
	int value = 1;

	set_name(&name, "@x");
	TRY(bind(fd, (struct sockaddr *)&name, 5));
	TRY(connect(fd, (struct sockaddr *)&name, 5));
	TRY(listen(fd, 1));
	TRY(accept(fd, NULL, NULL));
	TRY(accept4(fd, NULL, NULL, 1));
	TRY(getsockname(fd, (struct sockaddr *)&name, &bytes));
	TRY(getpeername(fd, (struct sockaddr *)&name, &bytes));
	TRY(send(fd, "x", 1, 0));
	TRY(recv(fd, &value, 1, 0));
	TRY(sendmsg(fd, &header, 0));
	TRY(recvmsg(fd, &header, 0));
	TRY(sendmmsg(fd, many, 1, 0));
	TRY(recvmmsg(fd, many, 1, 0, NULL));
	TRY(shutdown(fd, 0));
	TRY(shutdown(fd, 7));
	TRY(setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &value, 4));
	bytes = sizeof(value);
	TRY(getsockopt(fd, SOL_SOCKET, SO_TYPE, &value, &bytes));
}

static void unconnected(int type)
{
	int fd = socket(AF_UNIX, type | SOCK_NONBLOCK, 0);
	char byte;

	printf("-- type %d, fresh\n", type);
	state("fresh", fd);
	names_of("fresh", fd);
	TRY(send(fd, "x", 1, 0));
	TRY(send(fd, "x", 1, MSG_NOSIGNAL));
	TRY(write(fd, "x", 1));
	TRY(recv(fd, &byte, 1, 0));
	TRY(read(fd, &byte, 1));
	TRY(read(fd, &byte, 0));
	TRY(accept(fd, NULL, NULL));
	TRY(listen(fd, 1));
	TRY(send_to(fd, "@nobody", "x"));
	TRY(send_to(fd, "missing", "x"));
	TRY(connect_to(fd, "@nobody"));
	TRY(connect_to(fd, "missing"));
	TRY(connect_to(fd, "."));
	TRY(shutdown(fd, 3));
	TRY(shutdown(fd, SHUT_RD));
	state("cannot receive", fd);
	TRY(shutdown(fd, SHUT_WR));
	state("cannot send either", fd);
	if (type != SOCK_DGRAM)
		TRY(send(fd, "x", 1, 0));
	show_signals();
	close(fd);
}

/* ---- names in the tree and beside it -------------------------------------------------- */

static void binding(void)
{
	struct sockaddr_un name;
	struct stat status;
	int a = socket(AF_UNIX, SOCK_STREAM, 0), b = socket(AF_UNIX, SOCK_STREAM, 0);

	set_name(&name, "node");
	TRY(bind(a, (struct sockaddr *)&name, 0));
	TRY(bind(a, (struct sockaddr *)&name, 1));
	TRY(bind(a, (struct sockaddr *)&name, 111));
	TRY(bind(a, (struct sockaddr *)&name, 129));
	TRY(bind(a, (struct sockaddr *)&name, (socklen_t)-1));
	TRY(bind(a, BAD_POINTER, 7));
	name.sun_family = AF_INET;
	TRY(bind(a, (struct sockaddr *)&name, 7));
	TRY(connect(a, (struct sockaddr *)&name, 7));
	TRY(bind_to(a, "missing/node"));
	umask(027);
	TRY(bind_to(a, "node"));
	names_of("bound", a);
	TRY(stat("node", &status));
	printf("mode %o\n", status.st_mode);
	TRY(bind_to(a, "other"));
	TRY(access("other", F_OK));
	TRY(bind_to(a, "@other"));
	TRY(bind_to(b, "node"));
	TRY(bind_to(b, "."));
	TRY(open("node", O_RDWR));
	TRY(connect_to(b, "node"));
	TRY(listen(a, 0));
	state("listening", a);
	TRY(rename("node", "moved"));
	TRY(link("moved", "linked"));
	TRY(symlink("linked", "link"));
	TRY(connect_to(b, "link"));
	names_of("connected", b);
	state("with a connection", a);
	int c = TRY(accept(a, NULL, NULL));
	TRY(connect_to(b, "link"));
	names_of("accepted", c);
	TRY(listen(b, 1));
	TRY(listen(c, 1));
	close(a);
	int d = socket(AF_UNIX, SOCK_DGRAM, 0);
	TRY(connect_to(d, "moved"));
	TRY(send_to(d, "moved", "x"));
	names_of("listener gone", b);
	TRY(unlink("moved"));
	TRY(unlink("linked"));
	TRY(connect_to(d, "link"));
	TRY(unlink("link"));
	memset(&name, 'x', sizeof(name));
	name.sun_family = AF_UNIX;
	TRY(bind(d, (struct sockaddr *)&name, sizeof(name)));
	names_of("longest", d);
	close(b);
	close(c);
	close(d);
}

static void abstract(void)
{
	struct sockaddr_un name;
	socklen_t bytes = sizeof(name);
	int a = socket(AF_UNIX, SOCK_DGRAM, 0), b = socket(AF_UNIX, SOCK_DGRAM, 0);

	TRY(bind_to(a, "@burrow-a"));
	names_of("abstract", a);
	TRY(bind_to(b, "@burrow-a"));
	TRY(bind_to(b, "@burrow-ab"));
	close(b);
	b = socket(AF_UNIX, SOCK_STREAM, 0);
	TRY(bind_to(b, "@burrow-a"));
	close(a);
	a = socket(AF_UNIX, SOCK_DGRAM, 0);
	TRY(bind_to(a, "@burrow-a"));
	close(a);
	a = socket(AF_UNIX, SOCK_DGRAM, 0);
	set_name(&name, "");
	TRY(bind(a, (struct sockaddr *)&name, 2));
	TRY(bind(a, (struct sockaddr *)&name, 2));
	TRY(getsockname(a, (struct sockaddr *)&name, &bytes));
	printf("automatic: %u bytes\n", bytes);
	bytes = 3;
	TRY(getsockname(a, (struct sockaddr *)&name, &bytes));
	printf("whole length: %u\n", bytes);
	bytes = (socklen_t)-1;
	TRY(getsockname(a, (struct sockaddr *)&name, &bytes));
	TRY(getsockname(a, (struct sockaddr *)&name, BAD_POINTER));
	bytes = 10;
	TRY(getsockname(a, BAD_POINTER, &bytes));
	bytes = 0;
	TRY(getsockname(a, BAD_POINTER, &bytes));
	close(a);
	close(b);
}

/* ---- streams ------------------------------------------------------------------------------ */

static void pair_of(int type)
{
	int ends[2], queued;
	char bytes[16];

	printf("-- pair of type %d\n", type);
	TRY(socketpair(AF_UNIX, type | SOCK_NONBLOCK, 0, ends));
	state("fresh", ends[0]);
	names_of("fresh", ends[0]);
	TRY(recv(ends[0], bytes, 4, 0));
	TRY(send_to(ends[0], "@nobody", "x"));
	TRY(write(ends[0], "abcdef", 6));
	TRY(write(ends[0], "ghi", 3));
	TRY(write(ends[0], "", 0));
	TRY(ioctl(ends[1], FIONREAD, &queued));
	printf("queued %d\n", queued);
	state("with data", ends[1]);
	TRY(recv(ends[1], bytes, 4, MSG_PEEK));
	TRY(recv(ends[1], bytes, 4, MSG_PEEK | MSG_TRUNC));
	TRY(recv(ends[1], bytes, 16, MSG_PEEK));
	TRY(recv(ends[1], bytes, 0, 0));
	TRY(recv(ends[1], bytes, 4, 0));
	printf("%.4s\n", bytes);
	TRY(recv(ends[1], BAD_POINTER, 4, 0));
	TRY(recv(ends[1], bytes, 16, 0));
	TRY(recv(ends[1], bytes, 16, 0));
	TRY(recv(ends[1], bytes, 16, 0));
	TRY(send(ends[0], BAD_POINTER, 4, 0));
	TRY(send(ends[0], NULL, 0, 0));
	TRY(shutdown(ends[0], SHUT_WR));
	state("half closed", ends[0]);
	state("its peer", ends[1]);
	TRY(write(ends[0], "x", 1));
	show_signals();
	TRY(send(ends[0], "x", 1, MSG_NOSIGNAL));
	show_signals();
	TRY(recv(ends[1], bytes, 16, 0));
	TRY(recv(ends[1], bytes, 16, 0));
	TRY(write(ends[1], "back", 4));
	TRY(recv(ends[0], bytes, 16, 0));
	TRY(write(ends[1], "lost", 4));
	close(ends[0]);
	state("peer closed", ends[1]);
	names_of("peer closed", ends[1]);
	TRY(recv(ends[1], bytes, 16, 0));
	TRY(recv(ends[1], bytes, 16, 0));
	TRY(write(ends[1], "x", 1));
	TRY(write(ends[1], "x", 1));
	show_signals();
	close(ends[1]);
}

static void full(int type)
{
	int ends[2];
	static char block[4096];
	int count = 0;

	printf("-- full pair of type %d\n", type);
	TRY(socketpair(AF_UNIX, type | SOCK_NONBLOCK, 0, ends));
	while (write(ends[0], block, sizeof(block)) > 0)
		count++;
	printf("%s, %s\n", error_name(errno), count > 4 ? "after some" : "at once");
	state("full", ends[0]);
	while (read(ends[1], block, sizeof(block)) > 0)
		;
	state("empty again", ends[0]);
	TRY(write(ends[0], block, 1));
	close(ends[0]);
	close(ends[1]);
}

static void backlog(void)
{
	int listener = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0), clients[4];
	char byte;

	TRY(bind_to(listener, "@burrow-backlog"));
	TRY(listen(listener, 1));
	for (int i = 0; i < 4; i++) {
		clients[i] = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0);
		TRY(connect_to(clients[i], "@burrow-backlog"));
	}
	TRY(write(clients[0], "early", 5));
	struct sockaddr_un name = {0};
	socklen_t bytes = sizeof(name);
	int fd = TRY(accept4(listener, (struct sockaddr *)&name, &bytes, SOCK_CLOEXEC));
	printf("peer's name: %u bytes\n", bytes);
	TRY(read(fd, &byte, 1));
	TRY(connect_to(clients[2], "@burrow-backlog"));
	TRY(accept4(listener, NULL, NULL, 1));
	TRY(send(listener, "x", 1, 0));
	TRY(recv(listener, &byte, 1, 0));
	TRY(connect_to(listener, "@burrow-backlog"));
	close(listener);
	state("not accepted", clients[1]);
	TRY(read(clients[1], &byte, 1));
	TRY(read(clients[1], &byte, 1));
	state("accepted", clients[0]);
	TRY(connect_to(clients[3], "@burrow-backlog"));
	for (int i = 0; i < 4; i++)
		close(clients[i]);
	close(fd);
	listener = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0);
	TRY(bind_to(listener, "@burrow-backlog"));
	TRY(listen(listener, -1));
	TRY(accept(listener, NULL, NULL));
	TRY(shutdown(listener, SHUT_RD));
	fd = socket(AF_UNIX, SOCK_STREAM, 0);
	TRY(connect_to(fd, "@burrow-backlog"));
	close(fd);
	close(listener);
}

/* ---- datagrams --------------------------------------------------------------------------------
 */

static void datagrams(void)
{
	int a = socket(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK, 0);
	int b = socket(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK, 0);
	int c = socket(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK, 0);
	struct sockaddr_un name = {0};
	socklen_t bytes = sizeof(name);
	struct sockaddr none = {.sa_family = AF_UNSPEC};
	static char big[1 << 20];
	char data[8];
	int sent = 0;

	TRY(bind_to(a, "@burrow-a"));
	TRY(bind_to(b, "datagrams"));
	TRY(send_to(b, "@burrow-a", "hello"));
	TRY(send_to(c, "@burrow-a", "nameless"));
	int result = (int)recvfrom(a, data, 3, 0, (struct sockaddr *)&name, &bytes);
	show_name("sender", result == 3 ? 0 : -1, &name, bytes);
	bytes = sizeof(name);
	TRY(recvfrom(a, data, 8, 0, (struct sockaddr *)&name, &bytes));
	printf("nameless: %u\n", bytes);
	TRY(connect_to(a, "datagrams"));
	names_of("connected", a);
	TRY(send(a, "x", 1, 0));
	TRY(send_to(c, "@burrow-a", "not your friend"));
	TRY(connect_to(c, "@burrow-a"));
	TRY(connect_to(c, "datagrams"));
	TRY(send(c, big, sizeof(big), 0));
	while (send(c, "x", 1, 0) == 1)
		sent++;
	printf("%d fit, %s\n", sent, error_name(errno));
	state("receiver full", c);
	TRY(recv(b, data, 8, 0));
	state("receiver not full", c);
	TRY(send(c, "x", 1, 0));
	TRY(connect(c, &none, sizeof(none)));
	names_of("disconnected", c);
	TRY(connect(c, &none, 1));
	TRY(shutdown(b, SHUT_RD));
	TRY(send(a, "x", 1, 0));
	show_signals();
	close(b);
	TRY(send(a, "x", 1, 0));
	TRY(send(a, "x", 1, 0));
	TRY(unlink("datagrams"));
	close(a);
	close(c);
}

/* ---- options
 * ------------------------------------------------------------------------------------- */

static void get(int fd, int level, int option, const char *what)
{
	int value = -1;
	socklen_t bytes = sizeof(value);

	if (getsockopt(fd, level, option, &value, &bytes) != 0)
		printf("get %s: %s\n", what, error_name(errno));
	else
		printf("get %s: %d, %u bytes\n", what, value, bytes);
}

static void set(int fd, int level, int option, const char *what, int value)
{
	printf("set %s %d: %s\n", what, value,
		setsockopt(fd, level, option, &value, sizeof(value)) == 0 ? "well"
									  : error_name(errno));
	get(fd, level, option, what);
}

#define SET(option, value) set(fd, SOL_SOCKET, option, #option, value)
#define GET(option)        get(fd, SOL_SOCKET, option, #option)

static void options(void)
{
	int fd = socket(AF_UNIX, SOCK_STREAM, 0), value = 1;
	struct timeval time = {.tv_sec = 1, .tv_usec = 500000};
	struct linger linger = {.l_onoff = 1, .l_linger = 5};
	socklen_t bytes;

	GET(SO_TYPE);
	GET(SO_DOMAIN);
	GET(SO_PROTOCOL);
	GET(SO_ERROR);
	GET(SO_ACCEPTCONN);
	GET(SO_SNDLOWAT);
	SET(SO_TYPE, 1);
	SET(SO_REUSEADDR, 5);
	SET(SO_REUSEADDR, 0);
	SET(SO_BROADCAST, 1);
	SET(SO_KEEPALIVE, 1);
	SET(SO_OOBINLINE, 1);
	SET(SO_DONTROUTE, 1);
	SET(SO_TIMESTAMP, 1);
	SET(SO_PASSCRED, 1);
	SET(SO_PRIORITY, 3);
	SET(SO_RCVLOWAT, 7);
	SET(SO_RCVLOWAT, 0);
	SET(SO_SNDLOWAT, 7);
	SET(SO_SNDBUF, 5000);
	SET(SO_SNDBUF, 1);
	SET(SO_RCVBUF, 5000);
	SET(SO_RCVBUF, 1);
	SET(1000, 1);
	TRY(setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &value, 3));
	TRY(setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &value, (socklen_t)-1));
	TRY(setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, BAD_POINTER, 4));
	TRY(setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &time, sizeof(time)));
	TRY(setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &time, 8));
	time.tv_usec = 1000000;
	TRY(setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &time, sizeof(time)));
	bytes = sizeof(time);
	TRY(getsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &time, &bytes));
	printf("%ld.%06ld\n", (long)time.tv_sec, (long)time.tv_usec);
	TRY(setsockopt(fd, SOL_SOCKET, SO_LINGER, &linger, 4));
	TRY(setsockopt(fd, SOL_SOCKET, SO_LINGER, &linger, sizeof(linger)));
	linger.l_linger = 0;
	bytes = sizeof(linger);
	TRY(getsockopt(fd, SOL_SOCKET, SO_LINGER, &linger, &bytes));
	printf("linger %d %d\n", linger.l_onoff, linger.l_linger);
	bytes = 2;
	TRY(getsockopt(fd, SOL_SOCKET, SO_TYPE, &value, &bytes));
	bytes = (socklen_t)-1;
	TRY(getsockopt(fd, SOL_SOCKET, SO_TYPE, &value, &bytes));
	TRY(getsockopt(fd, SOL_SOCKET, SO_TYPE, &value, BAD_POINTER));
	bytes = 4;
	TRY(getsockopt(fd, SOL_SOCKET, SO_TYPE, BAD_POINTER, &bytes));
	set(fd, 6, 1, "TCP_NODELAY", 1);
	set(fd, 0, 1, "IP_TOS", 1);
	TRY(bind_to(fd, "@burrow-options"));
	TRY(listen(fd, 1));
	GET(SO_ACCEPTCONN);
	close(fd);
}

static void timeouts(void)
{
	struct timeval time = {.tv_usec = 20000};
	char byte;
	int ends[2];

	TRY(socketpair(AF_UNIX, SOCK_STREAM, 0, ends));
	TRY(setsockopt(ends[0], SOL_SOCKET, SO_RCVTIMEO, &time, sizeof(time)));
	TRY(setsockopt(ends[0], SOL_SOCKET, SO_SNDTIMEO, &time, sizeof(time)));
	TRY(recv(ends[0], &byte, 1, 0));
	TRY(recv(ends[0], &byte, 1, MSG_DONTWAIT));
	static char block[65536];
	while (send(ends[0], block, sizeof(block), 0) == sizeof(block))
		;
	TRY(send(ends[0], block, 65536, 0));
	close(ends[0]);
	close(ends[1]);
}

/* ---- messages
 * ---------------------------------------------------------------------------------------- */

struct control {
	struct cmsghdr header;
	int fds[8];
};

static long send_fds(int fd, int count, const int *fds, size_t control_bytes)
{
	struct control control = {.header = {.cmsg_level = SOL_SOCKET, .cmsg_type = SCM_RIGHTS}};
	struct iovec part = {.iov_base = "data", .iov_len = 4};
	struct msghdr message = {.msg_iov = &part,
		.msg_iovlen = 1,
		.msg_control = &control,
		.msg_controllen = control_bytes};

	control.header.cmsg_len = CMSG_LEN(sizeof(int) * (size_t)count);
	memcpy(control.fds, fds, sizeof(int) * (size_t)count);
	return sendmsg(fd, &message, 0);
}

static void receive_fds(int fd, size_t room, int flags)
{
	struct control control = {.header = {.cmsg_len = 0}};
	char bytes[16];
	struct iovec part = {.iov_base = bytes, .iov_len = sizeof(bytes)};
	struct msghdr message = {
		.msg_iov = &part, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = room};
	long result = recvmsg(fd, &message, flags);

	if (result < 0) {
		printf("recvmsg: %s\n", error_name(errno));
		return;
	}
	printf("recvmsg: %ld bytes, flags %#x, control %zu, name %u\n", result,
		(unsigned)message.msg_flags, message.msg_controllen, message.msg_namelen);
	if (message.msg_controllen >= sizeof(control.header)) {
		printf("  length %zu, level %d, type %d:", control.header.cmsg_len,
			control.header.cmsg_level, control.header.cmsg_type);
		size_t count = (control.header.cmsg_len - sizeof(control.header)) / 4;
		for (size_t i = 0; i < count && control.header.cmsg_type == SCM_RIGHTS; i++) {
			printf(" %d (flags %d)", control.fds[i], fcntl(control.fds[i], F_GETFD));
			close(control.fds[i]);
		}
		putchar('\n');
	}
}

static void rights(int type)
{
	int ends[2], ends_of_pipe[2], on = 1;
	int fds[4] = {0, 1, 2, 1000};

	printf("-- rights over type %d\n", type);
	TRY(socketpair(AF_UNIX, type | SOCK_NONBLOCK, 0, ends));
	TRY(send_fds(ends[0], 1, fds, CMSG_SPACE(4)));
	receive_fds(ends[1], CMSG_SPACE(4), 0);
	TRY(send_fds(ends[0], 3, fds, CMSG_SPACE(12)));
	receive_fds(ends[1], CMSG_SPACE(12), MSG_CMSG_CLOEXEC);
	TRY(send_fds(ends[0], 3, fds, CMSG_SPACE(12)));
	receive_fds(ends[1], CMSG_LEN(4), 0);
	TRY(send_fds(ends[0], 3, fds, CMSG_SPACE(12)));
	receive_fds(ends[1], 0, 0);
	TRY(send_fds(ends[0], 3, fds, CMSG_SPACE(12)));
	receive_fds(ends[1], CMSG_SPACE(12), MSG_PEEK);
	receive_fds(ends[1], CMSG_SPACE(12), 0);
	TRY(send_fds(ends[0], 4, fds, CMSG_SPACE(16)));
	TRY(send_fds(ends[0], 3, fds, CMSG_LEN(8)));
	TRY(send_fds(ends[0], 0, fds, CMSG_SPACE(0)));
	receive_fds(ends[1], CMSG_SPACE(12), 0);
	TRY(send_fds(ends[0], 1, fds, 8));
	receive_fds(ends[1], CMSG_SPACE(12), 0);
	/* A pipe that lives only in a queue ends with it. */
	TRY(pipe2(ends_of_pipe, O_NONBLOCK));
	TRY(send_fds(ends[0], 1, &ends_of_pipe[1], CMSG_SPACE(4)));
	close(ends_of_pipe[1]);
	state("pipe whose writer travels", ends_of_pipe[0]);
	TRY(setsockopt(ends[1], SOL_SOCKET, SO_PASSCRED, &on, sizeof(on)));
	close(ends[1]);
	state("pipe whose writer was lost", ends_of_pipe[0]);
	close(ends_of_pipe[0]);
	close(ends[0]);
}

static void credentials(void)
{
	struct {
		struct cmsghdr header;
		struct ucred who;
	} control = {.header = {.cmsg_len = 0}};
	char bytes[16];
	struct iovec part = {.iov_base = bytes, .iov_len = sizeof(bytes)};
	struct msghdr message = {.msg_iov = &part,
		.msg_iovlen = 1,
		.msg_control = &control,
		.msg_controllen = CMSG_SPACE(sizeof(struct ucred))};
	struct ucred peer;
	socklen_t length = sizeof(peer);
	int ends[2], on = 1;

	TRY(socketpair(AF_UNIX, SOCK_STREAM, 0, ends));
	TRY(getsockopt(ends[0], SOL_SOCKET, SO_PEERCRED, &peer, &length));
	printf("own: %d %d %d\n", peer.pid == getpid(), peer.uid == getuid(), peer.gid == getgid());
	TRY(setsockopt(ends[1], SOL_SOCKET, SO_PASSCRED, &on, sizeof(on)));
	TRY(write(ends[0], "x", 1));
	TRY(recvmsg(ends[1], &message, 0));
	printf("control %zu: type %d, length %zu, own: %d %d\n", message.msg_controllen,
		control.header.cmsg_type, control.header.cmsg_len, control.who.pid == getpid(),
		control.who.uid == getuid());
	int fd = socket(AF_UNIX, SOCK_STREAM, 0);
	TRY(getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &length));
	printf("nobody: %d %d %d\n", peer.pid, (int)peer.uid, (int)peer.gid);
	close(fd);
	close(ends[0]);
	close(ends[1]);
}

static void headers(void)
{
	struct msghdr message = {0};
	struct iovec part = {.iov_base = "data", .iov_len = 4};
	char buffer[16];
	struct iovec parts[3] = {{buffer, 1}, {buffer + 1, 0}, {buffer + 2, 8}};
	struct sockaddr_un name;
	int ends[2];

	TRY(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, ends));
	TRY(sendmsg(ends[0], BAD_POINTER, 0));
	TRY(recvmsg(ends[0], BAD_POINTER, 0));
	message.msg_iov = &part;
	message.msg_iovlen = 1025;
	TRY(sendmsg(ends[0], &message, 0));
	TRY(recvmsg(ends[0], &message, 0));
	message.msg_iovlen = 1;
	message.msg_name = &name;
	message.msg_namelen = (socklen_t)-1;
	TRY(sendmsg(ends[0], &message, 0));
	TRY(recvmsg(ends[0], &message, 0));
	message.msg_namelen = 0;
	TRY(sendmsg(ends[0], &message, 0));
	message.msg_namelen = 5;
	set_name(&name, "@x");
	TRY(sendmsg(ends[0], &message, 0));
	message.msg_name = NULL;
	TRY(sendmsg(ends[0], &message, 0));
	message.msg_iov = BAD_POINTER;
	TRY(sendmsg(ends[0], &message, 0));
	message.msg_iov = parts;
	message.msg_iovlen = 3;
	TRY(recvmsg(ends[1], &message, 0));
	printf("%c %.7s\n", buffer[0], buffer + 2);
	TRY(recvmsg(ends[1], &message, MSG_DONTWAIT));
	TRY(writev(ends[0], parts, 3));
	TRY(readv(ends[1], parts, 3));
	TRY(writev(ends[0], parts, 0));
	close(ends[0]);
	close(ends[1]);
}

static void many(void)
{
	char bytes[4][4];
	struct iovec parts[4];
	struct mmsghdr messages[4] = {{.msg_len = 0}};
	struct timespec none = {0};
	int ends[2];

	for (int i = 0; i < 4; i++) {
		parts[i] = (struct iovec){.iov_base = bytes[i], .iov_len = (size_t)i};
		messages[i].msg_hdr.msg_iov = &parts[i];
		messages[i].msg_hdr.msg_iovlen = 1;
	}
	TRY(socketpair(AF_UNIX, SOCK_DGRAM, 0, ends));
	TRY(sendmmsg(ends[0], messages, 4, 0));
	TRY(sendmmsg(ends[0], messages, 0, 0));
	TRY(sendmmsg(ends[0], BAD_POINTER, 1, 0));
	for (int i = 0; i < 4; i++) {
		printf("%u ", messages[i].msg_len);
		parts[i].iov_len = 2;
	}
	TRY(recvmmsg(ends[1], messages, 3, 0, NULL));
	for (int i = 0; i < 3; i++)
		printf("%u %#x ", messages[i].msg_len, (unsigned)messages[i].msg_hdr.msg_flags);
	TRY(recvmmsg(ends[1], messages, 4, MSG_WAITFORONE, NULL));
	printf("%u %#x ", messages[0].msg_len, (unsigned)messages[0].msg_hdr.msg_flags);
	TRY(recvmmsg(ends[1], messages, 4, MSG_DONTWAIT, NULL));
	TRY(recvmmsg(ends[1], messages, 4, MSG_DONTWAIT, BAD_POINTER));
	none.tv_nsec = -1;
	TRY(recvmmsg(ends[1], messages, 4, MSG_DONTWAIT, &none));
	close(ends[0]);
	close(ends[1]);
}

/* ---- with other kinds of files
 * ---------------------------------------------------------------------------- */

static void others(void)
{
	int ends[2], pipes[2], file = open("data", O_CREAT | O_RDWR, 0600);
	char bytes[16];
	off_t offset = 1;

	TRY(write(file, "0123456789", 10));
	TRY(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, ends));
	TRY(sendfile(ends[0], file, &offset, 4));
	TRY(recv(ends[1], bytes, 16, 0));
	TRY(pipe2(pipes, O_NONBLOCK));
	TRY(write(pipes[1], "pipe", 4));
	TRY(splice(pipes[0], NULL, ends[0], NULL, 16, 0));
	TRY(splice(ends[1], NULL, pipes[1], NULL, 16, SPLICE_F_NONBLOCK));
	TRY(read(pipes[0], bytes, 16));
	TRY(splice(ends[1], NULL, pipes[1], NULL, 16, SPLICE_F_NONBLOCK));
	TRY(splice(ends[1], NULL, ends[0], NULL, 16, 0));
	TRY(sendfile(ends[0], ends[1], NULL, 4));
	int epoll = epoll_create1(0);
	struct epoll_event event = {.events = EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET};
	TRY(epoll_ctl(epoll, EPOLL_CTL_ADD, ends[1], &event));
	TRY(epoll_wait(epoll, &event, 1, 0));
	printf("events %#x\n", event.events);
	TRY(epoll_wait(epoll, &event, 1, 0));
	TRY(write(ends[0], "x", 1));
	TRY(epoll_wait(epoll, &event, 1, 0));
	printf("events %#x\n", event.events);
	TRY(write(ends[0], "x", 1));
	TRY(epoll_wait(epoll, &event, 1, 0));
	TRY(shutdown(ends[0], SHUT_WR));
	TRY(epoll_wait(epoll, &event, 1, 0));
	printf("events %#x\n", event.events);
	close(ends[0]);
	TRY(epoll_wait(epoll, &event, 1, 0));
	printf("events %#x\n", event.events);
	close(epoll);
	close(file);
	close(ends[1]);
	close(pipes[0]);
	close(pipes[1]);
}

int main(void)
{
	signal(SIGPIPE, on_broken_pipe);
	kinds();
	foreign(-1);
	foreign(0);
	unconnected(SOCK_STREAM);
	unconnected(SOCK_DGRAM);
	unconnected(SOCK_SEQPACKET);
	binding();
	abstract();
	pair_of(SOCK_STREAM);
	pair_of(SOCK_DGRAM);
	pair_of(SOCK_SEQPACKET);
	full(SOCK_STREAM);
	full(SOCK_SEQPACKET);
	backlog();
	datagrams();
	options();
	timeouts();
	rights(SOCK_STREAM);
	rights(SOCK_DGRAM);
	credentials();
	headers();
	many();
	others();
	return 0;
}
