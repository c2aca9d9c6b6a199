/* Requests in the rings of a block device. See virtio_block.h. */
#include "drivers/virtio_block.h"
#include "abi/linux/errno.h"
#include "kernel/mm/page_alloc.h"
#include "kernel/platform.h"
#include "lib/string.h"

#define NO_SLOT       UINT16_MAX
#define TABLE_ENTRIES (VIRTIO_BLOCK_SEGMENTS + 2)
#define STATUS_UNSET  0xff

static void *allocate(uint64_t bytes, uint64_t *phys)
{
	struct phys base;

	if (!page_alloc((uint32_t)(ALIGN_UP(bytes, PAGE_BYTES) / PAGE_BYTES),
		    PAGE_ALLOC_ZERO | PAGE_ALLOC_RESERVE, &base))
		return NULL;
	*phys = base.raw;
	return platform_phys_to_virt(base);
}

int virtio_block_queue_init(
	struct virtio_block_queue *queue, bool has_indirect, bool has_volatile_cache)
{
	spin_init(&queue->lock);
	list_init(&queue->waiting);
	queue->has_volatile_cache = has_volatile_cache;
	queue->memory = allocate(VIRTIO_BLOCK_SLOTS * sizeof(*queue->memory), &queue->memory_phys);
	if (queue->memory == NULL)
		return -LINUX_ENOMEM;
	if (has_indirect) /* without memory for it, it is not used */
		queue->tables =
			allocate(VIRTIO_BLOCK_SLOTS * TABLE_ENTRIES * sizeof(*queue->tables),
				&queue->tables_phys);
	for (uint16_t i = 0; i < VIRTIO_BLOCK_SLOTS; i++)
		queue->slots[i].next_free = (uint16_t)(i + 1);
	queue->slots[VIRTIO_BLOCK_SLOTS - 1].next_free = NO_SLOT;
	queue->free_slot = 0;
	return 0;
}

/* ---- posting ----------------------------------------------------------------------------- */

static uint32_t type_of(enum block_operation operation)
{
	switch (operation) {
	case BLOCK_READ:
		return VIRTIO_BLK_T_IN;
	case BLOCK_WRITE:
		return VIRTIO_BLK_T_OUT;
	case BLOCK_DISCARD:
		return VIRTIO_BLK_T_DISCARD;
	case BLOCK_WRITE_ZEROES:
		return VIRTIO_BLK_T_WRITE_ZEROES;
	case BLOCK_FLUSH:
		break;
	}
	return VIRTIO_BLK_T_FLUSH;
}

static uint16_t add_data(
	struct virtio_block_queue *queue, const struct block_request *request, uint16_t slot)
{
	struct virtio_block_memory *memory = &queue->memory[slot];
	uint16_t count = 1;

	switch (request->operation) {
	case BLOCK_READ:
	case BLOCK_WRITE:
		memory->header.sector = request->offset / VIRTIO_BLK_SECTOR_BYTES;
		for (uint32_t i = 0; i < request->segment_count; i++)
			queue->buffers[count++] = (struct virtio_buffer){
				request->segments[i].memory.raw, request->segments[i].bytes,
				request->operation == BLOCK_READ};
		break;
	case BLOCK_DISCARD:
	case BLOCK_WRITE_ZEROES:
		memory->range = (struct virtio_blk_range){
			.sector = request->offset / VIRTIO_BLK_SECTOR_BYTES,
			.sector_count = (uint32_t)(request->bytes / VIRTIO_BLK_SECTOR_BYTES),
			.flags = request->operation == BLOCK_WRITE_ZEROES ? VIRTIO_BLK_ZEROES_UNMAP
									  : 0};
		queue->buffers[count++] =
			(struct virtio_buffer){queue->memory_phys + slot * sizeof(*memory) +
						       offsetof(struct virtio_block_memory, range),
				sizeof(memory->range), false};
		break;
	case BLOCK_FLUSH:
		break;
	}
	return count;
}

