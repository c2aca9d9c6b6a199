/*
 * Sockets that carry datagrams, called with anything: UDP, raw and ping sockets of both families,
 * netlink and packet sockets, over the IP layer, with frames that come in between. The input is a
 * series of operations, a byte each and what it needs.
 */
#include <stdlib.h>
#include <string.h>

#include "abi/linux/errno.h"
#include "abi/linux/netlink.h"
#include "abi/linux/packet.h"
#include "abi/linux/socket.h"
#include "arch/host/fake_link.h"
#include "arch/host/fake_threads.h"
#include "kernel/mm/heap.h"
#include "kernel/net/net.h"
#include "kernel/net/socket.h"
#include "lib/endian.h"

#define SOCKETS 6u

#define REQUIRE(condition)                                                                         \
	do {                                                                                       \
		if (!(condition))                                                                  \
			abort();                                                                   \
	} while (0)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes);

static struct net_device *device;
static struct socket *sockets[SOCKETS];
static const uint8_t *next, *end;

static uint8_t byte(void)
{
	return next < end ? *next++ : 0;
}

static uint32_t word(void)
{
	uint32_t value = byte();

	value = value << 8 | byte();
	value = value << 8 | byte();
	return value << 8 | byte();
}

/* Up to `most` bytes of the input. */
static uint32_t take(uint8_t *to, uint32_t most)
{
	uint32_t bytes = byte() % (most + 1);

	bytes = MIN(bytes, (uint32_t)(end - next));
	memcpy(to, next, bytes);
	next += bytes;
	return bytes;
}

/* ---- what calls are given ------------------------------------------------------------------- */

static void make_socket(struct socket **slot)
{
	static const struct {
		const struct socket_family *family;
		int type, protocol;
	} kinds[] = {
		{&socket_family_inet, LINUX_SOCK_DGRAM, 0},
		{&socket_family_inet6, LINUX_SOCK_DGRAM, 0},
		{&socket_family_inet, LINUX_SOCK_DGRAM, LINUX_IPPROTO_ICMP},
		{&socket_family_inet6, LINUX_SOCK_DGRAM, LINUX_IPPROTO_ICMPV6},
		{&socket_family_inet, LINUX_SOCK_RAW, LINUX_IPPROTO_ICMP},
		{&socket_family_inet, LINUX_SOCK_RAW, LINUX_IPPROTO_RAW},
		{&socket_family_inet6, LINUX_SOCK_RAW, LINUX_IPPROTO_ICMPV6},
		{&socket_family_inet6, LINUX_SOCK_RAW, 89},
		{&socket_family_netlink, LINUX_SOCK_RAW, LINUX_NETLINK_ROUTE},
		{&socket_family_packet, LINUX_SOCK_RAW, 0x0300},
		{&socket_family_packet, LINUX_SOCK_DGRAM, 0x0300},
	};
	size_t kind = byte() % ARRAY_SIZE(kinds);

	if (*slot == NULL)
		REQUIRE(kinds[kind].family->create(kinds[kind].type, kinds[kind].protocol, slot) ==
			0);
}

/* Mostly one that means something. */
static void make_name(struct socket_name *name)
{
	static const uint8_t own4[4] = {10, 0, 0, 2}, loopback[4] = {127, 0, 0, 1};
	uint8_t choice = byte();

	memset(name, 0, sizeof(*name));
	switch (choice % 6) {
	case 0:
	case 1:
		name->bytes = 16;
		name->data[0] = LINUX_AF_INET;
		name->data[3] = choice >> 4;
		memcpy(name->data + 4, choice % 6 ? own4 : loopback, 4);
		if (choice & 8)
			memcpy(name->data + 4, "\xe0\0\0\7", 4);
		break;
	case 2:
		name->bytes = 28;
		name->data[0] = LINUX_AF_INET6;
		name->data[3] = choice >> 4;
		name->data[23] = 1;
		if (choice & 8)
			memcpy(name->data + 8, "\xff\2", 2);
		break;
	case 3:
		name->bytes = 20;
		name->data[0] = LINUX_AF_PACKET;
		name->data[2] = choice & 8 ? 0 : 8;
		name->data[4] = 1 + (choice >> 4) % 3;
		name->data[11] = 6;
		break;
	case 4:
		name->bytes = 12;
		name->data[0] = LINUX_AF_NETLINK;
		break;
	default:
		name->bytes = take(name->data, SOCKET_NAME_BYTES);
	}
}

static void send_something(struct socket *socket)
{
	static uint8_t payload[70000];
	uint8_t control[200];
	struct socket_name name;
	struct uio_part part;
	struct uio uio;
	uint32_t bytes = take(payload, 200);
	struct socket_message message = {.uio = &uio, .flags = byte(), .control = control};
	long sent;

	if (byte() % 8 == 0)
		bytes = word() % sizeof(payload);
	make_name(&name);
	if (byte() & 1)
		message.name = &name;
	message.control_bytes = take(control, sizeof(control));
	uio_init_kernel(&uio, &part, payload, bytes);
	sent = socket->ops->send(socket, &message);
	REQUIRE(sent <= (long)bytes && sent > -4096);
}

