/*
 * A block device in memory, for host unit tests: implements kernel/block/block.h for it.
 *
 * It can record all writes and flushes, so that a test can make of a start image what a power
 * cut at any point may have left: everything before the last flush, and any of the writes after
 * it, in any order.
 */
#ifndef ARCH_HOST_FAKE_BLOCK_H
#define ARCH_HOST_FAKE_BLOCK_H

#include "kernel/block/block.h"

struct fake_block_record {
	bool is_flush;
	uint64_t offset;
	uint32_t bytes;
	uint8_t *data;
};

struct fake_block {
	struct block_device device;
	uint8_t *image;
	struct fake_block_record *records;
	size_t record_count, record_capacity;
	bool is_recording;
	uint64_t fail_after; /* requests; then -EIO. UINT64_MAX: never */
};

/* Takes the image, malloc'ed. */
void fake_block_init(struct fake_block *block, uint8_t *image, uint64_t bytes);
void fake_block_destroy(struct fake_block *block);
/* Starts recording; what was recorded is forgotten. */
void fake_block_record(struct fake_block *block);
void fake_block_forget(struct fake_block *block);
/* Applies the first `cut` records to `image` (of the time when recording began); of those after
 * the last flush only some, chosen by `seed`. */
void fake_block_cut(const struct fake_block *block, size_t cut, uint32_t seed, uint8_t *image);

#endif
