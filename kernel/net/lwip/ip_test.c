/* Host tests of the IP layer: frames in, frames out, routes, configuration, timeouts. */
#include <string.h>

#include "abi/linux/errno.h"
#include "arch/host/fake_transports.h"
#include "arch/host/fake_threads.h"
#include "kernel/mm/heap.h"
#include "kernel/net/net.h"
#include "lib/endian.h"
#include "lib/test.h"

#define SECOND 1000000000ull

static struct net_device *device;
static const uint8_t peer_mac[6] = {2, 0, 0, 0, 0, 1}, own_mac[6] = {2, 0, 0, 0, 0, 2};
static const uint8_t peer4[4] = {10, 0, 0, 1}, own4[4] = {10, 0, 0, 2}, alias4[4] = {10, 7, 0, 2};
static const char settings[] = "ip=10.0.0.2/24,gw=10.0.0.1,ip=10.7.0.2/16,ip=fd00::2/64,"
			       "route=10.1.0.0/16@10.0.0.9,dns=10.0.0.53,search=example.org";

static struct ip_address v4(uint8_t a, uint8_t b, uint8_t c, uint8_t d)
{
	uint8_t bytes[4] = {a, b, c, d};

	return ip_address_v4(bytes);
}

static struct ip_address v6(uint8_t first, uint8_t last)
{
	return (struct ip_address){.bytes = {first, [15] = last}};
}

/* ---- frames made here --------------------------------------------------------------- */

static uint8_t frame[70000];

static void ethernet(uint16_t type)
{
	memcpy(frame, own_mac, 6);
	memcpy(frame + 6, peer_mac, 6);
	store_be16(frame + 12, type);
}

/* An IPv4 header for `payload` bytes behind it; the frame's size. */
static uint32_t ip4(uint8_t protocol, uint32_t payload, uint16_t id, uint16_t field)
{
	uint8_t *ip = frame + 14;
	uint16_t sum;

	ethernet(0x0800);
	memset(ip, 0, 20);
	ip[0] = 0x45;
	store_be16(ip + 2, (uint16_t)(20 + payload));
	store_be16(ip + 4, id);
	store_be16(ip + 6, field);
	ip[8] = 64;
	ip[9] = protocol;
	memcpy(ip + 12, peer4, 4);
	memcpy(ip + 16, own4, 4);
	sum = checksum_finish(checksum_add(ip, 20, 0));
	memcpy(ip + 10, &sum, 2);
	return 34 + payload;
}

static void arp_from_peer(uint16_t operation, const uint8_t target[4])
{
	uint8_t *arp = frame + 14;
	static const uint8_t fixed[6] = {0, 1, 8, 0, 6, 4};

	ethernet(0x0806);
	memcpy(arp, fixed, 6);
	store_be16(arp + 6, operation);
	memcpy(arp + 8, peer_mac, 6);
	memcpy(arp + 14, peer4, 4);
	memcpy(arp + 18, own_mac, 6);
	memcpy(arp + 24, target, 4);
	fake_network_receive(device, frame, 42);
}

static void start(void)
{
	if (!device) {
		device = fake_network_start(settings, 0);
		fake_network_pass(20 * SECOND);
	}
	fake_network_clear();
}

static void learn_peer(void)
{
	start();
	arp_from_peer(1, own4);
	fake_network_clear();
}

static int send4(struct ip_address to, uint8_t protocol, uint32_t bytes, bool whole)
{
	struct ip_flow flow = {.destination = to,
		.source = v4(0, 0, 0, 0),
		.protocol = protocol,
		.do_not_fragment = whole};
	struct packet *packet = packet_create_linear(bytes);
	int error;

	memset(packet->fragments[0].data, 7, bytes);
	net_lock();
	error = ip_output(packet, &flow);
	net_unlock();
	return error;
}

/* ---- boot --------------------------------------------------------------------------- */

