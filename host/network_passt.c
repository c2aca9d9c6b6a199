/*
 * Starts passt, which gives a VM the host's network without any privilege: see
 * host/network.h.
 *
 * It is a process of its own, in its own sandbox, and ends when the other side of its socket
 * is closed, that is with the VM.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/close_range.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "host/child.h"
#include "host/network.h"
#include "host/report.h"

#define PASST_FD  3
#define PASST_MAC "02:00:00:00:00:02" /* of the gateway, as the VM sees it */
#define BUFFER    (2 << 20)           /* of the socket: what passt itself asks for */

/* ---- ports ------------------------------------------------------------------------ */

static socklen_t make_name(const struct network_forward *forward, struct sockaddr_storage *name)
{
	struct sockaddr_in *v4 = (void *)name;
	struct sockaddr_in6 *v6 = (void *)name;

	memset(name, 0, sizeof(*name));
	if (strchr(forward->address, ':') != NULL) {
		v6->sin6_family = AF_INET6;
		v6->sin6_port = htons(forward->host_port);
		(void)net_config_parse_v6(forward->address, v6->sin6_addr.s6_addr);
		return sizeof(*v6);
	}
	v4->sin_family = AF_INET;
	v4->sin_port = htons(forward->host_port);
	if (forward->address[0] != 0)
		(void)net_config_parse_v4(forward->address, (uint8_t *)&v4->sin_addr);
	return sizeof(*v4);
}

/* passt would end with a message of its own, after the VM has started. */
static void check_port(const struct network_forward *forward)
{
	struct sockaddr_storage name;
	socklen_t bytes = make_name(forward, &name);
	int on = 1, error = 0;
	int fd = socket(
		name.ss_family, (forward->is_udp ? SOCK_DGRAM : SOCK_STREAM) | SOCK_CLOEXEC, 0);

	if (fd < 0)
		return;
	if (!forward->is_udp)
		(void)setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
	if (bind(fd, (void *)&name, bytes) != 0 || (!forward->is_udp && listen(fd, 1) != 0))
		error = errno;
	close(fd);
	if (error == EADDRINUSE)
		report_fail(STATUS_TOOL_FAILED,
			"-p %s: port %u is taken by another program; choose another one",
			forward->text, forward->host_port);
	if (error == EACCES)
		report_fail(STATUS_TOOL_FAILED,
			"-p %s: ports below 1024 need root; choose a higher one, or sudo sysctl "
			"net.ipv4.ip_unprivileged_port_start=%u",
			forward->text, forward->host_port);
	if (error == EADDRNOTAVAIL)
		report_fail(STATUS_TOOL_FAILED, "-p %s: %s is no address of this machine",
			forward->text, forward->address);
	if (error != 0)
		report_fail(STATUS_TOOL_FAILED, "-p %s: %s", forward->text, strerror(error));
}

/* ---- its command line --------------------------------------------------------------- */

static void add_pair(struct text_list *list, const char *flag, char *value)
{
	text_list_add(list, alloc_text("%s", flag));
	text_list_add(list, value);
}

static char *address_text(const uint8_t *bytes, bool is_v6)
{
	char text[INET6_ADDRSTRLEN];

	if (inet_ntop(is_v6 ? AF_INET6 : AF_INET, bytes, text, sizeof(text)) == NULL)
		abort();
	return alloc_text("%s", text);
}

/* What the guest is configured with; passt answers only for that. */
static void add_addresses(struct text_list *list, const struct net_config *config)
{
	bool has[2] = {false, false}, has_gateway[2] = {false, false};

	for (uint32_t i = 0; i < config->address_count; i++) {
		const struct net_config_address *address = &config->addresses[i];

		if (has[address->is_v6])
			continue;
		has[address->is_v6] = true;
		add_pair(list, "-a", address_text(address->bytes, address->is_v6));
		if (!address->is_v6)
			add_pair(list, "-n", alloc_text("%u", address->prefix_bits));
	}
	for (uint32_t i = 0; i < config->route_count; i++) {
		const struct net_config_route *route = &config->routes[i];
		bool is_v6 = route->destination.is_v6;

		if (route->destination.prefix_bits != 0 || has_gateway[is_v6])
			continue;
		has_gateway[is_v6] = true;
		add_pair(list, "-g", address_text(route->gateway, is_v6));
	}
	for (uint32_t i = 0; i < config->server_count && i < 1; i++)
		add_pair(list, "--dns-forward",
			address_text(config->servers[i].bytes, config->servers[i].is_v6));
}

