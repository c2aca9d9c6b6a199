/* See fake_network.h. */
#include "arch/host/fake_network.h"

#include <stdlib.h>

#include "arch/host/fake_threads.h"
#include "kernel/net/net.h"
#include "kernel/sched/timer.h"

#define FLYING_MAX 65536

struct flying {
	struct packet *packet;
	struct ip_flow flow;
	uint64_t at, order;
};

struct fake_network fake_network;

static struct flying *flying;
static uint32_t flying_count;
static uint64_t order, link_free;
static struct timer *armed;
static bool locked, delivering;
static struct net_device device = {.index = 2, .mtu = 1500, .name = "eth0"};

static void require(bool condition)
{
	if (!condition)
		abort();
}

void net_lock(void)
{
	require(!locked);
	locked = true;
}

void net_unlock(void)
{
	require(locked);
	locked = false;
}

/* ---- timers ------------------------------------------------------------------------------ */

void timer_init(struct timer *timer, timer_fn fn)
{
	*timer = (struct timer){.fn = fn};
	armed = NULL;
}

void timer_arm(struct timer *timer, uint64_t deadline_ns)
{
	timer->deadline_ns = deadline_ns;
	timer->armed = true;
	armed = timer;
}

bool timer_cancel(struct timer *timer)
{
	bool was_armed = timer->armed;

	timer->armed = false;
	return was_armed;
}

/* ---- the IP layer -------------------------------------------------------------------------- */

int ip_route(const struct ip_address *destination, const struct ip_address *source,
	uint32_t device_index, struct ip_route *route)
{
	static const uint8_t client[4] = {10, 0, 0, 1};

	(void)destination;
	(void)device_index;
	device.flags = fake_network.device_flags;
	*route = (struct ip_route){.device = &device, .mtu = fake_network.mtu};
	route->source = source ? *source : ip_address_v4(client);
	return 0;
}

uint16_t ip_ask_device(struct net_device *asked)
{
	asked->answered = ++asked->asked;
	return asked->asked;
}

bool ip_address_is_local(const struct ip_address *address, uint32_t scope)
{
	(void)scope;
	return ip_address_is_v4(address) && address->bytes[12] == 10;
}

bool ip_address_is_broadcast(const struct ip_address *address)
{
	(void)address;
	return false;
}

uint32_t ip_pseudo_checksum(const struct ip_flow *flow, uint32_t bytes)
{
	uint32_t sum = checksum_add(flow->source.bytes, 16, 0);

	return checksum_add(flow->destination.bytes, 16, sum) + bytes;
}

static bool is_due(uint32_t per_mille)
{
	return per_mille != 0 && (uint32_t)random() % 1000 < per_mille;
}

static void fly(struct packet *packet, const struct ip_flow *flow)
{
	uint64_t at = fake_now_ns;

	if (fake_network.byte_ns_x1024 != 0) {
		link_free = MAX(link_free, at) +
			    ((packet->bytes + 34) * fake_network.byte_ns_x1024 >> 10);
		at = link_free;
	}
	at += fake_network.delay_ns;
	if (fake_network.jitter_ns != 0)
		at += (uint64_t)random() % fake_network.jitter_ns;
	require(flying_count < FLYING_MAX);
	flying[flying_count++] = (struct flying){packet, *flow, at, order++};
}

static void launch(struct packet *packet, const struct ip_flow *flow)
{
	fake_network.segments++;
	if ((fake_network.hook && fake_network.hook(packet, flow)) ||
		is_due(fake_network.lose_per_mille)) {
		fake_network.lost++;
		packet_release(packet);
		return;
	}
	if (is_due(fake_network.repeat_per_mille)) {
		struct packet *again = packet_clone(packet);

		if (again)
			fly(again, flow);
	}
	fly(packet, flow);
}

/* One segment of a big packet, its header mended. */
static void cut(struct packet *packet, const struct ip_flow *flow, uint32_t offset, uint32_t bytes)
{
	uint32_t headers = packet->header_bytes, seq;
	struct packet *segment = packet_create_linear(headers + bytes);
	uint8_t *at;

	if (!segment)
		return;
	at = segment->fragments[0].data;
	packet_copy(packet, 0, at, headers);
	packet_copy(packet, headers + offset, at + headers, bytes);
	memcpy(&seq, at + 4, 4);
	seq = __builtin_bswap32(__builtin_bswap32(seq) + offset);
	memcpy(at + 4, &seq, 4);
	if (headers + offset + bytes < packet->bytes)
		at[13] &= (uint8_t)~9u; /* FIN and PSH are the last one's */
	segment->flags = PACKET_CHECKSUM_PARTIAL;
	launch(segment, flow);
}

int ip_output(struct packet *packet, const struct ip_flow *flow)
{
	uint32_t payload = packet->bytes - packet->header_bytes;

	require(locked || delivering);
	require(packet->flags & PACKET_CHECKSUM_PARTIAL);
	if (packet->segments != PACKET_SEGMENT_NONE && !fake_network.keep_whole) {
		require(packet->segment_bytes + packet->header_bytes + 20u <= fake_network.mtu);
		for (uint32_t offset = 0; offset < payload; offset += packet->segment_bytes)
			cut(packet, flow, offset, MIN(packet->segment_bytes, payload - offset));
		packet_release(packet);
		return 0;
	}
	require(packet->bytes + 20 <= fake_network.mtu || fake_network.keep_whole);
	launch(packet, flow);
	return 0;
}

/* ---- time ------------------------------------------------------------------------------------ */

void fake_network_clear(void)
{
	while (flying_count > 0)
		packet_release(flying[--flying_count].packet);
}

void fake_network_reset(void)
{
	fake_threads_reset();
	if (!flying)
		flying = calloc(FLYING_MAX, sizeof(*flying));
	fake_network_clear();
	link_free = 0;
	fake_now_ns = 1000000000;
	fake_network = (struct fake_network){.mtu = 1500, .delay_ns = 100000};
}

static void deliver(uint32_t index)
{
	struct flying next = flying[index];
	struct ip_received ip = {.source = next.flow.source,
		.destination = next.flow.destination,
		.device = &device,
		.protocol = IP_PROTOCOL_TCP};

	flying[index] = flying[--flying_count];
	fake_now_ns = MAX(fake_now_ns, next.at);
	net_lock();
	tcp_input(next.packet, &ip);
	net_unlock();
}

void fake_network_inject(struct packet *packet, const struct ip_flow *flow)
{
	struct ip_received ip = {.source = flow->source,
		.destination = flow->destination,
		.device = &device,
		.protocol = IP_PROTOCOL_TCP};

	net_lock();
	tcp_input(packet, &ip);
	net_unlock();
}

bool fake_network_step(uint64_t until_ns)
{
	uint32_t first = 0;
	bool timer_due = armed && armed->armed && armed->deadline_ns <= until_ns;

	for (uint32_t i = 1; i < flying_count; i++) {
		if (flying[i].at < flying[first].at ||
			(flying[i].at == flying[first].at && flying[i].order < flying[first].order))
			first = i;
	}
	if (flying_count > 0 && flying[first].at <= until_ns &&
		!(timer_due && armed->deadline_ns < flying[first].at)) {
		deliver(first);
		return true;
	}
	if (!timer_due)
		return false;
	fake_now_ns = MAX(fake_now_ns, armed->deadline_ns);
	armed->armed = false;
	armed->fn(armed);
	return true;
}

void fake_network_run(uint64_t ns)
{
	uint64_t until = fake_now_ns + ns;

	while (fake_network_step(until))
		;
	fake_now_ns = MAX(fake_now_ns, until);
}
