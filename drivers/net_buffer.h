/*
 * Pages for frames that a network device receives: made as they are needed, up to a
 * limit, and used again. A buffer is a struct packet_memory, so that packets are made of
 * it without a copy; the last release, from any context, brings it back.
 */
#ifndef DRIVERS_NET_BUFFER_H
#define DRIVERS_NET_BUFFER_H

#include "kernel/lock.h"
#include "kernel/net/packet.h"
#include "kernel/platform.h"

#define NET_BUFFER_BYTES       ((uint32_t)PAGE_BYTES)
#define NET_BUFFER_CHUNK       16u /* made at a time */
#define NET_BUFFER_LIMIT       16384u
#define NET_BUFFER_CHUNK_LIMIT (NET_BUFFER_LIMIT / NET_BUFFER_CHUNK)

struct net_buffer_pool;

struct net_buffer {
	struct packet_memory memory; /* one page */
	struct net_buffer_pool *pool;
	struct net_buffer *next_free;
	uint64_t phys;
	uint32_t index;
	bool is_offered; /* to the device; of the driver */
};

struct net_buffer_pool {
	struct spinlock lock; /* leaf; guards what follows */
	struct net_buffer *free;
	uint32_t free_count, made, limit;
	struct net_buffer *chunks[NET_BUFFER_CHUNK_LIMIT];
};

/* limit: of buffers; rounded up to a chunk, at most NET_BUFFER_LIMIT. */
void net_buffer_pool_init(struct net_buffer_pool *pool, uint32_t limit);
/* One with one reference; NULL: the limit is reached, or there is no memory. */
MUST_CHECK struct net_buffer *net_buffer_take(struct net_buffer_pool *pool);
/* The buffer of that index; NULL: none has it. */
struct net_buffer *net_buffer_at(const struct net_buffer_pool *pool, uint32_t index);
/* Fewer than a quarter of the limit are left: what holds buffers for long should copy. */
bool net_buffer_is_scarce(const struct net_buffer_pool *pool);

#endif