/* Whether a line has `start` at its start or after its first tab, and is not of loopback. */
static bool has_line(const char *path, const char *start)
{
	FILE *stream = fopen(path, "re");
	char *line = NULL;
	size_t capacity = 0;
	bool found = false;

	while (stream != NULL && !found && getline(&line, &capacity, stream) > 0) {
		const char *tab = strchr(line, '\t');
		const char *at = tab != NULL ? tab + 1 : line;

		found = strncmp(at, start, strlen(start)) == 0 && strstr(line, " lo\n") == NULL;
	}
	free(line);
	if (stream != NULL)
		fclose(stream);
	return found;
}

/* passt takes the host's default route as its example, and gives up without one. */
static bool has_default_route(void)
{
	return has_line("/proc/net/route", "00000000\t") ||
	       has_line("/proc/net/ipv6_route", "00000000000000000000000000000000 00 ");
}

static void add_forward(struct text_list *list, const struct network_forward *forward)
{
	const char *address = forward->address;

	add_pair(list, forward->is_udp ? "-u" : "-t",
		alloc_text("%s%s%u:%u", address, address[0] != 0 ? "/" : "", forward->host_port,
			forward->guest_port));
}

/* Answers to datagrams from the host's loopback address go by the gateway's address, which
 * then stands for the host's loopback for all that the VM sends. */
static bool has_udp(const struct network_forward *forwards, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		if (forwards[i].is_udp)
			return true;
	}
	return false;
}

static _Noreturn void become_passt(char **arguments, int socket_fd, bool verbose)
{
	int null = open("/dev/null", O_RDWR);

	setsid(); /* the terminal's signals are the program's */
	dup2(null, 0);
	dup2(verbose ? 2 : null, 1);
	if (!verbose)
		dup2(null, 2);
	dup2(socket_fd, PASST_FD);
	(void)syscall(SYS_close_range, PASST_FD + 1, ~0u, 0);
	execv(arguments[0], arguments);
	_exit(STATUS_TOOL_FAILED);
}

int network_passt_open(const struct network_interface *interface,
	const struct network_forward *forwards, size_t count, bool verbose)
{
	struct text_list arguments = {0};
	char *passt = child_find("passt");
	int ends[2], bytes = BUFFER;
	pid_t pid;

	if (passt == NULL)
		report_fail(STATUS_TOOL_FAILED,
			"passt, the network without root, is not installed (Debian: sudo apt "
			"install passt); or give a tap: --net tap:DEVICE");
	for (size_t i = 0; i < count; i++)
		check_port(&forwards[i]);
	text_list_add(&arguments, passt);
	text_list_add(&arguments, alloc_text("-f"));
	text_list_add(&arguments, alloc_text(verbose ? "-e" : "-q"));
	add_pair(&arguments, "-F", alloc_text("%d", PASST_FD));
	if (!has_udp(forwards, count))
		text_list_add(&arguments, alloc_text("--no-map-gw"));
	add_pair(&arguments, "-M", alloc_text(PASST_MAC));
	if (!has_default_route())
		add_pair(&arguments, "-i", alloc_text("lo"));
	add_addresses(&arguments, &interface->config);
	for (size_t i = 0; i < count; i++)
		add_forward(&arguments, &forwards[i]);
	if (socketpair(AF_UNIX, SOCK_STREAM, 0, ends) != 0)
		report_fail(STATUS_TOOL_FAILED, "cannot make a socket pair: %s", strerror(errno));
	for (int i = 0; i < 2; i++) /* as much as allowed */
		(void)setsockopt(ends[i], SOL_SOCKET, SO_SNDBUF, &bytes, sizeof(bytes));
	pid = fork();
	if (pid < 0)
		report_fail(STATUS_TOOL_FAILED, "cannot start passt: %s", strerror(errno));
	if (pid == 0)
		become_passt(arguments.items, ends[1], verbose);
	close(ends[1]);
	return ends[0];
}
