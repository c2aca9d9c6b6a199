/* See proc_net.h, proc(5). Each text is made under the network lock. */
#include "kernel/net/proc_net.h"
#include "kernel/fs/text_node.h"
#include "kernel/net/inet_datagram.h"
#include "kernel/net/interface_ioctl.h"
#include "kernel/net/ip.h"
#include "kernel/net/net.h"
#include "kernel/net/packet_socket.h"
#include "kernel/net/unix_socket.h"
#include "kernel/net/tcp.h"
#include "abi/linux/inet.h"
#include "abi/linux/socket.h"
#include "lib/endian.h"
#include "lib/format.h"

#define STATE_ESTABLISHED 1u
#define STATE_CLOSE       7u
#define ROUTE_UP          1u

#define UNIX_ACCEPTS           0x10000 /* __SO_ACCEPTCON */
#define UNIX_STATE_UNCONNECTED 1       /* SS_UNCONNECTED */
#define UNIX_STATE_CONNECTED   3

#define ROUTE_GATEWAY 2u

typedef unsigned long long ull;

/* ---- devices ------------------------------------------------------------------------ */

static void dev(struct text_buffer *text)
{
	const struct net_device *device = NULL;

	text_append(text,
		"Inter-|   Receive                                                |  Transmit\n"
		" face |bytes    packets errs drop fifo frame compressed multicast|"
		"bytes    packets errs drop fifo colls carrier compressed\n");
	while ((device = net_device_next(device)) != NULL) {
		const struct net_device_counters *c = &device->counters;

		text_append(text,
			"%6s: %7llu %7llu %4llu %4llu    0     0          0         0 "
			"%8llu %7llu %4llu %4llu    0     0       0          0\n",
			device->name, (ull)c->received_bytes, (ull)c->received_packets,
			(ull)c->receive_errors, (ull)c->receive_drops, (ull)c->sent_bytes,
			(ull)c->sent_packets, (ull)c->send_errors, (ull)c->send_drops);
	}
}

/* Numbers of /proc/net in IPv4 are words as this machine stores them. */
static uint32_t word(const uint8_t *bytes)
{
	uint32_t value;

	memcpy(&value, bytes, sizeof(value));
	return value;
}

static void route(struct text_buffer *text)
{
	struct ip_route_entry entry;

	text_append(text, "Iface\tDestination\tGateway \tFlags\tRefCnt\tUse\tMetric\tMask\t\t"
			  "MTU\tWindow\tIRTT\n");
	for (uint32_t n = 0; ip_route_entry(n, &entry); n++) {
		uint8_t mask[4];

		if (!ip_address_is_v4(&entry.destination) || !entry.device)
			continue;
		store_be32(mask, entry.prefix_bits ? ~0u << (32 - entry.prefix_bits) : 0);
		text_append(text, "%s\t%08X\t%08X\t%04X\t0\t0\t%u\t%08X\t0\t0\t0\n",
			entry.device->name, word(entry.destination.bytes + 12),
			word(entry.gateway.bytes + 12),
			ROUTE_UP | (ip_address_is_any(&entry.gateway) ? 0 : ROUTE_GATEWAY),
			entry.metric, word(mask));
	}
}

static uint32_t scope_of(const struct ip_address *address)
{
	if (ip_address_is_loopback(address))
		return 0x10;
	return ip_address_is_link_local(address) ? 0x20 : 0;
}

static void if_inet6(struct text_buffer *text)
{
	const struct net_device *device = NULL;
	struct ip_interface_address entry;

	while ((device = net_device_next(device)) != NULL) {
		for (uint32_t n = 0; ip_interface_address(device, n, &entry); n++) {
			if (ip_address_is_v4(&entry.address))
				continue;
			for (uint32_t i = 0; i < 16; i++)
				text_append(text, "%02x", entry.address.bytes[i]);
			text_append(text, " %02x %02x %02x %02x %8s\n", device->index,
				entry.prefix_bits, scope_of(&entry.address),
				entry.is_permanent   ? 0x80
				: entry.is_tentative ? 0x40
						     : 0,
				device->name);
		}
	}
}

