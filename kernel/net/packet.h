/*
 * Packets: bytes on their way through the network.
 *
 * A packet is a list of fragments; each lies in a reference-counted block of memory, so
 * that data can be queued for retransmission, handed to a device and be shared without
 * copies. The first fragment lies either in such a block (received packets) or in the
 * packet's own head room (packets made here: headers grow towards its front).
 *
 * Owned by one at a time; functions that consume it say so. Never sleeps. Needs no lock.
 */
#ifndef KERNEL_NET_PACKET_H
#define KERNEL_NET_PACKET_H

#include "lib/compiler.h"
#include "lib/list.h"
#include "kernel/mm/uio.h"

#define PACKET_HEAD_BYTES    160u /* link 14 + IPv6 40 + extension 8 + TCP 60, rounded up */
#define PACKET_FRAGMENTS_MAX 18u  /* 64 KiB in pages, and the first */

/* A block of kernel memory, contiguous in guest-physical space. */
struct packet_memory {
	uint32_t references;
	uint32_t bytes;
	uint8_t *base;
	/* Called with the last reference, any context: gives the block to its owner. */
	void (*release)(struct packet_memory *memory);
};

struct packet_fragment {
	uint8_t *data;
	uint32_t bytes;
	struct packet_memory *memory; /* NULL: the packet's own head */
};

enum packet_flags {
	/* Received: checksums of the transport need not be checked. */
	PACKET_CHECKSUM_GOOD = 1u << 0,
	/* The checksum at checksum_start + checksum_offset holds the pseudo header's only: to be
	 * completed by whoever sends it out (virtio 1.2, 5.1.6.2); good when received. */
	PACKET_CHECKSUM_PARTIAL = 1u << 1,
	PACKET_BROADCAST = 1u << 2, /* received by link-layer broadcast or multicast */
	PACKET_LOOPBACK = 1u << 3,
};

enum packet_segments {
	PACKET_SEGMENT_NONE = 0,
	PACKET_SEGMENT_TCP4,
	PACKET_SEGMENT_TCP6,
	PACKET_SEGMENT_UDP, /* UDP_SEGMENT, virtio's USO */
};

struct net_device;

struct packet {
	struct list link;          /* in a queue of the owner's */
	struct net_device *device; /* received on; NULL for those made here */
	uint32_t bytes;            /* of all fragments */
	uint16_t fragment_count;
	uint16_t fragment_limit;
	uint16_t flags;           /* enum packet_flags */
	uint16_t checksum_start;  /* from the first byte of the packet */
	uint16_t checksum_offset; /* from checksum_start */
	uint8_t segments;         /* enum packet_segments */
	uint8_t header_bytes;     /* with `segments`: all headers up to the payload */
	uint16_t segment_bytes;   /* payload of each segment */
	uint16_t network_offset;  /* of the IP header from the first byte; set on the way in */
	uint64_t received_ns;     /* clock_monotonic_ns(), 0 unless somebody asked for it */
	uint8_t *head;            /* its own head room, PACKET_HEAD_BYTES */
	struct packet_fragment fragments[]; /* fragment_limit of them */
};

/* Empty, with room for `fragments` (at least 1) beside the head's own, together at most
 * PACKET_FRAGMENTS_MAX; its head room is free. NULL: no memory. */
MUST_CHECK struct packet *packet_create(uint32_t fragments);
/* A packet with one writable fragment of `bytes` payload and head room before it. */
MUST_CHECK struct packet *packet_create_linear(uint32_t bytes);
void packet_release(struct packet *packet);
void packet_release_list(struct list *packets);

/* A block of `bytes` (at most 64 KiB) from the heap, with one reference. It fills whole pages
 * when `bytes` and PACKET_MEMORY_OVERHEAD do. */
#define PACKET_MEMORY_OVERHEAD 32u
MUST_CHECK struct packet_memory *packet_memory_create(uint32_t bytes);
void packet_memory_acquire(struct packet_memory *memory);
void packet_memory_release(struct packet_memory *memory);

/* Adds [data, +bytes) of the block, which gains a reference. False: no fragment left. */
MUST_CHECK bool packet_add(
	struct packet *packet, struct packet_memory *memory, uint8_t *data, uint32_t bytes);
/* Room for `bytes` more before the first byte: where they are to be written. NULL when there
 * is none (a received packet, or a full head). */
MUST_CHECK uint8_t *packet_push(struct packet *packet, uint32_t bytes);
/* The first `bytes` of the packet, contiguous (moved into the head if need be; `bytes` at
 * most PACKET_HEAD_BYTES). NULL: it is shorter than that. */
MUST_CHECK uint8_t *packet_peek(struct packet *packet, uint32_t bytes);
/* Drops bytes at the front or the end; at most packet->bytes. */
void packet_trim_front(struct packet *packet, uint32_t bytes);
void packet_trim_to(struct packet *packet, uint32_t bytes);
/* Copies [offset, +bytes), which must lie inside. */
void packet_copy(const struct packet *packet, uint32_t offset, void *dst, uint32_t bytes);
/* To the program; sleeps, no lock may be held. Bytes copied (fewer: a fault). */
size_t packet_copy_uio(
	const struct packet *packet, uint32_t offset, struct uio *uio, uint32_t bytes);
/* A copy of its own in one or more fresh blocks; NULL: no memory. */
MUST_CHECK struct packet *packet_clone(const struct packet *packet);

/* Internet checksum (RFC 1071), not complemented, of [offset, +bytes) added to `sum`. */
uint32_t packet_checksum(
	const struct packet *packet, uint32_t offset, uint32_t bytes, uint32_t sum);
/* The same of plain memory, which begins at an even offset of what is summed up. */
uint32_t checksum_add(const void *bytes, size_t count, uint32_t sum);
/* Folds to 16 bits and complements: what goes into the header (in network byte order). */
uint16_t checksum_finish(uint32_t sum);

#endif
