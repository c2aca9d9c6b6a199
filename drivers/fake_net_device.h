/*
 * The device's side of the two rings of a network device, for the unit test and the fuzzer:
 * guest-physical addresses are the test's own pointers. Included by one file of a program.
 */
#ifndef DRIVERS_FAKE_NET_DEVICE_H
#define DRIVERS_FAKE_NET_DEVICE_H

#include <stdlib.h>
#include <string.h>

#include "drivers/virtio_net.h"
#include "kernel/mm/heap.h"
#include "kernel/mm/page_alloc.h"

#define FAKE_RING 32u

struct fake_ring {
	struct virtio_descriptor descriptors[FAKE_RING];
	uint8_t used[VIRTIO_USED_BYTES(FAKE_RING) + 8] __attribute__((aligned(8)));
	uint8_t available[VIRTIO_AVAILABLE_BYTES(FAKE_RING) + 8] __attribute__((aligned(8)));
	struct virtio_slot slots[FAKE_RING];
	uint16_t next, done; /* the device's */
};

static uint64_t fake_total_pages = 16384;

void *platform_phys_to_virt(struct phys phys)
{
	return (void *)(uintptr_t)phys.raw;
}

struct phys platform_virt_to_phys(const void *linear)
{
	return (struct phys){(uintptr_t)linear};
}

bool page_alloc(uint32_t count, uint32_t flags, struct phys *result)
{
	void *memory = aligned_alloc(PAGE_BYTES, count * PAGE_BYTES);

	(void)flags;
	result->raw = (uintptr_t)memory;
	return memory != NULL;
}

void page_alloc_counts(struct page_counts *counts)
{
	*counts = (struct page_counts){.total_pages = fake_total_pages};
}

static inline struct virtio_available *fake_available(struct fake_ring *ring)
{
	return (struct virtio_available *)(void *)ring->available;
}

static inline struct virtio_used *fake_used(struct fake_ring *ring)
{
	return (struct virtio_used *)(void *)ring->used;
}

static inline void fake_ring_init(struct fake_ring *fake, struct virtio_ring *ring)
{
	memset(fake, 0, sizeof(*fake));
	virtio_ring_init(ring, fake->descriptors, fake->available, fake->used, FAKE_RING,
		fake->slots, FAKE_RING, true);
}

/* The next chain that the driver offers; false: none. */
static inline bool fake_take(struct fake_ring *ring, uint16_t *id)
{
	if (ring->next == fake_available(ring)->index)
		return false;
	*id = fake_available(ring)->entries[ring->next++ % FAKE_RING];
	return true;
}

static inline void fake_complete(struct fake_ring *ring, uint32_t id, uint32_t bytes)
{
	fake_used(ring)->entries[ring->done % FAKE_RING] = (struct virtio_used_entry){id, bytes};
	fake_used(ring)->index = ++ring->done;
}

/* All pages of a pool go back to the C library. */
static inline void fake_pool_free(struct net_buffer_pool *pool)
{
	for (uint32_t i = 0; i < pool->made; i += NET_BUFFER_CHUNK) {
		struct net_buffer *chunk = pool->chunks[i / NET_BUFFER_CHUNK];

		free(chunk[0].memory.base);
		heap_free(chunk);
	}
}

#endif
