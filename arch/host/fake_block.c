/* See fake_block.h. */
#include "arch/host/fake_block.h"

#include <stdlib.h>
#include <string.h>

#include "abi/linux/errno.h"

static struct fake_block *fake_of(struct block_device *device)
{
	return CONTAINER_OF(device, struct fake_block, device);
}

void fake_block_init(struct fake_block *block, uint8_t *image, uint64_t bytes)
{
	memset(block, 0, sizeof(*block));
	block->image = image;
	block->device.bytes = bytes;
	block->device.sector_bytes = 512;
	block->device.max_segments = 128;
	block->device.max_request_bytes = 1 << 20;
	block->device.volatile_cache = true;
	block->fail_after = UINT64_MAX;
	strcpy(block->device.name, "fake");
}

void fake_block_forget(struct fake_block *block)
{
	for (size_t i = 0; i < block->record_count; i++)
		free(block->records[i].data);
	free(block->records);
	block->records = NULL;
	block->record_count = block->record_capacity = 0;
	block->is_recording = false;
}

void fake_block_destroy(struct fake_block *block)
{
	fake_block_forget(block);
	free(block->image);
}

void fake_block_record(struct fake_block *block)
{
	fake_block_forget(block);
	block->is_recording = true;
}

static void record(struct fake_block *block, struct fake_block_record what, const void *data)
{
	if (!block->is_recording)
		return;
	if (block->record_count == block->record_capacity) {
		block->record_capacity = block->record_capacity * 2 + 64;
		block->records =
			realloc(block->records, block->record_capacity * sizeof(block->records[0]));
	}
	if (!what.is_flush) {
		what.data = malloc(what.bytes);
		memcpy(what.data, data, what.bytes);
	}
	block->records[block->record_count++] = what;
}

static uint32_t next_random(uint32_t *state)
{
	*state = *state * 1664525 + 1013904223;
	return *state >> 8;
}

static void apply(const struct fake_block_record *record, uint8_t *image)
{
	if (!record->is_flush)
		memcpy(image + record->offset, record->data, record->bytes);
}

void fake_block_cut(const struct fake_block *block, size_t cut, uint32_t seed, uint8_t *image)
{
	size_t last_flush = 0, count, *order;

	for (size_t i = 0; i < cut; i++)
		if (block->records[i].is_flush)
			last_flush = i;
	for (size_t i = 0; i < last_flush; i++)
		apply(&block->records[i], image);
	count = cut - last_flush;
	order = malloc((count + 1) * sizeof(*order));
	for (size_t i = 0; i < count; i++)
		order[i] = last_flush + i;
	/* Every third time they go in order, with the last one lost or not. */
	for (size_t i = count; seed % 3 != 0 && i > 1; i--) {
		size_t other = next_random(&seed) % i, kept = order[i - 1];

		order[i - 1] = order[other];
		order[other] = kept;
	}
	for (size_t i = 0; i < count; i++)
		if (next_random(&seed) % 4 != 0)
			apply(&block->records[order[i]], image);
	free(order);
}

/* ---- kernel/block/block.h ----------------------------------------------------- */

static int begin(struct fake_block *block, uint64_t offset, uint64_t bytes)
{
	if (block->fail_after == 0)
		return -LINUX_EIO;
	if (block->fail_after != UINT64_MAX)
		block->fail_after--;
	if (offset % block->device.sector_bytes != 0 || bytes % block->device.sector_bytes != 0 ||
		offset > block->device.bytes || bytes > block->device.bytes - offset)
		return -LINUX_EIO;
	return 0;
}

int block_read(struct block_device *device, uint64_t offset, void *linear, uint64_t bytes)
{
	struct fake_block *block = fake_of(device);
	int error = begin(block, offset, bytes);

	if (!error)
		memcpy(linear, block->image + offset, bytes);
	device->reads++;
	return error;
}

int block_write(struct block_device *device, uint64_t offset, const void *linear, uint64_t bytes)
{
	struct fake_block *block = fake_of(device);
	int error = begin(block, offset, bytes);

	if (error)
		return error;
	memcpy(block->image + offset, linear, bytes);
	record(block, (struct fake_block_record){.offset = offset, .bytes = (uint32_t)bytes},
		linear);
	device->writes++;
	return 0;
}

int block_flush(struct block_device *device)
{
	struct fake_block *block = fake_of(device);
	int error = begin(block, 0, 0);

	if (!error)
		record(block, (struct fake_block_record){.is_flush = true}, NULL);
	device->flushes++;
	return error;
}

void block_submit(struct block_device *device, struct block_request *request)
{
	uint64_t offset = request->offset;
	int error = 0;

	for (uint32_t i = 0; i < request->segment_count && !error; i++) {
		const struct block_segment *segment = &request->segments[i];
		void *linear = platform_phys_to_virt(segment->memory);

		error = request->operation == BLOCK_READ
				? block_read(device, offset, linear, segment->bytes)
				: block_write(device, offset, linear, segment->bytes);
		offset += segment->bytes;
	}
	if (!error && offset != request->offset + request->bytes)
		abort();
	request->error = error;
	request->done(request);
}
