/*
 * Network devices (virtio 1.2, section 5.1), registered as struct net_device.
 *
 * Received frames lie in pages of a pool (net_buffer.h), several for a large one, and
 * become packets without a copy. Frames to send are chains over the packet's own
 * fragments; the device's header grows in front of the packet where there is room. What
 * the device has sent is taken back when there is need, or when the rings are looked at
 * anyway; it never interrupts for that but when frames wait for room.
 *
 * The device is not trusted: lengths, counts and offsets are checked. The network lock
 * guards it all.
 */
#ifndef DRIVERS_VIRTIO_NET_H
#define DRIVERS_VIRTIO_NET_H

#include "drivers/net_buffer.h"
#include "drivers/virtio_device.h"
#include "kernel/net/device.h"
#include "kernel/net/packet.h"

#define VIRTIO_NET_RECEIVE_LIMIT  512u /* buffers offered at most */
#define VIRTIO_NET_TRANSMIT_LIMIT 512u
#define VIRTIO_NET_WAITING_LIMIT  1000u /* frames that wait for room in the ring */

struct virtio_net_receive {
	struct virtio_ring ring;
	struct net_buffer_pool pool;
	bool merges; /* MRG_RXBUF */
	bool is_armed;
};

/* What a chain in flight belongs to. */
struct virtio_net_slot {
	struct packet *packet;
	uint32_t next_free;
};

struct virtio_net_transmit {
	struct virtio_ring ring;
	struct virtio_net_slot *slots;     /* as many as descriptors */
	struct virtio_net_header *headers; /* of slots whose packet has no room for one */
	uint32_t free_slot;                /* UINT32_MAX: none */
	struct list waiting;               /* packets, in order */
	uint32_t waiting_count;
};

struct virtio_net {
	struct virtio_device device;
	struct net_device net;
	struct virtio_net_receive receive;
	struct virtio_net_transmit transmit;
};

/* net_device_find_all() of kernel/net/device.h sets all of them up. */

/* ---- the parts ---------------------------------------------------------------------- */

/* -ENOMEM; the ring is set up already. */
int virtio_net_receive_init(struct virtio_net_receive *receive, uint64_t features);
/* Offers buffers to the device; true if it wants a doorbell. */
bool virtio_net_receive_refill(struct virtio_net_receive *receive);
/* The next frame, owned by the caller; NULL: none. Counts what is wrong. */
MUST_CHECK struct packet *virtio_net_receive_take(
	struct virtio_net_receive *receive, struct net_device_counters *counters);
bool virtio_net_receive_arm(struct virtio_net_receive *receive);
bool virtio_net_receive_is_pending(const struct virtio_net_receive *receive);

/* -ENOMEM; the ring is set up already. */
int virtio_net_transmit_init(struct virtio_net_transmit *transmit);
/* Queues a frame (consumed) in the ring, or behind it. -ENOBUFS, -EINVAL. */
int virtio_net_transmit_add(struct virtio_net_transmit *transmit, struct packet *packet);
/* Takes back what was sent and fills the room with what waits. */
void virtio_net_transmit_reclaim(struct virtio_net_transmit *transmit);
/* Asks for an interrupt if frames wait for room. True: there is room already. */
bool virtio_net_transmit_arm(struct virtio_net_transmit *transmit);
bool virtio_net_transmit_is_pending(const struct virtio_net_transmit *transmit);

#endif
