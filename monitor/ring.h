/*
 * The device's side of a split virtqueue (virtio 1.2, section 2.7), with
 * VIRTIO_RING_F_EVENT_IDX and without indirect descriptors.
 *
 * The rings lie in guest memory that the monitor itself laid out, so their own
 * addresses are good; everything written in them is the guest's and is checked.
 * A ring that makes no sense sets `broken` to a text that says why, and gives no
 * more buffers. One thread at a time uses a ring (the caller's lock).
 */
#ifndef MONITOR_RING_H
#define MONITOR_RING_H

#include <sys/uio.h>

#include "monitor/guest_memory.h"

#define RING_MAX_SIZE 256

struct ring_descriptor {
	uint64_t address;
	uint32_t bytes;
	uint16_t flags;
	uint16_t next;
};

struct ring_available {
	uint16_t flags;
	uint16_t index;
	uint16_t entries[]; /* size of them, then used_event */
};

struct ring_used_entry {
	uint32_t id;
	uint32_t bytes;
};

struct ring_used {
	uint16_t flags;
	uint16_t index;
	struct ring_used_entry entries[]; /* size of them, then avail_event */
};

_Static_assert(sizeof(struct ring_descriptor) == 16, "virtio layout");
_Static_assert(sizeof(struct ring_used_entry) == 8, "virtio layout");

struct ring {
	const struct guest_memory *memory;
	struct ring_descriptor *descriptors;
	struct ring_available *available;
	struct ring_used *used;
	uint16_t size;       /* power of two, at most RING_MAX_SIZE */
	bool to_guest;       /* the device writes the buffers */
	uint16_t next;       /* available index of the first chain not completed */
	uint16_t used_index; /* as last published, plus chains completed since */
	uint16_t used_published;
	const char *broken;
};

/* Host addresses of the three parts follow from guest_memory_at(). Returns false
 * if one of them is outside memory. */
bool ring_init(struct ring *ring, const struct guest_memory *memory, uint64_t descriptors,
	uint64_t available, uint64_t used, uint16_t size, bool to_guest);

/* Bytes of the three parts. */
uint64_t ring_descriptor_bytes(uint16_t size);
uint64_t ring_available_bytes(uint16_t size);
uint64_t ring_used_bytes(uint16_t size);

/* Chains that wait, not completed. 0 for a broken ring. */
uint16_t ring_waiting(struct ring *ring);

/*
 * Turns the chain `ahead` of the first that waits (ahead < ring_waiting()) into
 * host addresses. Returns how many of `capacity` were filled; -1 when they do not
 * fit; 0 with `broken` set when the chain is bad. Empty buffers are left out; a chain of
 * nothing else gives one iovec of length 0.
 */
int ring_chain(struct ring *ring, uint16_t ahead, struct iovec *out, unsigned capacity);

/* Gives the first chain back to the guest, `bytes` of it written by the device. */
void ring_complete(struct ring *ring, uint32_t bytes);

/* Makes completed chains visible; true if the guest wants an interrupt for them. */
bool ring_publish(struct ring *ring);

/*
 * Asks the guest for a doorbell at its next chain. True if a chain is there already
 * (look again: its doorbell may not come). While this is not called, doorbells are
 * suppressed once the guest has moved on.
 */
bool ring_ask_doorbell(struct ring *ring);

/* Takes that wish back: until the next, doorbells are suppressed as far as can be. */
void ring_ask_nothing(struct ring *ring);

/* As ring_ask_doorbell(), for the chain after the first `seen` that wait. */
bool ring_ask_more(struct ring *ring, uint16_t seen);

/* Whether the guest still waits for the interrupt that ring_publish() asked for: it may have
 * looked by itself meanwhile, and said that it wants none. */
bool ring_wants_interrupt(const struct ring *ring);

/* ---- requests: chains of what the device reads, then what it writes ------------------- */

#define RING_REQUEST_PARTS 1024 /* at least the size of a ring of requests */

/* Taken out of the ring, and completed in any order. */
struct ring_request {
	uint16_t id;
	unsigned read_count, write_count;
	size_t read_bytes, write_bytes;
	struct iovec parts[RING_REQUEST_PARTS]; /* what is read, then what is written */
};

/* Takes the next chain. False: none waits, or the ring is broken. `to_guest` plays no part. */
MUST_CHECK bool ring_take(struct ring *ring, struct ring_request *request);
/* Gives a chain that was taken back, `bytes` of it written by the device. */
void ring_give(struct ring *ring, uint16_t id, uint32_t bytes);

#endif
