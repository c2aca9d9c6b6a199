/* Understands the network flags: see host/network.h. */
#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "host/network.h"
#include "host/report.h"

/* What passt gives the guest unless --ip says otherwise; known beforehand, so that the VM
 * need not ask. */
#define PASST_SETTINGS "ip=10.0.2.15/24,gw=10.0.2.2,dns=10.0.2.3"

/* ---- --net ---------------------------------------------------------------------- */

static struct network_interface *find(struct network *network, const char *name, size_t bytes)
{
	for (uint32_t i = 0; i < network->interface_count; i++) {
		struct network_interface *interface = &network->interfaces[i];

		if (strlen(interface->boot.name) == bytes &&
			memcmp(interface->boot.name, name, bytes) == 0)
			return interface;
	}
	return NULL;
}

static bool is_interface_name(const char *name, size_t bytes)
{
	if (bytes == 0 || bytes >= sizeof(((struct boot_interface *)0)->name))
		return false;
	for (size_t i = 0; i < bytes; i++) {
		char c = name[i];

		if (!((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
			    (i > 0 && (c == '-' || c == '_' || c == '.'))))
			return false;
	}
	return !(bytes == 2 && memcmp(name, "lo", 2) == 0);
}

static struct network_interface *add_interface(
	struct network *network, const char *text, const char *name, size_t bytes)
{
	struct network_interface *interface;

	if (!is_interface_name(name, bytes))
		report_fail(STATUS_TOOL_FAILED,
			"--net %s: %.*s cannot be an interface's name; write up to 15 letters and "
			"digits, such as eth0",
			text, (int)bytes, name);
	if (find(network, name, bytes) != NULL)
		report_fail(STATUS_TOOL_FAILED, "--net %s: there is a %.*s already", text,
			(int)bytes, name);
	if (network->interface_count == BOOT_MAX_INTERFACES)
		report_fail(STATUS_TOOL_FAILED, "--net %s: more than %d interfaces", text,
			BOOT_MAX_INTERFACES);
	interface = &network->interfaces[network->interface_count++];
	memcpy(interface->boot.name, name, bytes);
	interface->fd = interface->pcap_fd = -1;
	return interface;
}

static void understand_interface(struct network *network, const char *text)
{
	const char *equals = strchr(text, '=');
	const char *backend = equals != NULL ? equals + 1 : text;
	struct network_interface *interface;

	if (strncmp(backend, "tap:", 4) != 0 && strcmp(backend, "passt") != 0)
		report_fail(STATUS_TOOL_FAILED,
			"--net %s: write NAME=tap:DEVICE, NAME=passt, or none", text);
	interface = equals != NULL ? add_interface(network, text, text, (size_t)(equals - text))
				   : add_interface(network, text, "eth0", 4);
	interface->backend = backend[0] == 't' ? NETWORK_TAP : NETWORK_PASST;
	if (interface->backend == NETWORK_TAP) {
		interface->tap = backend + 4;
		if (interface->tap[0] == 0 || strlen(interface->tap) > 15)
			report_fail(STATUS_TOOL_FAILED,
				"--net %s: no name of a tap device; write tap:tap0", text);
	}
}

static struct network_interface *find_passt(struct network *network)
{
	for (uint32_t i = 0; i < network->interface_count; i++) {
		if (network->interfaces[i].backend == NETWORK_PASST)
			return &network->interfaces[i];
	}
	return NULL;
}

static void understand_interfaces(struct network *network)
{
	const struct text_list *list = &network->interfaces_text;
	bool has_none = false;

	for (size_t i = 0; i < list->count; i++) {
		if (strcmp(list->items[i], "none") == 0)
			has_none = true;
		else
			understand_interface(network, list->items[i]);
	}
	if (has_none && (network->interface_count > 0 || network->ports_text.count > 0))
		report_fail(STATUS_TOOL_FAILED, "--net none: contradicts %s",
			network->interface_count > 0 ? "another --net" : "-p");
	if (network->ports_text.count > 0 && network->interface_count == 0)
		add_interface(network, "passt", "eth0", 4)->backend = NETWORK_PASST;
}

/* ---- -p ------------------------------------------------------------------------- */

static _Noreturn void fail_port(const char *text)
{
	report_fail(STATUS_TOOL_FAILED,
		"-p %s: write [ADDRESS:]HOST_PORT:GUEST_PORT[/udp], such as 8080:80 or "
		"127.0.0.1:8080:80",
		text);
}

/* Decimal digits up to `stop`; 0 if it is no port. */
static uint16_t read_port(const char *at, const char *stop)
{
	unsigned value = 0;

	if (at == stop || stop - at > 5)
		return 0;
	for (; at < stop; at++) {
		if (*at < '0' || *at > '9')
			return 0;
		value = value * 10 + (unsigned)(*at - '0');
	}
	return value <= 65535 ? (uint16_t)value : 0;
}

/* ADDRESS of "ADDRESS:" or "[ADDRESS]:"; where the ports begin. */
static const char *read_bind_address(struct network_forward *forward, const char *last_two)
{
	const char *text = forward->text;
	size_t bytes = (size_t)(last_two - text) - 1;
	uint8_t address[16];

	if (text[0] == '[' && text[bytes - 1] == ']') {
		text++;
		bytes -= 2;
	}
	if (bytes >= sizeof(forward->address))
		fail_port(forward->text);
	memcpy(forward->address, text, bytes);
	if (net_config_parse_v4(forward->address, address) != bytes &&
		net_config_parse_v6(forward->address, address) != bytes)
		report_fail(STATUS_TOOL_FAILED, "-p %s: %s is no address of this machine",
			forward->text, forward->address);
	return last_two;
}

static void understand_forward(struct network_forward *forward, const char *text)
{
	const char *end = strchr(text, '/'), *middle, *ports = text;

	forward->text = text;
	if (end == NULL)
		end = text + strlen(text);
	else if (strcmp(end, "/udp") == 0)
		forward->is_udp = true;
	else if (strcmp(end, "/tcp") != 0)
		fail_port(text);
	middle = memrchr(text, ':', (size_t)(end - text));
	if (middle != NULL && memrchr(text, ':', (size_t)(middle - text)) != NULL)
		ports = read_bind_address(
			forward, (char *)memrchr(text, ':', (size_t)(middle - text)) + 1);
	if (middle == NULL)
		middle = end; /* the same port on both sides */
	forward->host_port = read_port(ports, middle);
	forward->guest_port = middle == end ? forward->host_port : read_port(middle + 1, end);
	if (forward->host_port == 0 || forward->guest_port == 0)
		fail_port(text);
}

static void understand_forwards(struct network *network)
{
	const struct text_list *list = &network->ports_text;

	if (list->count == 0)
		return;
	if (find_passt(network) == NULL)
		report_fail(STATUS_TOOL_FAILED,
			"-p %s: ports are forwarded by passt; add --net NAME=passt (over a tap the "
			"VM has an address of its own)",
			list->items[0]);
	network->forwards = alloc_zeroed(list->count * sizeof(network->forwards[0]));
	network->forward_count = list->count;
	for (size_t i = 0; i < list->count; i++)
		understand_forward(&network->forwards[i], list->items[i]);
}

/* ---- --ip, --mac, --pcap: [NAME=]VALUE -------------------------------------------- */

static bool is_setting(const char *name, size_t bytes)
{
	static const char *const names[] = {
		"ip", "gw", "dns", "route", "mtu", "search", "hostname", "ntp"};

	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		if (strlen(names[i]) == bytes && memcmp(names[i], name, bytes) == 0)
			return true;
	}
	return false;
}

