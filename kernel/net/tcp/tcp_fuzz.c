/*
 * Fuzzes TCP: segments near the windows of two live connections and a listener, calls, time
 * and failing allocations. Nothing may break, and all memory must come back.
 */
#include <stdlib.h>

#include "arch/host/fake_network.h"
#include "arch/host/fake_threads.h"
#include "kernel/mm/heap.h"
#include "kernel/net/net.h"
#include "kernel/net/tcp/connection.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes);

static const uint8_t *at, *end;
static struct tcp *ends[2], *listener;

static uint32_t take(uint32_t bytes)
{
	uint32_t value = 0;

	while (bytes-- > 0)
		value = value << 8 | (at < end ? *at++ : 0);
	return value;
}

/* A sequence number near one that matters. */
static uint32_t near(uint32_t base)
{
	int32_t offset = (int8_t)take(1);

	return base + (uint32_t)(offset * (take(1) & 1 ? 700 : 1));
}

static void put_u32(uint8_t *to, uint32_t value)
{
	value = __builtin_bswap32(value);
	memcpy(to, &value, 4);
}

static uint32_t write_options(uint8_t *to, const struct tcp *tcp)
{
	uint32_t kind = take(1);

	if (kind & 1) {
		uint32_t bytes = kind >> 1 & 40;

		for (uint32_t i = 0; i < bytes; i++)
			to[i] = (uint8_t)take(1);
		return bytes & ~3u;
	}
	memset(to, 1, 40);
	if (kind & 2) {
		to[0] = 8;
		to[1] = 10;
		put_u32(to + 2, near(tcp->ts_recent));
		put_u32(to + 6, near(tcp_now_ms() + tcp->ts_offset));
	}
	if (kind & 4) {
		to[12] = 5;
		to[13] = 26;
		for (uint32_t i = 0; i < 6; i++)
			put_u32(to + 14 + 4 * i, near(tcp->snd_una));
	}
	return 40;
}

static void send_segment(void)
{
	uint32_t choice = take(1), payload = take(1) * (choice & 8 ? 17 : 1), options;
	struct tcp *tcp = ends[choice & 1];
	struct packet *packet;
	struct ip_received ip = {.protocol = IP_PROTOCOL_TCP};
	uint8_t *header;

	if (!tcp)
		return;
	ip.source = tcp->entry.name.remote;
	ip.destination = tcp->entry.name.local;
	packet = packet_create_linear(60 + payload);
	if (!packet)
		return;
	header = packet->fragments[0].data;
	memset(header, 0x5a, 60 + payload);
	header[0] = (uint8_t)(tcp->entry.name.remote_port >> 8);
	header[1] = (uint8_t)tcp->entry.name.remote_port;
	if (choice & 2) /* a stranger, for the listener */
		header[1] ^= (uint8_t)(choice >> 4);
	header[2] = (uint8_t)(tcp->entry.name.local_port >> 8);
	header[3] = (uint8_t)tcp->entry.name.local_port;
	put_u32(header + 4, near(tcp->rcv_nxt));
	put_u32(header + 8, near(choice & 4 ? tcp->snd_una : tcp->snd_nxt));
	header[13] = (uint8_t)take(1);
	header[14] = (uint8_t)take(1);
	header[18] = 0;
	header[19] = (uint8_t)take(1);
	options = write_options(header + 20, tcp);
	header[12] = (uint8_t)((20 + options) / 4 << 4);
	packet->flags = PACKET_CHECKSUM_GOOD;
	net_lock();
	tcp_input(packet, &ip);
	net_unlock();
}

static void call(void)
{
	static uint8_t buffer[70000];
	uint32_t choice = take(1), bytes = take(1) * (choice & 8 ? 270 : 1);
	struct tcp **place = &ends[choice & 1], *other;
	struct uio_part part;
	struct uio uio;

	uio_init_kernel(&uio, &part, buffer, bytes);
	if (!*place)
		return;
	switch (choice >> 4) {
	case 0:
		tcp_shutdown(*place, take(1) & 3);
		break;
	case 1:
		if (bytes == 77) {
			tcp_close(*place, choice & 2);
			*place = NULL;
		}
		break;
	case 2:
		if (tcp_accept(listener, &other) == 0)
			tcp_close(other, false);
		break;
	case 3:
	case 4:
		fake_network_run(bytes * 1000000ull * (choice & 4 ? 1 : 100));
		break;
	case 5:
		fake_network_run(200000);
		break;
	case 6:
	case 7:
	case 8:
		(void)tcp_send(*place, &uio, 0);
		break;
	case 9:
		heap_inject_failures(take(1) & 15);
		break;
	default:
		(void)tcp_receive(*place, &uio, choice & 2 ? TCP_RECEIVE_PEEK : 0);
	}
	if (*place)
		(void)tcp_poll(*place);
}

static void require(bool condition)
{
	if (!condition)
		abort();
}

static void start(void)
{
	static const uint8_t address[4] = {10, 0, 0, 2};
	struct ip_endpoint any = {.port = 80},
			   server = {.port = 80, .address = ip_address_v4(address)};

	listener = tcp_create(true);
	require(tcp_bind(listener, &any) == 0 && tcp_listen(listener, 3) == 0);
	ends[0] = tcp_create(false);
	(void)tcp_connect(ends[0], &server);
	fake_network_run(1000000);
	require(tcp_accept(listener, &ends[1]) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
	size_t before;

	at = data;
	end = data + bytes;
	fake_network_reset();
	srandom(1);
	port_tables_init();
	require(tcp_init() == 0);
	before = heap_live_count();
	start();
	fake_network.lose_per_mille = take(1);
	while (at < end) {
		if (take(1) & 1)
			send_segment();
		else
			call();
	}
	heap_inject_failures(0);
	fake_network.lose_per_mille = 0;
	for (int i = 0; i < 2; i++) {
		if (ends[i])
			tcp_close(ends[i], false);
		ends[i] = NULL;
	}
	tcp_close(listener, false);
	fake_network_run(4000 * TCP_NS_PER_S);
	fake_network_clear();
	require(tcp_live_count() == 0 && heap_live_count() == before);
	return 0;
}