TEST(announces_its_addresses_at_boot)
{
	bool announced = false;

	device = fake_network_start(settings, 0);
	for (uint32_t i = 0; i < fake_sent_count; i++)
		announced |= load_be16(fake_sent[i].data + 12) == 0x0806 &&
			     memcmp(fake_sent[i].data + 28, own4, 4) == 0;
	CHECK(announced);
	fake_network_pass(30 * SECOND);
}

TEST(quiet_network_arms_no_timer)
{
	start();
	fake_network_pass(120 * SECOND);
	CHECK_EQUAL(fake_network_next_timer(), 0);
}

/* ---- in ----------------------------------------------------------------------------- */

TEST(plain_datagrams_go_to_their_transport)
{
	uint32_t bytes;

	start();
	bytes = ip4(6, 40, 1, 0);
	fake_network_receive(device, frame, bytes + 6); /* padded */
	CHECK_EQUAL(fake_tcp_count, 1);
	CHECK_EQUAL(fake_tcp.bytes, 40);
	CHECK(ip_address_is_v4(&fake_tcp_ip.source));
	CHECK_EQUAL(fake_raw_count, 1);
	bytes = ip4(17, 24, 1, 0);
	fake_network_receive(device, frame, bytes);
	CHECK_EQUAL(fake_udp_count, 1);
	frame[16] = 0xff; /* a length beyond the frame */
	fake_network_receive(device, frame, bytes);
	ip4(17, 24, 1, 0);
	frame[24] ^= 1; /* a wrong checksum */
	fake_network_receive(device, frame, bytes);
	CHECK_EQUAL(fake_udp_count, 1);
}

TEST(options_go_through_lwip)
{
	uint8_t *ip = frame + 14;
	uint16_t sum = 0;

	start();
	ip4(17, 4 + 16, 1, 0);
	ip[0] = 0x46;
	memset(ip + 20, 1, 4); /* NOPs */
	memcpy(ip + 10, &sum, 2);
	sum = checksum_finish(checksum_add(ip, 24, 0));
	memcpy(ip + 10, &sum, 2);
	fake_network_receive(device, frame, 14 + 24 + 16);
	CHECK_EQUAL(fake_udp_count, 1);
	CHECK_EQUAL(fake_udp.bytes, 16);
}

TEST(fragments_are_put_together)
{
	uint8_t *data = frame + 34;

	start();
	for (int i = 0; i < 3; i++) {
		uint32_t bytes = i < 2 ? 800 : 100;

		memset(data, i, bytes);
		fake_network_receive(device, frame,
			ip4(17, bytes, 77, (uint16_t)(i * 100 | (i < 2 ? 0x2000 : 0))));
	}
	CHECK_EQUAL(fake_udp_count, 1);
	CHECK_EQUAL(fake_udp.bytes, 1700);
	CHECK_EQUAL(fake_udp.data[1650], 2);
	/* One that would end beyond 64 KiB, and a middle one that is no multiple of 8. */
	fake_network_receive(device, frame, ip4(17, 800, 78, 0x1fff));
	fake_network_receive(device, frame, ip4(17, 801, 79, 0x2000));
	CHECK_EQUAL(fake_udp_count, 1);
	fake_network_pass(70 * SECOND);
	CHECK_EQUAL(fake_network_next_timer(), 0);
}

TEST(closed_udp_port_is_answered_at_a_limited_rate)
{
	learn_peer();
	fake_udp_refuses = true;
	memset(frame + 34, 0, 24);
	store_be16(frame + 38, 24); /* its length; no checksum */
	for (int i = 0; i < 200; i++)
		fake_network_receive(device, frame, ip4(17, 24, 1, 0));
	CHECK_EQUAL(fake_sent_count, 50);
	CHECK_EQUAL(fake_sent[0].data[23], 1);
	CHECK_EQUAL(fake_sent[0].data[34], 3);
	CHECK_EQUAL(fake_sent[0].data[35], 3);
	CHECK(memcmp(fake_sent[0].data, peer_mac, 6) == 0);
	CHECK_EQUAL(fake_udp_count, 200);
}