/* The interface that "NAME=VALUE" or "VALUE" is for; *value is what follows. */
static struct network_interface *choose(
	struct network *network, const char *flag, const char *text, const char **value)
{
	const char *equals = strchr(text, '=');
	size_t bytes = equals != NULL ? (size_t)(equals - text) : 0;
	struct network_interface *interface = equals != NULL ? find(network, text, bytes) : NULL;

	if (network->interface_count == 0)
		report_fail(STATUS_TOOL_FAILED,
			"%s %s: this VM has no network; add --net tap:DEVICE or --net passt", flag,
			text);
	*value = interface != NULL ? equals + 1 : text;
	if (interface != NULL)
		return interface;
	if (equals != NULL && is_interface_name(text, bytes) && !is_setting(text, bytes))
		report_fail(STATUS_TOOL_FAILED, "%s %s: there is no interface %.*s", flag, text,
			(int)bytes, text);
	return &network->interfaces[0];
}

/* Appends to the settings, each ADDRESS/PREFIX as ip=ADDRESS/PREFIX. */
static void add_settings(
	struct network_interface *interface, const char *flag, const char *text, const char *value)
{
	char *settings = interface->boot.settings;

	for (;;) {
		size_t word = strcspn(value, ",");
		size_t at = strlen(settings), room = sizeof(interface->boot.settings) - at;
		bool is_address = memchr(value, '=', word) == NULL &&
				  strspn(value, "0123456789abcdefABCDEF:./") == word && word > 0 &&
				  strcspn(value, ".:/") < word;

		if ((size_t)snprintf(settings + at, room, "%s%s%.*s", at > 0 ? "," : "",
			    is_address ? "ip=" : "", (int)word, value) >= room)
			report_fail(STATUS_TOOL_FAILED, "%s %s: too long", flag, text);
		if (value[word] == 0)
			return;
		value += word + 1;
	}
}

