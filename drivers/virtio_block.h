/*
 * Block devices (virtio 1.2, section 5.2), registered as struct block_device.
 *
 * A request is a header, the caller's own memory, and a byte of status; headers and status
 * bytes lie in memory of the queue, one slot a request in flight. Requests for which there
 * is no room wait in the queue, in order. A queue for each vcpu, as far as the device has
 * them.
 *
 * Completions are looked for by whoever idles (kernel/sched/device_poll.h); the device
 * interrupts only while nobody does. The device is not trusted: a ring that makes no sense
 * ends all requests with -EIO, those to come as well.
 */
#ifndef DRIVERS_VIRTIO_BLOCK_H
#define DRIVERS_VIRTIO_BLOCK_H

#include "drivers/virtio_device.h"
#include "kernel/block/block.h"
#include "kernel/lock.h"

#define VIRTIO_BLOCK_QUEUES   8u   /* at most */
#define VIRTIO_BLOCK_LIMIT    256u /* descriptors in use at a time */
#define VIRTIO_BLOCK_SEGMENTS 126u /* of a request: with its header and status, half of them */
#define VIRTIO_BLOCK_SLOTS    128u /* requests in flight, a queue */

/* What the device sees of a request. */
struct virtio_block_memory {
	struct virtio_blk_header header;
	struct virtio_blk_range range;
	volatile uint8_t status;
	uint8_t reserved[31];
};

/* What it does not. */
struct virtio_block_slot {
	struct block_request *request; /* NULL: free */
	uint16_t next_free;
	bool is_flush; /* the second half of a write that is to be stable */
};

struct virtio_block_queue {
	struct spinlock lock; /* guards it all; rank 46 */
	struct virtio_ring ring;
	struct virtio_block_memory *memory; /* VIRTIO_BLOCK_SLOTS of them */
	struct virtio_descriptor *tables;   /* for indirect descriptors; NULL: not offered */
	uint64_t memory_phys, tables_phys;
	struct list waiting; /* block_request.link, in order */
	bool has_volatile_cache;
	bool is_armed;
	uint16_t free_slot;
	struct virtio_block_slot slots[VIRTIO_BLOCK_SLOTS];
	struct virtio_buffer buffers[VIRTIO_BLOCK_SEGMENTS + 2]; /* of the request being posted */
};

struct virtio_block {
	struct virtio_device device;
	struct block_device block;
	struct virtio_block *next;
	uint32_t queue_count;
	bool has_reported;
	struct virtio_block_queue *queues;
};

/* block_find_all() of kernel/block/block.h sets all of them up. */

/* ---- a queue; all but init with its lock held -------------------------------------------- */

/* The ring is set up already. -ENOMEM. */
int virtio_block_queue_init(
	struct virtio_block_queue *queue, bool has_indirect, bool has_volatile_cache);
/* Puts a request in the ring, or in line for it. It is one that the device can take. */
void virtio_block_queue_add(struct virtio_block_queue *queue, struct block_request *request);
/* Moves what is complete, with request->error set, to `done`, and fills the ring with what
 * waits. */
void virtio_block_queue_reap(struct virtio_block_queue *queue, struct list *done);
/* Asks for an interrupt at the next completion if there is anything to wait for. True:
 * something is complete already. */
bool virtio_block_queue_arm(struct virtio_block_queue *queue);
void virtio_block_queue_disarm(struct virtio_block_queue *queue);

/* A look without the lock. */
static inline bool virtio_block_queue_is_pending(const struct virtio_block_queue *queue)
{
	return virtio_ring_is_pending(&queue->ring);
}

#endif
