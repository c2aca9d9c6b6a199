/* See virtio_ring.h. */
#include "drivers/virtio_ring.h"

#define FAR_AWAY 0x8000u /* an event index that no completion will reach */

void virtio_ring_init(struct virtio_ring *ring, void *descriptors, void *available, void *used,
	uint16_t size, struct virtio_slot *slots, uint16_t limit, bool has_event_index)
{
	*ring = (struct virtio_ring){
		.descriptors = descriptors,
		.available = available,
		.used = used,
		.slots = slots,
		.size = size,
		.limit = limit,
		.free_count = limit,
		.has_event_index = has_event_index,
	};
	for (uint16_t i = 0; i < limit; i++)
		slots[i] = (struct virtio_slot){.next = (uint16_t)(i + 1)};
	virtio_ring_disarm(ring);
}

static volatile uint16_t *used_event(const struct virtio_ring *ring)
{
	return &ring->available->entries[ring->size];
}

static uint16_t avail_event(const struct virtio_ring *ring)
{
	const volatile struct virtio_used *used = ring->used;

	return *(const volatile uint16_t *)&used->entries[ring->size];
}

static uint16_t write_descriptor(
	struct virtio_ring *ring, const struct virtio_buffer *buffer, uint16_t index, bool more)
{
	volatile struct virtio_descriptor *descriptor = &ring->descriptors[index];
	uint16_t next = ring->slots[index].next;

	descriptor->address = buffer->phys;
	descriptor->bytes = buffer->bytes;
	descriptor->flags = (uint16_t)((more ? VIRTIO_DESCRIPTOR_NEXT : 0) |
				       (buffer->device_writes ? VIRTIO_DESCRIPTOR_WRITE : 0));
	descriptor->next = more ? next : 0;
	return next;
}

/* Makes the chain that starts at `first` the next available one. */
static void offer(struct virtio_ring *ring, uint16_t first, struct virtio_slot slot)
{
	slot.next = ring->slots[first].next;
	ring->slots[first] = slot;
	ring->available->entries[ring->next & (ring->size - 1)] = first;
	ring->next++;
	ring->in_flight++;
}

bool virtio_ring_add(struct virtio_ring *ring, const struct virtio_buffer *buffers, uint16_t count,
	uint32_t token)
{
	uint16_t first = ring->free_first, index = first;
	uint32_t capacity = 0;

	if (ring->broken || count == 0 || count > ring->free_count)
		return false;
	for (uint16_t i = 0; i < count; i++) {
		index = write_descriptor(ring, &buffers[i], index, i + 1 < count);
		capacity += buffers[i].device_writes ? buffers[i].bytes : 0;
	}
	ring->free_first = index;
	ring->free_count -= count;
	offer(ring, first,
		(struct virtio_slot){.token = token, .capacity = capacity, .length = count});
	return true;
}

bool virtio_ring_add_indirect(struct virtio_ring *ring, volatile struct virtio_descriptor *table,
	uint64_t table_phys, const struct virtio_buffer *buffers, uint16_t count, uint32_t token)
{
	uint16_t first = ring->free_first;
	volatile struct virtio_descriptor *descriptor = &ring->descriptors[first];
	uint32_t capacity = 0;

	if (ring->broken || count == 0 || ring->free_count == 0)
		return false;
	for (uint16_t i = 0; i < count; i++) {
		bool more = i + 1 < count;

		table[i].address = buffers[i].phys;
		table[i].bytes = buffers[i].bytes;
		table[i].flags =
			(uint16_t)((more ? VIRTIO_DESCRIPTOR_NEXT : 0) |
				   (buffers[i].device_writes ? VIRTIO_DESCRIPTOR_WRITE : 0));
		table[i].next = more ? (uint16_t)(i + 1) : 0;
		capacity += buffers[i].device_writes ? buffers[i].bytes : 0;
	}
	descriptor->address = table_phys;
	descriptor->bytes = (uint32_t)(count * sizeof(*table));
	descriptor->flags = VIRTIO_DESCRIPTOR_INDIRECT;
	descriptor->next = 0;
	ring->free_first = ring->slots[first].next;
	ring->free_count--;
	offer(ring, first, (struct virtio_slot){.token = token, .capacity = capacity, .length = 1});
	return true;
}

bool virtio_ring_publish(struct virtio_ring *ring)
{
	uint16_t old = ring->published;

	if (ring->broken || old == ring->next)
		return false;
	/* Entries before index; then index before the device's wish. */
	__atomic_store_n(&ring->available->index, ring->next, __ATOMIC_RELEASE);
	ring->published = ring->next;
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
	if (!ring->has_event_index)
		return (ring->used->flags & VIRTIO_USED_NO_NOTIFY) == 0;
	return (uint16_t)(ring->next - avail_event(ring) - 1) < (uint16_t)(ring->next - old);
}

/* Gives the descriptors of a chain back, by the driver's own record of it. */
static void free_chain(struct virtio_ring *ring, uint16_t first)
{
	uint16_t length = ring->slots[first].length, last = first;

	for (uint16_t i = 1; i < length; i++)
		last = ring->slots[last].next;
	ring->slots[last].next = ring->free_first;
	ring->slots[first].length = 0;
	ring->free_first = first;
	ring->free_count += length;
	ring->in_flight--;
}

static bool is_complete(struct virtio_ring *ring)
{
	uint16_t index, count;

	if (ring->broken)
		return false;
	index = __atomic_load_n(&ring->used->index, __ATOMIC_ACQUIRE);
	count = (uint16_t)(index - ring->taken);
	if (count > (uint16_t)(ring->in_flight - (uint16_t)(ring->next - ring->published)))
		ring->broken = true;
	return count != 0 && !ring->broken;
}

bool virtio_ring_take(struct virtio_ring *ring, uint32_t *token, uint32_t *bytes)
{
	volatile struct virtio_used_entry *entry;
	uint32_t id, written;

	if (!is_complete(ring))
		return false;
	entry = &ring->used->entries[ring->taken & (ring->size - 1)];
	id = entry->id;
	written = entry->bytes;
	if (id >= ring->limit || ring->slots[id].length == 0) {
		ring->broken = true;
		return false;
	}
	/* Some devices report what they read. What is more than the buffers hold, is not. */
	*token = ring->slots[id].token;
	*bytes = MIN(written, ring->slots[id].capacity);
	ring->taken++;
	free_chain(ring, (uint16_t)id);
	return true;
}

bool virtio_ring_arm(struct virtio_ring *ring, uint16_t count)
{
	if (ring->has_event_index)
		*used_event(ring) = (uint16_t)(ring->taken + count - 1);
	else
		ring->available->flags = 0;
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
	return is_complete(ring);
}

void virtio_ring_disarm(struct virtio_ring *ring)
{
	if (ring->has_event_index)
		*used_event(ring) = (uint16_t)(ring->taken - FAR_AWAY);
	else
		ring->available->flags = VIRTIO_AVAILABLE_NO_INTERRUPT;
}
