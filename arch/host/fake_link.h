/*
 * An Ethernet link for host tests and fuzzers of kernel/net/: a device whose sent frames are
 * kept, frames that arrive, and timers that the test runs.
 */
#ifndef ARCH_HOST_FAKE_LINK_H
#define ARCH_HOST_FAKE_LINK_H

#include "kernel/net/device.h"
#include "kernel/net/packet.h"

#define FAKE_FRAMES_MAX 64

struct fake_frame {
	uint32_t bytes;
	uint8_t data[70000];
};

/* Sent by the device, in order. */
extern struct fake_frame fake_sent[FAKE_FRAMES_MAX];
extern uint32_t fake_sent_count;

/* Registers an Ethernet device with these settings and offloads, after the network itself. */
struct net_device *fake_network_start(const char *settings, uint32_t offloads);
void fake_frame_keep(struct fake_frame *frame, const struct packet *packet);
/* A frame arrives, under the lock. */
void fake_network_receive(struct net_device *device, const void *frame, uint32_t bytes);
/* Lets time pass, running the timers that fall due. */
void fake_network_pass(uint64_t ns);
/* A timer is armed: the earliest deadline; 0: none. */
uint64_t fake_network_next_timer(void);

#endif
