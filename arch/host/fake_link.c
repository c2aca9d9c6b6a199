/* See fake_link.h. */
#include "arch/host/fake_link.h"

#include <stdlib.h>
#include <string.h>

#include "arch/host/fake_threads.h"
#include "kernel/net/net.h"
#include "kernel/net/sntp.h"
#include "kernel/sched/timer.h"

#define TIMERS_MAX 8

struct fake_frame fake_sent[FAKE_FRAMES_MAX];
uint32_t fake_sent_count;

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

void fake_frame_keep(struct fake_frame *frame, const struct packet *packet)
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
		fake_frame_keep(&fake_sent[fake_sent_count++], packet);
	packet_release(packet);
	return 0;
}

static const struct net_device_ops ops = {.transmit = transmit};

/* Nobody asks a time server here. */
void sntp_set_server(const struct ip_address *server)
{
	(void)server;
}

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