static void check_settings(struct network_interface *interface, const char *flag, const char *text)
{
	const char *settings = interface->boot.settings, *why;
	size_t at = net_config_parse(settings, &interface->config, &why);

	if (at != 0)
		report_fail(STATUS_TOOL_FAILED, "%s %s: %.*s: %s", flag, text,
			(int)strcspn(settings + at - 1 + (settings[at - 1] == ','), ","),
			settings + at - 1 + (settings[at - 1] == ','), why);
}

static void understand_addresses(
	struct network *network, const char *flag, const struct text_list *list, bool only_v6)
{
	for (size_t i = 0; i < list->count; i++) {
		const char *text = list->items[i], *value;
		struct network_interface *interface = choose(network, flag, text, &value);
		uint32_t before = interface->config.address_count;

		add_settings(interface, flag, text, value);
		check_settings(interface, flag, text);
		for (; only_v6 && before < interface->config.address_count; before++) {
			if (!interface->config.addresses[before].is_v6)
				report_fail(STATUS_TOOL_FAILED,
					"%s %s: not an address of IPv6; use --ip", flag, text);
		}
	}
}

static void understand_passt_defaults(struct network *network)
{
	for (uint32_t i = 0; i < network->interface_count; i++) {
		struct network_interface *interface = &network->interfaces[i];

		if (interface->backend != NETWORK_PASST)
			continue;
		if (interface->config.address_count == 0 &&
			!strstr(interface->boot.settings, "none"))
			add_settings(interface, "--ip", PASST_SETTINGS, PASST_SETTINGS);
		add_settings(interface, "--ip", PASST_SETTINGS, "late-ack");
		check_settings(interface, "--ip", interface->boot.settings);
	}
}

static void understand_pcaps(struct network *network)
{
	for (size_t i = 0; i < network->pcaps_text.count; i++) {
		const char *text = network->pcaps_text.items[i], *equals = strchr(text, '=');
		struct network_interface *interface =
			equals != NULL ? find(network, text, (size_t)(equals - text)) : NULL;

		if (interface == NULL) {
			const char *value;

			/* A path may hold '=' too. */
			interface = equals == NULL ? choose(network, "--pcap", text, &value)
						   : &network->interfaces[0];
			equals = text - 1;
		}
		if (network->interface_count == 0)
			report_fail(STATUS_TOOL_FAILED, "--pcap %s: this VM has no network", text);
		interface->pcap = equals + 1;
	}
}

/* ---- MAC addresses ---------------------------------------------------------------- */

static bool read_mac(const char *text, uint8_t mac[6])
{
	char rest;
	unsigned bytes[6];

	if (strlen(text) != 17 || sscanf(text, "%2x:%2x:%2x:%2x:%2x:%2x%c", &bytes[0], &bytes[1],
					  &bytes[2], &bytes[3], &bytes[4], &bytes[5], &rest) != 6)
		return false;
	for (int i = 0; i < 6; i++)
		mac[i] = (uint8_t)bytes[i];
	return true;
}

static uint64_t hash(uint64_t state, const char *text)
{
	for (; *text != 0; text++)
		state = (state ^ (uint8_t)*text) * 0x100000001b3ull; /* FNV-1a */
	return (state ^ 0xff) * 0x100000001b3ull;
}

/* The same at each start, and different for each tap of each machine: they may share a
 * bridge. */
static void choose_mac(struct network_interface *interface)
{
	char machine[64] = "";
	int fd = open("/etc/machine-id", O_RDONLY | O_CLOEXEC);
	uint64_t state = 0xcbf29ce484222325ull;

	if (fd >= 0) {
		if (read(fd, machine, sizeof(machine) - 1) < 0)
			machine[0] = 0;
		close(fd);
	}
	if (interface->backend == NETWORK_TAP)
		state = hash(hash(state, machine), interface->tap);
	state = hash(state, interface->boot.name);
	interface->boot.mac[0] = 0x02; /* locally administered */
	for (int i = 1; i < 6; i++)
		interface->boot.mac[i] = (uint8_t)(state >> (8 * i));
}