static void igmp(struct text_buffer *text)
{
	const struct net_device *device = NULL;
	struct ip_group_entry entry;
	uint32_t count;

	text_append(text, "Idx\tDevice    : Count Querier\tGroup    Users Timer\tReporter\n");
	while ((device = net_device_next(device)) != NULL) {
		for (count = 0; ip_group_entry(device, false, count, &entry);)
			count++;
		text_append(text, "%u\t%-10s: %5u      V3\n", device->index, device->name, count);
		for (uint32_t n = 0; ip_group_entry(device, false, n, &entry); n++)
			text_append(text, "\t\t\t\t%08X %5u 0:00000000\t\t0\n",
				word(entry.group.bytes + 12), entry.users);
	}
}

static void igmp6(struct text_buffer *text)
{
	const struct net_device *device = NULL;
	struct ip_group_entry entry;

	while ((device = net_device_next(device)) != NULL) {
		for (uint32_t n = 0; ip_group_entry(device, true, n, &entry); n++) {
			text_append(text, "%-4u %-15s ", device->index, device->name);
			for (uint32_t i = 0; i < 16; i++)
				text_append(text, "%02x", entry.group.bytes[i]);
			text_append(text, " %5u 0000000C 0\n", entry.users);
		}
	}
}

static void arp(struct text_buffer *text)
{
	struct ip_neighbor entry;

	text_append(text, "IP address       HW type     Flags       HW address            Mask"
			  "     Device\n");
	for (uint32_t n = 0; ip_neighbor(n, &entry); n++) {
		const uint8_t *a = entry.address.bytes + 12, *m = entry.mac;
		char name[16];

		if (!ip_address_is_v4(&entry.address))
			continue;
		format_text(name, sizeof(name), "%u.%u.%u.%u", a[0], a[1], a[2], a[3]);
		text_append(text, "%s 0x1 0x%x %02x:%02x:%02x:%02x:%02x:%02x * %s\n", name,
			entry.is_reachable ? 2 : 0, m[0], m[1], m[2], m[3], m[4], m[5],
			entry.device->name);
	}
}

/* ---- sockets ------------------------------------------------------------------------ */

static void append_end(struct text_buffer *text, const struct ip_endpoint *end, bool is_v6)
{
	for (uint32_t i = is_v6 ? 0 : 12; i < 16; i += 4)
		text_append(text, "%08X", word(end->address.bytes + i));
	text_append(text, ":%04X ", end->port);
}

static void tcp_rows(struct text_buffer *text, bool is_v6)
{
	struct tcp_row row;
	uint32_t shown = 0;

	text_append(text, "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when "
			  "retrnsmt   uid  timeout inode\n");
	for (uint32_t n = 0; tcp_row_locked(n, &row); n++) {
		if (is_v6 == ip_address_is_v4(&row.local.address))
			continue;
		text_append(text, "%4u: ", shown++);
		append_end(text, &row.local, is_v6);
		append_end(text, &row.remote, is_v6);
		text_append(text, "%02X %08X:%08X 00:00000000 00000000     0        0 %llu\n",
			row.state, row.send_queue, row.receive_queue, (ull)row.number);
	}
}

static void tcp4(struct text_buffer *text)
{
	tcp_rows(text, false);
}

static void tcp6(struct text_buffer *text)
{
	tcp_rows(text, true);
}

static void datagram_rows(struct text_buffer *text, uint16_t family, bool is_raw)
{
	struct inet_datagram_row row;
	uint32_t shown = 0;

	text_append(text, "   sl  local_address rem_address   st tx_queue rx_queue tr tm->when "
			  "retrnsmt   uid  timeout inode ref pointer drops\n");
	for (uint32_t n = 0; inet_datagram_row(n, &row); n++) {
		struct ip_endpoint none = {.port = 0};

		if (row.family != family || row.is_raw != is_raw || !row.local.port)
			continue;
		text_append(text, "%5u: ", shown++);
		append_end(text, &row.local, family == LINUX_AF_INET6);
		append_end(text, row.is_connected ? &row.peer : &none, family == LINUX_AF_INET6);
		text_append(text,
			"%02X 00000000:%08X 00:00000000 00000000     0        0 %llu 2 "
			"0000000000000000 %u\n",
			row.is_connected ? STATE_ESTABLISHED : STATE_CLOSE, row.queued_bytes,
			(ull)row.number, row.drops);
	}
}