static bool post(struct virtio_block_queue *queue, struct block_request *request, uint16_t slot)
{
	struct virtio_block_memory *memory = &queue->memory[slot];
	uint64_t phys = queue->memory_phys + slot * sizeof(*memory);
	bool is_flush = queue->slots[slot].is_flush;
	uint16_t count = 1;

	memory->status = STATUS_UNSET;
	memory->header = (struct virtio_blk_header){
		.type = is_flush ? VIRTIO_BLK_T_FLUSH : type_of(request->operation)};
	queue->buffers[0] = (struct virtio_buffer){phys, sizeof(memory->header), false};
	if (!is_flush)
		count = add_data(queue, request, slot);
	queue->buffers[count++] = (struct virtio_buffer){
		phys + offsetof(struct virtio_block_memory, status), 1, true};
	if (queue->tables == NULL)
		return virtio_ring_add(&queue->ring, queue->buffers, count, slot);
	return virtio_ring_add_indirect(&queue->ring, &queue->tables[slot * TABLE_ENTRIES],
		queue->tables_phys + slot * TABLE_ENTRIES * sizeof(*queue->tables), queue->buffers,
		count, slot);
}

/* False: no room now. */
static bool try_post(struct virtio_block_queue *queue, struct block_request *request)
{
	uint16_t slot = queue->free_slot;

	if (slot == NO_SLOT)
		return false;
	queue->slots[slot].is_flush = false;
	if (!post(queue, request, slot))
		return false;
	queue->free_slot = queue->slots[slot].next_free;
	queue->slots[slot].request = request;
	return true;
}

static void fill_ring(struct virtio_block_queue *queue)
{
	struct list *first;

	while ((first = list_first(&queue->waiting)) != NULL) {
		if (!try_post(queue, LIST_ENTRY(first, struct block_request, link)))
			return;
		list_remove(first);
	}
}

void virtio_block_queue_add(struct virtio_block_queue *queue, struct block_request *request)
{
	list_init(&request->link);
	if (!list_is_empty(&queue->waiting) || !try_post(queue, request))
		list_add_last(&queue->waiting, &request->link);
}

/* ---- completing -------------------------------------------------------------------------- */

static int error_of(uint8_t status)
{
	if (status == VIRTIO_BLK_S_OK)
		return 0;
	return status == VIRTIO_BLK_S_UNSUPP ? -LINUX_EOPNOTSUPP : -LINUX_EIO;
}

static void free_slot(struct virtio_block_queue *queue, uint16_t slot)
{
	queue->slots[slot].request = NULL;
	queue->slots[slot].next_free = queue->free_slot;
	queue->free_slot = slot;
}

static void complete(struct virtio_block_queue *queue, uint16_t slot, struct list *done)
{
	struct block_request *request = queue->slots[slot].request;

	request->error = error_of(queue->memory[slot].status);
	if (request->error == 0 && request->operation == BLOCK_WRITE &&
		request->force_unit_access && queue->has_volatile_cache &&
		!queue->slots[slot].is_flush) {
		/* Virtio has no such writes. There is room: that of the write's own chain. */
		queue->slots[slot].is_flush = true;
		if (post(queue, request, slot))
			return;
		request->error = -LINUX_EIO;
	}
	free_slot(queue, slot);
	list_add_last(done, &request->link);
}

static void fail_all(struct virtio_block_queue *queue, struct list *done)
{
	for (uint16_t slot = 0; slot < VIRTIO_BLOCK_SLOTS; slot++) {
		struct block_request *request = queue->slots[slot].request;

		if (request == NULL)
			continue;
		request->error = -LINUX_EIO;
		free_slot(queue, slot);
		list_add_last(done, &request->link);
	}
	LIST_FOR_EACH (link, &queue->waiting)
		LIST_ENTRY(link, struct block_request, link)->error = -LINUX_EIO;
	list_splice_last(done, &queue->waiting);
}

void virtio_block_queue_reap(struct virtio_block_queue *queue, struct list *done)
{
	uint32_t slot, bytes;

	while (virtio_ring_take(&queue->ring, &slot, &bytes))
		complete(queue, (uint16_t)slot, done);
	if (queue->ring.broken)
		fail_all(queue, done);
	else
		fill_ring(queue);
}

bool virtio_block_queue_arm(struct virtio_block_queue *queue)
{
	queue->is_armed = queue->ring.in_flight != 0;
	if (queue->is_armed)
		return virtio_ring_arm(&queue->ring, 1) || queue->ring.broken;
	return false;
}

void virtio_block_queue_disarm(struct virtio_block_queue *queue)
{
	if (!queue->is_armed)
		return;
	queue->is_armed = false;
	virtio_ring_disarm(&queue->ring);
}
