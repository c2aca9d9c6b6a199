/*
 * Split virtqueue, device side; see ring.h.
 *
 * Theory of operation: the guest publishes chains by advancing available->index;
 * the monitor takes them in order and gives them back in order, so `next` alone
 * says where both stand. Each value in shared memory is read once, into a local,
 * and the local is checked. A chain longer than the ring has a loop.
 */
#include <string.h>

#include "monitor/ring.h"

#define DESCRIPTOR_NEXT     1u
#define DESCRIPTOR_WRITE    2u
#define DESCRIPTOR_INDIRECT 4u

uint64_t ring_descriptor_bytes(uint16_t size)
{
	return 16ull * size;
}

uint64_t ring_available_bytes(uint16_t size)
{
	return 4 + 2ull * size + 2;
}

uint64_t ring_used_bytes(uint16_t size)
{
	return 4 + 8ull * size + 2;
}

bool ring_init(struct ring *ring, const struct guest_memory *memory, uint64_t descriptors,
	uint64_t available, uint64_t used, uint16_t size, bool to_guest)
{
	*ring = (struct ring){.memory = memory, .size = size, .to_guest = to_guest};
	ring->descriptors =
		guest_memory_at(memory, descriptors, ring_descriptor_bytes(size), false);
	ring->available = guest_memory_at(memory, available, ring_available_bytes(size), false);
	ring->used = guest_memory_at(memory, used, ring_used_bytes(size), true);
	return ring->descriptors && ring->available && ring->used;
}

static uint16_t *used_event(const struct ring *ring)
{
	return &ring->available->entries[ring->size];
}

static uint16_t *avail_event(const struct ring *ring)
{
	return (uint16_t *)(void *)&ring->used->entries[ring->size];
}

uint16_t ring_waiting(struct ring *ring)
{
	uint16_t waiting;

	if (ring->broken)
		return 0;
	waiting =
		(uint16_t)(__atomic_load_n(&ring->available->index, __ATOMIC_ACQUIRE) - ring->next);
	if (waiting > ring->size) {
		ring->broken = "more buffers available than the ring has entries";
		return 0;
	}
	return waiting;
}

static int broken(struct ring *ring, const char *why)
{
	ring->broken = why;
	return 0;
}

int ring_chain(struct ring *ring, uint16_t ahead, struct iovec *out, unsigned capacity)
{
	uint16_t slot = (uint16_t)(ring->next + ahead) & (ring->size - 1);
	uint16_t id = READ_ONCE(ring->available->entries[slot]);
	unsigned count = 0;

	for (unsigned links = 0;; links++) {
		struct ring_descriptor copy;
		void *host;

		if (id >= ring->size)
			return broken(ring, "descriptor index out of range");
		if (links == ring->size)
			return broken(ring, "descriptor chain with a loop");
		copy.address = READ_ONCE(ring->descriptors[id].address);
		copy.bytes = READ_ONCE(ring->descriptors[id].bytes);
		copy.flags = READ_ONCE(ring->descriptors[id].flags);
		copy.next = READ_ONCE(ring->descriptors[id].next);
		if (copy.flags & DESCRIPTOR_INDIRECT)
			return broken(ring, "indirect descriptor, which was not negotiated");
		if (!!(copy.flags & DESCRIPTOR_WRITE) != ring->to_guest)
			return broken(ring, "buffer of the wrong direction");
		if (copy.bytes > 0) {
			host = guest_memory_at(
				ring->memory, copy.address, copy.bytes, ring->to_guest);
			if (!host)
				return broken(ring, "buffer outside of guest memory");
			if (count == capacity)
				return -1;
			out[count++] = (struct iovec){host, copy.bytes};
		}
		if (!(copy.flags & DESCRIPTOR_NEXT))
			break;
		id = copy.next;
	}
	if (count == 0) {
		if (capacity == 0)
			return -1;
		out[count++] = (struct iovec){NULL, 0};
	}
	return (int)count;
}

