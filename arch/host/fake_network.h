/*
 * A network for tests of TCP: what ip.h offers to it, timers and the clock. Packets that are
 * sent are cut as a device would, and arrive after a delay, or are lost, as the test says;
 * both ends of a connection live in the same stack.
 */
#ifndef ARCH_HOST_FAKE_NETWORK_H
#define ARCH_HOST_FAKE_NETWORK_H

#include "kernel/net/ip.h"

struct fake_network {
	uint64_t delay_ns, jitter_ns;
	uint64_t byte_ns_x1024;    /* bottleneck; 0: none */
	uint32_t lose_per_mille;   /* of segments */
	uint32_t repeat_per_mille; /* delivered twice */
	uint32_t mtu;
	uint32_t device_flags; /* enum net_device_flags */
	bool keep_whole;       /* big packets arrive whole */
	/* Sees each segment; true: it is not delivered. */
	bool (*hook)(struct packet *packet, const struct ip_flow *flow);
	uint64_t segments, lost;
};

extern struct fake_network fake_network;

/* A segment of the test's own comes in at once; consumed. */
void fake_network_inject(struct packet *packet, const struct ip_flow *flow);

void fake_network_reset(void);
/* Delivers and fires what comes next, not later than `until_ns`. False: nothing. */
bool fake_network_step(uint64_t until_ns);
void fake_network_run(uint64_t ns);
/* Drops what is under way. */
void fake_network_clear(void);

#endif
