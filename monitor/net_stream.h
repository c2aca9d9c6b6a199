/*
 * The side of passt: frames over a stream socket, each after its length (32 bits,
 * big-endian), without a virtio header.
 */
#ifndef MONITOR_NET_STREAM_H
#define MONITOR_NET_STREAM_H

#include "monitor/net.h"

/* NULL: no memory. */
struct net_stream *net_stream_create(void);

/* As net_receive() and net_transmit(), at most `batch` frames. */
bool net_stream_receive(struct net_device *device, unsigned batch);
bool net_stream_transmit(struct net_device *device, unsigned batch);

#endif