TEST(echo_is_answered)
{
	uint8_t *icmp = frame + 34;
	uint32_t bytes;
	uint16_t sum;

	learn_peer();
	fake_network_pass(SECOND);
	bytes = ip4(1, 16, 5, 0);
	memset(icmp, 0, 16);
	icmp[0] = 8;
	sum = checksum_finish(checksum_add(icmp, 16, 0));
	memcpy(icmp + 2, &sum, 2);
	fake_network_receive(device, frame, bytes);
	CHECK_EQUAL(fake_sent_count, 1);
	CHECK_EQUAL(fake_sent[0].data[34], 0);
	CHECK(memcmp(fake_sent[0].data + 30, peer4, 4) == 0);
}

TEST(arp_answers_for_every_address)
{
	start();
	arp_from_peer(1, alias4);
	CHECK_EQUAL(fake_sent_count, 1);
	CHECK_EQUAL(load_be16(fake_sent[0].data + 20), 2);
	CHECK(memcmp(fake_sent[0].data + 28, alias4, 4) == 0);
}

static void icmp_about(uint8_t type, uint8_t code, uint16_t mtu, uint8_t protocol)
{
	uint8_t *icmp = frame + 34, *inner = icmp + 8;
	uint32_t bytes = ip4(1, 8 + 28, 5, 0);
	uint16_t sum;

	memset(icmp, 0, 36);
	icmp[0] = type;
	icmp[1] = code;
	store_be16(icmp + 6, mtu);
	inner[0] = 0x45;
	inner[9] = protocol;
	memcpy(inner + 12, own4, 4);
	memcpy(inner + 16, "\x0a\x00\x00\x63", 4);
	store_be16(inner + 22, 4711);
	sum = checksum_finish(checksum_add(icmp, 36, 0));
	memcpy(icmp + 2, &sum, 2);
	fake_network_receive(device, frame, bytes);
}

TEST(icmp_errors_reach_transports_and_lower_the_path_mtu)
{
	struct ip_address far = v4(10, 0, 0, 99);
	struct ip_route route;

	learn_peer();
	icmp_about(3, 3, 0, 17);
	CHECK_EQUAL(fake_udp_errors, 1);
	CHECK_EQUAL(fake_udp_error.error, -LINUX_ECONNREFUSED);
	CHECK(fake_udp_error.is_fatal);
	CHECK_EQUAL(load_be16(fake_udp_error.transport + 2), 4711);
	icmp_about(3, 4, 1300, 6);
	CHECK_EQUAL(fake_tcp_errors, 1);
	CHECK_EQUAL(fake_tcp_error.mtu, 1300);
	CHECK_EQUAL(ip_route(&far, NULL, 0, &route), 0);
	CHECK_EQUAL(route.mtu, 1300);
	CHECK_EQUAL(send4(far, 17, 1400, true), -LINUX_EMSGSIZE);
	fake_network_pass(601 * SECOND);
	CHECK_EQUAL(ip_route(&far, NULL, 0, &route), 0);
	CHECK_EQUAL(route.mtu, 1500);
}

/* ---- out ---------------------------------------------------------------------------- */

TEST(first_datagram_asks_for_the_neighbour)
{
	start();
	fake_network_pass(400 * SECOND); /* forget */
	CHECK_EQUAL(send4(v4(10, 0, 0, 1), 17, 100, false), 0);
	CHECK(fake_sent_count >= 1);
	CHECK_EQUAL(load_be16(fake_sent[0].data + 12), 0x0806);
	fake_network_clear();
	arp_from_peer(2, own4);
	CHECK_EQUAL(fake_sent_count, 1);
	CHECK_EQUAL(fake_sent[0].bytes, 134);
	fake_network_clear();
	CHECK_EQUAL(send4(v4(10, 0, 0, 1), 17, 100, false), 0);
	CHECK_EQUAL(fake_sent_count, 1);
	CHECK(memcmp(fake_sent[0].data, peer_mac, 6) == 0);
	CHECK_EQUAL(checksum_finish(checksum_add(fake_sent[0].data + 14, 20, 0)), 0);
	CHECK(memcmp(fake_sent[0].data + 26, own4, 4) == 0);
}

