/*
 * Bytes to send, in blocks that segments refer to. Small writes are gathered in the last
 * block's room.
 */
#include "kernel/mm/heap.h"
#include "kernel/net/tcp/connection.h"
#include "abi/linux/errno.h"

#define BLOCK_TOTAL_SMALL 512u
#define GATHER_BYTES      1024u /* copied under the lock at most */

#define SEND_LIMIT_FIRST (256u << 10)
#define SEND_LIMIT_MAX   (4u << 20)

struct tcp_block {
	struct packet_memory memory;
	struct list link;
	uint32_t sequence, used, capacity;
	uint8_t data[] ALIGNED(16);
};

static void free_memory(struct packet_memory *memory)
{
	heap_free(CONTAINER_OF(memory, struct tcp_block, memory));
}

static struct tcp_block *allocate(uint32_t bytes)
{
	uint32_t total = (uint32_t)sizeof(struct tcp_block) + bytes;
	struct tcp_block *block;

	if (total < BLOCK_TOTAL_SMALL)
		total = BLOCK_TOTAL_SMALL;
	else if (total > 2048)
		total = (uint32_t)ALIGN_UP(total, 4096);
	block = heap_alloc(total);
	if (!block)
		return NULL;
	block->capacity = total - (uint32_t)sizeof(*block);
	block->memory = (struct packet_memory){.references = 1,
		.bytes = block->capacity,
		.base = block->data,
		.release = free_memory};
	list_init(&block->link);
	return block;
}

struct tcp_block *tcp_block_create(struct uio *uio, uint32_t bytes, int *error)
{
	uint32_t limit = (32u << 10) - (uint32_t)sizeof(struct tcp_block);
	struct tcp_block *block;

	bytes = MIN(bytes, limit);
	block = allocate(bytes);
	/* Memory in pieces: pages are left when runs of them are not. */
	if (!block && bytes > 4096 - sizeof(*block)) {
		bytes = 4096 - (uint32_t)sizeof(*block);
		block = allocate(bytes);
	}
	if (!block) {
		*error = -LINUX_ENOMEM;
		return NULL;
	}
	block->used = (uint32_t)uio_copy_some_from(uio, block->data, bytes);
	if (block->used < bytes)
		*error = -LINUX_EFAULT;
	if (block->used == 0) {
		heap_free(block);
		return NULL;
	}
	return block;
}

void tcp_block_free(struct tcp_block *block)
{
	packet_memory_release(&block->memory);
}

void tcp_send_queue_append(struct tcp *tcp, struct tcp_block *block)
{
	struct list *last_link = list_last(&tcp->blocks);
	uint32_t bytes = block->used;

	if (last_link && bytes <= GATHER_BYTES) {
		struct tcp_block *last = LIST_ENTRY(last_link, struct tcp_block, link);

		if (last->capacity - last->used >= bytes) {
			memcpy(last->data + last->used, block->data, bytes);
			last->used += bytes;
			tcp_block_free(block);
			block = NULL;
		}
	}
	if (block) {
		block->sequence = tcp->queue_end;
		list_add_last(&tcp->blocks, &block->link);
	}
	tcp->queue_end += bytes;
	WRITE_ONCE(tcp->queued, tcp->queued + bytes);
	tcp->unsent += bytes;
}

static void drop_first(struct tcp *tcp, struct tcp_block *block)
{
	if (tcp->cursor == block)
		tcp->cursor = NULL;
	list_remove(&block->link);
	tcp_block_free(block);
}

void tcp_send_queue_acked(struct tcp *tcp)
{
	struct list *link;
	uint32_t una = tcp->snd_una;

	if (seq_after(una, tcp->queue_end))
		una = tcp->queue_end; /* the FIN's number */
	while ((link = list_first(&tcp->blocks)) != NULL) {
		struct tcp_block *block = LIST_ENTRY(link, struct tcp_block, link);

		if (seq_after(block->sequence + block->used, una))
			break;
		drop_first(tcp, block);
	}
	WRITE_ONCE(tcp->queued, tcp->queue_end - una);
}

void tcp_send_queue_clear(struct tcp *tcp)
{
	struct list *link;

	while ((link = list_first(&tcp->blocks)) != NULL)
		drop_first(tcp, LIST_ENTRY(link, struct tcp_block, link));
	tcp->unsent = 0;
	WRITE_ONCE(tcp->queued, 0);
}

static bool holds(const struct tcp_block *block, uint32_t seq)
{
	return seq - block->sequence < block->used;
}

static struct tcp_block *find(struct tcp *tcp, uint32_t seq)
{
	struct list *link = tcp->blocks.next;

	if (tcp->cursor && !seq_before(seq, tcp->cursor->sequence))
		link = &tcp->cursor->link;
	for (; link != &tcp->blocks; link = link->next) {
		struct tcp_block *block = LIST_ENTRY(link, struct tcp_block, link);

		if (holds(block, seq))
			return block;
	}
	return NULL;
}

uint32_t tcp_send_queue_add(struct tcp *tcp, struct packet *packet, uint32_t seq, uint32_t bytes)
{
	struct tcp_block *block = find(tcp, seq);
	uint32_t added = 0;
	bool is_new = seq == tcp->snd_nxt;

	while (block && added < bytes) {
		uint32_t offset = seq + added - block->sequence;
		uint32_t part = MIN(block->used - offset, bytes - added);

		/* One place is left for the header. */
		if (packet->fragment_count + 1 >= packet->fragment_limit ||
			!packet_add(packet, &block->memory, block->data + offset, part))
			break;
		added += part;
		if (is_new)
			tcp->cursor = block;
		block = block->link.next == &tcp->blocks
				? NULL
				: LIST_ENTRY(block->link.next, struct tcp_block, link);
	}
	return added;
}

/* Twice what may be in flight, so that the program has time to bring more. */
void tcp_send_limit_update(struct tcp *tcp)
{
	uint32_t limit = tcp->options.send_buffer;

	if (limit == 0)
		limit = MIN(MAX(tcp->cwnd * 2, SEND_LIMIT_FIRST), SEND_LIMIT_MAX);
	if (limit != tcp->send_limit)
		WRITE_ONCE(tcp->send_limit, limit);
}
