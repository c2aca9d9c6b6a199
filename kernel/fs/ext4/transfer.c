/*
 * Reading and writing metadata blocks and the log, past the cache.
 */
#include "kernel/fs/ext4/ext4.h"
#include "kernel/mm/heap.h"
#include "kernel/mm/page_alloc.h"

#define BATCH_REQUESTS 32
#define BATCH_SEGMENTS 256

struct batch {
	struct ext4 *fs;
	uint32_t pending; /* atomic: requests under way, and one for who submits */
	uint32_t request_count, segment_count;
	struct block_request requests[BATCH_REQUESTS];
	struct block_segment segments[BATCH_SEGMENTS];
};

uint8_t *block_memory_alloc(struct ext4 *fs)
{
	struct phys page;

	(void)fs; /* blocks are at most a page */
	return page_alloc(1, PAGE_ALLOC_RESERVE, &page) ? platform_phys_to_virt(page) : NULL;
}

void block_memory_free(struct ext4 *fs, uint8_t *memory)
{
	(void)fs;
	if (memory)
		page_free(platform_virt_to_phys(memory), 1);
}

static void sort(struct ext4_transfer *transfers, uint32_t count)
{
	for (uint32_t gap = count / 2; gap > 0; gap = gap == 2 ? 1 : gap * 5 / 11)
		for (uint32_t i = gap; i < count; i++) {
			struct ext4_transfer moved = transfers[i];
			uint32_t at = i;

			for (; at >= gap && transfers[at - gap].block > moved.block; at -= gap)
				transfers[at] = transfers[at - gap];
			transfers[at] = moved;
		}
}

static void put_down(struct batch *batch)
{
	struct ext4 *fs = batch->fs;

	/* The batch may be gone once its count is 0. */
	if (__atomic_sub_fetch(&batch->pending, 1, __ATOMIC_ACQ_REL) == 0)
		wait_wake_all(&fs->transfer_done);
}

static void request_done(struct block_request *request)
{
	put_down(request->context);
}

static void wait_for(struct batch *batch)
{
	struct waiter waiter;

	put_down(batch);
	if (__atomic_load_n(&batch->pending, __ATOMIC_ACQUIRE) == 0)
		return;
	waiter_init(&waiter);
	wait_add(&batch->fs->transfer_done, &waiter);
	while (__atomic_load_n(&batch->pending, __ATOMIC_ACQUIRE) != 0)
		thread_sleep(WAIT_FOREVER);
	wait_remove(&batch->fs->transfer_done, &waiter);
}

/* Takes as many transfers as the batch has room for; returns how many. */
static uint32_t fill(
	struct batch *batch, const struct ext4_transfer *transfers, uint32_t count, bool write)
{
	struct ext4 *fs = batch->fs;
	struct block_request *request = NULL;
	uint32_t taken = 0;

	batch->request_count = batch->segment_count = 0;
	for (; taken < count && batch->segment_count < BATCH_SEGMENTS; taken++) {
		const struct ext4_transfer *transfer = &transfers[taken];

		if (taken == 0 || transfer->block != transfer[-1].block + 1) {
			if (batch->request_count == BATCH_REQUESTS)
				break;
			request = &batch->requests[batch->request_count++];
			*request = (struct block_request){
				.operation = write ? BLOCK_WRITE : BLOCK_READ,
				.offset = transfer->block << fs->block_shift,
				.segments = &batch->segments[batch->segment_count],
				.done = request_done,
				.context = batch,
			};
		}
		request->bytes += fs->block_bytes;
		request->segment_count++;
		batch->segments[batch->segment_count++] = (struct block_segment){
			.memory = platform_virt_to_phys(transfer->memory),
			.bytes = fs->block_bytes,
		};
	}
	return taken;
}

static int run(struct batch *batch)
{
	int error = 0;

	__atomic_store_n(&batch->pending, batch->request_count + 1, __ATOMIC_RELAXED);
	for (uint32_t i = 0; i < batch->request_count; i++)
		block_submit(batch->fs->device, &batch->requests[i]);
	wait_for(batch);
	for (uint32_t i = 0; i < batch->request_count; i++)
		if (batch->requests[i].error)
			error = batch->requests[i].error;
	return error;
}

static int transfer_singly(
	struct ext4 *fs, const struct ext4_transfer *transfers, uint32_t count, bool write)
{
	int error = 0;

	for (uint32_t i = 0; i < count && !error; i++) {
		uint64_t offset = transfers[i].block << fs->block_shift;

		error = write ? block_write(
					fs->device, offset, transfers[i].memory, fs->block_bytes)
			      : block_read(
					fs->device, offset, transfers[i].memory, fs->block_bytes);
	}
	return error;
}

int blocks_transfer(struct ext4 *fs, struct ext4_transfer *transfers, uint32_t count, bool write)
{
	struct batch *batch;
	int error = 0;

	if (count == 1)
		return transfer_singly(fs, transfers, 1, write);
	sort(transfers, count);
	batch = heap_alloc(sizeof(*batch));
	if (!batch)
		return transfer_singly(fs, transfers, count, write);
	batch->fs = fs;
	for (uint32_t at = 0; at < count && !error;) {
		at += fill(batch, transfers + at, count - at, write);
		error = run(batch);
	}
	heap_free(batch);
	return error;
}

int blocks_flush(struct ext4 *fs)
{
	return fs->device->volatile_cache ? block_flush(fs->device) : 0;
}

int block_store(struct ext4 *fs, uint64_t block, const uint8_t *memory, bool durable)
{
	int error = block_write(fs->device, block << fs->block_shift, memory, fs->block_bytes);

	return error || !durable ? error : blocks_flush(fs);
}