TEST(far_away_goes_to_the_gateway)
{
	learn_peer();
	CHECK_EQUAL(send4(v4(192, 0, 2, 1), 17, 100, false), 0);
	CHECK_EQUAL(fake_sent_count, 1);
	CHECK(memcmp(fake_sent[0].data, peer_mac, 6) == 0);
	CHECK_EQUAL(fake_sent[0].data[30], 192);
}

TEST(large_datagrams_are_cut_into_fragments)
{
	uint32_t total = 0;

	learn_peer();
	CHECK_EQUAL(send4(v4(10, 0, 0, 1), 17, 4000, true), -LINUX_EMSGSIZE);
	CHECK_EQUAL(send4(v4(10, 0, 0, 1), 17, 4000, false), 0);
	CHECK_EQUAL(fake_sent_count, 3);
	for (uint32_t i = 0; i < 3; i++) {
		CHECK(fake_sent[i].bytes <= 1514);
		CHECK_EQUAL(checksum_finish(checksum_add(fake_sent[i].data + 14, 20, 0)), 0);
		total += fake_sent[i].bytes - 34;
	}
	CHECK_EQUAL(total, 4000);
}

static void check_segment(const struct fake_frame *sent, uint32_t offset, bool is_last)
{
	const uint8_t *ip = sent->data + 14, *tcp = ip + 20;
	uint32_t bytes = sent->bytes - 34, sum;
	uint8_t tail[4] = {0, 6, (uint8_t)(bytes >> 8), (uint8_t)bytes};

	CHECK_EQUAL(load_be16(ip + 2), 20 + bytes);
	CHECK_EQUAL(checksum_finish(checksum_add(ip, 20, 0)), 0);
	CHECK_EQUAL(load_be32(tcp + 4), 1000 + offset);
	CHECK_EQUAL(tcp[13], is_last ? 0x19 : 0x10);
	sum = checksum_add(tcp, bytes, checksum_add(tail, 4, checksum_add(ip + 12, 8, 0)));
	CHECK_EQUAL(checksum_finish(sum), 0);
	for (uint32_t i = 20; i < bytes; i++)
		CHECK_EQUAL(tcp[i], (uint8_t)(offset + i - 20));
}

TEST(segments_are_cut_and_summed_in_software)
{
	struct ip_flow flow = {.source = v4(10, 0, 0, 2),
		.destination = v4(10, 0, 0, 1),
		.protocol = IP_PROTOCOL_TCP,
		.do_not_fragment = true};
	struct packet *packet = packet_create_linear(5000);
	uint16_t sum;
	uint8_t *tcp;

	learn_peer();
	for (uint32_t i = 0; i < 5000; i++)
		packet->fragments[0].data[i] = (uint8_t)i;
	tcp = packet_push(packet, 20);
	memset(tcp, 0, 20);
	store_be32(tcp + 4, 1000);
	tcp[12] = 0x50;
	tcp[13] = 0x19;
	sum = (uint16_t)~checksum_finish(ip_pseudo_checksum(&flow, 5020));
	memcpy(tcp + 16, &sum, 2);
	packet->flags = PACKET_CHECKSUM_PARTIAL;
	packet->checksum_offset = 16;
	packet->segments = PACKET_SEGMENT_TCP4;
	packet->segment_bytes = 1460;
	packet->header_bytes = 20;
	net_lock();
	CHECK_EQUAL(ip_output(packet, &flow), 0);
	net_unlock();
	CHECK_EQUAL(fake_sent_count, 4);
	for (uint32_t i = 0; i < 4; i++)
		check_segment(&fake_sent[i], i * 1460, i == 3);
}

