/*
 * Transports for host unit tests and fuzzers of kernel/net/lwip/, which record what they are given.
 * The link below is that of fake_link.h.
 */
#ifndef ARCH_HOST_FAKE_TRANSPORTS_H
#define ARCH_HOST_FAKE_TRANSPORTS_H

#include "arch/host/fake_link.h"
#include "kernel/net/ip.h"

/* The last datagram of each transport, and how many. */
extern struct ip_received fake_tcp_ip, fake_udp_ip;
extern struct fake_frame fake_tcp, fake_udp;
extern uint32_t fake_tcp_count, fake_udp_count, fake_raw_count;
extern struct ip_error fake_tcp_error, fake_udp_error;
extern uint32_t fake_tcp_errors, fake_udp_errors;
extern bool fake_udp_refuses;

/* Forgets what was sent and received. */
void fake_network_clear(void);

#endif
