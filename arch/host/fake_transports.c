/* See fake_network.h. */
#include "arch/host/fake_transports.h"

#include <stdlib.h>
#include <string.h>

#include "arch/host/fake_threads.h"
#include "kernel/net/net.h"
#include "kernel/net/tcp.h"
#include "kernel/sched/timer.h"

#define TIMERS_MAX 8

struct fake_frame fake_sent[FAKE_FRAMES_MAX];
uint32_t fake_sent_count;
struct ip_received fake_tcp_ip, fake_udp_ip;
struct fake_frame fake_tcp, fake_udp;
uint32_t fake_tcp_count, fake_udp_count, fake_raw_count;
struct ip_error fake_tcp_error, fake_udp_error;
uint32_t fake_tcp_errors, fake_udp_errors;
bool fake_udp_refuses;

static struct timer *timers[TIMERS_MAX];

void timer_init(struct timer *timer, timer_fn fn)
{
	*timer = (struct timer){.fn = fn};
}

void timer_arm(struct timer *timer, uint64_t deadline_ns)
{
	timer->deadline_ns = deadline_ns;
	timer->armed = true;
	for (int i = 0; i < TIMERS_MAX; i++) {
		if (!timers[i] || timers[i] == timer) {
			timers[i] = timer;
			return;
		}
	}
	abort();
}

bool timer_cancel(struct timer *timer)
{
	bool was_armed = timer->armed;

	timer->armed = false;
	return was_armed;
}

static struct timer *earliest(void)
{
	struct timer *first = NULL;

	for (int i = 0; i < TIMERS_MAX; i++) {
		if (timers[i] && timers[i]->armed &&
			(!first || timers[i]->deadline_ns < first->deadline_ns))
			first = timers[i];
	}
	return first;
}

uint64_t fake_network_next_timer(void)
{
	struct timer *timer = earliest();

	return timer ? timer->deadline_ns : 0;
}

void fake_network_pass(uint64_t ns)
{
	uint64_t until = fake_now_ns + ns;
	struct timer *timer;

	while ((timer = earliest()) && timer->deadline_ns <= until) {
		if (timer->deadline_ns > fake_now_ns)
			fake_now_ns = timer->deadline_ns;
		timer->armed = false;
		timer->fn(timer);
	}
	fake_now_ns = until;
}

static void keep(struct fake_frame *frame, const struct packet *packet)
{
	frame->bytes = packet->bytes;
	if (packet->bytes > sizeof(frame->data))
		abort();
	packet_copy(packet, 0, frame->data, packet->bytes);
}

static int transmit(struct net_device *device, struct packet *packet)
{
	(void)device;
	if (fake_sent_count < FAKE_FRAMES_MAX)
		keep(&fake_sent[fake_sent_count++], packet);
	packet_release(packet);
	return 0;
}

static const struct net_device_ops ops = {.transmit = transmit};

struct net_device *fake_network_start(const char *settings, uint32_t offloads)
{
	static struct net_device device;
	static const uint8_t mac[6] = {2, 0, 0, 0, 0, 2};

	if (fake_now_ns == 0)
		fake_now_ns = 1;
	if (net_init() != 0)
		abort();
	device = (struct net_device){.ops = &ops,
		.name = "eth0",
		.flags = NET_DEVICE_UP,
		.offloads = offloads,
		.mtu = 1500,
		.settings = settings};
	memcpy(device.mac, mac, 6);
	if (net_device_register(&device) != 0)
		abort();
	return &device;
}

void fake_network_clear(void)
{
	fake_sent_count = fake_tcp_count = fake_udp_count = fake_raw_count = 0;
	fake_tcp_errors = fake_udp_errors = 0;
	fake_udp_refuses = false;
}

void fake_network_receive(struct net_device *device, const void *frame, uint32_t bytes)
{
	struct packet *packet = packet_create(1);
	struct packet_memory *memory = packet_memory_create(bytes);

	if (!packet || !memory)
		abort();
	memcpy(memory->base, frame, bytes);
	if (!packet_add(packet, memory, memory->base, bytes))
		abort();
	packet_memory_release(memory);
	net_lock();
	net_device_receive(device, packet);
	net_unlock();
}

void tcp_input(struct packet *packet, const struct ip_received *ip)
{
	fake_tcp_ip = *ip;
	fake_tcp_count++;
	keep(&fake_tcp, packet);
	packet_release(packet);
}

bool udp_input(struct packet *packet, const struct ip_received *ip)
{
	fake_udp_ip = *ip;
	fake_udp_count++;
	keep(&fake_udp, packet);
	if (fake_udp_refuses)
		return false;
	packet_release(packet);
	return true;
}

bool raw_input(struct packet *packet, const struct ip_received *ip, uint32_t header_bytes)
{
	(void)ip;
	if (header_bytes > packet->bytes)
		abort();
	fake_raw_count++;
	return false;
}

void tcp_error(const struct ip_error *error)
{
	fake_tcp_error = *error;
	fake_tcp_errors++;
}

void udp_error(const struct ip_error *error)
{
	fake_udp_error = *error;
	fake_udp_errors++;
}

int tcp_init(void)
{
	return 0;
}