TEST(datagrams_to_ourselves_come_back)
{
	start();
	CHECK_EQUAL(send4(v4(127, 0, 0, 1), 17, 100, false), 0);
	CHECK_EQUAL(send4(v4(127, 3, 2, 1), 6, 60, false), 0);
	CHECK_EQUAL(send4(v4(10, 7, 0, 2), 17, 30000, false), 0);
	CHECK_EQUAL(fake_udp_count, 2);
	CHECK_EQUAL(fake_tcp_count, 1);
	CHECK_EQUAL(fake_udp.bytes, 30000);
	CHECK_EQUAL(fake_sent_count, 0);
	CHECK_EQUAL(fake_udp_ip.device->index, 1);
}

TEST(groups_are_joined_and_heard)
{
	struct ip_address group = v4(239, 1, 2, 3);
	struct ip_flow flow = {.source = v4(10, 0, 0, 2),
		.destination = group,
		.protocol = IP_PROTOCOL_UDP,
		.multicast_loop = true};
	uint32_t bytes;
	uint16_t sum = 0;

	start();
	bytes = ip4(17, 24, 1, 0);
	memcpy(frame, "\x01\x00\x5e\x01\x02\x03", 6);
	memcpy(frame + 30, group.bytes + 12, 4);
	memcpy(frame + 24, &sum, 2);
	sum = checksum_finish(checksum_add(frame + 14, 20, 0));
	memcpy(frame + 24, &sum, 2);
	fake_network_receive(device, frame, bytes);
	CHECK_EQUAL(fake_udp_count, 0);
	CHECK_EQUAL(ip_group_join(&group, device), 0);
	fake_network_receive(device, frame, bytes);
	CHECK_EQUAL(fake_udp_count, 1);
	fake_network_clear();
	net_lock();
	CHECK_EQUAL(ip_output(packet_create_linear(50), &flow), 0);
	net_unlock();
	CHECK_EQUAL(fake_udp_count, 1);
	CHECK_EQUAL(fake_udp_ip.device->index, device->index);
	CHECK_EQUAL(fake_sent_count, 1);
	CHECK_EQUAL(fake_sent[0].data[0], 1);
	ip_group_leave(&group, device);
	fake_network_pass(60 * SECOND);
	CHECK_EQUAL(fake_network_next_timer(), 0);
}

TEST(ipv6_finds_neighbours_and_sends)
{
	struct ip_flow flow = {
		.source = {{0}}, .destination = v6(0xfd, 9), .protocol = IP_PROTOCOL_UDP};
	uint8_t *ip = frame + 14, *icmp = ip + 40;
	uint32_t sum;
	uint16_t final;

	start();
	net_lock();
	CHECK_EQUAL(ip_output(packet_create_linear(50), &flow), 0);
	net_unlock();
	CHECK_EQUAL(fake_sent_count, 1);
	CHECK_EQUAL(fake_sent[0].data[54], 135);
	fake_network_clear();
	ethernet(0x86dd);
	memset(ip, 0, 72);
	store_be32(ip, 0x60000000);
	store_be16(ip + 4, 32);
	ip[6] = 58;
	ip[7] = 255;
	memcpy(ip + 8, flow.destination.bytes, 16);
	ip[24] = 0xfd;
	ip[39] = 2;
	icmp[0] = 136;
	icmp[4] = 0x60; /* solicited, override */
	memcpy(icmp + 8, flow.destination.bytes, 16);
	icmp[24] = 2;
	icmp[25] = 1;
	memcpy(icmp + 26, peer_mac, 6);
	sum = checksum_add(ip + 8, 32, (uint32_t)(32 << 8) + (58 << 8));
	final = checksum_finish(checksum_add(icmp, 32, sum));
	memcpy(icmp + 2, &final, 2);
	fake_network_receive(device, frame, 14 + 72);
	CHECK_EQUAL(fake_sent_count, 1);
	CHECK_EQUAL(fake_sent[0].bytes, 14 + 40 + 50);
	CHECK(memcmp(fake_sent[0].data, peer_mac, 6) == 0);
	fake_network_clear();
	net_lock();
	CHECK_EQUAL(ip_output(packet_create_linear(50), &flow), 0);
	net_unlock();
	CHECK_EQUAL(fake_sent_count, 1);
	CHECK_EQUAL(load_be16(fake_sent[0].data + 18), 50);
	fake_network_pass(60 * SECOND);
	CHECK_EQUAL(fake_network_next_timer(), 0);
}

