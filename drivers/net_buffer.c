/* See net_buffer.h. */
#include "drivers/net_buffer.h"
#include "kernel/mm/heap.h"
#include "kernel/mm/page_alloc.h"

static void give_back(struct packet_memory *memory)
{
	struct net_buffer *buffer = CONTAINER_OF(memory, struct net_buffer, memory);
	struct net_buffer_pool *pool = buffer->pool;

	spin_lock(&pool->lock);
	buffer->next_free = pool->free;
	pool->free = buffer;
	pool->free_count++;
	spin_unlock(&pool->lock);
}

void net_buffer_pool_init(struct net_buffer_pool *pool, uint32_t limit)
{
	spin_init(&pool->lock);
	pool->free = NULL;
	pool->free_count = pool->made = 0;
	pool->limit = MIN(ALIGN_UP(limit, NET_BUFFER_CHUNK), NET_BUFFER_LIMIT);
}

static void fill_chunk(struct net_buffer_pool *pool, struct net_buffer *chunk, struct phys base)
{
	for (uint32_t i = 0; i < NET_BUFFER_CHUNK; i++) {
		struct phys phys = {base.raw + i * NET_BUFFER_BYTES};

		chunk[i] = (struct net_buffer){
			.memory = {.bytes = NET_BUFFER_BYTES,
				.base = platform_phys_to_virt(phys),
				.release = give_back},
			.pool = pool,
			.next_free = pool->free,
			.phys = phys.raw,
			.index = pool->made + i,
		};
		pool->free = &chunk[i];
	}
	pool->chunks[pool->made / NET_BUFFER_CHUNK] = chunk;
	pool->made += NET_BUFFER_CHUNK;
	pool->free_count += NET_BUFFER_CHUNK;
}

static void grow(struct net_buffer_pool *pool)
{
	struct net_buffer *chunk;
	struct phys base;

	if (pool->made >= pool->limit)
		return;
	chunk = heap_alloc(NET_BUFFER_CHUNK * sizeof(*chunk));
	if (chunk == NULL)
		return;
	if (!page_alloc(NET_BUFFER_CHUNK, 0, &base)) {
		heap_free(chunk);
		return;
	}
	fill_chunk(pool, chunk, base);
}

struct net_buffer *net_buffer_take(struct net_buffer_pool *pool)
{
	struct net_buffer *buffer;

	spin_lock(&pool->lock);
	if (pool->free == NULL)
		grow(pool);
	buffer = pool->free;
	if (buffer != NULL) {
		pool->free = buffer->next_free;
		pool->free_count--;
		buffer->memory.references = 1;
	}
	spin_unlock(&pool->lock);
	return buffer;
}

struct net_buffer *net_buffer_at(const struct net_buffer_pool *pool, uint32_t index)
{
	/* Only the driver makes buffers, and it asks itself. */
	return index < pool->made
		       ? &pool->chunks[index / NET_BUFFER_CHUNK][index % NET_BUFFER_CHUNK]
		       : NULL;
}

bool net_buffer_is_scarce(const struct net_buffer_pool *pool)
{
	return READ_ONCE(pool->limit) - READ_ONCE(pool->made) + READ_ONCE(pool->free_count) <
	       pool->limit / 4;
}
