/*
 * A network for host unit tests and fuzzers of kernel/net/lwip/: an Ethernet device whose sent
 * frames are kept, transports that record what they are given, and timers that the test runs.
 */
#ifndef ARCH_HOST_FAKE_TRANSPORTS_H
#define ARCH_HOST_FAKE_TRANSPORTS_H

#include "kernel/net/device.h"
#include "kernel/net/ip.h"

#define FAKE_FRAMES_MAX 64

struct fake_frame {
	uint32_t bytes;
	uint8_t data[70000];
};

/* Sent by the device, in order. */
extern struct fake_frame fake_sent[FAKE_FRAMES_MAX];
extern uint32_t fake_sent_count;

/* The last datagram of each transport, and how many. */
extern struct ip_received fake_tcp_ip, fake_udp_ip;
extern struct fake_frame fake_tcp, fake_udp;
extern uint32_t fake_tcp_count, fake_udp_count, fake_raw_count;
extern struct ip_error fake_tcp_error, fake_udp_error;
extern uint32_t fake_tcp_errors, fake_udp_errors;
extern bool fake_udp_refuses;

/* Registers an Ethernet device with these settings and offloads, after the network itself. */
struct net_device *fake_network_start(const char *settings, uint32_t offloads);
/* Forgets what was sent and received. */
void fake_network_clear(void);
/* A frame arrives, under the lock. */
void fake_network_receive(struct net_device *device, const void *frame, uint32_t bytes);
/* Lets time pass, running the timers that fall due. */
void fake_network_pass(uint64_t ns);
/* A timer is armed: the earliest deadline; 0: none. */
uint64_t fake_network_next_timer(void);

#endif
