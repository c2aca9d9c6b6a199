/*
 * The device's side of virtio-net: frames between two rings and a tap or passt.
 *
 * Theory of operation: a tap takes and gives a frame with its struct virtio_net_header in
 * front, the guest's layout exactly, so frames go between its descriptor and the guest's
 * buffers without a copy of ours, one system call each. Towards the guest the buffers of
 * several chains form one window, large enough for the largest frame; the frame then fills
 * as many as it needs (mergeable buffers). Frames wait in the tap while the guest offers
 * less than that. passt (net_stream.c) has a stream socket and knows no offloads.
 *
 * All functions run with the caller's lock; none blocks.
 */
#ifndef MONITOR_NET_H
#define MONITOR_NET_H

#include "abi/virtio.h"
#include "monitor/net_capture.h"
#include "monitor/ring.h"

#define NET_HEADER_BYTES sizeof(struct virtio_net_header)
#define NET_FRAME_MAX    65600u /* a datagram of 64 KiB, its link header, and a VLAN tag or two */
#define NET_WINDOW_PARTS (2 * RING_MAX_SIZE)

/* Buffers of the guest that the next frame may be written to: whole chains. */
struct net_window {
	struct iovec parts[NET_WINDOW_PARTS];
	bool ends_chain[NET_WINDOW_PARTS];
	unsigned part_count;
	uint16_t chain_count;
	size_t bytes;
};

struct net_stream;

struct net_device {
	const char *name;
	int fd;
	struct ring to_guest, from_guest;
	struct net_capture capture;
	struct net_window window;
	struct net_stream *stream; /* of passt; NULL: a tap */
	bool is_starved;           /* the guest must offer more buffers */
	bool is_blocked;           /* output: wait for POLLOUT */
	bool has_ended;            /* nobody is at the other end any more */
	const char *broken;        /* of what the guest did; the ring's own come first */
	void (*interrupt)(struct net_device *device);
	void *context;
	struct iovec parts[RING_MAX_SIZE]; /* of the frame that is being sent */
};

/* `fd` does not block. The rings are the caller's to make. */
void net_open_tap(struct net_device *device, int fd);
/* False: no memory. */
bool net_open_stream(struct net_device *device, int fd);
/* Feature bits of the device. */
uint64_t net_features(const struct net_device *device);

/* Moves frames, at most a batch. True if there were any. */
bool net_receive(struct net_device *device);
bool net_transmit(struct net_device *device);

/* Asks for doorbells, where the guest is to act next. True if it has done so already. */
bool net_prepare_sleep(struct net_device *device);

/* Events to poll `fd` for. */
short net_events(const struct net_device *device);
void net_note_events(struct net_device *device, short events);

/* What is wrong, or NULL. */
const char *net_broken(const struct net_device *device);

/* ---- for the backends ------------------------------------------------------------ */

/* Adds chains until the window has `bytes`; false: the guest offers less. */
bool net_window_fill(struct net_device *device, size_t bytes);
/* The first `bytes` of the window were written, the virtio header first: sets
 * header.buffer_count and gives the chains to the guest. */
void net_window_consume(struct net_device *device, size_t bytes);
/* The frame of the first chain of from_guest in device->parts, header included; its count, and
 * *bytes. 0: none left, or the ring is broken. Chains that hold no frame are given back. */
int net_next_frame(struct net_device *device, size_t *bytes);
/* The first chain has been dropped; or sent, with its `bytes` as net_next_frame() gave them. */
void net_frame_done(struct net_device *device);
void net_frame_sent(struct net_device *device, size_t bytes);

#endif
