/*
 * The device's side of a block device's ring, for the unit test and the fuzzer: guest-physical
 * addresses are the test's own pointers. Included by one file of a program.
 */
#ifndef DRIVERS_FAKE_BLOCK_DEVICE_H
#define DRIVERS_FAKE_BLOCK_DEVICE_H

#include <stdlib.h>
#include <string.h>

#include "drivers/virtio_block.h"
#include "kernel/mm/page_alloc.h"

#define FAKE_RING 16u

struct fake_ring {
	struct virtio_descriptor descriptors[FAKE_RING];
	uint8_t used[VIRTIO_USED_BYTES(FAKE_RING) + 8] __attribute__((aligned(8)));
	uint8_t available[VIRTIO_AVAILABLE_BYTES(FAKE_RING) + 8] __attribute__((aligned(8)));
	struct virtio_slot slots[FAKE_RING];
	uint16_t next, done; /* the device's */
};

void *platform_phys_to_virt(struct phys phys)
{
	return (void *)(uintptr_t)phys.raw;
}

bool page_alloc(uint32_t count, uint32_t flags, struct phys *result)
{
	void *memory = aligned_alloc(PAGE_BYTES, count * PAGE_BYTES);

	(void)flags;
	memset(memory, 0, count * PAGE_BYTES);
	result->raw = (uintptr_t)memory;
	return memory != NULL;
}

static inline void fake_init(
	struct fake_ring *fake, struct virtio_block_queue *queue, bool has_indirect)
{
	memset(fake, 0, sizeof(*fake));
	memset(queue, 0, sizeof(*queue));
	virtio_ring_init(&queue->ring, fake->descriptors, fake->available, fake->used, FAKE_RING,
		fake->slots, FAKE_RING, true);
	if (virtio_block_queue_init(queue, has_indirect, true) != 0)
		abort();
}

static inline void fake_free(struct virtio_block_queue *queue)
{
	free(queue->memory);
	free(queue->tables);
}

/* The next chain that the driver has published; false: none. */
static inline bool fake_take(struct fake_ring *ring, uint16_t *id)
{
	struct virtio_available *available = (void *)ring->available;

	if (ring->next == available->index)
		return false;
	*id = available->entries[ring->next++ % FAKE_RING];
	return true;
}

static inline void fake_complete(struct fake_ring *ring, uint32_t id, uint32_t bytes)
{
	struct virtio_used *used = (void *)ring->used;

	used->entries[ring->done % FAKE_RING] = (struct virtio_used_entry){id, bytes};
	used->index = ++ring->done;
}

/* The descriptors of a chain, through an indirect table if it is one; their count. */
static inline uint32_t fake_chain(
	const struct fake_ring *ring, uint16_t id, struct virtio_descriptor *out, uint32_t capacity)
{
	const struct virtio_descriptor *table = ring->descriptors, *at = &table[id];
	uint32_t count = 0;

	if (at->flags & VIRTIO_DESCRIPTOR_INDIRECT) {
		table = (const void *)(uintptr_t)at->address;
		at = table;
	}
	while (count < capacity) {
		out[count++] = *at;
		if (!(at->flags & VIRTIO_DESCRIPTOR_NEXT))
			break;
		at = &table[at->next];
	}
	return count;
}

#endif