static void udp4(struct text_buffer *text)
{
	datagram_rows(text, LINUX_AF_INET, false);
}

static void udp6(struct text_buffer *text)
{
	datagram_rows(text, LINUX_AF_INET6, false);
}

static void raw4(struct text_buffer *text)
{
	datagram_rows(text, LINUX_AF_INET, true);
}

static void raw6(struct text_buffer *text)
{
	datagram_rows(text, LINUX_AF_INET6, true);
}

static void sockstat(struct text_buffer *text)
{
	struct inet_datagram_row row;
	struct tcp_row tcp;
	uint32_t tcp_count = 0, udp_count = 0, raw_count = 0;

	while (tcp_row_locked(tcp_count, &tcp))
		tcp_count++;
	for (uint32_t n = 0; inet_datagram_row(n, &row); n++) {
		raw_count += row.is_raw;
		udp_count += !row.is_raw;
	}
	text_append(text,
		"sockets: used %u\nTCP: inuse %u orphan 0 tw 0 alloc %u mem 0\nUDP: inuse %u mem "
		"0\n"
		"UDPLITE: inuse 0\nRAW: inuse %u\nFRAG: inuse 0 memory 0\n",
		tcp_count + udp_count + raw_count, tcp_count, tcp_count, udp_count, raw_count);
}

/* State and flags as Linux numbers them (include/linux/net.h). */
static void unix_row(struct text_buffer *text, const struct unix_socket *socket)
{
	bool is_listening = socket->state == UNIX_LISTENING;
	struct socket_name name;
	const char *path = (const char *)name.data + sizeof(uint16_t);
	uint32_t bytes;

	unix_address_show(socket->address, &name);
	bytes = name.bytes - (uint32_t)sizeof(uint16_t);
	text_append(text, "0000000000000000: %08X 00000000 %08X %04X %02X %5llu", 2,
		is_listening ? UNIX_ACCEPTS : 0, socket->type,
		socket->state == UNIX_CONNECTED ? UNIX_STATE_CONNECTED : UNIX_STATE_UNCONNECTED,
		(ull)socket->socket->number);
	if (bytes > 0 && path[0] != 0)
		text_append(text, " %s", path);
	else if (bytes > 0)
		text_append(text, " @%.*s", (int)bytes - 1, path + 1);
	text_append(text, "\n");
}

static void unix_rows(struct text_buffer *text)
{
	const struct unix_socket *socket = NULL;

	text_append(text, "Num       RefCount Protocol Flags    Type St Inode Path\n");
	spin_lock(&unix_lock);
	while ((socket = unix_collect_next_locked(socket)) != NULL)
		unix_row(text, socket);
	spin_unlock(&unix_lock);
}

static void packet_rows(struct text_buffer *text)
{
	struct packet_socket_row row;

	text_append(text, "sk       RefCnt Type Proto  Iface R Rmem   User   Inode\n");
	for (uint32_t n = 0; packet_socket_row(n, &row); n++)
		text_append(text, "0000000000000000 %-6d %-4d %04x   %-5d %1d %-6u %-6u %-6llu\n",
			3, row.type, row.protocol, row.device_index, 1, row.queued_bytes, 0u,
			(ull)row.number);
}

/* ---- files ------------------------------------------------------------------------------ */

/* unix_lock comes before the network's. */
static long generate_unix(char *buffer, size_t capacity, void *argument)
{
	struct text_buffer text = {buffer, capacity, 0};

	(void)argument;
	unix_rows(&text);
	return (long)text.length;
}

static long generate(char *buffer, size_t capacity, void *argument)
{
	struct text_buffer text = {buffer, capacity, 0};
	void (*const *writer)(struct text_buffer *) = argument;

	net_lock();
	(*writer)(&text);
	net_unlock();
	return (long)text.length;
}

static long fixed(char *buffer, size_t capacity, void *argument)
{
	return (long)format_text(buffer, capacity, "%s\n", *(const char *const *)argument);
}