void ring_complete(struct ring *ring, uint32_t bytes)
{
	uint16_t mask = ring->size - 1;
	struct ring_used_entry *entry = &ring->used->entries[ring->used_index & mask];

	/* The guest may have changed the entry since; it only fools itself. */
	WRITE_ONCE(entry->id, READ_ONCE(ring->available->entries[ring->next & mask]));
	WRITE_ONCE(entry->bytes, bytes);
	ring->next++;
	ring->used_index++;
}

bool ring_publish(struct ring *ring)
{
	uint16_t old = ring->used_published, now = ring->used_index, event;

	if (old == now)
		return false;
	__atomic_store_n(&ring->used->index, now, __ATOMIC_RELEASE);
	ring->used_published = now;
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
	event = READ_ONCE(*used_event(ring));
	return (uint16_t)(now - event - 1) < (uint16_t)(now - old);
}

bool ring_ask_more(struct ring *ring, uint16_t seen)
{
	if (ring->broken)
		return false;
	WRITE_ONCE(*avail_event(ring), (uint16_t)(ring->next + seen));
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
	return ring_waiting(ring) > seen;
}

bool ring_ask_doorbell(struct ring *ring)
{
	return ring_ask_more(ring, 0);
}

void ring_ask_nothing(struct ring *ring)
{
	if (!ring->broken)
		WRITE_ONCE(*avail_event(ring), (uint16_t)(ring->next - 1));
}

bool ring_wants_interrupt(const struct ring *ring)
{
	uint16_t event = READ_ONCE(*used_event(ring));

	/* An event that lies a little back has come; one far back, or ahead, is not wanted now. */
	return (uint16_t)(ring->used_published - event - 1) < 0x4000;
}

/* ---- requests ------------------------------------------------------------------------ */

/* One buffer of a chain; false if the ring is broken now. */
static bool add_part(
	struct ring *ring, struct ring_request *request, const struct ring_descriptor *copy)
{
	bool writes = (copy->flags & DESCRIPTOR_WRITE) != 0;
	unsigned count = request->read_count + request->write_count;
	void *host;

	if (!writes && request->write_count > 0)
		return broken(ring, "buffer to read after one to write");
	if (copy->bytes == 0)
		return true;
	host = guest_memory_at(ring->memory, copy->address, copy->bytes, writes);
	if (!host)
		return broken(ring, "buffer outside of guest memory");
	request->parts[count] = (struct iovec){host, copy->bytes};
	if (writes) {
		request->write_count++;
		request->write_bytes += copy->bytes;
	} else {
		request->read_count++;
		request->read_bytes += copy->bytes;
	}
	return true;
}

static bool read_request(struct ring *ring, struct ring_request *request)
{
	uint16_t id = request->id;

	for (unsigned links = 0;; links++) {
		struct ring_descriptor copy;

		if (id >= ring->size)
			return broken(ring, "descriptor index out of range");
		if (links == MIN(ring->size, RING_REQUEST_PARTS))
			return broken(ring, "descriptor chain with a loop");
		copy.address = READ_ONCE(ring->descriptors[id].address);
		copy.bytes = READ_ONCE(ring->descriptors[id].bytes);
		copy.flags = READ_ONCE(ring->descriptors[id].flags);
		copy.next = READ_ONCE(ring->descriptors[id].next);
		if (copy.flags & DESCRIPTOR_INDIRECT)
			return broken(ring, "indirect descriptor, which was not negotiated");
		if (!add_part(ring, request, &copy))
			return false;
		if (!(copy.flags & DESCRIPTOR_NEXT))
			return true;
		id = copy.next;
	}
}

bool ring_take(struct ring *ring, struct ring_request *request)
{
	if (ring_waiting(ring) == 0)
		return false;
	request->read_count = request->write_count = 0;
	request->read_bytes = request->write_bytes = 0;
	request->id = READ_ONCE(ring->available->entries[ring->next & (ring->size - 1)]);
	if (!read_request(ring, request))
		return false;
	ring->next++;
	return true;
}

void ring_give(struct ring *ring, uint16_t id, uint32_t bytes)
{
	struct ring_used_entry *entry = &ring->used->entries[ring->used_index & (ring->size - 1)];

	WRITE_ONCE(entry->id, id);
	WRITE_ONCE(entry->bytes, bytes);
	ring->used_index++;
}
