/* The kernel heap over malloc, so that sanitizers see every misuse. */
#include "kernel/mm/heap.h"

#include <stdlib.h>
#include <string.h>

static size_t live;
static uint32_t failure_period;

static bool failure_due(void)
{
	return failure_period != 0 && (uint32_t)random() % failure_period == 0;
}

void *heap_alloc(size_t bytes)
{
	void *block;

	if (failure_due() || bytes > 2 * 1024 * 1024)
		return NULL;
	block = aligned_alloc(
		bytes % 64 == 0 ? 64 : 16, bytes == 0 ? 64 : (bytes + 15) & ~(size_t)15);
	if (block != NULL) {
		memset(block, 0xa5, bytes);
		__atomic_add_fetch(&live, 1, __ATOMIC_RELAXED);
	}
	return block;
}

void *heap_zalloc(size_t bytes)
{
	void *block = heap_alloc(bytes);

	if (block != NULL)
		memset(block, 0, bytes);
	return block;
}

void *heap_resize(void *block, size_t old_bytes, size_t new_bytes)
{
	void *moved = heap_alloc(new_bytes);

	if (moved == NULL || block == NULL)
		return moved;
	memcpy(moved, block, MIN(old_bytes, new_bytes));
	heap_free(block);
	return moved;
}

void heap_free(void *block)
{
	if (block == NULL)
		return;
	__atomic_sub_fetch(&live, 1, __ATOMIC_RELAXED);
	free(block);
}

size_t heap_live_count(void)
{
	return __atomic_load_n(&live, __ATOMIC_RELAXED);
}

void heap_inject_failures(uint32_t period)
{
	failure_period = period;
}