static const struct {
	const char *path;
	void (*write)(struct text_buffer *text);
} texts[] = {
	{"/proc/net/dev", dev},
	{"/proc/net/route", route},
	{"/proc/net/if_inet6", if_inet6},
	{"/proc/net/igmp", igmp},
	{"/proc/net/igmp6", igmp6},
	{"/proc/net/arp", arp},
	{"/proc/net/tcp", tcp4},
	{"/proc/net/tcp6", tcp6},
	{"/proc/net/udp", udp4},
	{"/proc/net/udp6", udp6},
	{"/proc/net/raw", raw4},
	{"/proc/net/raw6", raw6},
	{"/proc/net/packet", packet_rows},
	{"/proc/net/sockstat", sockstat},
};

static const struct {
	const char *path, *text;
} settings[] = {
	{"/proc/sys/net/core/rmem_default", "212992"},
	{"/proc/sys/net/core/rmem_max", "212992"},
	{"/proc/sys/net/core/wmem_default", "212992"},
	{"/proc/sys/net/core/wmem_max", "212992"},
	{"/proc/sys/net/ipv4/ip_local_port_range", "32768\t60999"},
	{"/proc/sys/net/ipv4/ping_group_range", "0\t2147483647"},
	{"/proc/sys/net/ipv4/ip_forward", "0"},
	{"/proc/sys/net/ipv6/bindv6only", "0"},
	{"/proc/sys/net/ipv6/conf/all/disable_ipv6", "0"},
};

/* ---- /sys/class/net ------------------------------------------------------------------------ */

static long sys_mtu(char *buffer, size_t capacity, void *device)
{
	return (long)format_text(buffer, capacity, "%u\n", ((struct net_device *)device)->mtu);
}

static long sys_index(char *buffer, size_t capacity, void *device)
{
	return (long)format_text(buffer, capacity, "%u\n", ((struct net_device *)device)->index);
}

static long sys_flags(char *buffer, size_t capacity, void *device)
{
	return (long)format_text(
		buffer, capacity, "0x%x\n", interface_flags(device) & 0xffff & ~LINUX_IFF_RUNNING);
}

static long sys_address(char *buffer, size_t capacity, void *device)
{
	const uint8_t *m = ((struct net_device *)device)->mac;

	return (long)format_text(buffer, capacity, "%02x:%02x:%02x:%02x:%02x:%02x\n", m[0], m[1],
		m[2], m[3], m[4], m[5]);
}

static long sys_type(char *buffer, size_t capacity, void *device)
{
	return (long)format_text(buffer, capacity, "%u\n",
		((struct net_device *)device)->flags & NET_DEVICE_LOOPBACK ? LINUX_ARPHRD_LOOPBACK
									   : LINUX_ARPHRD_ETHER);
}

static long sys_state(char *buffer, size_t capacity, void *device)
{
	return (long)format_text(buffer, capacity, "%s\n",
		((struct net_device *)device)->flags & NET_DEVICE_LOOPBACK ? "unknown" : "up");
}

static int add_device(struct net_device *device)
{
	static const struct {
		const char *name;
		text_generator generate;
	} files[] = {
		{"mtu", sys_mtu},
		{"ifindex", sys_index},
		{"flags", sys_flags},
		{"address", sys_address},
		{"type", sys_type},
		{"operstate", sys_state},
	};
	int error = 0;

	for (size_t i = 0; i < ARRAY_SIZE(files) && !error; i++) {
		char path[64];

		format_text(
			path, sizeof(path), "/sys/class/net/%s/%s", device->name, files[i].name);
		error = vfs_add_text(path, files[i].generate, device);
	}
	return error;
}

int proc_net_init(void)
{
	struct net_device *device = NULL;
	int error = 0;

	for (size_t i = 0; i < ARRAY_SIZE(texts) && !error; i++)
		error = vfs_add_text(texts[i].path, generate, (void *)(uintptr_t)&texts[i].write);
	if (!error)
		error = vfs_add_text("/proc/net/unix", generate_unix, NULL);
	for (size_t i = 0; i < ARRAY_SIZE(settings) && !error; i++)
		error = vfs_add_text(settings[i].path, fixed, (void *)(uintptr_t)&settings[i].text);
	for (;;) {
		net_lock();
		device = net_device_next(device);
		net_unlock();
		if (!device || error)
			return error;
		error = add_device(device);
	}
}