static void understand_macs(struct network *network)
{
	for (uint32_t i = 0; i < network->interface_count; i++)
		choose_mac(&network->interfaces[i]);
	for (size_t i = 0; i < network->macs_text.count; i++) {
		const char *text = network->macs_text.items[i], *value;
		struct network_interface *interface = choose(network, "--mac", text, &value);

		if (!read_mac(value, interface->boot.mac))
			report_fail(STATUS_TOOL_FAILED,
				"--mac %s: write six bytes, such as 02:00:00:00:00:01", text);
		if (interface->boot.mac[0] & 1)
			report_fail(STATUS_TOOL_FAILED,
				"--mac %s: a multicast address; make the first byte even", text);
	}
	for (uint32_t i = 0; i < network->interface_count; i++) {
		for (uint32_t j = 0; j < i; j++) {
			if (memcmp(network->interfaces[i].boot.mac, network->interfaces[j].boot.mac,
				    6) == 0)
				report_fail(STATUS_TOOL_FAILED,
					"--mac: %s and %s have the same address",
					network->interfaces[j].boot.name,
					network->interfaces[i].boot.name);
		}
	}
}

/* ---- all of it -------------------------------------------------------------------- */

static void check_hostname(const char *hostname)
{
	struct net_config config;
	const char *why;
	char *text = alloc_text("hostname=%s", hostname);

	if (strchr(hostname, ',') != NULL || net_config_parse(text, &config, &why) != 0)
		report_fail(STATUS_TOOL_FAILED,
			"--hostname %s: not a name of up to 63 letters, digits, '-' and dots",
			hostname);
	free(text);
}

/* By its name, it is looked up here: the kernel takes addresses. */
static void understand_time_server(struct network *network)
{
	struct addrinfo *found = NULL, wanted = {.ai_socktype = SOCK_DGRAM};
	char address[INET6_ADDRSTRLEN];
	int error;

	if (network->interface_count == 0)
		report_fail(STATUS_TOOL_FAILED, "--ntp: this VM has no network");
	error = getaddrinfo(network->time_server, NULL, &wanted, &found);
	if (error == 0)
		error = getnameinfo(found->ai_addr, found->ai_addrlen, address, sizeof(address),
			NULL, 0, NI_NUMERICHOST);
	if (error != 0)
		report_fail(STATUS_TOOL_FAILED, "--ntp %s: %s", network->time_server,
			gai_strerror(error));
	freeaddrinfo(found);
	add_settings(&network->interfaces[0], "--ntp", network->time_server,
		alloc_text("ntp=%s", address));
	check_settings(&network->interfaces[0], "--ntp", network->time_server);
}

void network_understand(struct network *network)
{
	understand_interfaces(network);
	understand_forwards(network);
	understand_addresses(network, "--ip", &network->addresses_text, false);
	understand_addresses(network, "--ip6", &network->addresses6_text, true);
	understand_passt_defaults(network);
	if (network->time_server != NULL)
		understand_time_server(network);
	understand_macs(network);
	understand_pcaps(network);
	if (network->hostname != NULL)
		check_hostname(network->hostname);
	if (network->sniff && network->interface_count == 0)
		report_fail(STATUS_TOOL_FAILED, "--sniff: this VM has no network");
}

static void open_pcap(struct network_interface *interface)
{
	/* Inherited by the monitor, which writes it. */
	interface->pcap_fd = open(interface->pcap, O_WRONLY | O_CREAT | O_TRUNC, 0666);
	if (interface->pcap_fd < 0)
		report_fail(STATUS_TOOL_FAILED, "--pcap %s: %s", interface->pcap, strerror(errno));
}

void network_open(struct network *network, bool verbose)
{
	bool is_first_passt = true;

	for (uint32_t i = 0; i < network->interface_count; i++) {
		struct network_interface *interface = &network->interfaces[i];

		if (interface->backend == NETWORK_TAP) {
			interface->fd = network_tap_open(interface->tap);
		} else {
			interface->fd = network_passt_open(interface, network->forwards,
				is_first_passt ? network->forward_count : 0, verbose);
			is_first_passt = false;
		}
		if (interface->pcap != NULL)
			open_pcap(interface);
	}
}
