/*
 * The network: what holds its parts together.
 *
 * One lock guards the whole stack (devices' address lists, routes, connections, queues of
 * sockets): net_lock(), a spin lock of rank 28. It is held for the time of a few packets,
 * never across a copy to or from the program. Everything below kernel/net/ is called with
 * it held unless the header says otherwise; timer callbacks take it themselves.
 *
 * The way in: a driver hands frames to net_device_receive() (device.h), the IP layer
 * (ip.h, implemented in kernel/net/lwip/) hands datagrams to tcp_input(), udp_input() and
 * raw_input(). The way out: ip_output().
 */
#ifndef KERNEL_NET_NET_H
#define KERNEL_NET_NET_H

#include "lib/compiler.h"

/* At boot, after timers and the heap: loopback, then devices. 0 or -ENOMEM. */
int net_init(void);

void net_lock(void);
bool net_trylock(void);
void net_unlock(void);

/*
 * Serves the devices' rings: called by interrupt handlers, by vcpus that idle, and by
 * system calls that are about to find nothing (recv, accept, epoll_wait). Any context
 * without locks; returns at once when another vcpu does it already. True if anything came.
 */
bool net_poll(void);
/* The same for handlers of devices' interrupts, which tell that nobody polled. */
void net_poll_interrupted(void);
/* Starts polling, once there are devices (poll.c). */
void net_poll_init(void);
/* Whether there is a device to poll at all: a load, for callers on hot paths. */
extern bool net_has_devices;

#endif