static void receive_something(struct socket *socket)
{
	static uint8_t room[70000];
	uint8_t control[256];
	struct socket_name name = {0};
	struct uio_part part;
	struct uio uio;
	struct socket_message message = {.uio = &uio,
		.flags = word() & (0xff | LINUX_MSG_ERRQUEUE),
		.name = &name,
		.control = control,
		.control_capacity = byte()};
	uint32_t bytes = word() % sizeof(room);
	long received;

	uio_init_kernel(&uio, &part, room, bytes);
	received = socket->ops->receive(socket, &message);
	REQUIRE(received > -4096 && (received <= (long)bytes || message.flags & LINUX_MSG_TRUNC));
	REQUIRE(message.control_bytes <= message.control_capacity);
	REQUIRE(name.bytes <= SOCKET_NAME_BYTES);
}

static const uint16_t levels[] = {LINUX_SOL_IP, LINUX_SOL_SOCKET, LINUX_SOL_UDP, LINUX_SOL_IPV6,
	LINUX_SOL_ICMPV6, LINUX_SOL_RAW, LINUX_SOL_PACKET, LINUX_SOL_NETLINK};

/* Filters name memory of the program's, of which there is none here. */
static void set_something(struct socket *socket)
{
	int level = levels[byte() % ARRAY_SIZE(levels)], option = byte();
	uint8_t value[512] = {0};
	uint32_t bytes = take(value, 200);

	if (level != LINUX_SOL_SOCKET || option != LINUX_SO_ATTACH_FILTER)
		(void)socket_set_option(socket, level, option, value, bytes);
}

static void get_something(struct socket *socket)
{
	int level = levels[byte() % ARRAY_SIZE(levels)], option = byte();
	uint8_t value[512];
	uint32_t bytes = byte(), before = bytes;

	if (socket_get_option(socket, level, option, value, &bytes) == 0)
		REQUIRE(bytes <= before || bytes <= sizeof(value));
}

/* ---- frames --------------------------------------------------------------------------------- */

/* An IPv4 datagram to us, with a good header. */
static void receive_frame(void)
{
	static uint8_t frame[1600];
	static const uint8_t start[14] = {2, 0, 0, 0, 0, 2, 2, 0, 0, 0, 0, 1, 8, 0};
	static const uint8_t protocols[4] = {1, 17, 89, 58};
	uint8_t *ip = frame + 14;
	uint16_t sum = 0;
	uint32_t bytes;

	memcpy(frame, start, sizeof(start));
	memset(ip, 0, 20);
	ip[0] = 0x45;
	ip[8] = 64;
	ip[9] = protocols[byte() % 4];
	memcpy(ip + 12, "\x0a\0\0\1\x0a\0\0\2", 8);
	if (byte() & 1)
		memcpy(ip + 16, "\xe0\0\0\7", 4);
	bytes = 20 + take(ip + 20, 250);
	store_be16(ip + 2, (uint16_t)bytes);
	sum = checksum_finish(checksum_add(ip, 20, 0));
	memcpy(ip + 10, &sum, 2);
	if (ip[9] == 1 && bytes >= 28) {
		memset(ip + 22, 0, 2);
		sum = checksum_finish(checksum_add(ip + 20, bytes - 20, 0));
		memcpy(ip + 22, &sum, 2);
	} else if (ip[9] == 17 && bytes >= 28) {
		store_be16(ip + 24, (uint16_t)(bytes - 20));
		memset(ip + 26, 0, 2);
	}
	fake_network_receive(device, frame, 14 + bytes);
}

/* ---- operations -------------------------------------------------------------------------------
 */

static void operate(struct socket **slot)
{
	struct socket *socket = *slot;
	struct socket_name name = {0};

	switch (byte() % 12) {
	case 0:
		socket_release(socket);
		*slot = NULL;
		break;
	case 1:
		make_name(&name);
		(void)socket->ops->bind(socket, &name);
		break;
	case 2:
		make_name(&name);
		if (socket->ops->connect != NULL)
			(void)socket->ops->connect(socket, &name);
		break;
	case 3:
		(void)socket->ops->local_name(socket, &name);
		(void)socket->ops->peer_name(socket, &name);
		REQUIRE(name.bytes <= SOCKET_NAME_BYTES);
		break;
	case 4:
	case 5:
		send_something(socket);
		break;
	case 6:
	case 7:
		receive_something(socket);
		break;
	case 8:
		set_something(socket);
		break;
	case 9:
		get_something(socket);
		break;
	case 10:
		if (socket->ops->shutdown != NULL)
			(void)socket->ops->shutdown(socket, byte() % 3 + 1);
		break;
	default:
		(void)socket->ops->poll(socket);
	}
}

static void close_all(void)
{
	for (uint32_t i = 0; i < SOCKETS; i++) {
		if (sockets[i] != NULL)
			socket_release(sockets[i]);
		sockets[i] = NULL;
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
	if (device == NULL) {
		fake_threads_reset();
		device = fake_network_start("ip=10.0.0.2/24,gw=10.0.0.1,ip=fd00::2/64", 0);
	}
	next = data;
	end = data + bytes;
	while (next < end) {
		uint8_t choice = byte();
		struct socket **slot = &sockets[choice % SOCKETS];

		if (choice >= 240)
			fake_network_pass(byte() * 10000000ull);
		else if (choice >= 200)
			receive_frame();
		else if (*slot == NULL)
			make_socket(slot);
		else
			operate(slot);
		fake_sent_count = 0;
	}
	close_all();
	return 0;
}