/* ---- routes and lists --------------------------------------------------------------- */

static void check_route(struct ip_address to, int error, struct ip_address source)
{
	struct ip_route route;

	CHECK_EQUAL(ip_route(&to, NULL, 0, &route), error);
	if (!error)
		CHECK(ip_address_equal(&route.source, &source));
}

TEST(routes_choose_sources)
{
	struct ip_address elsewhere = v4(8, 8, 8, 8), stranger = v4(1, 2, 3, 4);
	struct ip_route route;

	start();
	check_route(v4(10, 0, 0, 7), 0, v4(10, 0, 0, 2));
	check_route(v4(10, 7, 1, 7), 0, v4(10, 7, 0, 2));
	check_route(v4(10, 1, 1, 7), 0, v4(10, 0, 0, 2));
	check_route(v4(8, 8, 8, 8), 0, v4(10, 0, 0, 2));
	check_route(v4(127, 0, 0, 5), 0, v4(127, 0, 0, 1));
	check_route(v6(0xfd, 9), 0, v6(0xfd, 2));
	check_route(v6(0x20, 9), -LINUX_ENETUNREACH, v6(0, 0));
	CHECK_EQUAL(ip_route(&elsewhere, &stranger, 0, &route), -LINUX_EADDRNOTAVAIL);
	elsewhere = v4(10, 0, 0, 255);
	CHECK(ip_address_is_broadcast(&elsewhere));
	CHECK_EQUAL(ip_route(&elsewhere, NULL, 0, &route), 0);
	CHECK(route.is_broadcast);
}

TEST(lists_name_addresses_routes_and_neighbours)
{
	struct ip_interface_address address;
	struct ip_route_entry route;
	struct ip_neighbor neighbor;
	uint32_t n = 0, defaults = 0;
	static const char resolver[] = "search example.org\nnameserver 10.0.0.53\n";
	char text[256];

	learn_peer();
	while (ip_interface_address(device, n, &address))
		n++;
	CHECK_EQUAL(n, 4); /* two IPv4, link-local, fd00::2 */
	CHECK_EQUAL(address.prefix_bits, 64);
	for (n = 0; ip_route_entry(n, &route); n++)
		defaults += route.prefix_bits == 0;
	CHECK_EQUAL(defaults, 1);
	CHECK(n >= 6);
	CHECK(ip_neighbor(0, &neighbor));
	CHECK_EQUAL(ip_resolver_text(text, sizeof(text)), strlen(resolver));
	CHECK(memcmp(text, resolver, strlen(resolver)) == 0);
}

TEST(memory_comes_back)
{
	size_t before;

	learn_peer();
	before = heap_live_count();
	for (int i = 0; i < 100; i++) {
		CHECK_EQUAL(send4(v4(10, 0, 0, 1), 17, 3000, false), 0);
		CHECK_EQUAL(send4(v4(127, 0, 0, 1), 17, 3000, false), 0);
		fake_network_receive(device, frame, ip4(17, 24, 1, 0));
	}
	CHECK_EQUAL(heap_live_count(), before);
}

TEST_DEFINE_MAIN
