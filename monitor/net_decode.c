/*
 * One line a frame; see net_decode.h. Every read is checked against what is there.
 */
#include <arpa/inet.h>

#include "lib/format.h"
#include "monitor/net_decode.h"

#define DAY_SECONDS 86400u

enum { ETHER_IPV4 = 0x0800, ETHER_ARP = 0x0806, ETHER_VLAN = 0x8100, ETHER_IPV6 = 0x86dd };
enum { PROTOCOL_ICMP = 1, PROTOCOL_TCP = 6, PROTOCOL_UDP = 17, PROTOCOL_ICMPV6 = 58 };

struct bytes {
	const uint8_t *at;
	size_t count;
};

struct line {
	char *text;
	size_t capacity, used;
};

static void say(struct line *line, const char *format, ...) PRINTF_LIKE(2, 3);

static void say(struct line *line, const char *format, ...)
{
	va_list args;
	size_t room = line->capacity - line->used, bytes;

	va_start(args, format);
	bytes = format_text_args(line->text + line->used, room, format, args);
	va_end(args);
	line->used += MIN(bytes, room - 1);
}

/* 0 where the bytes end. */
static uint16_t get16(struct bytes in, size_t at)
{
	return at + 2 <= in.count ? (uint16_t)(in.at[at] << 8 | in.at[at + 1]) : 0;
}

static uint32_t get32(struct bytes in, size_t at)
{
	return (uint32_t)get16(in, at) << 16 | get16(in, at + 2);
}

static struct bytes after(struct bytes in, size_t bytes)
{
	bytes = MIN(bytes, in.count);
	return (struct bytes){in.at + bytes, in.count - bytes};
}

static void say_address(struct line *line, struct bytes in, size_t at, bool is_v6, int port)
{
	char text[INET6_ADDRSTRLEN];

	if (at + (is_v6 ? 16 : 4) > in.count)
		say(line, "?");
	else if (inet_ntop(is_v6 ? AF_INET6 : AF_INET, in.at + at, text, sizeof(text)))
		say(line, "%s", text);
	if (port >= 0)
		say(line, ".%d", port);
}

static void say_tcp(struct line *line, struct bytes tcp, size_t bytes)
{
	static const char letters[] = "FSRP.UEW";
	uint8_t flags = tcp.count > 13 ? tcp.at[13] : 0;
	size_t header = tcp.count > 12 ? (size_t)(tcp.at[12] >> 4) * 4 : 20;

	say(line, ": TCP [");
	for (unsigned i = 0; i < 8; i++) {
		if (flags & 1u << i)
			say(line, "%c", letters[i]);
	}
	say(line, "] seq %u", get32(tcp, 4));
	if (flags & 0x10)
		say(line, " ack %u", get32(tcp, 8));
	say(line, " win %u, %zu bytes", get16(tcp, 14), bytes > header ? bytes - header : 0);
}

static void say_icmp(struct line *line, struct bytes icmp, bool is_v6)
{
	static const struct {
		uint8_t v4, v6;
		const char *name;
	} names[] = {{8, 128, "echo request"}, {0, 129, "echo reply"}, {3, 1, "unreachable"},
		{11, 3, "time exceeded"}, {255, 2, "packet too big"},
		{255, 133, "router solicitation"}, {255, 134, "router advertisement"},
		{255, 135, "neighbor solicitation"}, {255, 136, "neighbor advertisement"}};
	uint8_t type = icmp.count > 0 ? icmp.at[0] : 254;

	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		if (type == (is_v6 ? names[i].v6 : names[i].v4)) {
			say(line, ": ICMP%s %s", is_v6 ? "v6" : "", names[i].name);
			return;
		}
	}
	say(line, ": ICMP%s type %u", is_v6 ? "v6" : "", type);
}

/* `transport`: what is given of `bytes` after the IP header. */
static void say_datagram(struct line *line, struct bytes ip, bool is_v6, uint8_t protocol,
	struct bytes transport, size_t bytes)
{
	bool has_ports = protocol == PROTOCOL_TCP || protocol == PROTOCOL_UDP;

	say_address(line, ip, is_v6 ? 8 : 12, is_v6, has_ports ? get16(transport, 0) : -1);
	say(line, " > ");
	say_address(line, ip, is_v6 ? 24 : 16, is_v6, has_ports ? get16(transport, 2) : -1);
	if (protocol == PROTOCOL_TCP)
		say_tcp(line, transport, bytes);
	else if (protocol == PROTOCOL_UDP)
		say(line, ": UDP, %zu bytes", bytes > 8 ? bytes - 8 : 0);
	else if (protocol == PROTOCOL_ICMP || protocol == PROTOCOL_ICMPV6)
		say_icmp(line, transport, is_v6);
	else
		say(line, ": protocol %u, %zu bytes", protocol, bytes);
}

static void say_ipv4(struct line *line, struct bytes ip)
{
	size_t header = ip.count > 0 ? (size_t)(ip.at[0] & 15) * 4 : 0, total = get16(ip, 2);

	if (ip.count < 20 || header < 20) {
		say(line, "IP, cut off");
		return;
	}
	if (get16(ip, 6) & 0x1fff) {
		say_address(line, ip, 12, false, -1);
		say(line, " > ");
		say_address(line, ip, 16, false, -1);
		say(line, ": fragment at %u", (get16(ip, 6) & 0x1fffu) * 8);
		return;
	}
	say_datagram(
		line, ip, false, ip.at[9], after(ip, header), total > header ? total - header : 0);
}

static void say_ipv6(struct line *line, struct bytes ip)
{
	if (ip.count < 40) {
		say(line, "IPv6, cut off");
		return;
	}
	say_datagram(line, ip, true, ip.at[6], after(ip, 40), get16(ip, 4));
}

static void say_arp(struct line *line, struct bytes arp)
{
	uint16_t operation = get16(arp, 6);

	say(line, "ARP %s ",
		operation == 1 ? "who has" : (operation == 2 ? "reply" : "operation ?"));
	if (operation == 2) {
		say_address(line, arp, 14, false, -1);
		if (arp.count >= 14)
			say(line, " is at %02x:%02x:%02x:%02x:%02x:%02x", arp.at[8], arp.at[9],
				arp.at[10], arp.at[11], arp.at[12], arp.at[13]);
		return;
	}
	say_address(line, arp, 24, false, -1);
	say(line, ", tell ");
	say_address(line, arp, 14, false, -1);
}

size_t net_decode_line(char *text, size_t capacity, const char *name, bool from_guest,
	uint64_t seconds, uint32_t nanoseconds, const uint8_t *head, size_t head_bytes,
	size_t frame_bytes)
{
	struct line line = {text, capacity, 0};
	struct bytes frame = {head, head_bytes}, rest = after(frame, 14);
	uint16_t type = get16(frame, 12);
	unsigned second = (unsigned)(seconds % DAY_SECONDS);

	if (type == ETHER_VLAN) {
		type = get16(frame, 16);
		rest = after(frame, 18);
	}
	say(&line, "%02u:%02u:%02u.%06u %s %s ", second / 3600, second / 60 % 60, second % 60,
		nanoseconds / 1000, name, from_guest ? "out" : "in");
	if (type == ETHER_IPV4)
		say_ipv4(&line, rest);
	else if (type == ETHER_IPV6)
		say_ipv6(&line, rest);
	else if (type == ETHER_ARP)
		say_arp(&line, rest);
	else
		say(&line, "type 0x%04x, %zu bytes", type, frame_bytes);
	return line.used;
}
