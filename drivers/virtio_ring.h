/*
 * The driver's side of a split virtqueue (virtio 1.2, section 2.7), with or without
 * VIRTIO_F_EVENT_IDX and VIRTIO_F_INDIRECT_DESC.
 *
 * The device is not trusted: what it may write is read once and checked against a
 * copy of the chains kept in `slots`, which it cannot reach. A ring that makes no
 * sense becomes `broken`: it takes and gives nothing any more. The caller
 * serialises everything.
 */
#ifndef DRIVERS_VIRTIO_RING_H
#define DRIVERS_VIRTIO_RING_H

#include "lib/compiler.h"
#include "abi/virtio.h"

struct virtio_buffer {
	uint64_t phys;
	uint32_t bytes;
	bool device_writes;
};

/* What the driver knows of descriptor i. */
struct virtio_slot {
	uint32_t token;    /* of the chain that starts here */
	uint32_t capacity; /* bytes the device may write into that chain */
	uint16_t next;     /* in the chain, or in the list of free ones */
	uint16_t length;   /* of the chain; 0: none in flight starts here */
};

struct virtio_ring {
	volatile struct virtio_descriptor *descriptors;
	volatile struct virtio_available *available;
	volatile struct virtio_used *used;
	struct virtio_slot *slots; /* `limit` of them */
	uint16_t size;             /* of the ring, a power of two */
	uint16_t limit;            /* descriptors in use: at most size */
	uint16_t free_first, free_count;
	uint16_t next;      /* available index of the next chain */
	uint16_t published; /* what the device was told */
	uint16_t taken;     /* used index of the next completion */
	uint16_t in_flight; /* chains published or not, and not taken */
	bool has_event_index;
	bool broken;
};

/* The memory of the three parts and of `slots` belongs to the caller. `size` is a
 * power of two; all indexes start at 0. */
void virtio_ring_init(struct virtio_ring *ring, void *descriptors, void *available, void *used,
	uint16_t size, struct virtio_slot *slots, uint16_t limit, bool has_event_index);

/* Queues a chain (readable buffers first), not yet published. False: no room. */
MUST_CHECK bool virtio_ring_add(struct virtio_ring *ring, const struct virtio_buffer *buffers,
	uint16_t count, uint32_t token);
/* The same as one descriptor that points to `table`, memory of the caller with room for
 * `count` descriptors, until the chain is taken back. For VIRTIO_F_INDIRECT_DESC only. */
MUST_CHECK bool virtio_ring_add_indirect(struct virtio_ring *ring,
	volatile struct virtio_descriptor *table, uint64_t table_phys,
	const struct virtio_buffer *buffers, uint16_t count, uint32_t token);
/* Shows the device what was added; true if it wants a doorbell. */
bool virtio_ring_publish(struct virtio_ring *ring);
/* The next completed chain: its token and how much the device wrote. False: none. */
MUST_CHECK bool virtio_ring_take(struct virtio_ring *ring, uint32_t *token, uint32_t *bytes);

/* Asks for an interrupt when `count` (1 or more) further chains are complete. True if
 * one is complete already: look again. */
bool virtio_ring_arm(struct virtio_ring *ring, uint16_t count);
/* No interrupts, please. */
void virtio_ring_disarm(struct virtio_ring *ring);

/* Something to take, or a ring about to be found broken: a load, for those who poll without
 * the caller's lock. */
static inline bool virtio_ring_is_pending(const struct virtio_ring *ring)
{
	return READ_ONCE(ring->used->index) != READ_ONCE(ring->taken) && !ring->broken;
}

static inline bool virtio_ring_is_full(const struct virtio_ring *ring)
{
	return ring->free_count == 0 || ring->broken;
}

#endif
